/* Products and steps of many rows, by AMX's tiles. Part of products.inc.h, for weights that a CPU with AMX
 * multiplies: of RNNAT_STORED_INT8_TILES, which has the kernels of quads. Sums are made of up to 16 rows at
 * once, in memory, and the blocks of blocks.inc.h and gemm.inc.h take them from there: integers, so that it
 * is the same whatever made them.
 *
 * Fewer rows than these take longer in tiles, in which rows that are not there take their time, too.
 */
enum { WFN(least_rows) = 4 };

/* Shapes the tiles for the rows of a call, where it is one for them. */
INLINE bool WFN(begin_tiles)(rnnat_stored type, int32_t rows, int32_t k)
{
    if (type != RNNAT_STORED_INT8_TILES || rows < WFN(least_rows)) return false;
    amx_begin(rows < amx_rows ? rows : amx_rows, (k + GROUP - 1) / GROUP);
    return true;
}

/* The sums of rows from a on, `stride` operands apart, by `panels` panels of f. */
INLINE void WFN(multiply_tiles)(amx_sums *sums, const WFN(factors) * f, const OPERAND *a,
                                ptrdiff_t stride, const int panels)
{
    const int width = f->width;
    amx_factors all = {.a = a,
                       .a_stride = stride * (ptrdiff_t)sizeof(OPERAND),
                       .w_stride = width * LANES * GROUP,
                       .quads = f->groups};
    UNROLL for (int v = 0; v < panels * width; ++v)
    {
        all.w[v] = f->w + f->panel[v / width] + v % width * LANES * GROUP;
        all.first[v] = (const int32_t *)(const void *)AFTER_INTEGERS(f, v) + width * LANES;
    }
    amx_product(sums, &all, panels * width);
}

/* Where sums of up to 16 rows from `row` on begin: those at the end are made once more with some before
 * them, for tiles have one number of rows. */
INLINE int32_t WFN(first_of_tiles)(int32_t row, int32_t begin, int32_t end)
{
    return row + amx_rows <= end || end - begin < amx_rows ? row : end - amx_rows;
}

/* All rows of a step by `panels` panels; then the gates, HEIGHT rows at once. */
#define AMX_PANELS(name, PANELS, HEIGHT)                                                           \
    for (int32_t row = FIRST_ROW, end = row + s->rows; row < end;) {                               \
        const int32_t first = WFN(first_of_tiles)(row, FIRST_ROW, end);                            \
        WFN(name##_sums)(s, &sums, first, panel, PANELS);                                          \
        for (const int32_t last = end - first < amx_rows ? end : first + amx_rows; row < last;) {  \
            const vec_i32 *const made = (const vec_i32 *)(const void *)sums.of[row - first];       \
            if (last - row >= HEIGHT) {                                                            \
                WFN(name##_of)(s, row, panel, HEIGHT, PANELS, made);                               \
                row += HEIGHT;                                                                     \
            } else {                                                                               \
                WFN(name##_of)(s, row, panel, 1, PANELS, made);                                    \
                ++row;                                                                             \
            }                                                                                      \
        }                                                                                          \
    }

/* A step of GATES gates that recur on its array H: of as many panels at once as four vectors are. */
#define AMX_STEP(name, GATES, H, H_STRIDE)                                                         \
    INLINE void WFN(name##_sums)(const rnnat_step *s, amx_sums *sums, int32_t row, int32_t panel,  \
                                 const int panels)                                                 \
    {                                                                                              \
        const WEIGHT *const w = (const WEIGHT *)s->w + panel * WFN(panel_size)(s->k, GATES);       \
        const WFN(factors) f = WFN(panels_at)(w, s->k, panels, GATES);                             \
        WFN(multiply_tiles)(sums, &f, WFN(step_row)(s, s->H, s->H_STRIDE, 0, row),                 \
                            WFN(step_stride)(s, s->H_STRIDE), panels);                             \
    }                                                                                              \
    NOINLINE bool WFN(name##_tiled)(const rnnat_step *s)                                           \
    {                                                                                              \
        enum { wide = 4 / GATES };                                                                 \
        amx_sums sums;                                                                             \
        const int32_t panels = s->last_panel - s->first_panel;                                     \
        const int32_t wides = panels / wide, groups = wides + panels % wide;                       \
        if (!WFN(begin_tiles)(s->type, s->rows, s->k)) return false;                               \
        for (int32_t i = 0; i < groups; ++i) {                                                     \
            const int32_t group = s->descends ? groups - 1 - i : i;                                \
            if (group < wides) {                                                                   \
                const int32_t panel = s->first_panel + group * wide;                               \
                AMX_PANELS(name, wide, (wide > 1 ? 1 : FN(name##_abreast)))                        \
            } else {                                                                               \
                const int32_t panel = s->last_panel - (groups - group);                            \
                AMX_PANELS(name, 1, FN(name##_abreast))                                            \
            }                                                                                      \
        }                                                                                          \
        amx_end();                                                                                 \
        return true;                                                                               \
    }
#define AMX_ROWS(name)                                                                             \
    if (WFN(name##_tiled)(s)) return;

/* All rows of a product by a panel of `width` vectors. */
INLINE void WFN(gemm_panel_tiled)(const WFN(some_rows) * of, const WEIGHT *b, const REAL *bias,
                                  int32_t column, const int width)
{
    amx_sums sums;
    const int32_t k = of->g->k, end = of->end;
    const WFN(factors) f = WFN(panels_at)(b, k, 1, width);
    for (int32_t row = of->first; row < end;) {
        const int32_t first = WFN(first_of_tiles)(row, of->first, end);
        const int32_t last = end - first < amx_rows ? end : first + amx_rows;
        WFN(multiply_tiles)(&sums, &f, WFN(gemm_row)(of, first),
                            (ptrdiff_t)(rnnat_operand_row(1, k) / sizeof(OPERAND)), 1);
        for (; row < last; ++row)
            WFN(gemm_of)(of, row, b, bias, column, 1, width, 1,
                         (const vec_i32 *)(const void *)sums.of[row - first]);
    }
}

static bool WFN(gemm_tiled)(const WFN(some_rows) * of)
{
    const rnnat_gemm_args *const g = of->g;
    const int32_t width = RNNAT_GEMM_PANEL * LANES;
    if (!WFN(begin_tiles)(g->type, of->end - of->first, g->k)) return false;
    for (int32_t panel = g->first_panel; panel < g->last_panel; ++panel) {
        const int32_t column = panel * width, left = (g->n - column + LANES - 1) / LANES;
        const WEIGHT *const b =
            (const WEIGHT *)g->b + panel * WFN(panel_size)(g->k, RNNAT_GEMM_PANEL);
        const REAL *const bias = g->bias ? (const REAL *)g->bias + column : NULL;
        if (left >= RNNAT_GEMM_PANEL)
            WFN(gemm_panel_tiled)(of, b, bias, column, RNNAT_GEMM_PANEL);
        else if (left == 3)
            WFN(gemm_panel_tiled)(of, b, bias, column, 3);
        else if (left == 2)
            WFN(gemm_panel_tiled)(of, b, bias, column, 2);
        else
            WFN(gemm_panel_tiled)(of, b, bias, column, 1);
    }
    amx_end();
    return true;
}
