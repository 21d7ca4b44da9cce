/* What a model is: nodes, each of which a layer runs, and the values that pass between them.
 *
 * A value is features of every step and row. Nodes stand in the order in which they run: each reads
 * values that the model is given or that earlier nodes make. Behind a recurrent layer's last state a
 * value has no time: the nodes that make such values run once a row, after all others. */
#ifndef RNNAT_GRAPH_TYPES_H
#define RNNAT_GRAPH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values that one node may read. */
enum { RNNAT_NODE_INPUTS = 8 };

/* Where a value is while the model runs. */
typedef enum rnnat_home {
    RNNAT_HOME_NOWHERE, /* nobody reads it */
    RNNAT_HOME_CALLER, /* it is an input or output of the model: all steps, where the caller says */
    RNNAT_HOME_CHUNK, /* a buffer of one chunk of time */
    RNNAT_HOME_WHOLE, /* a buffer of all steps */
    RNNAT_HOME_ROWS /* a buffer of one set of features a row: the value has no time */
} rnnat_home;

typedef struct rnnat_value {
    int32_t features;
    int32_t known; /* of indices, one int32 a step: how many there are; 0: it is features */
    bool has_time;
    rnnat_home home;
    int32_t buffer; /* number of it, where its home is one */
} rnnat_value;

/* Values with this home take turns in it, as wide as the widest of them. */
typedef struct rnnat_buffer {
    rnnat_home home;
    int32_t features;
    int32_t last_node; /* that needs what was put there last */
} rnnat_buffer;

typedef struct rnnat_layer rnnat_layer;

typedef struct rnnat_node {
    const rnnat_layer *layer; /* what runs it */
    const void *data; /* its weights and options, in the layer's own struct */
    int32_t inputs[RNNAT_NODE_INPUTS]; /* values that it reads, */
    int32_t num_inputs;
    int32_t output; /* makes of every step, */
    int32_t last; /* and of a row's last step alone; -1: it has no such value */
    int32_t num_passes; /* how often it goes over all steps: once for each direction */
    bool reverse[2]; /* of each pass: from the last step to the first */
    int32_t num_states; /* arrays of recurrent state that it moves on: in the model's, */
    int32_t first_state; /* from this one on, */
    int32_t first_row; /* rows from this one on, one a pass */
    double work; /* multiplications of a row and step, */
    double product; /* and those of them that the threads of a team share in every step */
    int32_t panel; /* vectors in the panels of that product */
} rnnat_node;

/* True where a node can run a chunk of time before the next chunk's input exists. */
static inline bool rnnat_node_is_causal(const rnnat_node *node)
{
    return node->num_passes == 1 && !node->reverse[0];
}

#endif
