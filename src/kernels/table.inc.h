/* Both tables of one instruction set. The including file defines RNNAT_TABLE and RNNAT_ISA_NAME
 * and has included its vec_<isa>.h. */
#define RNNAT_DOUBLE 0
#include "body.inc.h"
#undef RNNAT_DOUBLE
#define RNNAT_DOUBLE 1
#include "body.inc.h"
#undef RNNAT_DOUBLE

#define RNNAT_ROW(S, BYTES)                                                                        \
    {.isa = RNNAT_ISA_NAME,                                                                        \
     .lanes = lanes_##S,                                                                           \
     .elem = BYTES,                                                                                \
     .gemm = gemm_##S,                                                                             \
     .activate = activate_##S,                                                                     \
     .rnn = rnn_##S,                                                                               \
     .gru = gru_##S,                                                                               \
     .gru_gates = gru_gates_##S,                                                                   \
     .gru_new = gru_new_##S,                                                                       \
     .lstm = lstm_##S,                                                                             \
     .gate_gru_gates = gate_gru_gates_##S,                                                         \
     .gate_gru_new = gate_gru_new_##S,                                                             \
     .gate_lstm = gate_lstm_##S,                                                                   \
     .add = add_rows_##S}

const rnnat_kernels RNNAT_TABLE[2] = {RNNAT_ROW(f32, 4), RNNAT_ROW(f64, 8)};
