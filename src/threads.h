/* The one door to OpenMP. */
#ifndef RNNAT_THREADS_H
#define RNNAT_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "rnn_native.h"

/* Calls work(arg, 0) .. work(arg, workers - 1), each once, on at most `workers` threads; returns
 * when all have ended. In a child of fork it still does, whatever threads the parent had. */
void rnnat_parallel(int32_t workers, void (*work)(void *arg, int32_t worker), void *arg);

/* Threads where a caller states none: what was set, else RNN_NATIVE_NUM_THREADS, else OpenMP's
 * own default (OMP_NUM_THREADS, or the processors this process may use). An unusable value of the
 * variable is RNNAT_ERROR_ARGUMENT, and 0 threads. */
int32_t rnnat_threads_default(rnnat_status *status);
void rnnat_threads_set_default(int32_t num_threads);
bool rnnat_threads_compiled(void); /* with OpenMP */

#endif
