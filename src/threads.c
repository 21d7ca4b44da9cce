#include "threads.h"

#include <stdatomic.h>
#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
#include <pthread.h>
#define RNNAT_FORKS 1
#endif

static _Atomic int32_t chosen;

void rnnat_threads_set_default(int32_t num_threads) { atomic_store(&chosen, num_threads); }

bool rnnat_threads_compiled(void)
{
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

int32_t rnnat_threads_default(rnnat_status *status)
{
    int32_t threads = atomic_load(&chosen);
    *status = RNNAT_OK;
    if (threads) return threads;
    const char *const wanted = getenv("RNN_NATIVE_NUM_THREADS");
    if (wanted && *wanted) {
        char *end;
        const long value = strtol(wanted, &end, 10);
        if (*end || value < 1 || value > 4096) {
            *status = RNNAT_ERROR_ARGUMENT;
            return 0;
        }
        threads = (int32_t)value;
    } else {
#ifdef _OPENMP
        threads = omp_get_max_threads();
#else
        threads = 1;
#endif
    }
    atomic_store(&chosen, threads);
    return threads;
}

typedef struct team {
    int32_t workers;
    void (*work)(void *arg, int32_t worker);
    void *arg;
} team;

/* Correct with any number of threads that OpenMP grants, one included. */
static void run_team(const team *t)
{
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(t->workers)
#endif
    for (int32_t i = 0; i < t->workers; ++i) t->work(t->arg, i);
}

#ifdef RNNAT_FORKS
/* OpenMP keeps a pool for each thread that ever began a parallel region. After fork the child's
 * only thread holds a pool whose threads are gone, and would wait for them for ever. A thread made
 * in the child has no pool yet: there, every region begins in a new one. */
static atomic_bool forked;
static pthread_once_t watching = PTHREAD_ONCE_INIT;

static void note_fork(void) { atomic_store(&forked, true); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }

static void *run_in_thread(void *arg)
{
    run_team(arg);
    return NULL;
}

static void run(team *t)
{
    pthread_t thread;
    pthread_once(&watching, watch_forks);
    if (!atomic_load(&forked)) {
        run_team(t);
    } else if (pthread_create(&thread, NULL, run_in_thread, t) == 0) {
        pthread_join(thread, NULL);
    } else {
        for (int32_t i = 0; i < t->workers; ++i) t->work(t->arg, i);
    }
}
#else
static void run(team *t) { run_team(t); }
#endif

void rnnat_parallel(int32_t workers, void (*work)(void *arg, int32_t worker), void *arg)
{
    if (workers == 1) {
        work(arg, 0);
    } else {
        team t = {workers, work, arg};
        run(&t);
    }
}
