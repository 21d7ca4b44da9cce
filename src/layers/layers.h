/* The list of all kinds of layers, and the structs of their nodes' data, which generated C fills in. */
#ifndef RNNAT_LAYERS_H
#define RNNAT_LAYERS_H

#include "../inspect/emit.h"
#include "../inspect/trace.h"
#include "../text.h"
#include "layer.h"

/* Calls X(name) for each: the first word of its line in a file, and the end of its struct's name. An
 * `add` node has no line: a recurrent layer with an output layer adds it, and linear nodes. */
#define RNNAT_LAYERS(X)                                                                            \
    X(embedding)                                                                                   \
    X(recurrent)                                                                                   \
    X(linear)                                                                                      \
    X(merge)                                                                                       \
    X(combine)                                                                                     \
    X(elementwise)                                                                                 \
    X(pool)                                                                                        \
    X(scale)                                                                                       \
    X(prelu)                                                                                       \
    X(last)

#define RNNAT_LAYER_NAME(name) extern const rnnat_layer rnnat_layer_##name;
RNNAT_LAYERS(RNNAT_LAYER_NAME)
#undef RNNAT_LAYER_NAME
extern const rnnat_layer rnnat_layer_add;

#if RNNAT_TRAIN
#define RNNAT_LAYER_TRAINING(name) extern const struct rnnat_layer_training rnnat_##name##_training;
RNNAT_LAYERS(RNNAT_LAYER_TRAINING)
#undef RNNAT_LAYER_TRAINING
/* Adds the output layer of a recurrent stack, whose first node is number `stack`. */
struct rnnat_net_builder;
void rnnat_linear_train_stack(struct rnnat_net_builder *build, const rnnat_recurrent_options *line,
                              int32_t stack);
#endif

/* What each layer's line says, and its nodes' data; a recurrent one's line is in cells/cell.h. */
typedef struct rnnat_embedding_options {
    int32_t num_embeddings, embedding_dim;
} rnnat_embedding_options;
/* An embedding: y is row x of the table. */
typedef struct rnnat_embedding {
    int32_t known; /* indices 0 .. known - 1 */
    int32_t features; /* of y */
    const void *table; /* [known, features] */
} rnnat_embedding;

typedef struct rnnat_linear_options {
    int32_t in_features, out_features;
    int32_t bias;
    int32_t activation; /* rnnat_activation */
} rnnat_linear_options;
/* A linear layer: y = activation(x weight^T + bias). */
typedef struct rnnat_linear {
    int32_t features; /* of y */
    rnnat_matrix weight;
    const void *bias; /* [pad(features)], or NULL */
    rnnat_activation activation;
} rnnat_linear;

#if RNNAT_READER
/* Names of the tensors of a linear node; bias NULL: there is none. */
typedef struct rnnat_linear_names {
    const char *weight, *bias;
} rnnat_linear_names;
/* Adds a linear node that makes data.features of the value `input`, and reads its weights. */
rnnat_status rnnat_linear_add(rnnat_graph *graph, const rnnat_linear_names *names, int32_t input,
                              int32_t in_features, rnnat_linear data, int32_t *output);
#endif
/* Activates the member's own steps of a chunk's outputs where they are. */
void rnnat_activate_steps(const rnnat_task *task, const rnnat_chunk *chunk,
                          rnnat_activation activation, int32_t features);

typedef struct rnnat_merge_options {
    int32_t features, mode;
} rnnat_merge_options;
/* A merge layer: its input is features a and b, one behind the other, its output a + b, a b or
 * (a + b) / 2. */
typedef struct rnnat_merging {
    int32_t features; /* of y, and of a and b each */
    rnnat_merge mode;
} rnnat_merging;

typedef struct rnnat_combine_options {
    int32_t mode;
} rnnat_combine_options;
/* A combine layer: several values are added, multiplied or subtracted element by element, or their
 * features put one behind the other. */
typedef struct rnnat_combining {
    rnnat_combine mode;
    int32_t features[RNNAT_NODE_INPUTS]; /* of each input */
} rnnat_combining;

typedef struct rnnat_elementwise_options {
    rnnat_function_list function; /* one */
} rnnat_elementwise_options;
/* An elementwise layer: y = function(x), of each feature. */
typedef struct rnnat_elementwise {
    int32_t features;
    rnnat_function function;
} rnnat_elementwise;

