/* The kernels that multiply integers. Part of weights.inc.h, for float.
 *
 * A row x becomes q = x * (127 / max|x|), rounded to the nearest, of two as near to the even one; the
 * integers' sums are exact, in whatever order, and each becomes sum * (max|x| / 127 * the column's scale).
 * So for equal rows all instruction sets give equal numbers.
 *
 * A vec header has the products of pairs, four elements of k widened to 16 bits:
 *   put_pairs(to, x, n, times)   rounds n elements of x * times, and zeros up to RNNAT_PUT_WIDTH
 *   spread_pairs, load_pairs     a row's four elements for all columns; a vector of columns' four
 *   dot_pairs(x, w, sums)        sums + x w
 * and with RNNAT_HAS_QUADS the same of quads, as they are stored, for a RNNAT_QUADS_CPU; with
 * RNNAT_ALWAYS_QUADS, where the compiler takes the CPU for one, they are all there is. Where
 * RNNAT_QUADS_OFFSET is 1 rows are then stored as q + 128, and sums begin with what every panel has, -128
 * times its columns'; where it is 0 both sides are signed.
 * With RNNAT_HAS_TILES there are those of groups of eight as well, of two rows: tiles.inc.h. With RNNAT_HAS_AMX
 * quads of many rows are multiplied by AMX: amx.inc.h.
 */

/* The scale of a row, and what to multiply it by; NaN, and NaN, where not all of it is finite. */
static float FN(scale_of)(const REAL *x, int32_t k, float *times)
{
    VEC most = FN(set1)(0);
    int32_t i = 0;
    for (; i + LANES <= k; i += LANES) most = FN(largest)(most, FN(abs)(FN(load)(x + i)));
    if (i < k) most = FN(largest)(most, FN(abs)(FN(load_first)(x + i, k - i, FN(set1)(0))));
    const float size = FN(reduce_largest)(most);
    if (size < 0x1p-100f) return *times = 0; /* as if it were 0: 127 / size may be infinite */
    if (!(size < INFINITY)) return *times = size - size;
    *times = 127 / size;
    return size / 127;
}

/* Behind the integers of a panel: a float for each of its columns, then an int32_t for each. */
#define AFTER_INTEGERS(f, v)                                                                       \
    ((f)->w + (f)->panel[(v) / (f)->width] +                                                       \
     ((ptrdiff_t)(f)->groups * (f)->width * GROUP + (v) % (f)->width * 4) * LANES)

#ifndef RNNAT_ALWAYS_QUADS
#define STORED RNNAT_STORED_INT8
#define WEIGHT int8_t
#define WFN(name) FN(name##_i8)
#define PREPARED 1
#define INTEGERS 1
#define OFFSET 0
#define TILES 0
#define GROUP 4
#define TURNS 1
#define OPERAND rnnat_pairs
#define FACTOR vec_row_pairs
#define WIDE vec_pairs
#define SUM vec_i32
#define SPREAD spread_pairs
#define LOAD_WEIGHTS(p, nth) load_pairs(p)
#define MULTIPLY_ADD dot_pairs
#define PUT put_pairs
#define PUT_WIDTH RNNAT_PUT_WIDTH
#include "products.inc.h"

#include "no_type.inc.h"
#endif

#ifdef RNNAT_HAS_QUADS
RNNAT_QUADS_BEGIN
#define STORED RNNAT_STORED_INT8_DOT
#define WEIGHT int8_t
#define WFN(name) FN(name##_i8_dot)
#define PREPARED 1
#define INTEGERS 1
#define OFFSET RNNAT_QUADS_OFFSET
#define TILES 0
#ifdef RNNAT_HAS_AMX
#define AMX
#endif
#define GROUP 4
#define TURNS 1
#define OPERAND uint32_t
#define FACTOR vec_row_quads
#define WIDE vec_quads
#define SUM vec_i32
#define SPREAD spread_quads
#define LOAD_WEIGHTS(p, nth) load_quads(p)
#define MULTIPLY_ADD dot_quads
#define PUT put_quads
#define PUT_WIDTH RNNAT_PUT_WIDTH
#include "products.inc.h"

#include "no_type.inc.h"
RNNAT_QUADS_END
#endif

#ifdef RNNAT_HAS_TILES
RNNAT_TILES_BEGIN
#define STORED RNNAT_STORED_INT8_TILES
#define WEIGHT int8_t
#define WFN(name) FN(name##_i8_tiles)
#define PREPARED 1
#define INTEGERS 1
#define OFFSET 0
#define TILES 1
#define GROUP 8
#define TURNS 1
#define OPERAND uint64_t
#define FACTOR vec_row_tiles
#define WIDE vec_tiles
#define SUM vec_i32
#define SPREAD spread_tiles
#define LOAD_WEIGHTS(p, nth) load_tiles(p)
#define MULTIPLY_ADD dot_tiles
#define PUT put_tiles
#define PUT_WIDTH 8
#include "products.inc.h"

#include "no_type.inc.h"
RNNAT_TILES_END
#endif

#undef AFTER_INTEGERS
