/* The kernels that multiply, for every type of weights (rnnat_weight_dtype); which of them do, a
 * matrix' or a step's type says. Part of body.inc.h.
 *
 * A type has a part like the first one here: what weights are stored as, the ending of its kernels'
 * names, how a vector of them is loaded, exactly and at any alignment, and its case.
 */
#include "../float16.h"

#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS

/* ---- float16: load_f16 is a vec header's, where its instruction set has one ---- */
#undef OF_FLOAT16
#if RNNAT_WITH_FLOAT16 && !RNNAT_DOUBLE
#ifndef RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
    float all[lanes_f32];
    for (int i = 0; i < lanes_f32; ++i) all[i] = rnnat_float16_widen(p[i]);
    return load_f32(all);
}
#endif
#define WEIGHT uint16_t
#define WFN(name) FN(name##_f16)
#define LOAD_WEIGHTS load_f16
#include "products.inc.h"
#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS
#define OF_FLOAT16(name)                                                                           \
    case RNNAT_WEIGHT_F16: FN(name##_f16)(x); break;
#else
#define OF_FLOAT16(name)
#endif

/* ---- the type that is computed in; training's too ---- */
#define WEIGHT REAL
#define WFN(name) FN(name##_own)
#define LOAD_WEIGHTS FN(load)
#include "products.inc.h"

#define CHOOSE(name, args)                                                                         \
    static void FN(name)(const args *x)                                                            \
    {                                                                                              \
        switch (x->type) {                                                                         \
            OF_FLOAT16(name)                                                                       \
        default: WFN(name)(x);                                                                     \
        }                                                                                          \
    }

CHOOSE(gemm, rnnat_gemm_args)
#if RNNAT_WITH_RNN
CHOOSE(rnn, rnnat_step)
#endif
#if RNNAT_WITH_GRU
CHOOSE(gru, rnnat_step)
CHOOSE(gru_gates, rnnat_step)
CHOOSE(gru_new, rnnat_step)
#endif
#if RNNAT_WITH_LSTM
CHOOSE(lstm, rnnat_step)
#endif
#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
CHOOSE(gate_gru_gates, rnnat_step)
CHOOSE(gate_gru_new, rnnat_step)
#endif
#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
CHOOSE(gate_lstm, rnnat_step)
#endif
#undef CHOOSE
