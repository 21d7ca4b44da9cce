/* Time steps of cells: the recurrent product and, while its sums are still in registers, the gates.
 * Part of products.inc.h; which steps there are, and of what shapes, is in the cells' gates.
 *
 * A block is `rows` rows of the batch by `panels` panels of units, `gates` vectors a panel:
 * acc[r][p * gates + g]. Every sum adds k = 0, 1, 2, ... in that order in any block and the input
 * projection last, so the bits of a row do not depend on the batch around it.
 */

/* The sums of a block: the recurrent product, packed here or made by a BLAS in s->gh, from zero or
 * `start` on; then the input projection. Of the projection's `gx_gates` gates this step has
 * `gates`, from `gx_first` on, and adds those before `apart`. Where they are not NULL, the sums of the recurrent
 * product are `made` before, a row of them max_made long. */
INLINE void WFN(preactivate)(VEC sums[][max_vectors], const rnnat_step *s, const OPERAND *h,
                             ptrdiff_t h_stride, int32_t row, int32_t panel, const int rows,
                             const int panels, const int gates, const int gx_gates,
                             const int gx_first, const int apart, const REAL *start,
                             const SUM *made)
{
    const int vectors = panels * gates;
    VEC first[max_vectors];
    const REAL *gx = (const REAL *)s->gx + row * s->gx_stride;
    const REAL *gh = (const REAL *)s->gh + row * s->gh_stride;
    UNROLL for (int p = 0; p < panels; ++p)
    {
        const ptrdiff_t unit = (ptrdiff_t)(panel + p) * LANES;
        UNROLL for (int g = 0; g < gates; ++g) first[p * gates + g] =
            g >= apart && start ? FN(load)(start + unit) : FN(set1)(0);
    }
    if (s->w) {
        SUM acc[max_rows][max_vectors];
        const WEIGHT *const w = (const WEIGHT *)s->w + panel * WFN(panel_size)(s->k, gates);
        WFN(factors) f = WFN(panels_at)(w, s->k, panels, gates);
        UNROLL for (int r = 0; r < rows; ++r) f.a[0][r] = h;
        f.stride = h_stride;
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            UNROLL for (int r = 0; r < rows; ++r) acc[r][v] =
                made ? made[r * max_made + v] : WFN(begun)(&f, v, first[v]);
        }
        if (!made) WFN(product)(acc, &f, f.groups, 1, rows, panels);
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            UNROLL for (int r = 0; r < rows; ++r) sums[r][v] =
                WFN(value)(acc[r][v], &f, r, v, first[v]);
        }
    } else {
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            UNROLL for (int r = 0; r < rows; ++r) sums[r][v] = first[v];
        }
    }
    UNROLL for (int p = 0; p < panels; ++p)
    {
        const ptrdiff_t unit = (ptrdiff_t)(panel + p) * LANES;
        UNROLL for (int g = 0; g < gates; ++g)
        {
            UNROLL for (int r = 0; r < rows; ++r)
            {
                VEC v = sums[r][p * gates + g];
                if (!s->w)
                    v = FN(add)(v, FN(load)(gh + r * s->gh_stride + unit * gates + g * LANES));
                if (g < apart)
                    v = FN(add)(v, FN(load)(gx + r * s->gx_stride + unit * gx_gates +
                                            (gx_first + g) * LANES));
                sums[r][p * gates + g] = v;
            }
        }
    }
}

/* ---- all units and rows of a step, in blocks ---- */

/* One block: the sums in registers, then the gates, several vectors of units abreast: those of one
 * row or, where the block is one panel wide, of one panel.
 * `gates`, `gx_gates`, `gx_first`, `apart`, `h` and `start` as in preactivate. */
