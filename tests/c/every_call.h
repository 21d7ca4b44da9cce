/* Every call that a model and its streams have after their memory is given, of one thread: to make
 * the model in it, run it and step it, get and set states. */
#ifndef RNNAT_TEST_EVERY_CALL_H
#define RNNAT_TEST_EVERY_CALL_H

#include "model_file.h"

/* All that the calls are given, made beforehand; and afterwards whether each was RNNAT_OK. */
typedef struct every_call every_call;

every_call *every_call_prepare(const test_model *model, rnnat_dtype dtype);
void every_call_do(void *calls); /* an every_call: the calls alone, nothing else */
bool every_call_right(const every_call *calls);
/* Besides: a run over `threads` threads, of the model that the calls made. */
rnnat_status every_call_run(every_call *calls, int32_t threads);
void every_call_end(every_call *calls);

#endif
