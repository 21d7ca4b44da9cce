/* What a model is: nodes, each of which a layer runs, and the values that pass between them.
 *
 * A value is features of every step and row, [time, rows, features]. Its steps are those of the
 * model's inputs, unless a node before has a window that makes more or fewer of them (window.h).
 * Nodes stand in the order in which they run: each reads values that the model is given or that
 * earlier nodes make. Behind a recurrent layer's last state a value has no time, [rows, features]:
 * the nodes that make such values run once, after those before that have time. What is made of inputs
 * without time alone is static: it is there before the first step. */
#ifndef RNNAT_GRAPH_TYPES_H
#define RNNAT_GRAPH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../config.h"
#include "window.h"

/* How many values one node may read. */
enum { RNNAT_NODE_INPUTS = 8 };

/* A value's home: where it is while the model runs. */
typedef enum rnnat_home {
    RNNAT_HOME_NOWHERE, /* nobody reads it */
    RNNAT_HOME_CALLER, /* an array of the caller's, all steps: it is an input or output of the model */
    RNNAT_HOME_CHUNK, /* a buffer [chunk, rows, features] */
    RNNAT_HOME_WHOLE, /* a buffer [time, rows, features] */
    RNNAT_HOME_ROWS, /* a buffer [rows, features]: the value has no time */
    RNNAT_HOME_STATIC /* the same of one that is there as long as the run */
} rnnat_home;

typedef struct rnnat_value {
    int32_t features;
    int32_t known; /* indices 0 .. known - 1, one int32 for each step; 0: it is features */
    bool has_time; /* it has an axis of time */
    bool is_static; /* it has none, and is made of inputs without time alone */
    int32_t paced_by; /* the node whose window gives it its steps; -1: they are the inputs' */
    rnnat_home home;
    int32_t buffer; /* number of the buffer that is its home */
} rnnat_value;

/* A buffer, as wide as the widest of the values that are in it, one after the other. */
typedef struct rnnat_buffer {
    rnnat_home home;
    int32_t features; /* of its widest value */
    int32_t last_node; /* the last node that needs what was put there last */
} rnnat_buffer;

typedef struct rnnat_layer rnnat_layer;

typedef struct rnnat_node {
    const rnnat_layer *layer; /* what runs it */
    const void *data; /* its weights and options, in the layer's own struct */
    int32_t inputs[RNNAT_NODE_INPUTS]; /* numbers of the values that it reads */
    int32_t num_inputs;
    int32_t output; /* number of the value that it makes at every step */
    int32_t last; /* number of the value that is a row's last step alone; -1: there is none */
    rnnat_window window; /* which steps of its first input it makes each of its own of */
    int32_t num_passes; /* how often it goes over all steps: one pass for each direction, 1 or 2 */
    bool reverse[2]; /* [passes] it goes from the last step to the first */
    bool takes_whole; /* it takes all steps at once: one pass of one piece */
    bool waits; /* it reads at every step what is there behind the last one alone */
    int32_t num_states; /* arrays of recurrent state that it moves on */
    int32_t first_state; /* number of the first of these among the model's */
    int32_t first_row; /* row of these arrays that is its pass 0; pass 1 is the next row */
    double work; /* multiplications for one row and step, as long as those of floats take */
    double product; /* those of them that the members of a team divide in every step */
    int32_t panel; /* vectors in a panel of that product's matrix */
} rnnat_node;

/* Whether a value is static, and a node waits: macros, so that no compiler looks for what a build
 * without them has not. */
#define RNNAT_IS_STATIC(value) (RNNAT_WITH_WINDOWS && (value)->is_static)
#define RNNAT_WAITS(node) (RNNAT_WITH_WINDOWS && (node)->waits)

/* True where a node can run a chunk of time before the next chunk's input exists. */
static inline bool rnnat_node_is_causal(const rnnat_node *node)
{
    return node->num_passes == 1 && !node->reverse[0] && !node->takes_whole &&
           rnnat_window_is_causal(&node->window) && !RNNAT_WAITS(node);
}

/* The value whose steps a node goes over: the first that it reads, but a static one has none. */
static inline int32_t rnnat_node_paced_by(const rnnat_value *values, const rnnat_node *node)
{
    for (int32_t i = 0; i < node->num_inputs; ++i)
        if (!RNNAT_IS_STATIC(&values[node->inputs[i]])) return node->inputs[i];
    return node->inputs[0];
}

#endif
