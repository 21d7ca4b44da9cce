/* Arrays of all inputs, outputs and states of a model, and runs and streams of them. */
#ifndef RNNAT_FUZZ_VALUES_H
#define RNNAT_FUZZ_VALUES_H

#include "call.h"

enum { MOST_VALUES = 16, MOST_VALUE_STATES = 64 };

/* [time, batch, features] of inputs and outputs; [rows, batch, features] of final states. */
typedef struct fuzz_values {
    int32_t time, batch;
    fuzz_block in[MOST_VALUES], out[MOST_VALUES], states[MOST_VALUE_STATES];
    void *inputs[MOST_VALUES], *outputs[MOST_VALUES], *finals[MOST_VALUE_STATES];
} fuzz_values;

/* Whether there are no more than have room here. */
bool fuzz_values_fit(const fuzz_model *model);

rnnat_value_info fuzz_input_of(const fuzz_model *model, int32_t index);
rnnat_value_info fuzz_output_of(const fuzz_model *model, int32_t index);
/* Bytes of a step of a row of an input, and of an output. */
size_t fuzz_input_step(const fuzz_model *model, int32_t index);
size_t fuzz_output_step(const fuzz_model *model, int32_t index);

/* `stream`: outputs without time have a place for every step as well. */
fuzz_values fuzz_values_take(const fuzz_model *model, int32_t time, int32_t batch, bool stream);
void fuzz_values_end(const fuzz_model *model, fuzz_values *v);
bool fuzz_values_unwritten(const fuzz_model *model, const fuzz_values *v);
/* Fills the inputs. */
void fuzz_values_choose(fuzz_input *in, const fuzz_model *model, fuzz_values *v);
/* Makes an index one that is none; returns whether some step counts that has it, of rows with such
 * lengths, or NULL. */
bool fuzz_values_spoil(fuzz_input *in, const fuzz_model *model, fuzz_values *v,
                       const int32_t *lengths);
/* Takes the first steps of row `b` of the inputs of `all`. */
fuzz_values fuzz_values_row(const fuzz_model *model, const fuzz_values *all, int32_t b,
                            int32_t time);

/* Runs them with any options, which have to be right; `state_in` may be NULL. */
void fuzz_values_run(const fuzz_model *model, fuzz_values *v, void *const *state_in,
                     const int32_t *lengths, int32_t threads);
/* The same as a stream of the batch in pieces of so many steps, of which outputs keep what a run
 * gives. */
void fuzz_values_stream(const fuzz_model *model, fuzz_values *v, void *const *state_in,
                        int32_t piece);
/* The next `steps` steps of a stream, from step `first` of inputs and outputs on, which are those
 * of a stream. */
rnnat_status fuzz_values_step(const fuzz_model *model, rnnat_stream *stream, const fuzz_values *v,
                              int32_t first, int32_t steps);

/* Requires row b of `all` to be `alone`, and zero past its end, and of `states`, if not NULL. */
void fuzz_values_compare(const fuzz_model *model, const fuzz_values *all, int32_t b,
                         const fuzz_values *alone, const fuzz_block *states);

#endif
