/* A model while it is made: nodes and values, added in the order of the file's lines (graph.c). */
#ifndef RNNAT_BUILDER_H
#define RNNAT_BUILDER_H

#include "../cells/cell.h"
#include "model.h"

/* Values that one line may read: no more than its text surely has room for. */
enum { RNNAT_LINE_INPUTS = 128 };

/* How many nodes, values and state arrays the lines of a file become. */
typedef struct rnnat_counts {
    size_t nodes, values, states;
    int32_t reads; /* values that the line reads which is counted */
} rnnat_counts;

/* What a layer of the file gives to those behind it: a value at every step, and the one that is a
 * row's last step alone, or -1. */
typedef struct rnnat_given {
    int32_t value, last;
} rnnat_given;

typedef struct rnnat_graph {
    rnnat_builder *build;
    rnnat_model *model;
    /* These are the model's, which are still written; NULL while they are only counted. */
    rnnat_node *nodes;
    rnnat_value *values;
    rnnat_state_shape *states;
    rnnat_given *given; /* [layers] what each layer before gives */
    int32_t inputs[RNNAT_LINE_INPUTS]; /* values that the layer which is built reads */
    int32_t num_inputs;
    bool has_time;      /* those values have an axis of time */
    bool is_static;     /* all of them are static */
    int32_t made;       /* the value that the node before makes */
    rnnat_given result; /* what the layer before gives */
    int32_t features;   /* how many its value has */
} rnnat_graph;

/* Says why a layer cannot be built of these options and values: RNNAT_ERROR_<status>. */
#define RNNAT_REFUSE(graph, status, words)                                                         \
    RNNAT_SAY((graph)->build->message, RNNAT_ERROR_##status, RNNAT_TEXT(words))

#if RNNAT_READER
/* Takes memory for a node's data and copies them there; returns NULL while the arena only counts. */
const void *rnnat_graph_keep(rnnat_graph *graph, const void *data, size_t size);
/* Adds a value; returns its number. */
int32_t rnnat_graph_add_value(rnnat_graph *graph, rnnat_value value);
/* Adds a node that makes `features` of what it reads; returns the number of that value. */
int32_t rnnat_graph_add(rnnat_graph *graph, const rnnat_node *node, int32_t features);
/* Adds the value that is the last step of what the node before makes; returns its number. */
int32_t rnnat_graph_add_last(rnnat_graph *graph, int32_t features);
/* Does what rnnat_graph_add_one does for a node with a window. UNSUPPORTED: too many of them change the
 * number of steps, one behind the other. */
rnnat_status rnnat_graph_add_window(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                                    size_t size, int32_t features, const rnnat_window *window);
/* Says what the next layers see of the one that is built, which has called rnnat_graph_add_last before
 * where it has a second value. */
void rnnat_graph_result(rnnat_graph *graph, int32_t value, int32_t features, bool has_time);
/* They count and add a layer that is one node, with its data, what it reads and what it gives. */
void rnnat_count_one(const void *options, rnnat_counts *counts);
void rnnat_count_window(const void *options, rnnat_counts *counts);
void rnnat_graph_add_one(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                         size_t size, int32_t features);
/* Does the same for a node that takes all steps at once. */
rnnat_status rnnat_graph_add_whole(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                                   size_t size, int32_t features);
/* Adds a state array [rows, batch, features]; returns its number. */
int32_t rnnat_graph_add_state(rnnat_graph *graph, int32_t rows, int32_t features);
#endif

#endif
