/* The one door to threads: what runs side by side, how many, and where they wait for each other. */
#ifndef RNNAT_THREADS_H
#define RNNAT_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"
#include "rnn_native.h"
#if RNNAT_THREADS
#include <stdatomic.h>
#endif

/* More threads than this are taken for a mistake. */
enum { RNNAT_MAX_THREADS = 4096 };

/* What the threads of a call do: this is thread `index` of `count`. */
typedef void (*rnnat_work)(void *arg, int32_t index, int32_t count);

/* A barrier, at which the members of a team wait for each other. Zero is its initial value. */
typedef struct rnnat_barrier {
#if RNNAT_THREADS
    _Alignas(64) atomic_int arrived; /* members that wait now */
    atomic_uint generation; /* waits that are over; wraps, as streams keep barriers for life */
    atomic_int haste; /* how often in a row threads have spun here in vain, up to a bound */
    atomic_uint waited; /* how long its members have waited in a call, in 1024 nanoseconds */
#else
    char none; /* there is one thread, which waits for nobody */
#endif
} rnnat_barrier;

/* A member of a team: one of `count` threads that divide the same work; alone, {0, 1, NULL}. */
typedef struct rnnat_member {
    int32_t index, count;
    rnnat_barrier *barrier;
} rnnat_member;

void rnnat_barrier_wait(rnnat_barrier *barrier, int32_t count);

/* What a call can do without where processors are busy with others. */
typedef struct rnnat_terms {
    /* Its threads wait for each other: they begin when all have come, or the caller goes on alone. If
     * not, the caller begins at once, and does what nobody else has begun; others come while there is
     * something left to do. */
    bool together;
    double work; /* multiplications of all threads */
    rnnat_barrier *barriers; /* [num_barriers] where they wait for each other */
    int32_t num_barriers;
} rnnat_terms;

/* Calls work(arg, 0, count) .. work(arg, count - 1, count), each on a thread of its own, side by
 * side; 1 <= count <= threads, and thread 0 is the caller's. Returns when all have ended. Where the
 * system has no further thread, count is less. In a child of fork it still does all this, whatever
 * threads the parent had.
 *
 * `terms`: where processors are busy with others, those of `together` have a count of 1; of the others
 * work(arg, 0, count) alone is called for certain. NULL: all threads come, however long that takes. */
void rnnat_parallel(int32_t threads, const rnnat_terms *terms, rnnat_work work, void *arg);
/* Whether calls on terms run on one thread for now: whoever knows it before can do without dividing. */
bool rnnat_threads_rest(void);

/* Waits at the team's barrier until every member has come there. */
static inline void rnnat_meet(const rnnat_member *member)
{
    if (RNNAT_THREADS && member->count > 1) rnnat_barrier_wait(member->barrier, member->count);
}

/* The first of `n` things that member `index` of the team does; its last one is before the next
 * member's first. */
static inline int32_t rnnat_first(const rnnat_member *member, int32_t index, int32_t n)
{
    return (int32_t)((int64_t)n * index / member->count);
}

/* How many threads run where a caller states none: what was set, else RNN_NATIVE_NUM_THREADS, else
 * OMP_NUM_THREADS, else the processors that this process may use, of which a cgroup may grant it less.
 * An unusable value of the first variable is RNNAT_ERROR_ARGUMENT, and 0 threads. */
int32_t rnnat_threads_default(rnnat_status *status);
/* Which of these the number is from: "set_num_threads", a variable's name, "processors" or "cgroup". */
const char *rnnat_threads_origin(void);
void rnnat_threads_set_default(int32_t num_threads);
/* That many threads, but not more than there are processors, or 64: this bounds what a mistake of a
 * caller's may cost, and the threads that this process has for all calls together. */
int32_t rnnat_threads_sensible(int32_t threads);
/* Returns ARGUMENT where RNN_NATIVE_THREADING names no threads that were compiled; calls have one
 * thread then. */
rnnat_status rnnat_threads_check(void);
/* Whether calls have fewer threads where processors are busy with others: RNN_NATIVE_DYNAMIC. -1 where
 * that says neither 0 nor 1. */
int32_t rnnat_threads_dynamic(void);
bool rnnat_threads_compiled(void);
bool rnnat_openmp_compiled(void);

/* They do what rnnat_parallel does, of two threads or more: by workers of our own, or by OpenMP, for
 * which all threads come. */
void rnnat_workers_parallel(int32_t threads, const rnnat_terms *terms, rnnat_work work, void *arg);
bool rnnat_workers_rest(void);
void rnnat_openmp_parallel(int32_t threads, rnnat_work work, void *arg);
/* Whether the caller is within as many parallel regions of OpenMP's as may be within each other. */
bool rnnat_openmp_is_inside(void);

#endif
