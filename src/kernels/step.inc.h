/* One time step of each cell: the recurrent product and, while its sums are still in registers,
 * the gates. Part of body.inc.h. The equations are in cells/<cell>.c.
 *
 * A block is `rows` rows of the batch by `panels` panels of units, `gates` vectors a panel:
 * acc[r][p * gates + g]. Every sum adds k = 0, 1, 2, ... in that order in any block and the input
 * projection last, so the bits of a row do not depend on the batch around it.
 */

/* acc += h_prev w, for w in panels that are `gates` vectors wide. */
INLINE void FN(recurrent_product)(VEC acc[][max_vectors], const REAL *h, ptrdiff_t h_stride,
                                  int32_t depth, const REAL *w, const int rows, const int panels,
                                  const int gates)
{
    const ptrdiff_t panel_size = (ptrdiff_t)depth * gates * LANES;
    for (ptrdiff_t k = 0; k < depth; ++k) {
        VEC x[max_rows];
        UNROLL for (int r = 0; r < rows; ++r) x[r] = FN(set1)(h[r * h_stride + k]);
        UNROLL for (int p = 0; p < panels; ++p)
        {
            UNROLL for (int g = 0; g < gates; ++g)
            {
                const VEC v = FN(load)(w + p * panel_size + (k * gates + g) * LANES);
                UNROLL for (int r = 0; r < rows; ++r) acc[r][p * gates + g] =
                    FN(fma)(x[r], v, acc[r][p * gates + g]);
            }
        }
    }
}

/* The sums of a block: the recurrent product, packed here or made by a BLAS in s->gh, from zero or
 * `start` on; then the input projection. Of the projection's `gx_gates` gates this step has
 * `gates`, from `gx_first` on, and adds those before `apart`. */
INLINE void FN(preactivate)(VEC acc[][max_vectors], const rnnat_step *s, const REAL *h,
                            ptrdiff_t h_stride, int32_t row, int32_t panel, const int rows,
                            const int panels, const int gates, const int gx_gates,
                            const int gx_first, const int apart, const REAL *start)
{
    const REAL *gx = (const REAL *)s->gx + row * s->gx_stride;
    const REAL *gh = (const REAL *)s->gh + row * s->gh_stride;
    UNROLL for (int p = 0; p < panels; ++p)
    {
        const ptrdiff_t unit = (ptrdiff_t)(panel + p) * LANES;
        UNROLL for (int g = 0; g < gates; ++g)
        {
            const VEC first = g >= apart && start ? FN(load)(start + unit) : FN(set1)(0);
            UNROLL for (int r = 0; r < rows; ++r) acc[r][p * gates + g] = first;
        }
    }
    if (s->w)
        FN(recurrent_product)(acc, h, h_stride, s->k,
                              (const REAL *)s->w + (ptrdiff_t)panel * s->k * gates * LANES, rows,
                              panels, gates);
    UNROLL for (int p = 0; p < panels; ++p)
    {
        const ptrdiff_t unit = (ptrdiff_t)(panel + p) * LANES;
        UNROLL for (int g = 0; g < gates; ++g)
        {
            UNROLL for (int r = 0; r < rows; ++r)
            {
                VEC v = acc[r][p * gates + g];
                if (!s->w)
                    v = FN(add)(v, FN(load)(gh + r * s->gh_stride + unit * gates + g * LANES));
                if (g < apart)
                    v = FN(add)(v, FN(load)(gx + r * s->gx_stride + unit * gx_gates +
                                            (gx_first + g) * LANES));
                acc[r][p * gates + g] = v;
            }
        }
    }
}

INLINE void FN(put_h)(const rnnat_step *s, int32_t row, int32_t panel, VEC h)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    FN(store)((REAL *)s->h_next + row * s->h_next_stride + unit, h);
    if (s->out) {
        REAL *out = (REAL *)s->out + row * s->out_stride + unit;
        if (s->hidden - unit >= LANES)
            FN(store)(out, h);
        else
            FN(store_first)(out, (int32_t)(s->hidden - unit), h);
    }
}

