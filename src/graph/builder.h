/* A model while it is made: nodes and values, added in the order of the file's lines (graph.c). */
#ifndef RNNAT_BUILDER_H
#define RNNAT_BUILDER_H

#include "../cells/cell.h"
#include "model.h"

/* What the lines of a file become. */
typedef struct rnnat_counts {
    size_t nodes, values, states;
} rnnat_counts;

/* What a layer of the file gives: a value, and a second one or -1. */
typedef struct rnnat_given {
    int32_t value, last;
} rnnat_given;

typedef struct rnnat_graph {
    rnnat_builder *build;
    rnnat_model *model;
    /* Those of the model, which may still be written; NULL while they are only counted. */
    rnnat_node *nodes;
    rnnat_value *values;
    rnnat_state_shape *states;
    rnnat_given *given; /* by every layer before */
    int32_t inputs[RNNAT_NODE_INPUTS]; /* of the layer that is built: values, */
    int32_t num_inputs;
    bool has_time;     /* which have an axis of time */
    int32_t made;      /* the value that the node before makes */
    rnnat_given result; /* of the layer before, */
    int32_t features;  /* of its value */
} rnnat_graph;

#if RNNAT_READER
/* Memory for a node's data, and a copy of them there; NULL while the arena only counts. */
const void *rnnat_graph_keep(rnnat_graph *graph, const void *data, size_t size);
/* A node that makes `features` of what it reads; returns the value. */
int32_t rnnat_graph_add(rnnat_graph *graph, const rnnat_node *node, int32_t features);
/* The value that is the last step's of what the node before made. */
int32_t rnnat_graph_add_last(rnnat_graph *graph, int32_t features);
/* What the next layers see of the one that is built, which has called rnnat_graph_add_last before
 * where it has a second value. */
void rnnat_graph_result(rnnat_graph *graph, int32_t value, int32_t features, bool has_time);
/* Of a layer that is one node: counts it; adds it, with its data, reads and result. */
void rnnat_count_one(const rnnat_layer_text *text, rnnat_counts *counts);
void rnnat_graph_add_one(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                         size_t size, int32_t features);
/* State arrays [rows, batch, features]; returns the first one's number. */
int32_t rnnat_graph_add_state(rnnat_graph *graph, int32_t rows, int32_t features);
#endif

#endif
