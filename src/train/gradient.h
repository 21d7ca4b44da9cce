/* Gradients of weights, a chunk of steps at a time. Threads first pack the rows that they hold of
 * what the gradients are multiplied with; then, all rows being there, they divide the columns. */
#ifndef RNNAT_TRAIN_GRADIENT_H
#define RNNAT_TRAIN_GRADIENT_H

#include "../threads/stop.h"
#include "tape.h"

/* Backward's memory, shared by all threads. */
typedef struct rnnat_gradient_scratch {
    int32_t chunk; /* steps at once */
    int32_t depth; /* rows of a chunk: chunk * batch */
    void *dgates;  /* [depth, gates] of one pass */
    void *dstate;  /* [depth, state] before a projection */
    void *columns; /* of all products of a node: what they multiply with, packed */
    void *sums;    /* of all products: [columns of the sources, columns of the gradients] */
    void *peephole; /* [3, hidden] */
    char *panels;  /* of each thread [outer_depth, panel] */
    size_t panel_bytes;
} rnnat_gradient_scratch;

/* A chunk of one pass of one node. */
typedef struct rnnat_gradient_chunk {
    const rnnat_net *net;
    const rnnat_tape *tape;
    const rnnat_gradient_scratch *scratch;
    int32_t node, pass;
    int32_t first, steps;
    bool start; /* the first chunk of its pass: sums begin */
} rnnat_gradient_chunk;

void rnnat_gradient_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch,
                          int32_t threads, rnnat_gradient_scratch *scratch);

/* Packs rows first .. first + rows - 1 of the batch at one step of the chunk. */
void rnnat_gradient_pack(const rnnat_gradient_chunk *chunk, int32_t step, int32_t first,
                         int32_t rows);
/* Adds the chunk to a thread's columns, until it is to stop. */
void rnnat_gradient_add(const rnnat_gradient_chunk *chunk, const rnnat_member *member,
                        rnnat_stop *stop);
/* Writes the thread's columns of the sums to the arrays of the caller's list. */
void rnnat_gradient_store(const rnnat_gradient_chunk *chunk, const rnnat_member *member,
                          void *const *grads);

/* Where the gradients of a step's sums are [batch, gates], from row `first` on. */
static inline void *rnnat_gradient_gates(const rnnat_gradient_chunk *chunk, int32_t step,
                                         int32_t first)
{
    const ptrdiff_t row = rnnat_tape_row(chunk->tape, step - chunk->first, first);
    return rnnat_at(chunk->net, chunk->scratch->dgates, row * chunk->net->nodes[chunk->node].gates);
}

#endif