/* ---- RNN: h' = act(W_ih x + W_hh h + b) ---- */

NOINLINE void FN(rnn_postgemm)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    FN(put_h)(s, row, panel,
              s->activation == RNNAT_TANH   ? FN(tanh)(sums[0])
              : s->activation == RNNAT_RELU ? FN(relu)(sums[0])
                                            : FN(sigmoid)(sums[0]));
}

/* ---- GRU, reset after: n = tanh(gx_n + r (W_hn h + b_hn)), h' = n + z (h - n) ---- */

NOINLINE void FN(gru_postgemm)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    const VEC gx_n = FN(load)((const REAL *)s->gx + row * s->gx_stride + unit * 3 + 2 * LANES);
    const VEC h = FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + unit);
    const VEC r = FN(sigmoid)(sums[0]), z = FN(sigmoid)(sums[1]);
    const VEC n = FN(tanh)(FN(fma)(r, sums[2], gx_n));
    FN(put_h)(s, row, panel, FN(fma)(z, FN(sub)(h, n), n));
    if (s->trace[0]) FN(show)(s, 0, row, panel, (const VEC[]){r, z, n}, 3);
}

/* ---- GRU, reset before: first r and z of all units, then n = tanh(gx_n + W_hn (r h)) ---- */

NOINLINE void FN(gru_gates_postgemm)(const rnnat_step *s, int32_t row, int32_t panel,
                                     const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES, at = row * s->pad_stride + unit;
    const VEC h = FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + unit);
    const VEC r = FN(sigmoid)(sums[0]), z = FN(sigmoid)(sums[1]);
    FN(store)((REAL *)s->rh + at, FN(mul)(r, h));
    FN(store)((REAL *)s->z + at, z);
    if (s->trace[0]) FN(show)(s, 0, row, panel, (const VEC[]){r, z}, 2);
}

NOINLINE void FN(gru_new_postgemm)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    const VEC h = FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + unit);
    const VEC z = FN(load)((const REAL *)s->z + row * s->pad_stride + unit);
    const VEC n = FN(tanh)(sums[0]);
    FN(put_h)(s, row, panel, FN(fma)(z, FN(sub)(h, n), n));
    if (s->trace[0]) FN(show)(s, 2, row, panel, &n, 1);
}

/* ---- LSTM: c' = f c + i g, h' = o tanh(c'); peepholes: i and f see c, o sees c' ---- */

NOINLINE void FN(lstm_postgemm)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    const REAL *peephole = (const REAL *)s->peephole + unit;
    REAL *cell = (REAL *)s->c + row * s->pad_stride + unit;
    VEC c = FN(load)(cell);
    VEC i = sums[0], f = sums[1], o = sums[3];
    if (s->peephole) {
        i = FN(fma)(FN(load)(peephole), c, i);
        f = FN(fma)(FN(load)(peephole + s->pad_stride), c, f);
    }
    c = FN(fma)(FN(sigmoid)(f), c, FN(sigmoid_tanh)(i, sums[2]));
    if (s->peephole) o = FN(fma)(FN(load)(peephole + 2 * s->pad_stride), c, o);
    FN(store)(cell, c);
    FN(put_h)(s, row, panel, FN(sigmoid_tanh)(o, c));
    if (s->trace[0]) FN(show_lstm)(s, row, panel, i, f, sums[2], o);
}

/* ---- all units and rows of a step, in blocks ---- */

/* One block: the sums in registers, then the gates row by row and panel by panel.
 * `gates`, `gx_gates`, `gx_first`, `apart`, `h` and `start` as in preactivate. */
