/* A recurrent layer in steps of several positions, as its two files see it. */
#ifndef RNNAT_RECURRENT_WITHIN_H
#define RNNAT_RECURRENT_WITHIN_H

#include "recurrent.h"

#if RNNAT_WITH_WINDOWS
static inline bool rnnat_is_over_time(const rnnat_recurrent_within *within)
{
    return within->directions == 0;
}

/* What is used inside a call. */
typedef struct rnnat_within_scratch {
    char *gx; /* [sequences, steps, gates * pad(hidden)] of a tile: input projection */
    char *gh; /* [sequences, products * pad(hidden)] products of a BLAS, and of general cells */
    char *between[2]; /* [sequences, pad(hidden)] inside a step */
    rnnat_cell_state state; /* along positions */
} rnnat_within_scratch;

/* Some sequences that lie one behind the other, which one thread runs. */
typedef struct rnnat_piece {
    const rnnat_task *task;
    const rnnat_chunk *chunk;
    const rnnat_recurrent_within *within;
    rnnat_within_scratch scratch; /* what is theirs of it */
    int32_t first, count; /* sequences */
    int32_t steps; /* that are projected at once */
} rnnat_piece;

/* Where the state of sequence `first` on is. */
rnnat_cell_state rnnat_within_state_from(const rnnat_recurrent *layer, const rnnat_kernels *kernels,
                                         const rnnat_cell_state *state, int32_t first);
/* Runs sequences over the steps of the chunk, of which those of one row of the batch may have fewer; all
 * have the state of `state->now`, and then that of one step for each of the chunk's later. */
void rnnat_within_run_over_time(const rnnat_piece *of, const rnnat_cell_state *state);
/* Runs sequences over the positions of their steps. */
void rnnat_within_run_along(const rnnat_piece *of);
#endif

#endif
