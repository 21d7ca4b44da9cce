/* A tape: what forward leaves for backward, in one block of the caller's memory. */
#ifndef RNNAT_TRAIN_TAPE_H
#define RNNAT_TRAIN_TAPE_H

#include "cell.h"

enum { rnnat_max_states = 4 };

/* Of one direction of one layer. A state has one more step than time: slot 0 (of the reverse
 * direction: slot `time`) is the initial one, step t leads from slot t to t + 1 (t + 1 to t). */
typedef struct rnnat_tape_direction {
    void *gates; /* [time, batch, gates] after activation */
    void *states[rnnat_max_states]; /* h [time + 1, batch, state]; others [.., hidden] */
    void *aux;   /* [time, batch, hidden] */
    ptrdiff_t gates_stride;
} rnnat_tape_direction;

typedef struct rnnat_tape_op {
    void *out; /* [time, batch, output] */
    rnnat_tape_direction direction[2];
} rnnat_tape_op;

typedef struct rnnat_tape {
    int32_t time, batch;
    double dropout;
    uint64_t seed;
    int32_t has_lengths;
    void *x;          /* [time, batch, input], or */
    int32_t *indices; /* [time, batch] */
    int32_t *lengths; /* [batch] */
    rnnat_tape_op *ops;
} rnnat_tape;

/* Lays a tape out in the arena, the struct itself first; NULL while the arena only counts. */
rnnat_tape *rnnat_tape_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch);

static inline const int32_t *rnnat_tape_lengths(const rnnat_tape *tape)
{
    return tape->has_lengths ? tape->lengths : NULL;
}
/* The input of operation i. */
static inline const void *rnnat_tape_input(const rnnat_tape *tape, int32_t i)
{
    return i ? tape->ops[i - 1].out : tape->x;
}

/* Fills what both ways need of a step: its rows first .. first + rows - 1 of the batch. */
void rnnat_tape_step(const rnnat_net *net, const rnnat_tape *tape, int32_t op, int32_t direction,
                     int32_t step, int32_t first, int32_t rows, rnnat_train_at *at);

/* The key of the dropout mask behind operation i at a step. */
static inline uint64_t rnnat_tape_dropout_key(const rnnat_tape *tape, int32_t i, int32_t step)
{
    return rnnat_mix_in(rnnat_mix_in(tape->seed, i), step);
}

#endif
