/* A stream: one lane over all rows of a batch, kept from call to call. */
#ifndef RNNAT_STREAM_H
#define RNNAT_STREAM_H

#include "forward.h"
#include "rnn_native.h"

struct rnnat_stream {
    rnnat_lane lane;
    rnnat_once *once; /* one an operation; NULL where a BLAS multiplies */
    void *heap; /* what rnnat_stream_free frees, or NULL */
};

/* Lays a stream out in the arena; while that only counts, nothing is returned. */
rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps);

#endif
