/* The loop of product.inc.h for a CPU that multiplies two rows by two columns at once: a sum is a tile of
 * both rows then, for two of a vector's columns, and becomes those of a row at the end. The last of an odd
 * number of rows stands twice. Sums begin with zero, whatever they are.
 *
 * SPREAD has two rows' operands side by side, WIDE `low` and `high` a vector's first and last two columns.
 * Sums of MULTIPLY_ADD are [row 0 by both columns, row 1 by both]; first_row(low, high) and second_row make
 * a vector of four columns of them. */
INLINE void WFN(product)(SUM acc[][max_vectors], const WFN(factors) * f, int32_t groups,
                         const int arrays, const int rows, const int panels)
{
    const int width = f->width, vectors = panels * width, pairs = (rows + 1) / 2;
    SUM twice[max_vectors]; /* the last two columns of a row that stands twice */
    UNROLL for (int v = 0; v < vectors; ++v) twice[v] = zero_i32();
    for (ptrdiff_t k = 0; k < groups; ++k) {
        UNROLL for (int i = 0; i < arrays; ++i)
        {
            FACTOR x[max_height / 2];
            UNROLL for (int p = 0; p < pairs; ++p)
            {
                const int r = 2 * p, next = r + 1 < rows ? r + 1 : r;
                x[p] = SPREAD((f->a[i][r] + k * f->step)[r * f->stride],
                              (f->a[i][next] + k * f->step)[next * f->stride]);
            }
            UNROLL for (int v = 0; v < vectors; ++v)
            {
                if (i != (v % width == f->second)) continue;
                const WIDE w = WFN(weights)(f, k, 0, v);
                UNROLL for (int p = 0; p < pairs; ++p)
                {
                    SUM *const high = 2 * p + 1 < rows ? &acc[2 * p + 1][v] : &twice[v];
                    acc[2 * p][v] = MULTIPLY_ADD(x[p], w.low, acc[2 * p][v]);
                    *high = MULTIPLY_ADD(x[p], w.high, *high);
                }
            }
        }
    }
    UNROLL for (int p = 0; p < pairs; ++p)
    {
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const SUM low = acc[2 * p][v], high = 2 * p + 1 < rows ? acc[2 * p + 1][v] : twice[v];
            acc[2 * p][v] = first_row(low, high);
            if (2 * p + 1 < rows) acc[2 * p + 1][v] = second_row(low, high);
        }
    }
}