#define STEP_SUMS(name, GATES, GX_GATES, GX_FIRST, APART, H, H_STRIDE, START)                      \
    PREPARE_STEP(name, H, H_STRIDE)                                                                \
    INLINE void WFN(name##_of)(const rnnat_step *s, int32_t row, int32_t panel, const int rows,    \
                               const int panels, VEC *sums, const SUM *made)                       \
    {                                                                                              \
        VEC acc[max_rows][max_vectors];                                                            \
        const OPERAND *h = WFN(step_row)(s, s->H, s->H_STRIDE, 0, row);                            \
        WFN(preactivate)(acc, s, h, WFN(step_stride)(s, s->H_STRIDE), row, panel, rows, panels,    \
                         GATES, GX_GATES, GX_FIRST, APART, START, made);                           \
        UNROLL for (int r = 0; r < rows; ++r)                                                      \
        {                                                                                          \
            UNROLL for (int v = 0; v < panels * GATES; ++v) sums[r * panels * GATES + v] =         \
                acc[r][v];                                                                         \
        }                                                                                          \
        const VEC *next = sums;                                                                    \
        for (int line = 0; line < (panels > 1 ? rows : 1); ++line) {                               \
            FN(place) at = {row + line, panel, panels == 1};                                       \
            for (int left = panels > 1 ? panels : rows; left > 0;) {                               \
                const int several = FN(name##_abreast);                                            \
                const int some = left >= several ? several : 1;                                    \
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
    }                                                                                              \
    INLINE void WFN(name##_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows, \
                                  const int panels)                                                \
    {                                                                                              \
        VEC sums[max_rows * max_vectors];                                                          \
        WFN(name##_of)(s, row, panel, rows, panels, sums, NULL);                                   \
    }                                                                                              \
    AMX_STEP(name, GATES, H, H_STRIDE)

/* One height of a block; those above MOST are never asked for, and cost no code. */
#define STEP_CASE(name, R, PANELS, MOST)                                                           \
    case R:                                                                                        \
        if (R <= MOST) WFN(name##_block)(s, row, panel, R <= MOST ? R : 1, PANELS);                \
        break

/* All rows of `PANELS` panels, in blocks. */
#define STEP_ROWS(name, PANELS, MOST)                                                              \
    for (int32_t row = FIRST_ROW, end = row + s->rows; row < end;) {                               \
        const int32_t rows = next_block(end - row, MOST);                                          \
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
INLINE int WFN(is_far)(const rnnat_step *s, int32_t panels)
{
    enum { near = 32768 };
    return (double)panels * (double)WFN(panel_size)(s->k, 1) * sizeof(WEIGHT) > near;
}

/* One row of `P` panels; more than SINGLE are never asked for. */
#define STEP_SINGLE(name, P, SINGLE)                                                               \
    case P:                                                                                        \
        if (P <= SINGLE) WFN(name##_block)(s, FIRST_ROW, panel, 1, P <= SINGLE ? P : 1);           \
        break

/* One row alone takes up to SINGLE panels at once: enough sums to hide the latency of one. More
 * rows take WIDE of them, so that each broadcast of h serves several vectors, and what is left
 * over, with as many rows as then fit. Every other step begins at the end, with the weights that
 * the step before has left in the cache. They are functions of their own, so that no step needs the
 * stack of both. */
#define STEP_BLOCKS(name, SINGLE, WIDE, MOST, MOST_OF_1)                                           \
    NOINLINE void WFN(name##_single)(const rnnat_step *s)                                          \
    {                                                                                              \
        const int32_t panels = s->last_panel - s->first_panel;                                     \
        const int32_t most = SINGLE > 4 && WFN(is_far)(s, panels) ? 4 : SINGLE;                    \
        const int32_t groups = (panels + most - 1) / most;                                         \
        for (int32_t i = 0; i < groups; ++i) {                                                     \
            const int32_t group = s->descends ? groups - 1 - i : i;                                \
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
    NOINLINE void WFN(name##_block_rows)(const rnnat_step *s)                                      \
    {                                                                                              \
        const int32_t panels = s->last_panel - s->first_panel;                                     \
        const int32_t wides = panels / WIDE, groups = wides + panels % WIDE;                       \
        for (int32_t i = 0; i < groups; ++i) {                                                     \
            const int32_t group = s->descends ? groups - 1 - i : i;                                \
            if (group < wides) {                                                                   \
                const int32_t panel = s->first_panel + group * WIDE;                               \
                STEP_ROWS(name, WIDE, MOST)                                                        \
            } else {                                                                               \
                const int32_t panel = s->last_panel - (groups - group);                            \
                STEP_ROWS(name, 1, MOST_OF_1)                                                      \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    INLINE void WFN(name##_rows)(const rnnat_step *s)                                              \
    {                                                                                              \
        AMX_ROWS(name)                                                                             \
        if (s->rows == 1)                                                                          \
            WFN(name##_single)(s);                                                                 \
        else                                                                                       \
            WFN(name##_block_rows)(s);                                                             \
    }                                                                                              \
    STEP_TILES(name)

/* ---- steps whose gates recur on gates ----
 *
 * Their products of one sum are added to each other in the order of the equations, and the input
 * projection last, with the gates. */

/* Rows of a state, number `set` of those that are prepared, and `gates` vectors a panel of w. */
INLINE WFN(factors) WFN(state_factors)(const rnnat_step *s, const void *a, ptrdiff_t a_stride,
                                       int32_t set, const void *w, int32_t row, int32_t panel,
                                       const int rows, const int panels, const int gates)
{
    const ptrdiff_t at = panel * WFN(panel_size)(s->k, gates);
    WFN(factors) f = WFN(panels_at)((const WEIGHT *)w + at, s->k, panels, gates);
    UNROLL for (int r = 0; r < rows; ++r) f.a[0][r] = WFN(step_row)(s, a, a_stride, set, row);
    f.stride = WFN(step_stride)(s, a_stride);
    return f;
}

/* The sums of such a product, from zero on. */
INLINE void WFN(state_sums)(VEC sums[][max_vectors], const WFN(factors) * f, const int arrays,
                            const int rows, const int panels, const int gates)
{
    SUM acc[max_rows][max_vectors];
    UNROLL for (int v = 0; v < panels * gates; ++v)
    {
        UNROLL for (int r = 0; r < rows; ++r) acc[r][v] = WFN(begun)(f, v, FN(set1)(0));
    }
    WFN(product)(acc, f, f->groups, arrays, rows, panels);
    UNROLL for (int v = 0; v < panels * gates; ++v)
    {
        UNROLL for (int r = 0; r < rows; ++r) sums[r][v] =
            WFN(value)(acc[r][v], f, r, v, FN(set1)(0));
    }
}

/* `gates` vectors a panel of a product a w, from panel `panel` on: w packed, or NULL where a BLAS
 * made the product, `made`, laid out like the input projection. */
INLINE void WFN(state_product)(VEC acc[][max_vectors], const rnnat_step *s, const void *a,
                               ptrdiff_t a_stride, int32_t set, const void *w, const void *made,
                               int32_t row, int32_t panel, const int rows, const int panels,
                               const int gates)
{
    if (!w) {
        const REAL *all =
            (const REAL *)made + row * s->gh_stride + (ptrdiff_t)panel * gates * LANES;
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < panels * gates; ++v)
                acc[r][v] = FN(load)(all + r * s->gh_stride + v * LANES);
        return;
    }
    const WFN(factors) f =
        WFN(state_factors)(s, a, a_stride, set, w, row, panel, rows, panels, gates);
    WFN(state_sums)(acc, &f, 1, rows, panels, gates);
}

/* One block, of `GATES` gates that recur on the step's array A; then the gates, unit by unit. */
#define GATE_SUMS(name, GATES, A)                                                                  \
    PREPARE_STEP(name, A, pad_stride)                                                              \
    INLINE void WFN(name##_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows, \
                                  const int panels)                                                \
    {                                                                                              \
        VEC sums[max_rows][max_vectors];                                                           \
        WFN(state_product)(sums, s, s->A, s->pad_stride, 0, s->w, s->gh, row, panel, rows, panels, \
                           GATES);                                                                 \
        for (int r = 0; r < rows; ++r)                                                             \
            for (int p = 0; p < panels; ++p)                                                       \
                FN(name##_post)(s, row + r, panel + p, sums[r] + p * GATES);                       \
    }

/* Prepared rows are fewer at once: their sums and what becomes of these need more stack. */
#define GATE_PANELS(name, PANELS)                                                                  \
    for (; panel + PANELS <= s->last_panel; panel += PANELS)                                       \
    STEP_ROWS(name, PANELS, (PREPARED ? rows_of_4 / 2 : rows_of_4))

/* One row alone takes SINGLE panels at once, more rows WIDE of them. */
#define GATE_BLOCKS(name, SINGLE, WIDE)                                                            \
    static void WFN(name##_rows)(const rnnat_step *s)                                              \
    {                                                                                              \
        int32_t panel = s->first_panel;                                                            \
        if (s->rows == 1)                                                                          \
            for (; panel + SINGLE <= s->last_panel; panel += SINGLE)                               \
                WFN(name##_block)(s, FIRST_ROW, panel, 1, SINGLE);                                 \
        GATE_PANELS(name, WIDE)                                                                    \
        GATE_PANELS(name, 1)                                                                       \
    }                                                                                              \
    STEP_TILES(name)

#include "../cells/gates.inc.h"

#undef AMX_STEP
#undef AMX_ROWS
#undef GATE_BLOCKS
#undef GATE_PANELS
#undef GATE_SUMS
#undef STEP_BLOCKS
#undef STEP_SINGLE
#undef STEP_ROWS
#undef STEP_CASE
#undef STEP_SUMS
