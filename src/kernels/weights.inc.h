/* The kernels that multiply, for every type of weights (rnnat_weight_dtype): the endings of their
 * names are those of weight_types.h, or `own` for the type that is computed in. Part of body.inc.h.
 *
 * A type has a part like the first one here: what its option is, what its weights are stored as, how
 * a vector of them is loaded, exactly and at any alignment. Its load is a vec header's where an
 * instruction set has a fast one, and otherwise WIDEN_EACH makes it.
 */
#define WIDEN_EACH(load, stored, widen)                                                            \
    static inline vec_f32 load(const stored *p)                                                    \
    {                                                                                              \
        float all[lanes_f32];                                                                      \
        for (int i = 0; i < lanes_f32; ++i) all[i] = widen(p[i]);                                  \
        return load_f32(all);                                                                      \
    }

#if RNNAT_WITH_FLOAT16 && !RNNAT_DOUBLE
#ifndef RNNAT_HAS_LOAD_F16
WIDEN_EACH(load_f16, uint16_t, rnnat_f16_widen)
#endif
#define WEIGHT uint16_t
#define WFN(name) FN(name##_f16)
#define LOAD_WEIGHTS load_f16
#include "products.inc.h"
#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS
#endif

#if RNNAT_WITH_BFLOAT16 && !RNNAT_DOUBLE
#if RNNAT_GNU && !RNNAT_SCALAR && (defined(__clang__) || __GNUC__ >= 9)
/* The lanes are 16 bits wider, and what they hold is moved up by as many. */
static inline vec_f32 load_bf16(const uint16_t *p)
{
    typedef uint16_t uppers __attribute__((vector_size(2 * lanes_f32)));
    typedef uint32_t wholes __attribute__((vector_size(4 * lanes_f32)));
    uppers all;
    memcpy(&all, p, sizeof all);
    return (vec_f32)(__builtin_convertvector(all, wholes) << 16);
}
#else
WIDEN_EACH(load_bf16, uint16_t, rnnat_bf16_widen)
#endif
#define WEIGHT uint16_t
#define WFN(name) FN(name##_bf16)
#define LOAD_WEIGHTS load_bf16
#include "products.inc.h"
#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS
#endif

#undef WIDEN_EACH

/* The type that is computed in; training's too. */
#define WEIGHT REAL
#define WFN(name) FN(name##_own)
#define LOAD_WEIGHTS FN(load)
#include "products.inc.h"
