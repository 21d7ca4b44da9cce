/* How a long run is left before its end, as Python's package does for Ctrl-C. Without RNNAT_STOP
 * nothing of it is compiled.
 *
 * The thread that began the run asks whether to stop, once it has done a certain amount of work; the
 * others look at what it was told. Threads that meet at barriers have to leave at the same one, so
 * the first of them says before they meet whether this is the place. A run that was stopped returns
 * like any other; what it has written means nothing. */
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
    /* True: the run is to end. Called by the thread that began it alone, in that thread's own
     * floating point mode; `waits`: it has nothing left to do, and may rest a moment. */
    bool (*wanted)(void *arg, bool waits);
    void *arg;
    double every; /* work between two questions */
    double left; /* until the next one */
    rnnat_float_mode outside;
#if RNNAT_STOP
    atomic_bool told;
    atomic_int ended; /* parts of the run */
#endif
} rnnat_stop;

/* Where the threads of one part may leave; a part of a single thread too. */
typedef struct rnnat_exit {
    rnnat_stop *stop;
    bool asks; /* its first thread is the one that began the run */
#if RNNAT_STOP
    atomic_uint place; /* where they leave; 0: nowhere yet */
#endif
} rnnat_exit;

#if RNNAT_STOP
/* Before the threads begin; the one that began the run then sets `outside`. NULL is fine. */
void rnnat_stop_begin(rnnat_stop *stop);
/* Counts `work` of the thread that began the run, and asks where it is time. */
void rnnat_stop_ask(rnnat_stop *stop, double work);
/* A part of the run has ended. */
void rnnat_stop_end(rnnat_stop *stop);
/* The thread that began the run goes on asking until all its parts have ended, or are to. */
void rnnat_stop_wait(rnnat_stop *stop, int32_t parts);
/* Meets; true where all of the part are to leave now. `place`: above 0, not that of the meeting
 * before it. `work`: this thread's since then. */
bool rnnat_exit_meet(rnnat_exit *at, const rnnat_member *member, uint32_t place, double work);

/* Whether a thread that is to meet nobody may leave; `asks`: it began the run. */
static inline bool rnnat_stops(rnnat_stop *stop, bool asks, double work)
{
    if (!stop) return false;
    if (asks) rnnat_stop_ask(stop, work);
    return atomic_load_explicit(&stop->told, memory_order_relaxed);
}
#else
static inline void rnnat_stop_begin(rnnat_stop *stop) { (void)stop; }
static inline void rnnat_stop_end(rnnat_stop *stop) { (void)stop; }
static inline void rnnat_stop_wait(rnnat_stop *stop, int32_t parts) { (void)stop, (void)parts; }
static inline bool rnnat_exit_meet(rnnat_exit *at, const rnnat_member *member, uint32_t place,
                                   double work)
{
    (void)at, (void)place, (void)work;
    rnnat_meet(member);
    return false;
}
static inline bool rnnat_stops(rnnat_stop *stop, bool asks, double work)
{
    (void)stop, (void)asks, (void)work;
    return false;
}
#endif

/* The same or, where nothing stops the run and `at` is NULL, a meeting alone. */
static inline bool rnnat_meet_or_leave(rnnat_exit *at, const rnnat_member *member, uint32_t place,
                                       double work)
{
    if (RNNAT_STOP && at) return rnnat_exit_meet(at, member, place, work);
    rnnat_meet(member);
    return false;
}

#endif
