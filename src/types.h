/* The words that the file format, the model and the kernels share. */
#ifndef RNNAT_TYPES_H
#define RNNAT_TYPES_H

typedef enum rnnat_layer_kind {
    RNNAT_LAYER_EMBEDDING,
    RNNAT_LAYER_RECURRENT,
    RNNAT_LAYER_LINEAR,
    RNNAT_LAYER_MERGE
} rnnat_layer_kind;

typedef enum rnnat_cell_kind { RNNAT_CELL_RNN, RNNAT_CELL_GRU, RNNAT_CELL_LSTM } rnnat_cell_kind;

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

#endif
