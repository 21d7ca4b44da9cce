/* The schedule: operations x directions x chunks of time, for the rows of one lane. */
#ifndef RNNAT_FORWARD_H
#define RNNAT_FORWARD_H

#include "lane.h"

/* Features of every step and row; strides in elements. Indices where the model takes them. */
typedef struct rnnat_view {
    char *base;
    ptrdiff_t time, row;
} rnnat_view;

/* The threads that run one lane: all together, and split in two for two directions. */
typedef struct rnnat_crew {
    rnnat_part all;
    rnnat_part half;   /* part of those that run direction `side` */
    int32_t side;
} rnnat_crew;

/* Barriers that a crew needs: of all, of side 0, of side 1. */
enum { rnnat_crew_barriers = 3 };
rnnat_crew rnnat_crew_of(int32_t index, int32_t count, rnnat_barrier *barriers);

/* One step at a time, of features, forward only and with packed weights, everything prepared that
 * does not change from one call to the next: an array of one element an operation. */
typedef struct rnnat_once {
    rnnat_gemm_args gemm; /* of the input, or of a linear layer */
    rnnat_gemm_args skip; /* the input's part of an output layer; c: where it is, on both ends */
    rnnat_step step;
} rnnat_once;
void rnnat_once_prepare(const rnnat_lane *lane, rnnat_once *once);
void rnnat_forward_once(rnnat_lane *lane, rnnat_once *once, const void *x, void *y);

/* What stays the same from step to step of one direction of one recurrent layer. */
rnnat_step rnnat_step_prepare(const rnnat_lane *lane, const rnnat_part *part,
                              const rnnat_workspace *work, const rnnat_op *op, int32_t direction);
/* Points a step at the state before it and to where the next one goes. */
void rnnat_step_point(rnnat_step *step, const rnnat_op *op, const rnnat_cell_state *state,
                      int32_t now);

/* Runs `time` steps: moves the lane's states on, writes y. lengths: of the lane's rows, or NULL.
 * `time` is at most what the lane was carved for where the model needs whole sequences. Every
 * thread of the crew calls it with the same arguments. */
void rnnat_forward(rnnat_lane *lane, const rnnat_crew *crew, rnnat_view x, rnnat_view y,
                   int32_t time, const int32_t *lengths);

#endif
