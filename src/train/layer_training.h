/* What a layer offers to training: a struct of functions, which its rnnat_layer points at. A layer
 * without one only runs, and nets refuse it. */
#ifndef RNNAT_LAYER_TRAINING_H
#define RNNAT_LAYER_TRAINING_H

#include "../threads/threads.h"
#include "net.h"

struct rnnat_tape;
struct rnnat_tape_node;
struct rnnat_forward_rows;
struct rnnat_backward_rows;
struct rnnat_gradient_chunk;

typedef struct rnnat_layer_training {
    /* Adds the nodes that a line of these options becomes, takes memory for what they keep packed, names their
     * weights in the order of a state_dict, and states the products that are their gradients. */
    rnnat_status (*build)(rnnat_net_builder *build, const void *options);
    /* Packs its weights; NULL: it reads them where they are. */
    void (*pack)(const rnnat_net *net, const rnnat_net_node *node);
    /* Takes what a tape keeps of it beside its outputs; NULL: nothing. */
    void (*carve)(rnnat_arena *arena, const rnnat_net *net, const rnnat_net_node *node, size_t time,
                  size_t batch, struct rnnat_tape_node *to);
    /* All steps of some rows, into the tape. */
    void (*forward)(const struct rnnat_forward_rows *own, int32_t node);

    /* Back-propagation takes one pass after the other, and of each a chunk of steps at a time: */
    /* the gradients of the states behind the last step come in, those of before the first leave;
     * NULL: it has none; */
    void (*begin)(const struct rnnat_backward_rows *own, int32_t node, int32_t pass);
    void (*end)(const struct rnnat_backward_rows *own, int32_t node, int32_t pass);
    /* own rows of one step: the gradients of its sums, from dy of its outputs [time, batch, output]; */
    void (*back)(const struct rnnat_backward_rows *own, const struct rnnat_gradient_chunk *chunk,
                 int32_t step, const void *dy);
    /* what these are multiplied with, of its own sources: rows of a step, from `first` on; */
    const void *(*source)(const struct rnnat_gradient_chunk *chunk, rnnat_source from, int32_t step,
                          int32_t first, ptrdiff_t *stride);
    /* gradients of weights that are no products: a thread's columns of a chunk are added, and all
     * then stored in the caller's arrays; NULL: it has none. */
    void (*add)(const struct rnnat_gradient_chunk *chunk, const rnnat_member *member);
    void (*store)(const struct rnnat_gradient_chunk *chunk, const rnnat_member *member,
                  void *const *grads);

    /* In the place of all that, for a layer of indices, behind which there is nothing: the gradients
     * of its weights, of all rows, which are there; NULL: by chunks. */
    void (*backward)(const struct rnnat_backward_rows *own, int32_t node, const void *dy);
} rnnat_layer_training;

#endif
