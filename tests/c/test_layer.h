/* What tests say of a layer, of whatever kind: model_file.c writes its line, read_layer.c reads it back
 * by the core. */
#ifndef RNNAT_TEST_LAYER_H
#define RNNAT_TEST_LAYER_H

#include "types.h"

typedef enum test_kind {
    TEST_EMBEDDING,
    TEST_RECURRENT,
    TEST_LINEAR,
    TEST_MERGE,
    TEST_COMBINE,
    TEST_EXPAND,
    TEST_ELEMENTWISE,
    TEST_POOL,
    TEST_POOL_WITHIN,
    TEST_SCALE,
    TEST_PRELU,
    TEST_CONV,
    TEST_STRIDED,
    TEST_NORM,
    TEST_INSTANCE_NORM,
    TEST_REDUCE,
    TEST_UPSAMPLE,
    TEST_PAD,
    TEST_SOFTMAX,
    TEST_SOFTMAX_OVER_TIME,
    TEST_ATTENTION_POOL,
    TEST_ATTENTION
} test_kind;

typedef enum test_cell { TEST_RNN, TEST_GRU, TEST_LSTM } test_cell;

/* What a kind or a cell does not have is zero. */
typedef struct test_layer {
    test_kind kind;
    test_cell cell;
    int32_t input_size; /* num_embeddings, in_features, twice a merge's features */
    int32_t output_size; /* hidden_size, embedding_dim, out_features, features */
    int32_t num_layers;
    int32_t proj_size;
    rnnat_direction direction;
    rnnat_activation activation; /* a linear layer's; an rnn cell's nonlinearity */
    bool bias;
    bool reset_after;
    bool peephole;
    bool gate_recurrent;
    int32_t output_layer;
    rnnat_activation output_activation;
    bool general; /* a recurrent layer with activations, clip or input_forget, ... */
    rnnat_functions functions[2]; /* ... which are these, by direction */
    bool last_only;
    bool initial_state;
    rnnat_merge merge;
    rnnat_combine combine;
    rnnat_function function; /* of an elementwise layer */
} test_layer;

/* What the core reads a line as; nothing is written where it is not RNNAT_OK. */
rnnat_status test_layer_read(const char *line, test_layer *layer);

#endif
