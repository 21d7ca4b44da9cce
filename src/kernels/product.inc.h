/* The one loop that multiplies. Part of products.inc.h: WEIGHT is what weights are stored as, and
 * LOAD_WEIGHTS widens a vector of them to what is computed in.
 *
 * Every sum adds k = 0, 1, 2, ... in that order in a block of any shape, so the bits of a row do
 * not depend on the rows and columns around it.
 */

/* What a block multiplies: rows of one array or two, and packed columns. */
typedef struct WFN(factors) {
    const REAL *a[max_arrays][max_height]; /* row r of array i begins r * stride behind a[i][r], */
    ptrdiff_t stride, step; /* and has an element every `step` */
    const WEIGHT *w; /* panel p is panel[p] elements behind w, */
    ptrdiff_t panel[max_vectors]; /* `width` vectors wide; */
    int width;
    int second; /* where there are two arrays: the vector of a panel that multiplies a[1] */
} WFN(factors);

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
    UNROLL for (int p = 0; p < panels; ++p) f.panel[p] = p * ((ptrdiff_t)depth * width * LANES);
    return f;
}

/* acc[r][v] += a w, over `depth` of k. The fewer of a step's operands, rows or vectors, wait in
 * registers and the others pass by one at a time: 12 sums fit in 16. */
INLINE void WFN(product)(VEC acc[][max_vectors], const WFN(factors) * f, int32_t depth,
                         const int arrays, const int rows, const int panels)
{
    const int width = f->width, vectors = panels * width;
    for (ptrdiff_t k = 0; k < depth; ++k) {
        if (arrays * rows <= vectors) {
            VEC x[max_arrays][max_height];
            UNROLL for (int r = 0; r < rows; ++r)
            {
                UNROLL for (int i = 0; i < arrays; ++i) x[i][r] =
                    FN(set1)((f->a[i][r] + k * f->step)[r * f->stride]);
            }
            UNROLL for (int v = 0; v < vectors; ++v)
            {
                const VEC w =
                    LOAD_WEIGHTS(f->w + f->panel[v / width] + (k * width + v % width) * LANES);
                UNROLL for (int r = 0; r < rows; ++r) acc[r][v] =
                    FN(fma)(x[v % width == f->second][r], w, acc[r][v]);
            }
        } else {
            UNROLL for (int i = 0; i < arrays; ++i)
            {
                VEC w[max_vectors];
                UNROLL for (int v = 0; v < vectors; ++v) if (i == (v % width == f->second)) w[v] =
                    LOAD_WEIGHTS(f->w + f->panel[v / width] + (k * width + v % width) * LANES);
                UNROLL for (int r = 0; r < rows; ++r)
                {
                    const VEC x = FN(set1)((f->a[i][r] + k * f->step)[r * f->stride]);
                    UNROLL for (int v = 0; v < vectors; ++v) if (i == (v % width == f->second))
                        acc[r][v] = FN(fma)(x, w[v], acc[r][v]);
                }
            }
        }
    }
}
