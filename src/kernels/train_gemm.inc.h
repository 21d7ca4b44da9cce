/* The two products of training and their packing. Part of train.inc.h. */

#define PANEL (train_vectors * LANES)

/* Rows addressed in two levels, one block after the other. */
typedef struct FN(row_walk) {
    REAL *at;
    ptrdiff_t stride, jump;
    int32_t left, inner;
} FN(row_walk);

INLINE FN(row_walk) FN(walk)(const rnnat_rows *rows)
{
    return (FN(row_walk)){.at = (REAL *)RNNAT_WRITABLE(rows->base),
                          .stride = rows->inner_stride,
                          .jump = rows->outer_stride - rows->inner * rows->inner_stride,
                          .left = rows->inner,
                          .inner = rows->inner};
}

/* Where the next `count` rows are. Most blocks lie within one stretch of rows. */
INLINE void FN(next_rows)(FN(row_walk) * w, const int count, REAL **rows)
{
    if (w->left > count) {
        UNROLL for (int r = 0; r < count; ++r) rows[r] = w->at + r * w->stride;
        w->at += count * w->stride;
        w->left -= count;
        return;
    }
    for (int r = 0; r < count; ++r) {
        rows[r] = w->at;
        w->at += w->stride;
        if (--w->left == 0) {
            w->at += w->jump;
            w->left = w->inner;
        }
    }
}

/* Rows of one panel for k = from .. to - 1. */
INLINE void FN(train_gemm_block)(const rnnat_train_gemm *g, FN(row_walk) * as, FN(row_walk) * cs,
                                 const REAL *b, int32_t column, int32_t from, int32_t to,
                                 const int rows)
{
    const REAL *const panel = b + (ptrdiff_t)from * PANEL;
    WFN(factors) f = WFN(panels_at)(panel, 0, 1, train_vectors);
    REAL *a[train_height], *c[train_height];
    VEC acc[train_height][max_vectors];
    const int32_t left = g->n - column;
    FN(next_rows)(as, rows, a);
    FN(next_rows)(cs, rows, c);
    UNROLL for (int r = 0; r < rows; ++r) f.a[0][r] = a[r];
    if (g->add || from) {
        UNROLL for (int r = 0; r < rows; ++r)
        {
            UNROLL for (int v = 0; v < train_vectors; ++v) acc[r][v] =
                left > v * LANES ? FN(get)(c[r] + v * LANES, left - v * LANES) : FN(set1)(0);
        }
    } else {
        UNROLL for (int v = 0; v < train_vectors; ++v)
        {
            const VEC start =
                g->bias ? FN(load)((const REAL *)g->bias + column + v * LANES) : FN(set1)(0);
            UNROLL for (int r = 0; r < rows; ++r) acc[r][v] = start;
        }
    }
    WFN(product)(acc, &f, to - from, 1, rows, 1);
    UNROLL for (int r = 0; r < rows; ++r)
    {
        UNROLL for (int v = 0; v < train_vectors; ++v) if (left > v * LANES)
            FN(put)(c[r] + v * LANES, left - v * LANES, acc[r][v]);
    }
}

#define TRAIN_CASE(R)                                                                              \
    case R:                                                                                        \
        if (R <= train_height)                                                                     \
            FN(train_gemm_block)(g, &a, &c, b, column, from, to, R <= train_height ? R : 1);       \
        break

