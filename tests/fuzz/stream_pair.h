/* A stream, and beside it one of the same rows that takes every step alone. */
#ifndef RNNAT_FUZZ_STREAM_PAIR_H
#define RNNAT_FUZZ_STREAM_PAIR_H

#include "call.h"

enum { MOST_STEPS = 6 };

typedef struct fuzz_stream_pair {
    const fuzz_model *model;
    rnnat_stream *one, *other;
    int32_t batch;
} fuzz_stream_pair;

/* Some steps of both, whose outputs are the same; or of the first a wrong call, which writes
 * nothing. By x and y, and by arrays of all inputs and outputs. */
void fuzz_steps_of_arrays(fuzz_input *in, const fuzz_stream_pair *p);
void fuzz_steps_of_values(fuzz_input *in, const fuzz_stream_pair *p);

#endif
