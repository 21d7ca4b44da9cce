/* The one loop that multiplies. Part of products.inc.h: WEIGHT is what weights are stored as, and
 * LOAD_WEIGHTS makes a vector of them, WIDE, of what is multiplied. A row is read as OPERANDs, of each of
 * which SPREAD makes a vector; MULTIPLY_ADD multiplies both and adds to SUMs. A lane of weights has GROUP
 * elements of k: an operand has as many, or where TURNS is GROUP one, and the elements take turns.
 *
 * Every sum adds k = 0, 1, 2, ... in that order in a block of any shape, so the bits of a row do
 * not depend on the rows and columns around it.
 */

/* What a block multiplies: rows of one array or two, and packed columns. */
typedef struct WFN(factors) {
    const OPERAND
        *a[max_arrays][max_height]; /* row r of array i begins r * stride behind a[i][r], */
    ptrdiff_t stride, step; /* and has an operand every `step` */
    const WEIGHT *w; /* panel p is panel[p] elements behind w, */
    ptrdiff_t panel[max_vectors]; /* `width` vectors wide; */
    int width;
    int second; /* where there are two arrays: the vector of a panel that multiplies a[1] */
    int32_t groups; /* of k, */
    bool odd; /* and whether an element follows that is the first of a group of two */
} WFN(factors);

/* Elements of a panel. */
INLINE ptrdiff_t WFN(panel_size)(int32_t depth, int32_t width)
{
    return (ptrdiff_t)rnnat_stored_rows(STORED, depth) * width * LANES;
}

/* The factors but for their rows: panels from w on, one behind the other. */
INLINE WFN(factors)
    WFN(panels_at)(const WEIGHT *w, int32_t depth, const int panels, const int width)
{
    WFN(factors) f;
    f.w = w;
    f.width = width;
    f.stride = 0;
    f.step = 1;
    f.second = width;
    f.groups = (depth + GROUP / TURNS - 1) / GROUP;
    f.odd = TURNS == 2 && depth % 2;
    UNROLL for (int p = 0; p < panels; ++p) f.panel[p] = p * WFN(panel_size)(depth, width);
    return f;
}

/* Vector v of the block's columns, of group k: what is multiplied in turn nth. */
INLINE WIDE WFN(weights)(const WFN(factors) * f, ptrdiff_t k, const int nth, const int v)
{
    const int width = f->width;
    (void)nth;
    return LOAD_WEIGHTS(f->w + f->panel[v / width] + (k * width + v % width) * LANES * GROUP, nth);
}

#if TILES
#include "tiles.inc.h"
#else
/* Row r of array i, likewise. */
INLINE FACTOR WFN(factor)(const WFN(factors) * f, ptrdiff_t k, const int nth, const int i,
                          const int r)
{
    return SPREAD((f->a[i][r] + (k * TURNS + nth) * f->step)[r * f->stride]);
}

/* acc[r][v] += a w, of group k in turn nth. The fewer of a step's operands, rows or vectors, wait in
 * registers and the others pass by one at a time: 12 sums fit in 16. */
INLINE void WFN(multiply_add)(SUM acc[][max_vectors], const WFN(factors) * f, ptrdiff_t k,
                              const int nth, const int arrays, const int rows, const int panels)
{
    const int width = f->width, vectors = panels * width;
    if (arrays * rows <= vectors) {
        FACTOR x[max_arrays][max_height];
        UNROLL for (int r = 0; r < rows; ++r)
        {
            UNROLL for (int i = 0; i < arrays; ++i) x[i][r] = WFN(factor)(f, k, nth, i, r);
        }
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const WIDE w = WFN(weights)(f, k, nth, v);
            UNROLL for (int r = 0; r < rows; ++r) acc[r][v] =
                MULTIPLY_ADD(x[v % width == f->second][r], w, acc[r][v]);
        }
    } else {
        UNROLL for (int i = 0; i < arrays; ++i)
        {
            WIDE w[max_vectors];
            UNROLL for (int v = 0; v < vectors; ++v) if (i == (v % width == f->second)) w[v] =
                WFN(weights)(f, k, nth, v);
            UNROLL for (int r = 0; r < rows; ++r)
            {
                const FACTOR x = WFN(factor)(f, k, nth, i, r);
                UNROLL for (int v = 0; v < vectors; ++v) if (i == (v % width == f->second))
                    acc[r][v] = MULTIPLY_ADD(x, w[v], acc[r][v]);
            }
        }
    }
}

/* acc[r][v] += a w, over all groups of k, and the odd element behind them. */
INLINE void WFN(product)(SUM acc[][max_vectors], const WFN(factors) * f, int32_t groups,
                         const int arrays, const int rows, const int panels)
{
    for (ptrdiff_t k = 0; k < groups; ++k)
        UNROLL for (int nth = 0; nth < TURNS; ++nth)
            WFN(multiply_add)(acc, f, k, nth, arrays, rows, panels);
    if (TURNS > 1 && f->odd) WFN(multiply_add)(acc, f, groups, 0, arrays, rows, panels);
}
#endif

#if INTEGERS
/* The scales of the columns of vector v, and what their sums are to begin with. */
INLINE const float *WFN(scales)(const WFN(factors) * f, const int v)
{
    return (const float *)(const void *)AFTER_INTEGERS(f, v);
}
INLINE vec_i32 WFN(offset)(const WFN(factors) * f, const int v)
{
    return load_i32((const int32_t *)(const void *)AFTER_INTEGERS(f, v) + f->width * LANES);
}
#endif

/* What sum v begins with, where the value that it becomes is to be `start` and the product. */
INLINE SUM WFN(begun)(const WFN(factors) * f, const int v, VEC start)
{
#if INTEGERS
    (void)start;
    return OFFSET ? WFN(offset)(f, v) : zero_i32();
#else
    (void)f, (void)v;
    return start;
#endif
}

/* And that value, of row r. */
INLINE VEC WFN(value)(SUM sum, const WFN(factors) * f, const int r, const int v, VEC start)
{
#if INTEGERS
    const float scale = ((const float *)(f->a[v % f->width == f->second][r] + r * f->stride))[-1];
    const VEC scales = FN(mul)(FN(set1)(scale), FN(load)(WFN(scales)(f, v)));
    return FN(add)(start, FN(mul)(of_i32(sum), scales));
#else
    (void)f, (void)r, (void)v, (void)start;
    return sum;
#endif
}
