/* How many threads a call may have, and whose: workers of our own, or OpenMP's. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "threads.h"

#include "../text.h"
#include "atomics.h"
#include "quota.h"

#if RNNAT_ENV
#include <stdlib.h>
#endif
#if RNNAT_THREADS && defined(__linux__)
#include <sched.h>
#endif
#if RNNAT_TEAM
#include <unistd.h>
#endif

bool rnnat_threads_compiled(void) { return RNNAT_THREADS; }
bool rnnat_openmp_compiled(void) { return RNNAT_OPENMP; }

/* ---- how many ---- */

#if RNNAT_THREADS
/* How many processors the calling thread may run on. */
static int32_t processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
#if RNNAT_TEAM && defined(_SC_NPROCESSORS_ONLN)
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count > 0) return count < RNNAT_MAX_THREADS ? (int32_t)count : RNNAT_MAX_THREADS;
#endif
    return 1;
}

int32_t rnnat_threads_sensible(int32_t threads)
{
    enum { unasked = 64 };
    if (threads <= unasked) return threads; /* asking takes longer than a small step does */
    const int32_t count = processors(), most = count > unasked ? count : unasked;
    return threads < most ? threads : most;
}
#else
int32_t rnnat_threads_sensible(int32_t threads)
{
    (void)threads;
    return 1;
}
#endif

#if RNNAT_THREADS || RNNAT_ENV
/* What a number of threads is from. */
typedef enum origin {
    origin_set,
    origin_variable,
    origin_openmp,
    origin_processors,
    origin_cgroup,
    origins
} origin;

/* The number times `origins`, and its origin; 0: not known yet. */
static RNNAT_ATOMIC(int32_t) chosen;

static void choose(int32_t threads, origin from)
{
    atomic_store(&chosen, threads * origins + (int32_t)from);
}

void rnnat_threads_set_default(int32_t num_threads) { choose(num_threads, origin_set); }

/* What the environment asks for: 0 where it says nothing, -1 where that is unusable. */
static int32_t wanted_threads(void)
{
#if RNNAT_ENV
    const char *const wanted = getenv("RNN_NATIVE_NUM_THREADS");
    if (!wanted || !*wanted) return 0;
    char *end;
    const long value = strtol(wanted, &end, 10);
    return *end || value < 1 || value > RNNAT_MAX_THREADS ? -1 : (int32_t)value;
#else
    return 0;
#endif
}

/* OpenMP's variable is a list, of which the first number counts; what is no number says nothing. */
static int32_t openmp_threads(void)
{
#if RNNAT_THREADS && RNNAT_ENV
    const char *const wanted = getenv("OMP_NUM_THREADS");
    if (!wanted) return 0;
    char *end;
    const long value = strtol(wanted, &end, 10);
    const size_t spaces = rnnat_text_span(end, " \t");
    if (value < 1 || (end[spaces] && end[spaces] != ',')) return 0;
    return value < RNNAT_MAX_THREADS ? (int32_t)value : RNNAT_MAX_THREADS;
#else
    return 0;
#endif
}

/* How many threads this process has processors for. */
static int32_t affordable_threads(origin *from)
{
    *from = origin_processors;
#if RNNAT_THREADS
    const int32_t count = processors(), quota = rnnat_quota_processors("");
    if (quota == 0 || quota >= count) return count;
    *from = origin_cgroup;
    return quota;
#else
    return 1;
#endif
}

int32_t rnnat_threads_default(rnnat_status *status)
{
    const int32_t known = atomic_load(&chosen);
    *status = RNNAT_OK;
    if (known) return known / origins;
    origin from = origin_variable;
    int32_t threads = wanted_threads();
    if (threads < 0) {
        *status = RNNAT_ERROR_ARGUMENT;
        return 0;
    }
    if (!threads) {
        threads = openmp_threads();
        from = origin_openmp;
    }
    if (!threads) threads = affordable_threads(&from);
    choose(threads, from);
    return threads;
}

const char *rnnat_threads_origin(void)
{
    static const char *const names[origins] = {"set_num_threads", "RNN_NATIVE_NUM_THREADS",
                                               "OMP_NUM_THREADS", "processors", "cgroup"};
    rnnat_status status;
    rnnat_threads_default(&status);
    return names[atomic_load(&chosen) % origins];
}
#else
const char *rnnat_threads_origin(void) { return "processors"; }
int32_t rnnat_threads_default(rnnat_status *status)
{
    *status = RNNAT_OK;
    return 1;
}
#endif

/* ---- whose ---- */

#if RNNAT_THREADS
typedef enum threading {
    threading_unknown,
    threading_none,
    threading_team,
    threading_openmp
} threading;

static threading wanted_threading(void)
{
#if RNNAT_ENV
    const char *const wanted = getenv("RNN_NATIVE_THREADING");
    if (wanted && *wanted) {
        if (RNNAT_TEAM && rnnat_text_is("team", 4, wanted)) return threading_team;
        if (RNNAT_OPENMP && rnnat_text_is("openmp", 6, wanted)) return threading_openmp;
        return threading_none;
    }
#endif
    return RNNAT_TEAM ? threading_team : threading_openmp;
}

static threading current_threading(void)
{
    static RNNAT_ATOMIC(int32_t) remembered;
    int32_t found = atomic_load(&remembered);
    if (found == threading_unknown) {
        found = (int32_t)wanted_threading();
        atomic_store(&remembered, found);
    }
    return (threading)found;
}

const char *rnnat_threading(void)
{
    switch (current_threading()) {
    case threading_team: return "team";
    case threading_openmp: return "openmp";
    default: return "none";
    }
}

static int32_t wanted_dynamic(void)
{
#if RNNAT_ENV
    const char *const wanted = getenv("RNN_NATIVE_DYNAMIC");
    if (wanted && *wanted) {
        const bool is_known = (*wanted == '0' || *wanted == '1') && !wanted[1];
        return is_known ? *wanted - '0' : -1;
    }
#endif
    return 1;
}

int32_t rnnat_threads_dynamic(void)
{
    enum { unknown = 0, offset = 2 };
    static RNNAT_ATOMIC(int32_t) remembered;
    int32_t found = atomic_load(&remembered);
    if (found == unknown) {
        found = wanted_dynamic() + offset;
        atomic_store(&remembered, found);
    }
    return found - offset;
}

rnnat_status rnnat_threads_check(void)
{
    const bool known = current_threading() != threading_none && rnnat_threads_dynamic() >= 0;
    return known ? RNNAT_OK : RNNAT_ERROR_ARGUMENT;
}
#else
const char *rnnat_threading(void) { return "none"; }
int32_t rnnat_threads_dynamic(void) { return 0; }
rnnat_status rnnat_threads_check(void) { return RNNAT_OK; }
#endif

bool rnnat_threads_rest(void)
{
#if RNNAT_TEAM
    return current_threading() == threading_team && rnnat_threads_dynamic() == 1 &&
           rnnat_workers_rest();
#else
    return false;
#endif
}

void rnnat_parallel(int32_t threads, const rnnat_terms *terms, rnnat_work work, void *arg)
{
#if RNNAT_TEAM
    if (threads > 1 && current_threading() == threading_team) {
        rnnat_workers_parallel(threads, rnnat_threads_dynamic() == 1 ? terms : NULL, work, arg);
        return;
    }
#endif
#if RNNAT_OPENMP
    if (threads > 1 && current_threading() == threading_openmp) {
        rnnat_openmp_parallel(threads, work, arg);
        return;
    }
#endif
    (void)threads, (void)terms;
    work(arg, 0, 1);
}
