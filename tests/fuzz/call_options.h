/* What every run is told, however it is given its arrays: sizes, threads, lengths and states out of
 * a fuzz input, and what has to come of them. */
#ifndef RNNAT_FUZZ_CALL_OPTIONS_H
#define RNNAT_FUZZ_CALL_OPTIONS_H

#include "call.h"

enum { MOST_TIME = 7, MOST_BATCH = 7, MOST_CALL_STATES = 64 };

/* `size_ok`: its size can be told; `run_ok`: what only a run looks at is right as well. */
typedef struct fuzz_call {
    rnnat_run run;
    int32_t dtype;
    fuzz_block lengths, in[MOST_CALL_STATES], out[MOST_CALL_STATES];
    void *state_in[MOST_CALL_STATES], *state_out[MOST_CALL_STATES];
    bool size_ok, run_ok;
} fuzz_call;

/* Sizes, threads, and rarely a struct or a precision that is another one's. */
fuzz_call fuzz_call_start(fuzz_input *in, const fuzz_model *model);
/* Lengths of the rows, or none. */
void fuzz_call_choose_lengths(fuzz_input *in, fuzz_call *c);
/* Arrays of states before and after the run, or none. */
void fuzz_call_choose_states(fuzz_input *in, const fuzz_model *model, fuzz_call *c);
void fuzz_call_end(const fuzz_model *model, fuzz_call *c);

/* Steps of row b that count. */
int32_t fuzz_call_length(const fuzz_call *c, int32_t b);
/* No state after the run was written. */
bool fuzz_call_states_unwritten(const fuzz_model *model, const fuzz_call *c);

#endif
