/* The public calls of either precision as one: arrays are untyped, and floats or doubles as `dtype`
 * says. */
#ifndef RNNAT_FUZZ_CALL_H
#define RNNAT_FUZZ_CALL_H

#include "fuzz_input.h"
#include "rnn_native.h"

/* A model and what it says of itself. */
typedef struct fuzz_model {
    rnnat_model *made;
    rnnat_model_info info;
    size_t elem; /* bytes of a number */
    int32_t x_width; /* numbers, or indices, of a step of x */
    size_t x_elem;
} fuzz_model;

fuzz_model fuzz_describe(rnnat_model *made);

/* Numbers of a state array with so many rows of the batch. */
size_t fuzz_state_count(const fuzz_model *model, int32_t index, int32_t batch);

/* Row b of a state array [rows, batch, features], [rows, features], of the heap. */
void *fuzz_state_row(const fuzz_model *model, int32_t index, const fuzz_block *all, int32_t b,
                     int32_t batch);

/* rnnat_model_run_size, rnnat_model_run. `run` may be NULL; its arrays are of `dtype`. */
rnnat_status fuzz_run_size(const rnnat_model *model, int32_t dtype, const rnnat_run *run,
                           size_t *need);
rnnat_status fuzz_run(const rnnat_model *model, int32_t dtype, const rnnat_run *run, void *scratch,
                      size_t scratch_size);
/* rnnat_model_run_steps of the first output: steps of a run of so many. */
int32_t fuzz_run_steps(const fuzz_model *model, int32_t time);
/* The call of a stream that takes such an x. */
rnnat_status fuzz_stream_run(rnnat_stream *stream, int32_t dtype, bool indices, const void *x,
                             int32_t steps, void *y);

/* Has a row alone, dense x, `time` steps: y, and each state in and out, [rows, features]; both
 * together as one run or, where `piece` is not zero, as a stream in pieces of so many steps. */
typedef struct fuzz_row {
    int32_t time;
    void *x, *y;
    void **state_in, **state_out; /* num_states; state_in NULL: zeros */
} fuzz_row;
void fuzz_run_row(const fuzz_model *model, const fuzz_row *row, int32_t piece);

#endif
