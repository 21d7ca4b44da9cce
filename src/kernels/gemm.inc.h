/* c = bias + a b over packed panels. Part of products.inc.h.
 *
 * Each element of c starts from its bias and adds a[m, k] * b[k, n] for k = 0, 1, 2, ... in that
 * order, whatever block it falls into: its bits do not depend on m.
 */

/* One block of `rows` rows by `panels` panels that are `width` vectors wide each; where they are not NULL, its
 * sums are `made` before, max_made of a row. */
INLINE void WFN(gemm_of)(const WFN(some_rows) * of, int32_t row, const WEIGHT *b, const REAL *bias,
                         int32_t column, const int rows, const int width, const int panels,
                         const SUM *made)
{
    const rnnat_gemm_args *const g = of->g;
    const int vectors = width * panels;
    WFN(factors) f = WFN(panels_at)(b, g->k, panels, width);
    SUM acc[max_rows][max_vectors];
    VEC start[max_vectors];
    UNROLL for (int r = 0; r < rows; ++r) f.a[0][r] = WFN(gemm_row)(of, row + r);
    UNROLL for (int v = 0; v < vectors; ++v)
    {
        start[v] = bias ? FN(load)(bias + v * LANES) : FN(set1)(0);
        UNROLL for (int r = 0; r < rows; ++r) acc[r][v] =
            made ? made[r * max_made + v] : WFN(begun)(&f, v, start[v]);
    }
    if (!made) WFN(product)(acc, &f, f.groups, 1, rows, panels);
    UNROLL for (int r = 0; r < rows; ++r)
    {
        REAL *c = FN(row_at)(&g->c, row + r) + column;
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const int32_t left = g->n - column - v * LANES;
            const VEC value = WFN(value)(acc[r][v], &f, r, v, start[v]);
            if (left >= LANES)
                FN(store)(c + v * LANES, value);
            else if (left > 0)
                FN(store_first)(c + v * LANES, left, value);
        }
    }
}

INLINE void WFN(gemm_block)(const WFN(some_rows) * of, int32_t row, const WEIGHT *b,
                            const REAL *bias, int32_t column, const int rows, const int width,
                            const int panels)
{
    WFN(gemm_of)(of, row, b, bias, column, rows, width, panels, NULL);
}

#define GEMM_CASE(R, V, MOST)                                                                      \
    case R:                                                                                        \
        if (R <= MOST) WFN(gemm_block)(of, row, b, bias, column, R <= MOST ? R : 1, V, 1);         \
        break

/* Rows of one panel, MOST at a time; `V` is its width in vectors. */
#define GEMM_PANEL(V, MOST)                                                                        \
    static void WFN(gemm_panel_##V)(const WFN(some_rows) * of, const WEIGHT *b, const REAL *bias,  \
                                    int32_t column)                                                \
    {                                                                                              \
        for (int32_t row = of->first; row < of->end;) {                                            \
            const int32_t rows = next_block(of->end - row, MOST);                                  \
            switch (rows) {                                                                        \
                GEMM_CASE(1, V, MOST);                                                             \
                GEMM_CASE(2, V, MOST);                                                             \
                GEMM_CASE(3, V, MOST);                                                             \
                GEMM_CASE(4, V, MOST);                                                             \
                GEMM_CASE(5, V, MOST);                                                             \
                GEMM_CASE(6, V, MOST);                                                             \
                GEMM_CASE(7, V, MOST);                                                             \
                GEMM_CASE(8, V, MOST);                                                             \
            }                                                                                      \
            row += rows;                                                                           \
        }                                                                                          \
    }

GEMM_PANEL(1, rows_of_1)
GEMM_PANEL(2, rows_of_2)
GEMM_PANEL(3, rows_of_3)
GEMM_PANEL(4, rows_of_4)

#ifdef AMX
static bool WFN(gemm_tiled)(const WFN(some_rows) * of); /* false: it is none for tiles */
#endif

/* Some rows by all panels. */
static void WFN(gemm_rows)(const WFN(some_rows) * of)
{
#ifdef AMX
    if (WFN(gemm_tiled)(of)) return;
#endif
    const rnnat_gemm_args *const g = of->g;
    const int32_t width = RNNAT_GEMM_PANEL * LANES;
    const ptrdiff_t panel_size = WFN(panel_size)(g->k, RNNAT_GEMM_PANEL);
    const WEIGHT *b = (const WEIGHT *)g->b + g->first_panel * panel_size;
    const REAL *bias = g->bias ? (const REAL *)g->bias + g->first_panel * width : NULL;
    for (int32_t panel = g->first_panel, step; panel < g->last_panel; panel += step) {
        const int32_t column = panel * width;
        const int32_t left = (g->n - column + LANES - 1) / LANES;
        /* One row alone takes two panels: enough sums to hide the latency of one. */
        step =
            of->end - of->first == 1 && panel + 2 <= g->last_panel && left >= 2 * RNNAT_GEMM_PANEL
                ? 2
                : 1;
        if (step == 2)
            WFN(gemm_block)(of, of->first, b, bias, column, 1, RNNAT_GEMM_PANEL, 2);
        else if (left >= RNNAT_GEMM_PANEL)
            WFN(gemm_panel_4)(of, b, bias, column);
        else if (left == 3)
            WFN(gemm_panel_3)(of, b, bias, column);
        else if (left == 2)
            WFN(gemm_panel_2)(of, b, bias, column);
        else
            WFN(gemm_panel_1)(of, b, bias, column);
        b += step * panel_size;
        if (bias) bias += step * width;
    }
}

static void WFN(gemm)(const rnnat_gemm_args *g) { WFN(each_some_rows)(g, WFN(gemm_rows)); }

#undef GEMM_PANEL
#undef GEMM_CASE
