/* The schedule: operations x directions x chunks of time, for the rows of one lane. */
#ifndef RNNAT_FORWARD_H
#define RNNAT_FORWARD_H

#include "lane.h"
#include "stop.h"

/* Features of every step and row; strides in elements. Indices where the model takes them. */
typedef struct rnnat_view {
    char *base;
    ptrdiff_t time, row;
} rnnat_view;

/* Where a step of a row of features is. */
static inline char *rnnat_view_at(const rnnat_lane *lane, rnnat_view view, int32_t step,
                                  int32_t row)
{
    return view.base + (step * view.time + row * view.row) * lane->model->kernels->elem;
}

/* A buffer of the lane's own as a view: dense [steps, rows, width]. */
static inline rnnat_view rnnat_dense(const rnnat_lane *lane, char *base, int32_t width)
{
    return (rnnat_view){base, (ptrdiff_t)lane->rows * width, width};
}

/* The view from step `first` on; elements of `elem` bytes. */
static inline rnnat_view rnnat_later(rnnat_view view, int32_t first, ptrdiff_t elem)
{
    view.base += first * view.time * elem;
    return view;
}

/* The threads that run one lane: all together, and split in two for two directions. */
typedef struct rnnat_crew {
    rnnat_part all;
    rnnat_part half;   /* part of those that run direction `side` */
    int32_t side;
} rnnat_crew;

/* Barriers that a crew needs: of all, of side 0, of side 1; none without threads. */
enum { rnnat_crew_barriers = RNNAT_THREADS ? 3 : 0 };
rnnat_barrier *rnnat_crew_take_barriers(rnnat_arena *arena, size_t crews);
rnnat_crew rnnat_crew_of(int32_t index, int32_t count, rnnat_barrier *barriers);

/* A lane's exits: of the crew and its side 0, of side 1, then of the stages of a wavefront. */
enum { rnnat_exit_of_side_1 = 1, rnnat_exit_of_stages = 2 };

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
static inline void rnnat_step_point(rnnat_step *step, const rnnat_op *op,
                                    const rnnat_cell_state *state, int32_t now)
{
    step->backwards = step->turns && now;
    step->h_prev = state->array[0][now];
    step->h_next = state->array[0][1 - now];
    for (int32_t s = 1; !op->ops->in_place && s < op->ops->num_states; ++s) {
        step->prev[s - 1] = state->array[s][now];
        step->next[s - 1] = state->array[s][1 - now];
    }
}

/* Of a lane that has a trace: a step is to show its gates; h, and the c of an LSTM, of the rows that
 * have not ended; what an output layer gave for a chunk. */
void rnnat_trace_gates(const rnnat_lane *lane, const rnnat_op *op, int32_t direction, int32_t when,
                       rnnat_step *step);
void rnnat_trace_states(const rnnat_lane *lane, const rnnat_op *op, int32_t direction, int32_t when,
                        int32_t now, const int32_t *lengths);
void rnnat_trace_output(const rnnat_lane *lane, const rnnat_op *op, rnnat_view out, int32_t first,
                        int32_t steps);

/* Operations begin .. end - 1, all causal, over the chunk from step `first` on of `time` steps; in
 * and out begin there. False: the run was stopped, and all of the part have left. */
bool rnnat_forward_chunk(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                         int32_t first, int32_t time, rnnat_view in, rnnat_view out,
                         const int32_t *lengths);

/* Runs `time` steps of the operations 0 .. end - 1: moves the lane's states on, writes y. lengths:
 * of the lane's rows, or NULL. `time` is at most what the lane was carved for where the model needs
 * whole sequences. Every thread of the crew calls it with the same arguments.
 *
 * Where operation end - 1 is last_only, y may have a time stride of 0: every step writes where the
 * one before it did, and what stays is each row's last h, or what was there before. */
void rnnat_forward(rnnat_lane *lane, const rnnat_crew *crew, int32_t end, rnnat_view x,
                   rnnat_view y, int32_t time, const int32_t *lengths);

#endif
