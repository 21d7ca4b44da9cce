/* The one door to OpenMP. */
#ifndef RNNAT_THREADS_H
#define RNNAT_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "rnn_native.h"
#if RNNAT_OPENMP
#include <stdatomic.h>
#endif

/* More than this is taken for a mistake. */
enum { RNNAT_MAX_THREADS = 4096 };

/* Calls work(arg, 0, granted) .. work(arg, granted - 1, granted), each on a thread of its own, all
 * at once; 1 <= granted <= threads. Returns when all have ended. In a child of fork it still does,
 * whatever threads the parent had. */
void rnnat_parallel(int32_t threads, void (*work)(void *arg, int32_t thread, int32_t granted),
                    void *arg);

/* A barrier for the few threads that share the steps of a layer. Zero is its initial value. */
typedef struct rnnat_barrier {
#if RNNAT_OPENMP
    _Alignas(64) atomic_int arrived;
    atomic_uint generation; /* wraps: a stream keeps its barriers for life */
#else
    char none; /* there is one thread, which waits for nobody */
#endif
} rnnat_barrier;

/* One of `count` threads that divide the same work; alone, {0, 1, NULL}. */
typedef struct rnnat_part {
    int32_t index, count;
    rnnat_barrier *barrier;
} rnnat_part;

void rnnat_barrier_wait(rnnat_barrier *barrier, int32_t count);

/* Returns when every thread of the part's team has come here. */
static inline void rnnat_meet(const rnnat_part *part)
{
    if (RNNAT_OPENMP && part->count > 1) rnnat_barrier_wait(part->barrier, part->count);
}

/* The first of `n` things that thread `index` of the team does; its last is before the next
 * thread's first. */
static inline int32_t rnnat_first(const rnnat_part *part, int32_t index, int32_t n)
{
    return (int32_t)((int64_t)n * index / part->count);
}

/* Threads where a caller states none: what was set, else RNN_NATIVE_NUM_THREADS, else OpenMP's
 * own default (OMP_NUM_THREADS, or the processors this process may use). An unusable value of the
 * variable is RNNAT_ERROR_ARGUMENT, and 0 threads. */
int32_t rnnat_threads_default(rnnat_status *status);
void rnnat_threads_set_default(int32_t num_threads);
/* That many, but not more than there are processors, or 64: OpenMP ends the process where the
 * system refuses it a thread. */
int32_t rnnat_threads_sensible(int32_t threads);
bool rnnat_threads_compiled(void); /* with OpenMP */

#endif
