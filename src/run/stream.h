/* A stream: one workspace over all rows of a batch, kept from call to call. */
#ifndef RNNAT_STREAM_H
#define RNNAT_STREAM_H

#include "rnn_native.h"
#include "schedule.h"

struct rnnat_stream {
    rnnat_workspace workspace;
    rnnat_barrier *barriers; /* [rnnat_team_barriers] its team's */
    int32_t team_size; /* threads that run its steps together */
    double work; /* multiplications of a step */
    bool is_simple; /* one thread runs a single step node by node, each by its function for one */
    bool has_several; /* the model has several inputs or outputs */
    void *heap; /* what rnnat_stream_free frees, or NULL */
};

/* Lays a stream out in the arena; returns NULL while that only counts. */
rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps);

/* Has as many of `threads` run its steps as one step keeps busy; with a BLAS, one. */
void rnnat_stream_divide(rnnat_stream *stream, int32_t threads);

/* Runs `steps` steps, at least one, of at least one row: x [steps, batch, input features] or, where
 * the model takes them, checked indices [steps, batch] -> y [steps, batch, output features]. */
void rnnat_stream_go(rnnat_stream *stream, const void *x, int32_t steps, void *y);
/* The same of all inputs and outputs. */
void rnnat_stream_go_values(rnnat_stream *stream, const void *const *inputs, int32_t steps,
                            void *const *outputs);

/* Runs `steps` steps of what is open already as one of `count` threads, all of which call it, each within a
 * float scope of its own. Then one of them, once all have come back, moves windows on. */
void rnnat_stream_run_member(rnnat_stream *stream, int32_t index, int32_t count, int32_t steps);
void rnnat_stream_move_windows(const rnnat_stream *stream, int32_t steps);

#endif
