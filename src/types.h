/* The words that the file format, the model and the kernels share. */
#ifndef RNNAT_TYPES_H
#define RNNAT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "rnn_native.h"

/* Four integers of a row as int8 kernels multiply them where a CPU does not multiply quads: 0 and 2 side by
 * side, then 1 and 3. Aligned so that a core of 32 bits reads all four by one instruction (LDRD). */
typedef struct rnnat_pairs {
    _Alignas(8) int16_t even[2];
    int16_t odd[2];
} rnnat_pairs;

/* What is const for those that only read it: whoever writes through this was given it to write. */
#define RNNAT_WRITABLE(memory) ((void *)(uintptr_t)(memory))

typedef enum rnnat_direction { RNNAT_FORWARD, RNNAT_REVERSE, RNNAT_BIDIRECTIONAL } rnnat_direction;

typedef enum rnnat_activation {
    RNNAT_IDENTITY,
    RNNAT_SIGMOID,
    RNNAT_TANH,
    RNNAT_RELU,
    RNNAT_SOFTMAX,
    RNNAT_LOG_SOFTMAX
} rnnat_activation;

/* What a merge layer makes of features a, b: a + b, a * b, (a + b) * 0.5. */
typedef enum rnnat_merge { RNNAT_MERGE_SUM, RNNAT_MERGE_MUL, RNNAT_MERGE_AVE } rnnat_merge;

/* What a combine layer makes of several values: a + b + ..., a * b * ..., a - b, a / b, the largest or
 * the least, or the features of all side by side. */
typedef enum rnnat_combine {
    RNNAT_COMBINE_ADD,
    RNNAT_COMBINE_MUL,
    RNNAT_COMBINE_SUB,
    RNNAT_COMBINE_CONCAT,
    RNNAT_COMBINE_DIV,
    RNNAT_COMBINE_MAX,
    RNNAT_COMBINE_MIN
} rnnat_combine;

/* The functions of one number, the only list of them: calls X(code, name in a file, how many of the
 * constants alpha and beta it takes, option of the build without which it is not there). Cells have
 * them as activations of their gates, elementwise layers of features. rnn_native/activations.py has
 * their equations. */
#define RNNAT_EACH_FUNCTION(X)                                                                     \
    X(IDENTITY, "identity", 0, RNNAT_WITH_GENERAL)                                                 \
    X(RELU, "relu", 0, RNNAT_WITH_GENERAL)                                                         \
    X(TANH, "tanh", 0, RNNAT_WITH_GENERAL)                                                         \
    X(SIGMOID, "sigmoid", 0, RNNAT_WITH_GENERAL)                                                   \
    X(AFFINE, "affine", 2, RNNAT_WITH_GENERAL)                                                     \
    X(LEAKY_RELU, "leaky_relu", 1, RNNAT_WITH_GENERAL)                                             \
    X(THRESHOLDED_RELU, "thresholded_relu", 1, RNNAT_WITH_GENERAL)                                 \
    X(SCALED_TANH, "scaled_tanh", 2, RNNAT_WITH_GENERAL)                                           \
    X(HARD_SIGMOID, "hard_sigmoid", 2, RNNAT_WITH_GENERAL)                                         \
    X(ELU, "elu", 1, RNNAT_WITH_GENERAL)                                                           \
    X(SOFTSIGN, "softsign", 0, RNNAT_WITH_GENERAL)                                                 \
    X(SOFTPLUS, "softplus", 0, RNNAT_WITH_GENERAL)                                                 \
    X(SILU, "silu", 1, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(GELU, "gelu", 0, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(GELU_TANH, "gelu_tanh", 0, RNNAT_WITH_ELEMENTWISE)                                           \
    X(MISH, "mish", 0, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(HARD_SWISH, "hard_swish", 2, RNNAT_WITH_ELEMENTWISE)                                         \
    X(SELU, "selu", 2, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(CLIP, "clip", 2, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(MAX, "max", 1, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(MIN, "min", 1, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(ABS, "abs", 0, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(EXP, "exp", 0, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(LOG, "log", 0, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(SQRT, "sqrt", 0, RNNAT_WITH_ELEMENTWISE)                                                     \
    X(RECIPROCAL, "reciprocal", 0, RNNAT_WITH_ELEMENTWISE)                                         \
    X(POW, "pow", 1, RNNAT_WITH_ELEMENTWISE)                                                       \
    X(ERF, "erf", 0, RNNAT_WITH_ELEMENTWISE)

typedef enum rnnat_gate_activation {
#define RNNAT_FUNCTION_CODE(code, name, constants, with) RNNAT_GATE_##code,
    RNNAT_EACH_FUNCTION(RNNAT_FUNCTION_CODE)
#undef RNNAT_FUNCTION_CODE
} rnnat_gate_activation;

/* One of them with its constants; those that it does not take are 0. */
typedef struct rnnat_function {
    rnnat_gate_activation kind;
    double alpha, beta;
} rnnat_function;

#define RNNAT_FUNCTIONS 3

/* As many as a line has of them: of one direction, or of both. */
#define RNNAT_FUNCTION_LIST (2 * RNNAT_FUNCTIONS)
typedef struct rnnat_function_list {
    int32_t count;
    rnnat_function of[RNNAT_FUNCTION_LIST];
} rnnat_function_list;

/* What the gates of one direction are made with, in ONNX's order: RNN f; GRU f (r, z), g (n);
 * LSTM f (i, f, o), g (g), h (c, for h). */
typedef struct rnnat_functions {
    rnnat_function of[RNNAT_FUNCTIONS];
    double clip;       /* bounds the input of each; 0: no bounds */
    bool input_forget; /* LSTM: f = 1 - i */
    double cell_clip;  /* LSTM: bounds c; 0: no bounds */
} rnnat_functions;

#endif
