/* The text that says what is wrong with a file. */
#ifndef RNNAT_TEST_FAULT_TEXT_H
#define RNNAT_TEST_FAULT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "rnn_native.h"

/* Whether every function that makes or sizes a model of these bytes writes one text that has
 * `names` in it, and as much of that text as there is room for: nothing but a NUL, nothing at all,
 * and all sizes between. `opt` says all but the buffer, or is NULL. */
bool fault_text_names(const void *bytes, size_t size, const rnnat_model_options *opt,
                      const char *names);

#endif
