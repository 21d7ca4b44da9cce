/* The list of all kinds of layers, and their nodes' data, which generated C fills in. */
#ifndef RNNAT_LAYERS_H
#define RNNAT_LAYERS_H

#include "../inspect/emit.h"
#include "../inspect/trace.h"
#include "../text.h"
#include "layer.h"

/* X(kind of a line in the file, name). Nodes that no line names, but a recurrent layer with an output
 * layer adds, are linear ones and `add`. */
#define RNNAT_LAYERS(X)                                                                            \
    X(RNNAT_LAYER_EMBEDDING, embedding)                                                            \
    X(RNNAT_LAYER_RECURRENT, recurrent)                                                            \
    X(RNNAT_LAYER_LINEAR, linear)                                                                  \
    X(RNNAT_LAYER_MERGE, merge)                                                                    \
    X(RNNAT_LAYER_COMBINE, combine)

extern const rnnat_layer rnnat_layer_embedding, rnnat_layer_recurrent, rnnat_layer_linear;
extern const rnnat_layer rnnat_layer_merge, rnnat_layer_combine, rnnat_layer_add;

typedef struct rnnat_embedding {
    int32_t known; /* indices */
    int32_t features;
    const void *table; /* [known, features] */
} rnnat_embedding;

/* y = activation(x weight^T + bias). */
typedef struct rnnat_linear {
    int32_t features;
    rnnat_matrix weight;
    const void *bias;
    rnnat_activation activation;
} rnnat_linear;

#if RNNAT_READER
/* Of the tensors; bias NULL: there is none. */
typedef struct rnnat_linear_names {
    const char *weight, *bias;
} rnnat_linear_names;
/* Adds a linear node, whose weights it reads, that makes data.features of the value `input`. */
rnnat_status rnnat_linear_add(rnnat_graph *graph, const rnnat_linear_names *names, int32_t input,
                              int32_t in_features, rnnat_linear data, int32_t *output);
#endif
/* The thread's share of a chunk's outputs is activated where it is. */
void rnnat_activate_steps(const rnnat_task *task, const rnnat_chunk *chunk,
                          rnnat_activation activation, int32_t features);

/* Of features a, b, side by side: a + b, a b or (a + b) / 2. */
typedef struct rnnat_merging {
    int32_t features;
    rnnat_merge mode;
} rnnat_merging;

/* Several values, one element with those in its place, or side by side. */
typedef struct rnnat_combining {
    rnnat_combine mode;
    int32_t features[RNNAT_NODE_INPUTS]; /* of each */
} rnnat_combining;

/* y = activation(a + b) of two values. */
typedef struct rnnat_adding {
    int32_t features;
    rnnat_activation activation;
    int32_t traced_cell; /* as whose `o` its outputs are shown; -1: nobody's */
} rnnat_adding;

#if RNNAT_READER
/* recurrent_build.c */
void rnnat_recurrent_count(const rnnat_layer_text *text, rnnat_counts *counts);
rnnat_status rnnat_recurrent_build(rnnat_graph *graph, const rnnat_layer_text *text);
#endif

/* One layer of a recurrent stack, all its directions. */
typedef struct rnnat_recurrent {
    const rnnat_cell *cell;
    int32_t hidden, state; /* units; features of h: less with a projection */
    int32_t first_cell;    /* its first cell of all the model's */
    rnnat_activation activation; /* RNN */
    rnnat_cell_weights weights[2];
} rnnat_recurrent;

/* The state of one direction, rows padded to whole vectors: h first, then what else its cell carries
 * on. Of each array there are two, of which `now` and the other one change places after every step;
 * where a step changes an array in place, they are one. */
typedef struct rnnat_cell_state {
    char *array[RNNAT_CELL_STATES][2]; /* [rows, pad(state)], the others [rows, pad(hidden)] */
    int32_t now;
} rnnat_cell_state;

#endif
