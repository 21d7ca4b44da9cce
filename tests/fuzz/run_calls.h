/* Calls of runs and streams with options out of a fuzz input. Each tells beforehand whether it has
 * to be refused; refused, it has written nothing; not, its results are those of another form. */
#ifndef RNNAT_FUZZ_RUN_CALLS_H
#define RNNAT_FUZZ_RUN_CALLS_H

#include "call.h"

/* By x and y, and by arrays of all inputs and outputs. */
void fuzz_calls_of_run(fuzz_input *in, const fuzz_model *model);
void fuzz_calls_of_values(fuzz_input *in, const fuzz_model *model);
void fuzz_calls_of_stream(fuzz_input *in, const fuzz_model *model, bool by_values);

#endif