/* Pieces of k whose panel stays in the first-level cache, over all rows. */
static void FN(train_gemm)(const rnnat_train_gemm *g)
{
    for (int32_t from = 0; from < g->k; from += train_depth) {
        const int32_t to = g->k - from < train_depth ? g->k : from + train_depth;
        for (int32_t column = 0; column < g->n; column += PANEL) {
            const REAL *const b = (const REAL *)g->b + (ptrdiff_t)column * g->k;
            FN(row_walk) a = FN(walk)(&g->a), c = FN(walk)(&g->c);
            a.at += from;
            c.at += column;
            for (int32_t row = 0; row < g->m;) {
                const int32_t rows = next_block(g->m - row, train_height);
                switch (rows) {
                    TRAIN_CASE(1);
                    TRAIN_CASE(2);
                    TRAIN_CASE(3);
                    TRAIN_CASE(4);
                    TRAIN_CASE(5);
                    TRAIN_CASE(6);
                    TRAIN_CASE(7);
                    TRAIN_CASE(8);
                    TRAIN_CASE(9);
                    TRAIN_CASE(10);
                    TRAIN_CASE(11);
                    TRAIN_CASE(12);
                }
                row += rows;
            }
        }
    }
}

#undef TRAIN_CASE

/* Copies one panel of b, so that its rows follow each other. */
INLINE void FN(train_outer_panel)(const rnnat_train_outer *o, int32_t column, int32_t from,
                                  int32_t to)
{
    const int32_t left = o->n - column;
    REAL *panel = o->panel;
    for (int32_t k = from; k < to; ++k, panel += PANEL) {
        const REAL *const row = (const REAL *)o->b + k * o->b_stride + column;
        UNROLL for (int v = 0; v < train_vectors; ++v)
            FN(store)(panel + v * LANES,
                      left > v * LANES ? FN(get)(row + v * LANES, left - v * LANES) : FN(set1)(0));
    }
}

static void FN(train_outer)(const rnnat_train_outer *o)
{
    for (int32_t from = 0; from < o->k; from += train_depth) {
        const int32_t to = o->k - from < train_depth ? o->k : from + train_depth;
        for (int32_t p = o->first_panel; p < o->last_panel; ++p) {
            FN(train_outer_panel)(o, p * PANEL, from, to);
            for (int32_t m = 0; m < o->m; m += train_height) {
                const REAL *const panel =
                    (const REAL *)o->a + (ptrdiff_t)m * o->depth + (ptrdiff_t)from * train_height;
                REAL *const c = (REAL *)o->c + m * o->c_stride + p * PANEL;
                WFN(factors) f = WFN(panels_at)(o->panel, 0, 1, train_vectors);
                VEC acc[train_height][max_vectors];
                const int32_t add = o->add || from;
                f.step = train_height;
                UNROLL for (int r = 0; r < train_height; ++r)
                {
                    f.a[0][r] = panel + r;
                    UNROLL for (int v = 0; v < train_vectors; ++v) acc[r][v] =
                        add ? FN(load)(c + r * o->c_stride + v * LANES) : FN(set1)(0);
                }
                WFN(product)(acc, &f, to - from, 1, train_height, 1);
                UNROLL for (int r = 0; r < train_height; ++r)
                {
                    UNROLL for (int v = 0; v < train_vectors; ++v)
                        FN(store)(c + r * o->c_stride + v * LANES, acc[r][v]);
                }
            }
        }
    }
}

/* Where column `column` of a packed matrix begins. */
INLINE REAL *FN(packed_column)(void *dst, int32_t depth, int32_t column)
{
    return (REAL *)dst + (ptrdiff_t)(column / PANEL) * PANEL * depth + column % PANEL;
}

static void FN(train_pack)(void *dst, int32_t depth, int32_t row, int32_t column, const void *src,
                           ptrdiff_t ld, int32_t k, int32_t n)
{
    for (int32_t j = 0; j < n;) {
        const int32_t room = PANEL - (column + j) % PANEL, count = n - j < room ? n - j : room;
        REAL *to = FN(packed_column)(dst, depth, column + j) + (ptrdiff_t)row * PANEL;
        const REAL *from = (const REAL *)src + j;
        for (int32_t i = 0; i < k; ++i, to += PANEL, from += ld)
            for (int32_t c = 0; c < count; ++c) to[c] = from[c];
        j += count;
    }
}

