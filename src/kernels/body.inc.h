/* Every kernel, written once: included for each instruction set after its vec_<isa>.h, first with
 * RNNAT_DOUBLE 0, then 1.
 *
 * A vec header promises, for S in f32 and f64: a type vec_S of lanes_S elements, and
 *   load, store           any alignment
 *   load_first(p, n, r)   the first n < lanes elements from p, the rest from r
 *   store_first(p, n, v)  only the first n elements
 *   set1 add sub mul div
 *   fma(a, b, c)          a * b + c, the same rounding in every kernel of this instruction set
 *   min, max              the second operand where the two do not compare: NaN passes through it
 *   if_less(a, b, x, y)   x where a < b, else y
 *   abs, copysign(v >= 0, sign)
 *   sqrt                  rounded right
 *   exponent(v)           the n of 2^n <= v < 2^(n + 1), where v is a normal number above 0
 *   pow2(n + magic)       2^n, where n is a whole number that `magic` pushed into the low bits
 * and RNNAT_VEC_REGISTERS, how many vectors fit in registers. Of floats alone, with RNNAT_WITH_INT8:
 *   largest(a, b)         of two sizes, such as abs gives; NaN is the largest of all
 *   reduce_largest(v)     of all elements
 *   vec_i32               as many int32_t: zero_i32, load_i32, of_i32, which makes floats of them
 * and what int8.inc.h multiplies them with.
 */
#include <math.h>
#include <stdint.h>

#include "kernels.h"
#if RNNAT_TRAIN
#include "train_kernels.h"
#endif

#include "no_type.inc.h"
#undef REAL
#undef VEC
#undef LANES
#undef FN
#if RNNAT_DOUBLE
#define REAL double
#define VEC vec_f64
#define LANES lanes_f64
#define FN(name) name##_f64
#else
#define REAL float
#define VEC vec_f32
#define LANES lanes_f32
#define FN(name) name##_f32
#endif

#ifndef RNNAT_BODY_ONCE
#define RNNAT_BODY_ONCE
#if RNNAT_GNU
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#else
#define INLINE static inline
#define NOINLINE static
#endif
#if RNNAT_SMALL
#define RARELY_INLINE NOINLINE
#else
#define RARELY_INLINE INLINE
#endif
#if RNNAT_GNU && defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif RNNAT_GNU
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

/* Blocks of rows x vectors that stay in registers, with room for the operands. */
enum {
    max_rows = 8,
    max_vectors = 9,
    max_height = 12, /* rows of any block, of training's too */
    max_arrays = 2,
    max_abreast = 8,
    max_made = 4, /* sums of a row that a block may take from memory */
    many = RNNAT_VEC_REGISTERS >= 32,
    rows_of_1 = 8, /* rows of a block 1 vector wide */
    rows_of_2 = many ? 8 : 6,
    rows_of_3 = many ? 8 : 4,
    rows_of_4 = many ? 6 : 3,
    many_at_once = lanes_f32 == 1 ? 1
    : many                        ? 4
                                  : 3, /* rows of a small build's product */
    train_vectors = 2, /* of a block of training's products, and its rows: */
    train_height = RNNAT_VEC_REGISTERS >= 32 ? 12 : 6,
    train_depth = 256 /* k of such a block, while its panel stays in the first-level cache */
};

/* Cuts `rows` into the fewest blocks of at most `most`, as even as can be: the next one's size. */
static inline int32_t next_block(int32_t rows, int32_t most)
{
    const int32_t blocks = (rows + most - 1) / most;
    return (rows + blocks - 1) / blocks;
}
#endif

INLINE REAL *FN(row_at)(const rnnat_rows *rows, int32_t r)
{
    if (r < rows->inner) return (REAL *)RNNAT_WRITABLE(rows->base) + r * rows->inner_stride;
    return (REAL *)RNNAT_WRITABLE(rows->base) + (r / rows->inner) * rows->outer_stride +
           (r % rows->inner) * rows->inner_stride;
}

#include "activations.inc.h"
#if RNNAT_WITH_GENERAL
#include "functions.inc.h"
#endif
#if RNNAT_TRAIN
#include "train_rows.inc.h"
#endif
#include "show.inc.h"
#include "step.inc.h"

#include "weights.inc.h"
#if RNNAT_TRAIN
#include "train.inc.h"
#endif
