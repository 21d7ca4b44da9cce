/* Products and steps of many rows, by AMX's tiles. Part of products.inc.h, for weights that a CPU with AMX
 * multiplies: of RNNAT_STORED_INT8_TILES, which has the kernels of quads. Sums are made of up to 16 rows at
 * once, in memory, and the blocks of gemm.inc.h and blocks.inc.h take them from there: integers, so that their
 * bits are the same whatever made them. The sums of a block are made before what becomes of those of the block
 * before it, so that a core does both at once.
 */

/* Rows of a call, and those times its features, from which it takes less time: tiles are shaped first, and take
 * as long for few rows as for some. Measured on a Xeon of the fourth generation. */
enum { WFN(least_rows) = 4, WFN(least_elements) = 1024 };

/* Shapes the tiles for the rows of a call, where it is one for them. */
INLINE bool WFN(begin_tiles)(rnnat_stored type, int32_t rows, int32_t k)
{
    if (type != RNNAT_STORED_INT8_TILES || rows < WFN(least_rows)) return false;
    if (rows < WFN(least_elements) && rows * (int64_t)k < WFN(least_elements)) return false;
    amx_begin(rows < amx_rows ? rows : amx_rows, (k + GROUP - 1) / GROUP);
    return true;
}

/* Panels panel .. panel + panels - 1, or fewer, of rows row .. end - 1; sums are made from `first` on, for tiles
 * have one number of rows: those at the end are made with some before them. */
typedef struct WFN(tiles) {
    int32_t panel, panels, row, end, first;
} WFN(tiles);

/* The rows of block i of `blocks`, of all that are from begin to end. */
INLINE void WFN(tiles_rows)(WFN(tiles) * at, int32_t i, int32_t begin, int32_t end)
{
    at->row = begin + i * amx_rows;
    at->end = end - at->row < amx_rows ? end : at->row + amx_rows;
    at->first = at->end - amx_rows < begin ? begin : at->end - amx_rows;
}

/* Makes the sums of rows from a on, `stride` operands apart, by `panels` panels of f. */
INLINE void WFN(multiply_tiles)(amx_sums *sums, const WFN(factors) * f, const OPERAND *a,
                                ptrdiff_t stride, int32_t panels)
{
    const int32_t width = f->width;
    amx_factors all = {.a = a,
                       .a_stride = stride * (ptrdiff_t)sizeof(OPERAND),
                       .w_stride = width * LANES * GROUP,
                       .quads = f->groups};
    for (int32_t v = 0; v < panels * width; ++v) {
        all.w[v] = f->w + f->panel[v / width] + v % width * LANES * GROUP;
        all.first[v] = (const int32_t *)(const void *)AFTER_INTEGERS(f, v) + width * LANES;
    }
    amx_product(sums, &all, panels * width);
}

/* Of a row's sums in memory, those of a block's first row. */
INLINE const vec_i32 *WFN(made)(const amx_sums *sums, int32_t row)
{
    return (const vec_i32 *)(const void *)sums->of[row];
}

/* ---- steps ---- */

/* Block i of a step, of `wide` panels or, of those that are left over, one. Every other step takes its panels
 * from the last to the first. */
INLINE WFN(tiles) WFN(step_tiles)(const rnnat_step *s, int32_t i, int32_t wide)
{
    const int32_t blocks = (s->rows + amx_rows - 1) / amx_rows;
    const int32_t panels = s->last_panel - s->first_panel, wides = panels / wide;
    const int32_t groups = wides + panels % wide;
    const int32_t group = s->descends ? groups - 1 - i / blocks : i / blocks;
    WFN(tiles)
    at = {.panel = group < wides ? s->first_panel + group * wide : s->last_panel - (groups - group),
          .panels = group < wides ? wide : 1};
    WFN(tiles_rows)(&at, i % blocks, FIRST_ROW, FIRST_ROW + s->rows);
    return at;
}
INLINE int32_t WFN(step_blocks)(const rnnat_step *s, int32_t wide)
{
    const int32_t panels = s->last_panel - s->first_panel;
    return (panels / wide + panels % wide) * ((s->rows + amx_rows - 1) / amx_rows);
}

