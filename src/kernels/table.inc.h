/* Both tables of one instruction set. The including file defines RNNAT_TABLE and RNNAT_ISA_NAME
 * and has included its vec_<isa>.h. What is left out is NULL; the table for double, all zero. */
#include "../config.h"

#define RNNAT_DOUBLE 0
#include "body.inc.h"
#undef RNNAT_DOUBLE
#if RNNAT_FLOAT64
#define RNNAT_DOUBLE 1
#include "body.inc.h"
#undef RNNAT_DOUBLE
#endif

#if RNNAT_WITH_RNN
#define RNNAT_IF_RNN(kernel) kernel
#else
#define RNNAT_IF_RNN(kernel) NULL
#endif
#if RNNAT_WITH_GRU
#define RNNAT_IF_GRU(kernel) kernel
#else
#define RNNAT_IF_GRU(kernel) NULL
#endif
#if RNNAT_WITH_LSTM
#define RNNAT_IF_LSTM(kernel) kernel
#else
#define RNNAT_IF_LSTM(kernel) NULL
#endif
#if RNNAT_WITH_GATE
#define RNNAT_IF_GATE(kernel) kernel
#else
#define RNNAT_IF_GATE(kernel) NULL
#endif
#if RNNAT_WITH_GENERAL
#define RNNAT_IF_GENERAL(kernel) kernel
#else
#define RNNAT_IF_GENERAL(kernel) NULL
#endif
#if RNNAT_WITH_ELEMENTWISE
#define RNNAT_IF_ELEMENTWISE(kernel) kernel
#else
#define RNNAT_IF_ELEMENTWISE(kernel) NULL
#endif
#if RNNAT_TRAIN
#define RNNAT_TRAIN_OF(BYTES) (&RNNAT_TRAIN_TABLE[(BYTES) / 8])
#else
#define RNNAT_TRAIN_OF(BYTES) NULL
#endif
/* What multiplies weights of one type, by the ending of its kernels. */
#define RNNAT_PRODUCTS(E)                                                                          \
    {.gemm = gemm_##E,                                                                             \
     .rnn = RNNAT_IF_RNN(rnn_##E),                                                                 \
     .gru = RNNAT_IF_GRU(gru_##E),                                                                 \
     .gru_gates = RNNAT_IF_GRU(gru_gates_##E),                                                     \
     .gru_new = RNNAT_IF_GRU(gru_new_##E),                                                         \
     .lstm = RNNAT_IF_LSTM(lstm_##E),                                                              \
     .gate_gru_gates = RNNAT_IF_GATE(RNNAT_IF_GRU(gate_gru_gates_##E)),                            \
     .gate_gru_new = RNNAT_IF_GATE(RNNAT_IF_GRU(gate_gru_new_##E)),                                \
     .gate_lstm = RNNAT_IF_GATE(RNNAT_IF_LSTM(gate_lstm_##E))}
#define RNNAT_OF_TYPE(code, ending, name, most, stored, with)                                      \
    RNNAT_IF_WITH(with, [code] = RNNAT_PRODUCTS(ending##_f32), )
#define RNNAT_ROW(S, BYTES, ...)                                                                   \
    {                                                                                              \
        .isa = RNNAT_ISA_NAME, .lanes = lanes_##S, .elem = BYTES, .rows_of_3 = rows_of_3,          \
        .rows_of_4 = rows_of_4, .train = RNNAT_TRAIN_OF(BYTES), .activate = activate_##S,          \
        .general_rnn = RNNAT_IF_GENERAL(RNNAT_IF_RNN(general_rnn_##S)),                            \
        .general_gru = RNNAT_IF_GENERAL(RNNAT_IF_GRU(general_gru_##S)),                            \
        .general_gru_gates = RNNAT_IF_GENERAL(RNNAT_IF_GRU(general_gru_gates_##S)),                \
        .general_gru_new = RNNAT_IF_GENERAL(RNNAT_IF_GRU(general_gru_new_##S)),                    \
        .general_lstm = RNNAT_IF_GENERAL(RNNAT_IF_LSTM(general_lstm_##S)), .add = add_rows_##S,    \
        .merge = merge_rows_##S, .apply = RNNAT_IF_ELEMENTWISE(apply_rows_##S),                    \
        .of = {__VA_ARGS__[RNNAT_WEIGHT_AS_DTYPE] = RNNAT_PRODUCTS(own_##S)}                       \
    }

#if RNNAT_FLOAT64
const rnnat_kernels RNNAT_TABLE[2] = {RNNAT_ROW(f32, 4, RNNAT_EACH_WEIGHT_TYPE(RNNAT_OF_TYPE)),
                                      RNNAT_ROW(f64, 8, )};
#else
const rnnat_kernels RNNAT_TABLE[2] = {RNNAT_ROW(f32, 4, RNNAT_EACH_WEIGHT_TYPE(RNNAT_OF_TYPE))};
#endif

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
