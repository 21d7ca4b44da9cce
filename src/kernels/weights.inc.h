/* The kernels that multiply, for every type of weights (rnnat_weight_dtype); which of them do, a
 * matrix' or a step's type says. Part of body.inc.h.
 *
 * A type has a part like the one here: what weights are stored as, the ending of its kernels'
 * names, how a vector of them is loaded, exactly and at any alignment, and its case in CHOOSE.
 */
#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS

/* ---- the type that is computed in; training's too ---- */
#define WEIGHT REAL
#define WFN(name) FN(name##_own)
#define LOAD_WEIGHTS FN(load)
#include "products.inc.h"

#define CHOOSE(name, args)                                                                         \
    static void FN(name)(const args *x)                                                            \
    {                                                                                              \
        switch (x->type) {                                                                         \
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
