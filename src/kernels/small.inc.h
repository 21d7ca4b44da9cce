/* Matrix products and steps of small builds: few shapes of blocks, which all cells share. Part of
 * products.inc.h, in the place of blocks.inc.h and gemm.inc.h: every sum adds the same numbers in
 * the same order as there, so that the bits are the same.
 */

/* sums += a w, for rows at a[0], a[1], ... and `there` of up to `panels` panels that are `width`
 * vectors wide. Those beyond are the last one again: its sums are made, and stored, twice. Where
 * there are two arrays, a[1] is the second one's only row, for the vectors 1 of panels. */
INLINE void WFN(tile)(VEC *sums, const OPERAND *const *a, int32_t depth, const WEIGHT *w,
                      int32_t there, const int arrays, const int rows, const int panels,
                      const int width)
{
    SUM acc[max_rows][max_vectors];
    VEC start[max_rows][max_vectors], *to[max_rows];
    WFN(factors) f = WFN(panels_at)(w, depth, panels, width);
    UNROLL for (int i = 0; i < arrays; ++i) f.a[i][0] = a[i];
    UNROLL for (int r = 1; r < rows; ++r) f.a[0][r] = a[r];
    if (arrays > 1) f.second = 1;
    UNROLL for (int p = 0; p < panels; ++p)
    {
        const int32_t panel = p < there ? p : there - 1;
        f.panel[p] = panel * WFN(panel_size)(depth, width);
        to[p] = sums + panel * width;
        UNROLL for (int r = 0; r < rows; ++r)
        {
            UNROLL for (int v = 0; v < width; ++v)
            {
                const int at = p * width + v;
                start[r][at] = to[p][r * panels * width + v];
                acc[r][at] = WFN(begun)(&f, at, start[r][at]);
            }
        }
    }
    WFN(product)(acc, &f, f.groups, arrays, rows, panels);
    UNROLL for (int p = 0; p < panels; ++p)
    {
        UNROLL for (int r = 0; r < rows; ++r)
        {
            UNROLL for (int v = 0; v < width; ++v)
            {
                const int at = p * width + v;
                to[p][r * panels * width + v] = WFN(value)(acc[r][at], &f, r, at, start[r][at]);
            }
        }
    }
}

/* One row by any number of panels: sums[p * width + v] += a w. Each tile has sums enough to hide
 * the latency of one; integers that are no vectors, 4 of them, since a core's own registers are few. */
enum { WFN(few) = INTEGERS && LANES == 1 };
#define MULTIPLY(WIDTH, MANY)                                                                      \
    case WIDTH: {                                                                                  \
        enum { at_once = WFN(few) ? 4 / WIDTH : MANY };                                            \
        for (int32_t p = 0; p < panels; p += at_once)                                              \
            WFN(tile)(sums + p * WIDTH, &a, depth, w + p * WFN(panel_size)(depth, WIDTH),          \
                      panels - p, 1, 1, at_once, WIDTH);                                           \
        break;                                                                                     \
    }

NOINLINE void WFN(multiply)(VEC *sums, const OPERAND *a, int32_t depth, const WEIGHT *w,
                            int32_t width, int32_t panels)
{
    switch (width) {
        MULTIPLY(1, 8)
        MULTIPLY(2, 4)
        MULTIPLY(3, 3)
        MULTIPLY(4, 2)
    }
}
#undef MULTIPLY

/* Some rows of c = bias + a b. */
static void WFN(gemm_rows)(const WFN(some_rows) * of)
{
    enum { vectors = 2 * RNNAT_GEMM_PANEL };
    const rnnat_gemm_args *const g = of->g;
    VEC sums[many_at_once * RNNAT_GEMM_PANEL > vectors ? many_at_once * RNNAT_GEMM_PANEL : vectors];
    const int32_t all = (g->n + LANES - 1) / LANES; /* vectors */
    const int32_t end =
        g->last_panel * RNNAT_GEMM_PANEL < all ? g->last_panel * RNNAT_GEMM_PANEL : all;
    for (int32_t first = g->first_panel * RNNAT_GEMM_PANEL, count; first < end; first += count) {
        const bool single = many_at_once == 1 || of->end - of->first < many_at_once;
        const int32_t left = end - first;
        const int32_t width = left < RNNAT_GEMM_PANEL ? left : RNNAT_GEMM_PANEL;
        count = single && left >= vectors ? vectors : width;
        const WEIGHT *const b = (const WEIGHT *)g->b + WFN(panel_size)(g->k, first);
        const REAL *const bias = g->bias ? (const REAL *)g->bias + (ptrdiff_t)first * LANES : NULL;
        for (int32_t row = of->first, rows; row < of->end; row += rows) {
            const OPERAND *a[many_at_once];
            rows = count == RNNAT_GEMM_PANEL && of->end - row >= many_at_once ? many_at_once : 1;
            for (int32_t r = 0; r < rows; ++r) {
                a[r] = WFN(gemm_row)(of, row + r);
                for (int32_t v = 0; v < count; ++v)
                    sums[r * count + v] = bias ? FN(load)(bias + v * LANES) : FN(set1)(0);
            }
            if (many_at_once > 1 && rows == many_at_once)
                WFN(tile)(sums, a, g->k, b, 1, 1, many_at_once, 1, RNNAT_GEMM_PANEL);
            else
                WFN(multiply)(sums, a[0], g->k, b, width, count / width);
            for (int32_t r = 0; r < rows; ++r) {
                REAL *const c = FN(row_at)(&g->c, row + r) + first * LANES;
                const int32_t columns = g->n - first * LANES;
                for (int32_t v = 0; v < count; ++v) {
                    if (columns - v * LANES >= LANES)
                        FN(store)(c + v * LANES, sums[r * count + v]);
                    else
                        FN(store_first)(c + v * LANES, columns - v * LANES, sums[r * count + v]);
                }
            }
        }
    }
}

