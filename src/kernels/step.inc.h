/* One time step of each cell: the recurrent product and, while its sums are still in registers,
 * the gates. Part of body.inc.h. The equations are in cells/<cell>.c.
 *
 * A block is `rows` rows of the batch by `panels` panels of units, `gates` vectors a panel:
 * acc[r][p * gates + g]. Every sum adds k = 0, 1, 2, ... in that order in any block and the input
 * projection last, so the bits of a row do not depend on the batch around it.
 */

/* acc += h_prev w, for w in panels that are `gates` vectors wide. The fewer of a step's operands,
 * rows or vectors, wait in registers and the others pass by one at a time: 12 sums fit in 16. */
INLINE void FN(recurrent_product)(VEC acc[][max_vectors], const REAL *h, ptrdiff_t h_stride,
                                  int32_t depth, const REAL *w, const int rows, const int panels,
                                  const int gates)
{
    const ptrdiff_t panel_size = (ptrdiff_t)depth * gates * LANES;
    const int vectors = panels * gates;
    for (ptrdiff_t k = 0; k < depth; ++k) {
        const REAL *const w_k = w + k * gates * LANES, *const h_k = h + k;
        if (rows <= vectors) {
            VEC x[max_rows];
            UNROLL for (int r = 0; r < rows; ++r) x[r] = FN(set1)(h_k[r * h_stride]);
            UNROLL for (int j = 0; j < vectors; ++j)
            {
                const VEC v = FN(load)(w_k + j / gates * panel_size + j % gates * LANES);
                UNROLL for (int r = 0; r < rows; ++r) acc[r][j] = FN(fma)(x[r], v, acc[r][j]);
            }
        } else {
            VEC v[max_vectors];
            UNROLL for (int j = 0; j < vectors; ++j) v[j] =
                FN(load)(w_k + j / gates * panel_size + j % gates * LANES);
            UNROLL for (int r = 0; r < rows; ++r)
            {
                const VEC x = FN(set1)(h_k[r * h_stride]);
                UNROLL for (int j = 0; j < vectors; ++j) acc[r][j] = FN(fma)(x, v[j], acc[r][j]);
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

/* Where the gates of n units' vectors abreast go: at row + i and `panel`, or at `row` and
 * panel + i. */
typedef struct FN(place) {
    int32_t row, panel;
    int32_t down; /* 1: rows follow each other; 0: panels do */
} FN(place);

#define ABREAST(i) UNROLL for (int i = 0; i < n; ++i)
#define SHOW(i, first, count, ...)                                                                 \
    FN(show)(s, first, ROW(i), at.panel + i * (1 - at.down), (const VEC[]){__VA_ARGS__}, count)
#define ROW(i) (at.row + i * at.down)
#define UNIT(i) ((ptrdiff_t)(at.panel + i * (1 - at.down)) * LANES)
/* Element of a step's array that has the rows apart by its `name`_stride. */
#define AT(i, name, per_unit) ((REAL *)s->name + ROW(i) * s->name##_stride + UNIT(i) * per_unit)
#define AT_PAD(i, name) ((REAL *)s->name + ROW(i) * s->pad_stride + UNIT(i))

INLINE void FN(put_h)(const rnnat_step *s, FN(place) at, const int i, VEC h)
{
    FN(store)(AT(i, h_next, 1), h);
    if (s->out) {
        const ptrdiff_t left = s->hidden - UNIT(i);
        if (left >= LANES)
            FN(store)(AT(i, out, 1), h);
        else
            FN(store_first)(AT(i, out, 1), (int32_t)left, h);
    }
}

/* ---- RNN: h' = act(W_ih x + W_hh h + b) ---- */

INLINE void FN(rnn_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC h[max_abreast];
    ABREAST(i) h[i] = sums[i];
    FN(map)(n, h, s->activation);
    ABREAST(i) FN(put_h)(s, at, i, h[i]);
}

/* ---- GRU, reset after: n = tanh(gx_n + r (W_hn h + b_hn)), h' = n + z (h - n) ---- */

INLINE void FN(gru_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC rz[max_abreast], new[max_abreast];
    ABREAST(i)
    {
        rz[i] = sums[i * 3];
        rz[n + i] = sums[i * 3 + 1];
    }
    FN(sigmoid)(2 * n, rz);
    ABREAST(i) new[i] = FN(fma)(rz[i], sums[i * 3 + 2], FN(load)(AT(i, gx, 3) + 2 * LANES));
    FN(tanh)(n, new);
    ABREAST(i)
    {
        const VEC h = FN(load)(AT(i, h_prev, 1));
        FN(put_h)(s, at, i, FN(fma)(rz[n + i], FN(sub)(h, new[i]), new[i]));
        if (s->trace[0]) SHOW(i, 0, 3, rz[i], rz[n + i], new[i]);
    }
}

/* ---- GRU, reset before: first r and z of all units, then n = tanh(gx_n + W_hn (r h)) ---- */

INLINE void FN(gru_gates_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC rz[max_abreast];
    ABREAST(i)
    {
        rz[i] = sums[i * 2];
        rz[n + i] = sums[i * 2 + 1];
    }
    FN(sigmoid)(2 * n, rz);
    ABREAST(i)
    {
        FN(store)(AT_PAD(i, rh), FN(mul)(rz[i], FN(load)(AT(i, h_prev, 1))));
        FN(store)(AT_PAD(i, z), rz[n + i]);
        if (s->trace[0]) SHOW(i, 0, 2, rz[i], rz[n + i]);
    }
}

INLINE void FN(gru_new_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC new[max_abreast];
    ABREAST(i) new[i] = sums[i];
    FN(tanh)(n, new);
    ABREAST(i)
    {
        const VEC h = FN(load)(AT(i, h_prev, 1)), z = FN(load)(AT_PAD(i, z));
        FN(put_h)(s, at, i, FN(fma)(z, FN(sub)(h, new[i]), new[i]));
        if (s->trace[0]) SHOW(i, 2, 1, new[i]);
    }
}

/* ---- LSTM: c' = f c + i g, h' = o tanh(c'); peepholes: i and f see c, o sees c' ---- */

INLINE void FN(lstm_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    const REAL *const w_ci = (const REAL *)s->peephole;
    const REAL *const w_cf = w_ci + s->pad_stride, *const w_co = w_cf + s->pad_stride;
    VEC x[max_abreast], scale[max_abreast], c[max_abreast]; /* x: of n i, n f, n g; of n o, n c' */
    ABREAST(k)
    {
        VEC i = sums[k * 4], f = sums[k * 4 + 1];
        c[k] = FN(load)(AT_PAD(k, c));
        if (s->peephole) {
            i = FN(fma)(FN(load)(w_ci + UNIT(k)), c[k], i);
            f = FN(fma)(FN(load)(w_cf + UNIT(k)), c[k], f);
        }
        if (s->trace[0])
            FN(show_ifg)(s, ROW(k), at.panel + k * (1 - at.down), i, f, sums[k * 4 + 2]);
        x[k] = FN(minus_clamped)(i);
        x[n + k] = FN(minus_clamped)(f);
        x[2 * n + k] = FN(size_times)(sums[k * 4 + 2], -2);
    }
    FN(expm1_split)(3 * n, x, scale);
    ABREAST(k)
    {
        const VEC f = FN(div)(FN(set1)(1), FN(one_and_exp)(scale[n + k], x[n + k]));
        const VEC ig =
            FN(sigmoid_tanh)(scale[k], x[k], scale[2 * n + k], x[2 * n + k], sums[k * 4 + 2]);
        c[k] = FN(fma)(f, c[k], ig);
        FN(store)(AT_PAD(k, c), c[k]);
    }
    ABREAST(k)
    {
        VEC o = sums[k * 4 + 3];
        if (s->peephole) o = FN(fma)(FN(load)(w_co + UNIT(k)), c[k], o);
        if (s->trace[0]) SHOW(k, 3, 1, FN(sigmoid_of)(o));
        x[k] = FN(minus_clamped)(o);
        x[n + k] = FN(size_times)(c[k], -2);
    }
    FN(expm1_split)(2 * n, x, scale);
    ABREAST(k)
    FN(put_h)(s, at, k, FN(sigmoid_tanh)(scale[k], x[k], scale[n + k], x[n + k], c[k]));
}

#undef ABREAST
#undef SHOW
#undef ROW
#undef UNIT
#undef AT
#undef AT_PAD

/* ---- all units and rows of a step, in blocks ---- */

/* One block: the sums in registers, then the gates, SEVERAL vectors of units abreast: those of one
 * row or, where the block is one panel wide, of one panel.
 * `gates`, `gx_gates`, `gx_first`, `apart`, `h` and `start` as in preactivate. */
#define STEP_BLOCK(name, GATES, GX_GATES, GX_FIRST, APART, H, H_STRIDE, START, SEVERAL)            \
    NOINLINE void FN(name##_several)(const rnnat_step *s, FN(place) at, const VEC *sums)           \
    {                                                                                              \
        FN(name##_postgemm)(s, at, SEVERAL, sums);                                                 \
    }                                                                                              \
    NOINLINE void FN(name##_one)(const rnnat_step *s, FN(place) at, const VEC *sums)               \
    {                                                                                              \
        FN(name##_postgemm)(s, at, 1, sums);                                                       \
    }                                                                                              \
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
        const VEC *next = sums;                                                                    \
        for (int line = 0; line < (panels > 1 ? rows : 1); ++line) {                               \
            FN(place) at = {row + line, panel, panels == 1};                                       \
            for (int left = panels > 1 ? panels : rows; left > 0;) {                               \
                const int some = left >= SEVERAL ? SEVERAL : 1;                                    \
                if (some > 1)                                                                      \
                    FN(name##_several)(s, at, next);                                               \
                else                                                                               \
                    FN(name##_one)(s, at, next);                                                   \
                next += some * GATES;                                                              \
                left -= some;                                                                      \
                at.row += some * at.down;                                                          \
                at.panel += some * (1 - at.down);                                                  \
            }                                                                                      \
        }                                                                                          \
    }

STEP_BLOCK(rnn, 1, 1, 0, 1, h_prev, h_prev_stride, NULL, 4)
STEP_BLOCK(gru, 3, 3, 0, 2, h_prev, h_prev_stride, s->bias_hn, 2)
STEP_BLOCK(gru_gates, 2, 3, 0, 2, h_prev, h_prev_stride, NULL, 2)
STEP_BLOCK(gru_new, 1, 3, 2, 1, rh, pad_stride, NULL, 4)
STEP_BLOCK(lstm, 4, 4, 0, 4, h_prev, h_prev_stride, NULL, 2)

/* One height of a block; those above MOST are never asked for, and cost no code. */
#define STEP_CASE(name, R, PANELS, MOST)                                                           \
    case R:                                                                                        \
        if (R <= MOST) FN(name##_block)(s, row, panel, R <= MOST ? R : 1, PANELS);                 \
        break

/* All rows of `PANELS` panels, in blocks. */
#define STEP_ROWS(name, PANELS, MOST)                                                              \
    for (int32_t row = 0; row < s->rows;) {                                                        \
        const int32_t rows = next_block(s->rows - row, MOST);                                      \
        switch (rows) {                                                                            \
            STEP_CASE(name, 1, PANELS, MOST);                                                      \
            STEP_CASE(name, 2, PANELS, MOST);                                                      \
            STEP_CASE(name, 3, PANELS, MOST);                                                      \
            STEP_CASE(name, 4, PANELS, MOST);                                                      \
            STEP_CASE(name, 5, PANELS, MOST);                                                      \
            STEP_CASE(name, 6, PANELS, MOST);                                                      \
            STEP_CASE(name, 7, PANELS, MOST);                                                      \
            STEP_CASE(name, 8, PANELS, MOST);                                                      \
        }                                                                                          \
        row += rows;                                                                               \
    }

/* Whether panels of one vector come from farther than the nearest cache. Then fewer of them at once
 * are read faster: each is a stream of its own to the prefetcher. */
INLINE int FN(is_far)(const rnnat_step *s, int32_t panels)
{
    enum { near = 32768 };
    return (double)panels * s->k * LANES * sizeof(REAL) > near;
}

/* One row of `P` panels; more than SINGLE are never asked for. */
#define STEP_SINGLE(name, P, SINGLE)                                                               \
    case P:                                                                                        \
        if (P <= SINGLE) FN(name##_block)(s, 0, panel, 1, P <= SINGLE ? P : 1);                    \
        break

/* One row alone takes up to SINGLE panels at once: enough sums to hide the latency of one. More
 * rows take WIDE of them, so that each broadcast of h serves several vectors, and what is left
 * over, with as many rows as then fit. Every other step begins at the end, with the weights that
 * the step before has left in the cache. */
#define STEP(name, SINGLE, WIDE, MOST, MOST_OF_1)                                                  \
    static void FN(name##_single)(const rnnat_step *s)                                             \
    {                                                                                              \
        const int32_t panels = s->last_panel - s->first_panel;                                     \
        const int32_t most = SINGLE > 4 && FN(is_far)(s, panels) ? 4 : SINGLE;                     \
        const int32_t groups = (panels + most - 1) / most;                                         \
        for (int32_t i = 0; i < groups; ++i) {                                                     \
            const int32_t group = s->backwards ? groups - 1 - i : i;                               \
            const int32_t from = (int32_t)((int64_t)panels * group / groups);                      \
            const int32_t to = (int32_t)((int64_t)panels * (group + 1) / groups);                  \
            const int32_t panel = s->first_panel + from;                                           \
            switch (to - from) {                                                                   \
                STEP_SINGLE(name, 1, SINGLE);                                                      \
                STEP_SINGLE(name, 2, SINGLE);                                                      \
                STEP_SINGLE(name, 3, SINGLE);                                                      \
                STEP_SINGLE(name, 4, SINGLE);                                                      \
                STEP_SINGLE(name, 5, SINGLE);                                                      \
                STEP_SINGLE(name, 6, SINGLE);                                                      \
                STEP_SINGLE(name, 7, SINGLE);                                                      \
                STEP_SINGLE(name, 8, SINGLE);                                                      \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void FN(name)(const rnnat_step *s)                                                      \
    {                                                                                              \
        if (s->rows == 1) {                                                                        \
            FN(name##_single)(s);                                                                  \
            return;                                                                                \
        }                                                                                          \
        const int32_t panels = s->last_panel - s->first_panel;                                     \
        const int32_t wides = panels / WIDE, groups = wides + panels % WIDE;                       \
        for (int32_t i = 0; i < groups; ++i) {                                                     \
            const int32_t group = s->backwards ? groups - 1 - i : i;                               \
            if (group < wides) {                                                                   \
                const int32_t panel = s->first_panel + group * WIDE;                               \
                STEP_ROWS(name, WIDE, MOST)                                                        \
            } else {                                                                               \
                const int32_t panel = s->last_panel - (groups - group);                            \
                STEP_ROWS(name, 1, MOST_OF_1)                                                      \
            }                                                                                      \
        }                                                                                          \
    }

STEP(rnn, 8, 4, rows_of_4, rows_of_1)
STEP(gru, 3, 1, rows_of_3, rows_of_3)
STEP(gru_gates, 4, 2, rows_of_4, rows_of_2)
STEP(gru_new, 8, 4, rows_of_4, rows_of_1)
STEP(lstm, 2, 1, rows_of_4, rows_of_4)

#undef STEP
#undef STEP_SINGLE
#undef STEP_ROWS
#undef STEP_CASE
#undef STEP_BLOCK
