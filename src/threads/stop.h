/* How a long run is stopped before its end, as Python's package does for Ctrl-C. Without RNNAT_STOP
 * nothing of it is compiled.
 *
 * The thread that began the run asks whether to stop, whenever it has done a certain amount of work;
 * the others look at what it was told. Threads that wait for each other at barriers have to leave at
 * the same one, so the first of a team says before it waits whether this is the one. A run that was
 * stopped returns like any other; what it has written means nothing. */
#ifndef RNNAT_STOP_H
#define RNNAT_STOP_H

#include "../float_scope.h"
#include "threads.h"
#if RNNAT_STOP
#include <stdatomic.h>
#endif

/* Multiplications between two questions, usually: well below a millisecond with vectors, and well
 * below 100 ms anywhere. Shorter runs need no rnnat_stop. */
#define RNNAT_STOP_WORK 4e6
/* What a step of a row counts beside its multiplications. */
#define RNNAT_STOP_ROW 64

typedef struct rnnat_stop {
    /* Returns true where the run is to end. The thread that began the run alone calls it, in its own
     * floating point mode; `waits`: it has nothing left to do, and may rest a moment. */
    bool (*wanted)(void *arg, bool waits);
    void *arg;
    double every; /* multiplications between two questions */
    double left; /* multiplications until the next question */
    rnnat_float_mode outside; /* mode of the thread that began the run, outside of it */
#if RNNAT_STOP
    atomic_bool told; /* the run is to end */
    atomic_int ended; /* workspaces, or threads of training, that have come to their end */
#endif
} rnnat_stop;

/* A stop point: what the threads of one team, or one alone, agree on to leave a run together. */
typedef struct rnnat_stop_point {
    rnnat_stop *stop;
    bool asks; /* the team's first thread is the one that began the run */
#if RNNAT_STOP
    atomic_uint barrier; /* number of the barrier after which all leave; 0: none yet */
#endif
} rnnat_stop_point;

#if RNNAT_STOP
/* Begins; called before the threads do. The one that began the run then sets `outside`. `stop` may
 * be NULL. */
void rnnat_stop_begin(rnnat_stop *stop);
/* Counts `work` of the thread that began the run, and asks where the time has come. */
void rnnat_stop_ask(rnnat_stop *stop, double work);
/* Notes that one workspace, or one thread of training, has come to its end. */
void rnnat_stop_end(rnnat_stop *stop);
/* Has the thread that began the run go on asking until all `count` of them have ended, or are to. */
void rnnat_stop_wait(rnnat_stop *stop, int32_t count);
/* Waits for the team; true where all of it are to leave now. `barrier`: the number of this barrier,
 * above 0 and not that of the one before. `work`: this thread's multiplications since then. */
bool rnnat_stop_point_meet(rnnat_stop_point *at, const rnnat_member *member, uint32_t barrier,
                           double work);

/* Whether a thread that waits for nobody may leave; `asks`: it began the run. */
static inline bool rnnat_stops(rnnat_stop *stop, bool asks, double work)
{
    if (!stop) return false;
    if (asks) rnnat_stop_ask(stop, work);
    return atomic_load_explicit(&stop->told, memory_order_relaxed);
}
#else
static inline void rnnat_stop_begin(rnnat_stop *stop) { (void)stop; }
static inline void rnnat_stop_end(rnnat_stop *stop) { (void)stop; }
static inline void rnnat_stop_wait(rnnat_stop *stop, int32_t count) { (void)stop, (void)count; }
static inline bool rnnat_stop_point_meet(rnnat_stop_point *at, const rnnat_member *member,
                                         uint32_t barrier, double work)
{
    (void)at, (void)barrier, (void)work;
    rnnat_meet(member);
    return false;
}
static inline bool rnnat_stops(rnnat_stop *stop, bool asks, double work)
{
    (void)stop, (void)asks, (void)work;
    return false;
}
#endif

/* Waits for the team, and is true where all of it are to leave now; `at` is NULL where nothing stops
 * the run. */
static inline bool rnnat_meet_or_stop(rnnat_stop_point *at, const rnnat_member *member,
                                      uint32_t barrier, double work)
{
    if (RNNAT_STOP && at) return rnnat_stop_point_meet(at, member, barrier, work);
    rnnat_meet(member);
    return false;
}

#endif