/* c = bias + a b. */
static void WFN(gemm)(const rnnat_gemm_args *g) { WFN(each_some_rows)(g, WFN(gemm_rows)); }

/* ---- steps ---- */

#if RNNAT_WITH_CELLS
enum { WFN(panels_at_once) = 8 };

/* What a step's sums are made of, as in preactivate, and what is made of them. */
typedef struct WFN(sums_of) {
    int32_t gates, gx_gates, gx_first, apart;
    const void *h;
    ptrdiff_t h_stride;
    const void *start;
    void (*post)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums);
} WFN(sums_of);

/* A recurrent product of some panels of a row: from packed weights or, where a BLAS has made it,
 * added from `made`. */
INLINE void WFN(summed)(VEC *sums, const OPERAND *a, int32_t depth, const void *w, const REAL *made,
                        int32_t panel, int32_t panels, int32_t gates)
{
    const ptrdiff_t first = (ptrdiff_t)panel * gates * LANES;
    if (w) {
        WFN(multiply)(sums, a, depth, (const WEIGHT *)w + panel * WFN(panel_size)(depth, gates),
                      gates, panels);
        return;
    }
    for (int32_t v = 0; v < panels * gates; ++v)
        sums[v] = FN(add)(sums[v], FN(load)(made + first + v * LANES));
}

/* All units and rows of a step, some panels at a time, which stay in the cache for all rows. Every
 * other step begins at the end, with the weights that the step before has left there. */
NOINLINE void WFN(each_unit)(const rnnat_step *s, const WFN(sums_of) * of)
{
    const int32_t panels = s->last_panel - s->first_panel, gates = of->gates;
    const int32_t groups = (panels + WFN(panels_at_once) - 1) / WFN(panels_at_once);
    for (int32_t i = 0; i < groups; ++i) {
        const int32_t from = (s->descends ? groups - 1 - i : i) * WFN(panels_at_once);
        const int32_t left = panels - from, first = s->first_panel + from;
        const int32_t count = left < WFN(panels_at_once) ? left : WFN(panels_at_once);
        for (int32_t row = FIRST_ROW, last = row + s->rows; row < last; ++row) {
            VEC sums[WFN(panels_at_once) * RNNAT_CELL_GATES];
            const REAL *gx = (const REAL *)s->gx + row * s->gx_stride +
                             ((ptrdiff_t)first * of->gx_gates + of->gx_first) * LANES;
            for (int32_t v = 0; v < count * gates; ++v) sums[v] = FN(set1)(0);
            for (int32_t p = 0; of->start && p < count; ++p)
                for (int32_t g = of->apart; g < gates; ++g)
                    sums[p * gates + g] =
                        FN(load)((const REAL *)of->start + (ptrdiff_t)(first + p) * LANES);
            WFN(summed)(sums, WFN(step_row)(s, of->h, of->h_stride, 0, row), s->k, s->w,
                        (const REAL *)s->gh + row * s->gh_stride, first, count, gates);
            for (int32_t p = 0; p < count; ++p, gx += (ptrdiff_t)of->gx_gates * LANES) {
                VEC *const unit = sums + p * gates;
                for (int32_t g = 0; g < of->apart; ++g)
                    unit[g] = FN(add)(unit[g], FN(load)(gx + g * LANES));
                of->post(s, row, first + p, unit);
            }
        }
    }
}

/* Shapes of blocks are none of a small build's. */
#define STEP_BLOCKS(name, SINGLE, WIDE, MOST, MOST_OF_1)
#define GATE_BLOCKS(name, SINGLE, WIDE)

#define STEP_SUMS(name, GATES, GX_GATES, GX_FIRST, APART, H, H_STRIDE, START)                      \
    PREPARE_STEP(name, H, H_STRIDE)                                                                \
    static void WFN(name##_rows)(const rnnat_step *s)                                              \
    {                                                                                              \
        const WFN(sums_of)                                                                         \
            of = {GATES, GX_GATES, GX_FIRST, APART, s->H, s->H_STRIDE, START, FN(name##_post)};    \
        WFN(each_unit)(s, &of);                                                                    \
    }                                                                                              \
    STEP_TILES(name)
#define GATE_SUMS(name, GATES, A) STEP_SUMS(name, GATES, 0, 0, 0, A, pad_stride, NULL)

#include "../cells/gates.inc.h"

#undef GATE_SUMS
#undef STEP_SUMS
#undef GATE_BLOCKS
#undef STEP_BLOCKS
#endif