/* The gates of such a block, HEIGHT rows at once, from its sums in memory. */
#define AMX_GATES(name, at, made, PANELS, HEIGHT)                                                  \
    for (int32_t row = (at).row, some; row < (at).end; row += some) {                              \
        const vec_i32 *const from = WFN(made)(made, row - (at).first);                             \
        some = (at).end - row >= HEIGHT ? HEIGHT : 1;                                              \
        if (some == HEIGHT)                                                                        \
            WFN(name##_of)(s, row, (at).panel, HEIGHT, PANELS, few, from);                         \
        else                                                                                       \
            WFN(name##_of)(s, row, (at).panel, 1, PANELS, few, from);                              \
    }

/* A step of GATES gates that recur on its array H, of as many panels at once as four vectors are. */
#define AMX_STEP(name, GATES, H, H_STRIDE)                                                         \
    NOINLINE bool WFN(name##_tiled)(const rnnat_step *s)                                           \
    {                                                                                              \
        enum { wide = max_made / GATES, high = FN(name##_abreast) };                               \
        amx_sums sums[2];                                                                          \
        VEC few[high * GATES > max_made ? high * GATES : max_made];                                \
        const int32_t blocks = WFN(step_blocks)(s, wide);                                          \
        WFN(tiles) next = {0}, at;                                                                 \
        if (!WFN(begin_tiles)(s->type, s->rows, s->k)) return false;                               \
        for (int32_t i = 0; i <= blocks; ++i) {                                                    \
            const amx_sums *const made = &sums[(i + 1) % 2];                                       \
            at = next;                                                                             \
            if (i < blocks) {                                                                      \
                next = WFN(step_tiles)(s, i, wide);                                                \
                const WEIGHT *const w =                                                            \
                    (const WEIGHT *)s->w + next.panel * WFN(panel_size)(s->k, GATES);              \
                const WFN(factors) f = WFN(panels_at)(w, s->k, wide, GATES);                       \
                WFN(multiply_tiles)(&sums[i % 2], &f,                                              \
                                    WFN(step_row)(s, s->H, s->H_STRIDE, 0, next.first),            \
                                    WFN(step_stride)(s, s->H_STRIDE), next.panels);                \
            }                                                                                      \
            if (i == 0) continue;                                                                  \
            if (wide > 1 && at.panels == wide)                                                     \
                AMX_GATES(name, at, made, wide, 1)                                                 \
            else                                                                                   \
                AMX_GATES(name, at, made, 1, high)                                                 \
        }                                                                                          \
        amx_end();                                                                                 \
        return true;                                                                               \
    }
#define AMX_ROWS(name)                                                                             \
    if (WFN(name##_tiled)(s)) return;

/* ---- products ---- */

/* Stores what becomes of a block's sums, of a panel `width` vectors wide. */
INLINE void WFN(gemm_made)(const WFN(some_rows) * of, WFN(tiles) at, const WEIGHT *b,
                           const amx_sums *made, const int width)
{
    const int32_t column = at.panel * RNNAT_GEMM_PANEL * LANES;
    const REAL *const bias = of->g->bias ? (const REAL *)of->g->bias + column : NULL;
    for (int32_t row = at.row; row < at.end; ++row)
        WFN(gemm_of)(of, row, b, bias, column, 1, width, 1, WFN(made)(made, row - at.first));
}

/* All rows by all panels of a product; false where it is none for tiles. */
static bool WFN(gemm_tiled)(const WFN(some_rows) * of)
{
    amx_sums sums[2];
    const rnnat_gemm_args *const g = of->g;
    const int32_t rows = of->end - of->first, blocks = (rows + amx_rows - 1) / amx_rows;
    const int32_t all = blocks * (g->last_panel - g->first_panel);
    const ptrdiff_t panel_size = WFN(panel_size)(g->k, RNNAT_GEMM_PANEL);
    const ptrdiff_t stride = (ptrdiff_t)(rnnat_operand_row(1, g->k) / sizeof(OPERAND));
    WFN(tiles) next = {0}, at;
    if (!WFN(begin_tiles)(g->type, rows, g->k)) return false;
    for (int32_t i = 0; i <= all; ++i) {
        const amx_sums *const made = &sums[(i + 1) % 2];
        at = next; /* `panels` is of vectors, of which a panel has some */
        if (i < all) {
            next.panel = g->first_panel + i / blocks;
            next.panels = (g->n + LANES - 1) / LANES - next.panel * RNNAT_GEMM_PANEL;
            WFN(tiles_rows)(&next, i % blocks, of->first, of->end);
            if (next.panels > RNNAT_GEMM_PANEL) next.panels = RNNAT_GEMM_PANEL;
            const WFN(factors) f = WFN(panels_at)((const WEIGHT *)g->b + next.panel * panel_size,
                                                  g->k, 1, next.panels);
            WFN(multiply_tiles)(&sums[i % 2], &f, WFN(gemm_row)(of, next.first), stride, 1);
        }
        if (i == 0) continue;
        const WEIGHT *const b = (const WEIGHT *)g->b + at.panel * panel_size;
        switch (at.panels) {
        case 1: WFN(gemm_made)(of, at, b, made, 1); break;
        case 2: WFN(gemm_made)(of, at, b, made, 2); break;
        case 3: WFN(gemm_made)(of, at, b, made, 3); break;
        default: WFN(gemm_made)(of, at, b, made, RNNAT_GEMM_PANEL); break;
        }
    }
    amx_end();
    return true;
}
