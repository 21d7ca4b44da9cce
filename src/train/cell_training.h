/* What a cell offers to training: a struct of functions, which its rnnat_cell points at. A cell
 * without one only runs, and nets refuse it. */
#ifndef RNNAT_CELL_TRAINING_H
#define RNNAT_CELL_TRAINING_H

#include "../cells/cell.h"
#include "packing.h"

/* A thread's rows of one pass of one node at one step. */
typedef struct rnnat_cell_rows {
    const rnnat_net *net;
    const rnnat_net_node *node;
    const rnnat_net_pass *pass;
    rnnat_train_step step;
    void *between; /* backward: what a step keeps inside of it [rows, hidden] */
    void *dstate; /* backward, with a projection: gradient of the projected state [rows, state] */
} rnnat_cell_rows;

typedef struct rnnat_cell_training {
    int32_t gates; /* width of a row of gates, in hidden units; */
    int32_t num_states; /* h; c (or z); i, f */
    bool gates_are_h; /* the tape holds them in h's own place */
    bool has_aux; /* the tape holds step.aux, */
    bool aux_if_projected; /* or does so with a projection */

    /* For each pass of a node, of a line of these options: names its weights in their order, takes memory for what is packed, and states the
     * products that are their gradients. */
    void (*build)(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                  rnnat_net_node *node, rnnat_net_pass *pass);
    void (*pack)(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass);
    void (*forward)(rnnat_cell_rows *at);
    void (*backward)(rnnat_cell_rows *at);
} rnnat_cell_training;

#endif
