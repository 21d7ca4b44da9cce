/* The list of all kinds of layers, and the structs of their nodes' data, which generated C fills in. */
#ifndef RNNAT_LAYERS_H
#define RNNAT_LAYERS_H

#include "../inspect/emit.h"
#include "../inspect/trace.h"
#include "../text.h"
#include "../weights/table.h"
#include "layer.h"

/* Calls X(name) for each: the first word of its line in a file, and the end of its struct's name. An
 * `add` node has no line: a recurrent layer with an output layer adds it, and linear nodes. */
#define RNNAT_LAYERS(X)                                                                            \
    X(embedding)                                                                                   \
    X(recurrent)                                                                                   \
    X(linear)                                                                                      \
    X(merge)                                                                                       \
    X(combine)                                                                                     \
    X(expand)                                                                                      \
    X(elementwise)                                                                                 \
    X(pool)                                                                                        \
    X(conv)                                                                                        \
    X(pool_within)                                                                                 \
    X(strided)                                                                                     \
    X(upsample)                                                                                    \
    X(pad)                                                                                         \
    X(scale)                                                                                       \
    X(prelu)                                                                                       \
    X(norm)                                                                                        \
    X(instance_norm)                                                                               \
    X(reduce)                                                                                      \
    X(softmax)                                                                                     \
    X(softmax_over_time)                                                                           \
    X(attention_pool)                                                                              \
    X(attention)

#define RNNAT_LAYER_NAME(name) extern const rnnat_layer rnnat_layer_##name;
RNNAT_LAYERS(RNNAT_LAYER_NAME)
#undef RNNAT_LAYER_NAME
extern const rnnat_layer rnnat_layer_add;
extern const rnnat_layer rnnat_layer_recurrent_within; /* its line is a recurrent layer's */

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
    rnnat_table table; /* [known, features] */
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
/* A combine layer: several values are added, multiplied, subtracted, divided or compared element by
 * element, or their features put one behind the other. */
typedef struct rnnat_combining {
    rnnat_combine mode;
    int32_t features[RNNAT_NODE_INPUTS]; /* of each input */
} rnnat_combining;

/* An expand layer: what has no time, at every step. */
typedef struct rnnat_expanding {
    int32_t features;
} rnnat_expanding;

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
typedef enum rnnat_pool_mode { RNNAT_POOL_AVERAGE, RNNAT_POOL_MAX } rnnat_pool_mode;
/* A pooling layer: y[t] is the mean, or the largest, of the steps of x in the node's window. */
typedef struct rnnat_pooling {
    int32_t features;
    rnnat_pool_mode mode;
    bool counts_padding; /* a mean is of padding as well */
} rnnat_pooling;

#if RNNAT_READER && RNNAT_WITH_WINDOWS
extern const rnnat_word rnnat_pool_words[]; /* rnnat_pool_mode */
#endif
typedef struct rnnat_pool_within_options {
    int32_t mode, positions, channels, kernel_size, stride, left, right, count_include_pad;
} rnnat_pool_within_options;
/* The same of positions inside a step. */
typedef struct rnnat_pooling_within {
    int32_t positions, made; /* of a step of x, and of y */
    int32_t channels;
    int32_t kernel_size, stride, left; /* positions */
    rnnat_pool_mode mode;
    bool counts_padding;
} rnnat_pooling_within;

typedef struct rnnat_upsample_options {
    int32_t factor, mode, cut;
} rnnat_upsample_options;
typedef enum rnnat_upsample { RNNAT_UPSAMPLE_NEAREST, RNNAT_UPSAMPLE_PARTS } rnnat_upsample;
/* A layer that makes each step several: it again and again, or its features in parts. */
typedef struct rnnat_upsampling {
    int32_t features; /* of y */
    rnnat_upsample mode;
} rnnat_upsampling;

