/* The list of all kinds of layers, and the structs of their nodes' data, which generated C fills in. */
#ifndef RNNAT_LAYERS_H
#define RNNAT_LAYERS_H

#include "../inspect/emit.h"
#include "../inspect/trace.h"
#include "../text.h"
#include "layer.h"

/* Calls X(kind of a line in the file, name) for each. An `add` node has no line: a recurrent layer with
 * an output layer adds it, and linear nodes. */
#define RNNAT_LAYERS(X)                                                                            \
    X(RNNAT_LAYER_EMBEDDING, embedding)                                                            \
    X(RNNAT_LAYER_RECURRENT, recurrent)                                                            \
    X(RNNAT_LAYER_LINEAR, linear)                                                                  \
    X(RNNAT_LAYER_MERGE, merge)                                                                    \
    X(RNNAT_LAYER_COMBINE, combine)

extern const rnnat_layer rnnat_layer_embedding, rnnat_layer_recurrent, rnnat_layer_linear;
extern const rnnat_layer rnnat_layer_merge, rnnat_layer_combine, rnnat_layer_add;

/* An embedding: y is row x of the table. */
typedef struct rnnat_embedding {
    int32_t known; /* indices 0 .. known - 1 */
    int32_t features; /* of y */
    const void *table; /* [known, features] */
} rnnat_embedding;

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

/* A merge layer: its input is features a and b, one behind the other, its output a + b, a b or
 * (a + b) / 2. */
typedef struct rnnat_merging {
    int32_t features; /* of y, and of a and b each */
    rnnat_merge mode;
} rnnat_merging;

/* A combine layer: several values are added, multiplied or subtracted element by element, or their
 * features put one behind the other. */
typedef struct rnnat_combining {
    rnnat_combine mode;
    int32_t features[RNNAT_NODE_INPUTS]; /* of each input */
} rnnat_combining;

/* An add node: y = activation(a + b) of two values. */
typedef struct rnnat_adding {
    int32_t features; /* of a, b and y */
    rnnat_activation activation;
    int32_t
        traced_cell; /* number of the cell as whose `o` its outputs are shown; -1: there is none */
} rnnat_adding;

#if RNNAT_READER
/* They are the count and the build of a recurrent layer: recurrent_build.c. */
void rnnat_recurrent_count(const rnnat_layer_text *text, rnnat_counts *counts);
rnnat_status rnnat_recurrent_build(rnnat_graph *graph, const rnnat_layer_text *text);
#endif

/* A recurrent node: one layer of a stack, all its directions. */
typedef struct rnnat_recurrent {
    const rnnat_cell *cell;
    int32_t hidden; /* units */
    int32_t state; /* features of h: fewer than units where there is a projection */
    int32_t first_cell; /* number of its first cell among the model's */
    rnnat_activation activation; /* of an RNN */
    rnnat_cell_weights weights[2]; /* [passes] */
} rnnat_recurrent;

/* The state of one pass: h, then what else its cell carries on, rows padded to whole vectors. A step
 * reads one of two arrays and writes the other; where it changes an array in place, they are one. */
typedef struct rnnat_cell_state {
    char *array[RNNAT_CELL_STATES][2]; /* h [rows, pad(state)], the others [rows, pad(hidden)] */
    int32_t now; /* which of the two the next step reads */
} rnnat_cell_state;

#endif
