/* The words that the file format, the model and the kernels share. */
#ifndef RNNAT_TYPES_H
#define RNNAT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "rnn_native.h"

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

/* What a combine layer makes of several values: a + b + ..., a * b * ..., a - b, or the features of
 * all side by side. */
typedef enum rnnat_combine {
    RNNAT_COMBINE_ADD,
    RNNAT_COMBINE_MUL,
    RNNAT_COMBINE_SUB,
    RNNAT_COMBINE_CONCAT
} rnnat_combine;

/* Of the gates of a cell, as ONNX's operators have them. */
typedef enum rnnat_gate_activation {
    RNNAT_GATE_IDENTITY,
    RNNAT_GATE_RELU,             /* max(0, x) */
    RNNAT_GATE_TANH,
    RNNAT_GATE_SIGMOID,
    RNNAT_GATE_AFFINE,           /* alpha x + beta */
    RNNAT_GATE_LEAKY_RELU,       /* x if x >= 0, else alpha x */
    RNNAT_GATE_THRESHOLDED_RELU, /* x if x >= alpha, else 0 */
    RNNAT_GATE_SCALED_TANH,      /* alpha tanh(beta x) */
    RNNAT_GATE_HARD_SIGMOID,     /* min(max(alpha x + beta, 0), 1) */
    RNNAT_GATE_ELU,              /* x if x >= 0, else alpha (exp(x) - 1) */
    RNNAT_GATE_SOFTSIGN,         /* x / (1 + |x|) */
    RNNAT_GATE_SOFTPLUS          /* log(1 + exp(x)) */
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
} rnnat_functions;

#endif
