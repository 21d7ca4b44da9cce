/* Both tables of one instruction set. The including file defines RNNAT_TABLE and RNNAT_ISA_NAME
 * and has included its vec_<isa>.h. */
#define RNNAT_DOUBLE 0
#include "body.inc.h"
#undef RNNAT_DOUBLE
#define RNNAT_DOUBLE 1
#include "body.inc.h"
#undef RNNAT_DOUBLE

#if RNNAT_TRAIN
#define RNNAT_TRAIN_OF(BYTES) (&RNNAT_TRAIN_TABLE[(BYTES) / 8])
#else
#define RNNAT_TRAIN_OF(BYTES) NULL
#endif
#define RNNAT_ROW(S, BYTES)                                                                        \
    {.isa = RNNAT_ISA_NAME,                                                                        \
     .lanes = lanes_##S,                                                                           \
     .elem = BYTES,                                                                                \
     .rows_of_3 = rows_of_3,                                                                       \
     .rows_of_4 = rows_of_4,                                                                       \
     .train = RNNAT_TRAIN_OF(BYTES),                                                               \
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
     .general_rnn = general_rnn_##S,                                                               \
     .general_gru = general_gru_##S,                                                               \
     .general_gru_gates = general_gru_gates_##S,                                                   \
     .general_gru_new = general_gru_new_##S,                                                       \
     .general_lstm = general_lstm_##S,                                                             \
     .add = add_rows_##S,                                                                          \
     .merge = merge_rows_##S}

const rnnat_kernels RNNAT_TABLE[2] = {RNNAT_ROW(f32, 4), RNNAT_ROW(f64, 8)};

#if RNNAT_TRAIN
#define RNNAT_TRAIN_ROW(S)                                                                         \
    {.panel = train_vectors * lanes_##S,                                                           \
     .height = train_height,                                                                       \
     .outer_depth = train_depth,                                                                   \
     .gemm = train_gemm_##S,                                                                       \
     .outer = train_outer_##S,                                                                     \
     .pack = train_pack_##S,                                                                       \
     .pack_transposed = train_pack_transposed_##S,                                                 \
     .sum_vectors = train_sum_vectors_##S,                                                         \
     .pack_columns = train_pack_columns_##S,                                                       \
     .transpose = train_transpose_##S,                                                             \
     .rnn_forward = train_rnn_forward_##S,                                                         \
     .rnn_backward = train_rnn_backward_##S,                                                       \
     .gru_forward = train_gru_forward_##S,                                                         \
     .gru_backward = train_gru_backward_##S,                                                       \
     .gru_gates_forward = train_gru_gates_forward_##S,                                             \
     .gru_new_forward = train_gru_new_forward_##S,                                                 \
     .gru_new_backward = train_gru_new_backward_##S,                                               \
     .gru_gates_backward = train_gru_gates_backward_##S,                                           \
     .gate_gru_new_forward = train_gate_gru_new_forward_##S,                                       \
     .gate_gru_new_backward = train_gate_gru_new_backward_##S,                                     \
     .lstm_forward = train_lstm_forward_##S,                                                       \
     .lstm_backward = train_lstm_backward_##S,                                                     \
     .keep = train_keep_##S,                                                                       \
     .gather = train_gather_##S,                                                                   \
     .peephole = train_peephole_##S,                                                               \
     .activation_backward = train_activation_backward_##S,                                         \
     .dropout = train_dropout_##S,                                                                 \
     .add_row = train_add_row_##S}

const rnnat_train_kernels RNNAT_TRAIN_TABLE[2] = {RNNAT_TRAIN_ROW(f32), RNNAT_TRAIN_ROW(f64)};
#endif
