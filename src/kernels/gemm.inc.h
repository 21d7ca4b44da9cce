/* c = bias + a b over packed panels. Part of body.inc.h.
 *
 * Each element of c starts from its bias and adds a[m, k] * b[k, n] for k = 0, 1, 2, ... in that
 * order, whatever block it falls into: its bits do not depend on m.
 */

/* One block of `rows` x `vectors` of a panel whose rows are `vectors` wide. */
INLINE void FN(gemm_block)(const rnnat_gemm_args *g, int32_t row, const REAL *b, const REAL *bias,
                           int32_t column, const int rows, const int vectors)
{
    const REAL *a[max_rows];
    VEC acc[max_rows][RNNAT_GEMM_PANEL];
    UNROLL for (int r = 0; r < rows; ++r) a[r] = FN(row_at)(&g->a, row + r);
    UNROLL for (int v = 0; v < vectors; ++v)
    {
        const VEC start = bias ? FN(load)(bias + v * LANES) : FN(set1)(0);
        UNROLL for (int r = 0; r < rows; ++r) acc[r][v] = start;
    }
    for (ptrdiff_t k = 0; k < g->k; ++k) {
        VEC x[max_rows];
        UNROLL for (int r = 0; r < rows; ++r) x[r] = FN(set1)(a[r][k]);
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const VEC w = FN(load)(b + (k * vectors + v) * LANES);
            UNROLL for (int r = 0; r < rows; ++r) acc[r][v] = FN(fma)(x[r], w, acc[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; ++r)
    {
        REAL *c = FN(row_at)(&g->c, row + r) + column;
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const int32_t left = g->n - column - v * LANES;
            if (left >= LANES)
                FN(store)(c + v * LANES, acc[r][v]);
            else if (left > 0)
                FN(store_first)(c + v * LANES, left, acc[r][v]);
        }
    }
}

#define GEMM_CASE(R, V)                                                                            \
    case R:                                                                                        \
        if (R <= rows_of_4) FN(gemm_block)(g, row, b, bias, column, R <= rows_of_4 ? R : 1, V);    \
        break

/* Rows of one panel; `V` is its width in vectors. */
#define GEMM_PANEL(V)                                                                              \
    static void FN(gemm_panel_##V)(const rnnat_gemm_args *g, const REAL *b, const REAL *bias,      \
                                   int32_t column)                                                 \
    {                                                                                              \
        for (int32_t row = 0; row < g->m;) {                                                       \
            const int32_t rows = next_block(g->m - row, rows_of_4);                                \
            switch (rows) {                                                                        \
                GEMM_CASE(1, V);                                                                   \
                GEMM_CASE(2, V);                                                                   \
                GEMM_CASE(3, V);                                                                   \
                GEMM_CASE(4, V);                                                                   \
                GEMM_CASE(5, V);                                                                   \
                GEMM_CASE(6, V);                                                                   \
            }                                                                                      \
            row += rows;                                                                           \
        }                                                                                          \
    }

GEMM_PANEL(1)
GEMM_PANEL(2)
GEMM_PANEL(3)
GEMM_PANEL(4)

static void FN(gemm)(const rnnat_gemm_args *g)
{
    const int32_t width = RNNAT_GEMM_PANEL * LANES;
    const REAL *b = (const REAL *)g->b + (ptrdiff_t)g->first_panel * g->k * width;
    const REAL *bias = g->bias ? (const REAL *)g->bias + g->first_panel * width : NULL;
    for (int32_t panel = g->first_panel; panel < g->last_panel; ++panel) {
        const int32_t column = panel * width;
        const int32_t left = (g->n - column + LANES - 1) / LANES;
        switch (left) {
        case 1: FN(gemm_panel_1)(g, b, bias, column); break;
        case 2: FN(gemm_panel_2)(g, b, bias, column); break;
        case 3: FN(gemm_panel_3)(g, b, bias, column); break;
        default: FN(gemm_panel_4)(g, b, bias, column); break;
        }
        b += (ptrdiff_t)g->k * width;
        if (bias) bias += width;
    }
}

#undef GEMM_PANEL
#undef GEMM_CASE
