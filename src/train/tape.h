/* A tape: what forward leaves for backward, in one block of the caller's memory. */
#ifndef RNNAT_TRAIN_TAPE_H
#define RNNAT_TRAIN_TAPE_H

#include "net.h"

enum { rnnat_max_states = 4 };

/* Of one pass of a recurrent node. A state has one more step than time: slot 0 (of a reverse pass:
 * slot `time`) is the initial one, step t leads from slot t to t + 1 (t + 1 to t). */
typedef struct rnnat_tape_pass {
    void *gates; /* [time, batch, gates] after activation */
    void *states[rnnat_max_states]; /* h [time + 1, batch, state]; others [.., hidden] */
    void *aux;   /* [time, batch, hidden] */
} rnnat_tape_pass;

typedef struct rnnat_tape_node {
    void *out; /* [time, batch, output] */
    rnnat_tape_pass pass[2];
} rnnat_tape_node;

typedef struct rnnat_tape {
    int32_t time, batch;
    double dropout;
    uint64_t seed;
    int32_t has_lengths;
    void *x;          /* [time, batch, input], or */
    int32_t *indices; /* [time, batch] */
    int32_t *lengths; /* [batch] */
    rnnat_tape_node *nodes;
} rnnat_tape;

/* Lays a tape out in the arena, the struct itself first; NULL while the arena only counts. */
rnnat_tape *rnnat_tape_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch);

/* Lengths of the rows from `first` on; NULL: all steps count. */
static inline const int32_t *rnnat_tape_lengths(const rnnat_tape *tape, int32_t first)
{
    return tape->has_lengths ? tape->lengths + first : NULL;
}
static inline bool rnnat_tape_is_valid(const rnnat_tape *tape, int32_t step, int32_t row)
{
    return !tape->has_lengths || step < tape->lengths[row];
}
/* The input of node i. */
static inline const void *rnnat_tape_input(const rnnat_tape *tape, int32_t i)
{
    return i ? tape->nodes[i - 1].out : tape->x;
}
/* Where a step begins, from row `first` of the batch on, in rows that follow each other. */
static inline ptrdiff_t rnnat_tape_row(const rnnat_tape *tape, int32_t step, int32_t first)
{
    return (ptrdiff_t)step * tape->batch + first;
}

/* Drops out of what node i gives, or of its gradient, [time, batch, output]: rows of one step. */
void rnnat_tape_drop_out(const rnnat_net *net, const rnnat_tape *tape, int32_t i, int32_t step,
                         int32_t first, int32_t rows, void *features);

#endif