#define STEP_BLOCK(name, GATES, GX_GATES, GX_FIRST, APART, H, H_STRIDE, START)                     \
    INLINE void FN(name##_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows,  \
                                 const int panels)                                                 \
    {                                                                                              \
        VEC acc[max_rows][max_vectors], sums[max_rows * max_vectors];                              \
        const REAL *h = (const REAL *)s->H + row * s->H_STRIDE;                                    \
        FN(preactivate)(acc, s, h, s->H_STRIDE, row, panel, rows, panels, GATES, GX_GATES,         \
                        GX_FIRST, APART, START);                                                   \
        UNROLL for (int r = 0; r < rows; ++r)                                                      \
        {                                                                                          \
            UNROLL for (int v = 0; v < panels * GATES; ++v) sums[r * panels * GATES + v] =         \
                acc[r][v];                                                                         \
        }                                                                                          \
        for (int r = 0; r < rows; ++r)                                                             \
            for (int p = 0; p < panels; ++p)                                                       \
                FN(name##_postgemm)(s, row + r, panel + p, sums + (r * panels + p) * GATES);       \
    }

STEP_BLOCK(rnn, 1, 1, 0, 1, h_prev, h_prev_stride, NULL)
STEP_BLOCK(gru, 3, 3, 0, 2, h_prev, h_prev_stride, s->bias_hn)
STEP_BLOCK(gru_gates, 2, 3, 0, 2, h_prev, h_prev_stride, NULL)
STEP_BLOCK(gru_new, 1, 3, 2, 1, rh, pad_stride, NULL)
STEP_BLOCK(lstm, 4, 4, 0, 4, h_prev, h_prev_stride, NULL)

/* One height of a block; those above MOST are never asked for, and cost no code. */
#define STEP_CASE(name, R, PANELS, MOST)                                                           \
    case R:                                                                                        \
        if (R <= MOST) FN(name##_block)(s, row, panel, R <= MOST ? R : 1, PANELS);                 \
        break

/* Blocks of `PANELS` panels while there are so many. */
#define STEP_PANELS(name, PANELS, MOST)                                                            \
    for (; panel + PANELS <= s->last_panel; panel += PANELS) {                                     \
        for (int32_t row = 0; row < s->rows;) {                                                    \
            const int32_t rows = next_block(s->rows - row, MOST);                                  \
            switch (rows) {                                                                        \
                STEP_CASE(name, 1, PANELS, MOST);                                                  \
                STEP_CASE(name, 2, PANELS, MOST);                                                  \
                STEP_CASE(name, 3, PANELS, MOST);                                                  \
                STEP_CASE(name, 4, PANELS, MOST);                                                  \
                STEP_CASE(name, 5, PANELS, MOST);                                                  \
                STEP_CASE(name, 6, PANELS, MOST);                                                  \
                STEP_CASE(name, 7, PANELS, MOST);                                                  \
                STEP_CASE(name, 8, PANELS, MOST);                                                  \
            }                                                                                      \
            row += rows;                                                                           \
        }                                                                                          \
    }

/* One row alone takes SINGLE panels at once: enough sums to hide the latency of one. More rows
 * take WIDE of them, so that each broadcast of h serves several vectors. */
#define STEP(name, SINGLE, WIDE, MOST)                                                             \
    static void FN(name)(const rnnat_step *s)                                                      \
    {                                                                                              \
        int32_t panel = s->first_panel;                                                            \
        if (s->rows == 1)                                                                          \
            for (; panel + SINGLE <= s->last_panel; panel += SINGLE)                               \
                FN(name##_block)(s, 0, panel, 1, SINGLE);                                          \
        STEP_PANELS(name, WIDE, MOST)                                                              \
        STEP_PANELS(name, 1, MOST)                                                                 \
    }

STEP(rnn, 8, 4, rows_of_4)
STEP(gru, 3, 1, rows_of_3)
STEP(gru_gates, 4, 2, rows_of_4)
STEP(gru_new, 8, 4, rows_of_4)
STEP(lstm, 2, 1, rows_of_4)

#undef STEP
#undef STEP_PANELS
#undef STEP_CASE
#undef STEP_BLOCK