typedef struct rnnat_conv_options {
    int32_t in_channels, out_channels, groups;
    int32_t kernel_time, stride_time, dilation_time, before, after;
    int32_t positions, kernel_size, stride, dilation, left, right, padding_mode;
    int32_t height, kernel_height, stride_height, dilation_height, top, bottom; /* 0: not there */
    int32_t bias;
    int32_t activation; /* rnnat_activation */
} rnnat_conv_options;
typedef enum rnnat_padding {
    RNNAT_PADDING_ZEROS,
    RNNAT_PADDING_REFLECT,
    RNNAT_PADDING_REPLICATE,
    RNNAT_PADDING_CIRCULAR /* over time alone */
} rnnat_padding;
/* A convolution: y = activation(x weight^T + bias) of each position, x what the kernel reaches of steps,
 * rows and positions. */
typedef struct rnnat_convolving {
    int32_t in_channels, out_channels, groups;
    int32_t kernel_time, dilation_time; /* steps; the stride is the window's */
    int32_t positions, made; /* of a step of x, and of y */
    int32_t kernel_size, stride, dilation; /* positions */
    int32_t left, right; /* positions of padding */
    int32_t height, made_height; /* rows of so many positions, of a step of x, and of y */
    int32_t kernel_height, stride_height, dilation_height, top; /* rows */
    rnnat_padding padding_mode;
    rnnat_activation activation;
    rnnat_matrix
        weight; /* of each group, one behind the other; of groups of one channel, row-major */
    const void *bias; /* [out_channels], or NULL */
} rnnat_convolving;

typedef struct rnnat_pad_options {
    int32_t features, before, after, mode;
} rnnat_pad_options;
/* A padding layer: y is x with more steps before and behind, as the node's window says. */
typedef struct rnnat_padded {
    int32_t features;
    rnnat_padding mode;
} rnnat_padded;

enum { RNNAT_STRIDED_AXES = 4 };
typedef struct rnnat_strided_options {
    int32_t in_features, offset;
    int32_t size[RNNAT_STRIDED_AXES], stride[RNNAT_STRIDED_AXES];
} rnnat_strided_options;
/* A strided layer: y is a view of the features of x. */
typedef struct rnnat_viewing {
    int32_t offset; /* of its first element among the features of x */
    int32_t size[RNNAT_STRIDED_AXES], stride[RNNAT_STRIDED_AXES]; /* the last axis fastest */
} rnnat_viewing;

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

typedef struct rnnat_norm_options {
    double epsilon;
    int32_t features, groups, subtract_mean, weight, bias;
} rnnat_norm_options;
/* A normalising layer: y = (x - mean) / sqrt(variance + epsilon) weight + bias, of blocks of features. */
typedef struct rnnat_norming {
    int32_t features;
    int32_t groups; /* blocks, each with its own mean and variance */
    bool subtracts_mean; /* else the mean is 0 */
    double epsilon;
    const void *weight, *bias; /* [features], or NULL */
} rnnat_norming;

typedef struct rnnat_instance_norm_options {
    double epsilon;
    int32_t channels, positions, groups, weight, bias;
} rnnat_instance_norm_options;
/* The same over all steps of a row and the positions of each, of blocks of channels. */
typedef struct rnnat_instance_norming {
    int32_t channels, positions; /* of a step, channels fastest */
    int32_t groups; /* blocks of channels, each with its own mean and variance */
    double epsilon;
    const void *weight, *bias; /* [channels], or NULL */
} rnnat_instance_norming;

#if RNNAT_READER
/* Reads a number for each feature, if there is one. */
rnnat_status rnnat_read_vector(rnnat_builder *build, const char *name, bool there, int32_t features,
                               const void **to);
#endif

