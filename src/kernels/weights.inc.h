/* The kernels that multiply, for every type of weights (rnnat_stored): the endings of their
 * names are those of weight_types.h, or `own` for the type that is computed in. Part of body.inc.h.
 *
 * A type has a part like the first one here: what its option is, what its weights are stored as, how
 * many of a column lie side by side (GROUP), and how a vector of them is loaded, exactly and at any
 * alignment: LOAD_WEIGHTS(p, nth), of each group its element `nth`. A load is a vec header's where an
 * instruction set has a fast one. One whose rows are prepared says what they become, too:
 * product.inc.h, operands.inc.h.
 */
#if RNNAT_WITH_FLOAT16 && !RNNAT_DOUBLE
#ifndef RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
    float all[lanes_f32];
    for (int i = 0; i < lanes_f32; ++i) all[i] = rnnat_f16_widen(p[i]);
    return load_f32(all);
}
#endif
#define STORED RNNAT_STORED_F16
#define WEIGHT uint16_t
#define WFN(name) FN(name##_f16)
#define LOAD_WEIGHTS(p, nth) load_f16(p)
#define GROUP 1
#include "plain_rows.inc.h"
#include "products.inc.h"

#include "no_type.inc.h"
#endif

#if RNNAT_WITH_BFLOAT16 && !RNNAT_DOUBLE
/* Pairs of a column side by side: the upper half of a word is a float's, the lower one is moved up. */
static inline vec_f32 load_bf16(const uint16_t *p, const int nth)
{
#if RNNAT_GNU && !RNNAT_SCALAR && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    typedef uint32_t words __attribute__((vector_size(4 * lanes_f32)));
    words all;
    memcpy(&all, p, sizeof all);
    return (vec_f32)(nth ? all & UINT32_C(0xffff0000) : all << 16);
#else
    float all[lanes_f32];
    for (int i = 0; i < lanes_f32; ++i) all[i] = rnnat_bf16_widen(p[2 * i + nth]);
    return load_f32(all);
#endif
}
#define STORED RNNAT_STORED_BF16
#define WEIGHT uint16_t
#define WFN(name) FN(name##_bf16)
#define LOAD_WEIGHTS load_bf16
#define GROUP 2
#include "plain_rows.inc.h"
#include "products.inc.h"

#include "no_type.inc.h"
#endif

#if RNNAT_WITH_INT8 && !RNNAT_DOUBLE
#include "int8.inc.h"
#endif

#if RNNAT_WITH_BFLOAT16 && !RNNAT_DOUBLE && defined(RNNAT_HAS_BF16_DOT)
RNNAT_BF16_DOT_BEGIN
#define STORED RNNAT_STORED_BF16_DOT
#define WEIGHT uint16_t
#define WFN(name) FN(name##_bf16_dot)
#define PREPARED 1
#define INTEGERS 0
#define OFFSET 0
#define TILES 0
#define GROUP 2
#define TURNS 1
#define OPERAND uint32_t
#define FACTOR vec_row_bf16
#define WIDE vec_bf16
#define SUM VEC
#define SPREAD spread_bf16
#define LOAD_WEIGHTS(p, nth) load_pairs_bf16(p)
#define MULTIPLY_ADD dot_bf16
#define PUT put_bf16
#define PUT_WIDTH LANES
#include "products.inc.h"

#include "no_type.inc.h"
RNNAT_BF16_DOT_END
#endif

#if RNNAT_WITH_DTYPE
/* The type that is computed in; training's too. */
#define STORED RNNAT_STORED_OWN
#define WEIGHT REAL
#define WFN(name) FN(name##_own)
#define LOAD_WEIGHTS(p, nth) FN(load)(p)
#define GROUP 1
#include "plain_rows.inc.h"
#include "products.inc.h"
#endif
