/* A stream: one workspace over all rows of a batch, kept from call to call. */
#ifndef RNNAT_STREAM_H
#define RNNAT_STREAM_H

#include "rnn_native.h"
#include "schedule.h"

struct rnnat_stream {
    rnnat_workspace workspace;
    rnnat_barrier *barriers; /* of a team */
    int32_t team_size; /* threads that share its steps */
    void *heap; /* what rnnat_stream_free frees, or NULL */
};

/* Lays a stream out in the arena; while that only counts, nothing is returned. */
rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps);

/* Has as many of `threads` share its steps as one step keeps busy; with a BLAS, one. */
void rnnat_stream_divide(rnnat_stream *stream, int32_t threads);

/* `steps` steps, at least one, of at least one row: x -> y, both dense; x are indices, checked
 * ones, where the model takes them. */
void rnnat_stream_go(rnnat_stream *stream, const void *x, int32_t steps, void *y);

#endif