typedef struct rnnat_reduce_options {
    int32_t mode;
} rnnat_reduce_options;
typedef enum rnnat_reduce {
    RNNAT_REDUCE_MEAN,
    RNNAT_REDUCE_SUM,
    RNNAT_REDUCE_MAX,
    RNNAT_REDUCE_FIRST,
    RNNAT_REDUCE_LAST
} rnnat_reduce;
/* A reducing layer: y is one of all steps of x. */
typedef struct rnnat_reducing {
    int32_t features;
    rnnat_reduce mode;
} rnnat_reducing;

/* What a reducing layer keeps from call to call: what is so far, of each row. */
typedef struct rnnat_reduced {
    char *value; /* [rows, features] the sum of a mean, else what it gives */
    char *count; /* [rows] steps, numbers of the model's type; NULL: nobody asks */
} rnnat_reduced;

typedef struct rnnat_softmax_options {
    int32_t groups, log;
} rnnat_softmax_options;
/* A softmax layer: of each block of features, or of all steps of each feature. */
typedef struct rnnat_softmaxing {
    int32_t features;
    int32_t groups; /* blocks */
    bool is_log; /* its logarithm */
} rnnat_softmaxing;
typedef struct rnnat_softmaxing_over_time {
    int32_t features;
} rnnat_softmaxing_over_time;

typedef struct rnnat_attention_pool_options {
    int32_t heads;
} rnnat_attention_pool_options;
/* An attention pool: y is a mean of all steps of its first input, weighted by exp of the second. */
typedef struct rnnat_attention_pooling {
    int32_t features;
    int32_t heads; /* weights of a step, each of as many features */
} rnnat_attention_pooling;
/* What it keeps from call to call: of each row what is so far. */
typedef struct rnnat_attention_pooled {
    char *value; /* [rows, features] the sum of steps times their weights */
    char *top; /* [rows, heads] the largest score, by whose exp all weights are divided */
    char *total; /* [rows, heads] the sum of the weights */
} rnnat_attention_pooled;

typedef struct rnnat_attention_options {
    double scale; /* 0: 1 / sqrt(features of a head) */
    int32_t heads, causal;
    int32_t additive; /* features of weight; 0: scores are products */
} rnnat_attention_options;
/* An attention: each step of y is a mean of all steps of the third input, weighted by how the step of the
 * first one and theirs of the second one go together. */
typedef struct rnnat_attending {
    int32_t features; /* of query and key */
    int32_t values; /* features of what is weighed, and of y */
    int32_t heads; /* weights of a step, each of as many features of all three */
    bool causal; /* of the steps up to its own */
    double scale; /* by which a product is multiplied */
    const void *weight; /* [features] of additive scores, or NULL */
} rnnat_attending;

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
extern const rnnat_key rnnat_recurrent_keys[10];
rnnat_status rnnat_recurrent_read(const char *pairs, void *options, rnnat_message *message);
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

/* A recurrent node in steps of several positions, [positions, channels]. */
typedef struct rnnat_recurrent_within {
    rnnat_recurrent of; /* the layer of each position, or of each step's positions */
    int32_t positions;
    int32_t channels; /* of a position of x */
    int32_t directions; /* along the positions; 0: it runs over time, in its passes */
    int32_t reverse; /* 1: the first of these goes from the last position to the first */
    int32_t last_only; /* 1: y is h of the last position alone */
} rnnat_recurrent_within;

#if RNNAT_INSPECT
/* Tells the members of a recurrent node's data, of so many directions. */
void rnnat_recurrent_tell(const rnnat_recurrent *layer, int32_t directions,
                          const rnnat_kernels *kernels, const rnnat_teller *teller);
#endif

/* The state of one pass: h, then what else its cell carries on, rows padded to whole vectors. A step
 * reads one of two arrays and writes the other; where it changes an array in place, they are one. */
typedef struct rnnat_cell_state {
    char *array[RNNAT_CELL_STATES][2]; /* h [rows, pad(state)], the others [rows, pad(hidden)] */
    int32_t now; /* which of the two the next step reads */
} rnnat_cell_state;

#endif