static void FN(train_pack_transposed)(void *dst, int32_t depth, int32_t row, int32_t column,
                                      const void *src, ptrdiff_t ld, int32_t k, int32_t n)
{
    for (int32_t j = 0; j < n;) {
        const int32_t room = PANEL - (column + j) % PANEL, count = n - j < room ? n - j : room;
        REAL *to = FN(packed_column)(dst, depth, column + j) + (ptrdiff_t)row * PANEL;
        const REAL *from = (const REAL *)src + j * ld;
        for (int32_t i = 0; i < k; ++i, to += PANEL, ++from)
            for (int32_t c = 0; c < count; ++c) to[c] = from[c * ld];
        j += count;
    }
}

static void FN(train_sum_vectors)(void *dst, const void *a, const void *b, int32_t n)
{
    REAL *const to = dst;
    for (int32_t i = 0; i < n; ++i)
        to[i] = (a ? ((const REAL *)a)[i] : 0) + (b ? ((const REAL *)b)[i] : 0);
}

/* Columns at .. at + count - 1 of one panel from elements of rows; NULL: ones. */
INLINE void FN(pack_piece)(REAL *to, const REAL *from, ptrdiff_t stride, int32_t rows,
                           int32_t count, int32_t step, const int32_t *lengths)
{
    for (int32_t r = 0; r < rows; ++r, to += train_height) {
        const int32_t valid = !lengths || step < lengths[r];
        for (int32_t c = 0; c < count; ++c) to[c] = !valid ? 0 : from ? from[r * stride + c] : 1;
    }
}

/* A whole panel: vectors that reach into the next row's place, which comes after; but for the last
 * row, whose next may be another thread's. */
INLINE void FN(pack_whole)(REAL *to, const REAL *from, ptrdiff_t stride, int32_t rows, int32_t step,
                           const int32_t *lengths)
{
    for (int32_t r = 0; r < rows; ++r, to += train_height, from += stride) {
        const int32_t valid = !lengths || step < lengths[r];
        UNROLL for (int32_t c = 0; c < train_height; c += LANES)
        {
            const VEC v = valid ? FN(load)(from + c) : FN(set1)(0);
            if (r + 1 == rows && c + LANES > train_height)
                FN(store_first)(to + c, train_height - c, v);
            else
                FN(store)(to + c, v);
        }
    }
}

static void FN(train_pack_columns)(void *dst, int32_t depth, int32_t first, int32_t column,
                                   const void *src, ptrdiff_t stride, int32_t rows, int32_t n,
                                   int32_t step, const int32_t *lengths)
{
    enum { reach = (train_height + LANES - 1) / LANES * LANES }; /* of a whole panel's vectors */
    for (int32_t j = 0; j < n;) {
        const int32_t at = (column + j) % train_height;
        const int32_t room = train_height - at, count = n - j < room ? n - j : room;
        REAL *const to = (REAL *)dst + (ptrdiff_t)(column + j - at) * depth +
                         (ptrdiff_t)first * train_height + at;
        const REAL *const from = src ? (const REAL *)src + j : NULL;
        if (from && at == 0 && n - j >= reach)
            FN(pack_whole)(to, from, stride, rows, step, lengths);
        else
            FN(pack_piece)(to, from, stride, rows, count, step, lengths);
        j += count;
    }
}

static void FN(train_transpose)(void *dst, ptrdiff_t ld, const void *src, ptrdiff_t stride,
                                int32_t m, int32_t n)
{
    for (int32_t j = 0; j < n; ++j) {
        REAL *const to = (REAL *)dst + j * ld;
        const REAL *const from = (const REAL *)src + j;
        for (int32_t i = 0; i < m; ++i) to[i] = from[i * stride];
    }
}

static void FN(train_add_row)(void *dst, const void *src, int32_t n)
{
    REAL *const to = dst;
    const REAL *const from = src;
    for (int32_t j = 0; j < n; ++j) to[j] += from[j];
}

#undef PANEL
