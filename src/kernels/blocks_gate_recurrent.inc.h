/* One time step of the cells whose gates recur on gates. Part of products.inc.h.
 *
 * As in blocks.inc.h a block is `rows` rows by `panels` panels of units, and the bits of a row do
 * not depend on it: every product adds k = 0, 1, 2, ... in that order; the products of one sum are
 * added to each other in the order of the equations, and the input projection last.
 */

/* Rows of a state and `gates` vectors a panel of w. */
INLINE WFN(factors) WFN(state_factors)(const rnnat_step *s, const void *a, ptrdiff_t a_stride,
                                       const void *w, int32_t row, int32_t panel, const int rows,
                                       const int panels, const int gates)
{
    const ptrdiff_t at = (ptrdiff_t)panel * s->k * gates * LANES;
    WFN(factors) f = WFN(panels_at)((const WEIGHT *)w + at, s->k, panels, gates);
    UNROLL for (int r = 0; r < rows; ++r) f.a[0][r] = (const REAL *)a + row * a_stride;
    f.stride = a_stride;
    return f;
}

/* `gates` vectors a panel of a product a w, from panel `panel` on: w packed, or NULL where a BLAS
 * made the product, `made`, laid out like the input projection. */
INLINE void WFN(state_product)(VEC acc[][max_vectors], const rnnat_step *s, const void *a,
                               ptrdiff_t a_stride, const void *w, const void *made, int32_t row,
                               int32_t panel, const int rows, const int panels, const int gates)
{
    if (!w) {
        const REAL *all =
            (const REAL *)made + row * s->gh_stride + (ptrdiff_t)panel * gates * LANES;
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < panels * gates; ++v)
                acc[r][v] = FN(load)(all + r * s->gh_stride + v * LANES);
        return;
    }
    UNROLL for (int r = 0; r < rows; ++r)
    {
        UNROLL for (int v = 0; v < panels * gates; ++v) acc[r][v] = FN(set1)(0);
    }
    const WFN(factors) f = WFN(state_factors)(s, a, a_stride, w, row, panel, rows, panels, gates);
    WFN(product)(acc, &f, s->k, 1, rows, panels);
}

#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
INLINE void WFN(gate_gru_gates_block)(const rnnat_step *s, int32_t row, int32_t panel,
                                      const int rows, const int panels)
{
    VEC sums[max_rows][max_vectors];
    WFN(state_product)(sums, s, s->prev[0], s->pad_stride, s->w, s->gh, row, panel, rows, panels,
                       2);
    for (int r = 0; r < rows; ++r)
        for (int p = 0; p < panels; ++p)
            FN(gate_gru_gates_post)(s, row + r, panel + p, sums[r] + 2 * p);
}

INLINE void WFN(gate_gru_new_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows,
                                    const int panels)
{
    VEC sums[max_rows][max_vectors];
    WFN(state_product)(sums, s, s->rh, s->pad_stride, s->w, s->gh, row, panel, rows, panels, 1);
    for (int r = 0; r < rows; ++r)
        for (int p = 0; p < panels; ++p) FN(gate_gru_new_post)(s, row + r, panel + p, sums[r] + p);
}

#endif
#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
/* i, f, g, o of weight_gh: i, g and o on i_{t-1}, f on f_{t-1}, all in one pass of k. */
INLINE void WFN(products_of_gates)(VEC acc[][max_vectors], const rnnat_step *s, int32_t row,
                                   int32_t panel, const int rows, const int panels)
{
    const ptrdiff_t pad = s->pad_stride;
    WFN(factors) f = WFN(state_factors)(s, s->prev[1], pad, s->w, row, panel, rows, panels, 4);
    UNROLL for (int r = 0; r < rows; ++r) f.a[1][r] = (const REAL *)s->prev[2] + row * pad;
    f.second = 1;
    UNROLL for (int r = 0; r < rows; ++r)
    {
        UNROLL for (int v = 0; v < panels * 4; ++v) acc[r][v] = FN(set1)(0);
    }
    WFN(product)(acc, &f, s->k, 2, rows, panels);
}

/* The same where a BLAS made them: i, f, then g and o, in s->gh one behind the other. */
INLINE void WFN(made_products)(VEC acc[][max_vectors], const rnnat_step *s, int32_t row,
                               int32_t panel, const int rows, const int panels)
{
    const ptrdiff_t pad = s->pad_stride;
    for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < panels; ++p) {
            const ptrdiff_t unit = (ptrdiff_t)(panel + p) * LANES;
            const REAL *all = (const REAL *)s->gh + (row + r) * s->gh_stride;
            acc[r][p * 4] = FN(load)(all + unit);
            acc[r][p * 4 + 1] = FN(load)(all + pad + unit);
            acc[r][p * 4 + 2] = FN(load)(all + 2 * (pad + unit));
            acc[r][p * 4 + 3] = FN(load)(all + 2 * (pad + unit) + LANES);
        }
    }
}

INLINE void WFN(gate_lstm_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows,
                                 const int panels)
{
    VEC of_gates[max_rows][max_vectors], of_c[max_rows][max_vectors];
    const REAL *made = (const REAL *)s->gh + 4 * s->pad_stride;
    if (s->w)
        WFN(products_of_gates)(of_gates, s, row, panel, rows, panels);
    else
        WFN(made_products)(of_gates, s, row, panel, rows, panels);
    WFN(state_product)(of_c, s, s->prev[0], s->pad_stride, s->w_c, made, row, panel, rows, panels,
                       4);
    for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < panels; ++p) {
            VEC sums[4];
            for (int g = 0; g < 4; ++g)
                sums[g] = FN(add)(of_gates[r][p * 4 + g], of_c[r][p * 4 + g]);
            FN(gate_lstm_post)(s, row + r, panel + p, sums);
        }
    }
}

#endif

/* ---- all units and rows of a step, in blocks ---- */

#define GATE_PANELS(name, PANELS)                                                                  \
    for (; panel + PANELS <= s->last_panel; panel += PANELS) STEP_ROWS(name, PANELS, rows_of_4)

/* One row alone takes SINGLE panels at once, more rows WIDE of them, as in blocks.inc.h. */
#define GATE_STEP(name, SINGLE, WIDE)                                                              \
    static void WFN(name)(const rnnat_step *s)                                                     \
    {                                                                                              \
        int32_t panel = s->first_panel;                                                            \
        if (s->rows == 1)                                                                          \
            for (; panel + SINGLE <= s->last_panel; panel += SINGLE)                               \
                WFN(name##_block)(s, 0, panel, 1, SINGLE);                                         \
        GATE_PANELS(name, WIDE)                                                                    \
        GATE_PANELS(name, 1)                                                                       \
    }

#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
GATE_STEP(gate_gru_gates, 4, 2)
GATE_STEP(gate_gru_new, 8, 4)
#endif
#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
GATE_STEP(gate_lstm, 2, 1)
#endif

#undef GATE_STEP
#undef GATE_PANELS
#undef STEP_ROWS
#undef STEP_CASE