typedef struct rnnat_pool_options {
    int32_t mode, kernel_size, stride, before, after, count_include_pad;
} rnnat_pool_options;
typedef enum rnnat_pool { RNNAT_POOL_AVERAGE, RNNAT_POOL_MAX } rnnat_pool;
/* A pooling layer: y[t] is the mean, or the largest, of the steps of x in the node's window. */
typedef struct rnnat_pooling {
    int32_t features;
    rnnat_pool mode;
    bool counts_padding; /* a mean is of padding as well */
} rnnat_pooling;

typedef struct rnnat_scale_options {
    int32_t features;
} rnnat_scale_options;
/* A scale layer: y = x scale + shift, of each feature. */
typedef struct rnnat_scaling {
    int32_t features;
    const void *scale, *shift; /* [features] */
} rnnat_scaling;

typedef struct rnnat_prelu_options {
    int32_t features;
} rnnat_prelu_options;
/* A prelu layer: y = x where x >= 0, else x slope, of each feature. */
typedef struct rnnat_sloping {
    int32_t features;
    const void *slope; /* [features] */
} rnnat_sloping;

/* A last layer: y is x at a row's last step. */
typedef struct rnnat_lasting {
    int32_t features;
} rnnat_lasting;

/* An add node: y = activation(a + b) of two values. */
typedef struct rnnat_adding {
    int32_t features; /* of a, b and y */
    rnnat_activation activation;
    int32_t traced_cell; /* the cell as whose `o` its outputs are shown; -1: there is none */
} rnnat_adding;

/* Defines `name`, by which a layer of one row after the other runs: each member takes some of the steps,
 * and for each row of them calls f32(data, y, x), or f64 of a model in double. */
#define RNNAT_RUN_ROWS(name, f32, f64)                                                             \
    static bool name(rnnat_task *task, const rnnat_chunk *chunk)                                   \
    {                                                                                              \
        const rnnat_kernels *const kernels = task->kernels;                                        \
        const rnnat_some_steps own = rnnat_own_steps(task, chunk);                                 \
        for (int32_t step = own.first; step < own.first + own.steps; ++step)                       \
            for (int32_t row = 0; row < task->rows; ++row) {                                       \
                const void *const x = rnnat_view_at(kernels, *chunk->in[0], step, row);            \
                void *const y = rnnat_view_at(kernels, *chunk->out, step, row);                    \
                if (rnnat_is_float(kernels))                                                       \
                    f32(task->node->data, y, x);                                                   \
                else                                                                               \
                    f64(task->node->data, y, x);                                                   \
            }                                                                                      \
        return true;                                                                               \
    }

#if RNNAT_READER
/* They are what a recurrent layer reads, takes, counts and builds: recurrent_build.c. */
extern const rnnat_key rnnat_recurrent_keys[8];
rnnat_status rnnat_recurrent_read(const char *pairs, void *options);
int32_t rnnat_recurrent_takes(const void *options);
void rnnat_recurrent_count(const void *options, rnnat_counts *counts);
rnnat_status rnnat_recurrent_build(rnnat_graph *graph, const void *options);
#endif

/* A recurrent node: one layer of a stack, all its directions. */
typedef struct rnnat_recurrent {
    const rnnat_cell *cell;
    int32_t hidden; /* units */
    int32_t state; /* features of h: fewer than units where there is a projection */
    int32_t first_cell; /* number of its first cell among the model's */
    rnnat_activation activation; /* of an RNN */
    rnnat_cell_weights weights[2]; /* [passes] */
    /* Each state array begins with these, [passes, pad(features)], in every row; NULL: zeros. */
    const void *initial[RNNAT_CELL_STATES];
} rnnat_recurrent;

/* The state of one pass: h, then what else its cell carries on, rows padded to whole vectors. A step
 * reads one of two arrays and writes the other; where it changes an array in place, they are one. */
typedef struct rnnat_cell_state {
    char *array[RNNAT_CELL_STATES][2]; /* h [rows, pad(state)], the others [rows, pad(hidden)] */
    int32_t now; /* which of the two the next step reads */
} rnnat_cell_state;

#endif
