/* A lane: the memory with which a model runs over some rows of a batch. Its cells hold the recurrent
 * state; the rest is scratch, bounded whatever the length of the sequence, unless a layer needs a
 * whole sequence before the next one can begin. One thread runs a lane, or a team of a few. */
#ifndef RNNAT_LANE_H
#define RNNAT_LANE_H

#include "model.h"

/* The state of one direction of one recurrent operation, rows padded to whole vectors: h first, then
 * what else its cell carries on. Of each array there are two, of which `now` and the other one
 * change places after every step; where a step changes an array in place, they are one. */
typedef struct rnnat_cell_state {
    char *array[RNNAT_CELL_STATES][2]; /* [rows, pad(state)], the others [rows, pad(hidden)] */
    int32_t now;
} rnnat_cell_state;

/* Where a run shows what one cell calculates: arrays [time, rows, features], dense. Steps past a
 * row's length are left alone. */
typedef struct rnnat_cell_trace {
    void *gates[RNNAT_CELL_GATES]; /* [hidden], in the order of weight_ih; NULLs for an RNN */
    void *h; /* [state] */
    void *c; /* LSTM: [hidden] */
    void *o; /* first cell of a stack with an output layer: what that gives */
} rnnat_cell_trace;

/* What one direction of one layer needs while it runs. */
typedef struct rnnat_workspace {
    char *gx; /* [chunk * rows, max_gates] input projection */
    char *gh; /* [rows, max_products] recurrent products of a BLAS, and of general cells */
    char *part[2]; /* [rows, max_hidden] inside a step */
} rnnat_workspace;

/* One stage of a wavefront: what a thread needs that runs some operations of a chain. */
typedef struct rnnat_stage {
    rnnat_workspace work;
    char *between[2];
    char *out[2]; /* [chunk, rows, max_width] to the next stage: of even and of odd chunks */
} rnnat_stage;

typedef struct rnnat_lane {
    const rnnat_model *model;
    int32_t rows;
    int32_t chunk; /* steps that are projected at once */
    rnnat_cell_state *cells;
    rnnat_workspace work[2]; /* the second one where a team runs two directions side by side */
    char *between[2]; /* [chunk, rows, max_width] from one operation to the next */
    char *whole[2]; /* [time, rows, max_width], where a layer needs all of time */
    char *last; /* [rows, its output] what a last_only operation gives to those behind it */
    char *skip; /* [chunk, rows, max_skip] the input's part of an output layer, */
    char *whole_skip; /* [time, rows, max_whole_skip] where its stack needs all of time */
    rnnat_stage *stages; /* where its team runs the model as a wavefront, one a thread; or NULL */
    const rnnat_cell_trace *trace; /* of each cell, or NULL */
    struct rnnat_exit
        *exits; /* of the crew (also of its side 0), of side 1, of each stage; or NULL:
                               * nothing stops the run */
} rnnat_lane;

/* Steps to project at once, of at most `time`. */
int32_t rnnat_lane_chunk(int32_t rows, int32_t time);
/* Lays a lane out in the arena. `time`: the longest sequence it will run at once. `team`: how many
 * threads will run it; `wavefront`: as stages of one. */
void rnnat_lane_carve(rnnat_arena *arena, const rnnat_model *model, int32_t rows, int32_t time,
                      int32_t team, bool wavefront, rnnat_lane *lane);
/* All states become zero, their padding included. */
void rnnat_lane_reset(rnnat_lane *lane);

/* Copies rows first_row .. of state array `index`, dense [its rows, batch, features], into the
 * lane or out of it. */
void rnnat_lane_set_state(rnnat_lane *lane, int32_t index, const void *values, int32_t batch,
                          int32_t first_row);
void rnnat_lane_get_state(const rnnat_lane *lane, int32_t index, void *values, int32_t batch,
                          int32_t first_row);
/* Copies h of the operation that is last_only out of it, its directions side by side, into rows of
 * that stride. */
void rnnat_lane_get_last(const rnnat_lane *lane, char *rows, ptrdiff_t stride);

#endif
