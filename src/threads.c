#include "threads.h"

#if RNNAT_ENV
#include <stdlib.h>
#endif

#if RNNAT_OPENMP && !defined(_OPENMP)
#error "RNNAT_OPENMP=1: expected a compiler flag that enables OpenMP, such as -fopenmp"
#endif

#if RNNAT_OPENMP
#include <omp.h>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#define RNNAT_FORKS 1
static void offer(void) { sched_yield(); }
#else
static void offer(void) {}
#endif
#endif

bool rnnat_threads_compiled(void) { return RNNAT_OPENMP; }

#if RNNAT_OPENMP || RNNAT_ENV
#include <stdatomic.h>

static _Atomic int32_t chosen;

void rnnat_threads_set_default(int32_t num_threads) { atomic_store(&chosen, num_threads); }

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

int32_t rnnat_threads_default(rnnat_status *status)
{
    int32_t threads = atomic_load(&chosen);
    *status = RNNAT_OK;
    if (threads) return threads;
    threads = wanted_threads();
    if (threads < 0) {
        *status = RNNAT_ERROR_ARGUMENT;
        return 0;
    }
    if (!threads) {
#if RNNAT_OPENMP
        threads = omp_get_max_threads();
        if (threads > RNNAT_MAX_THREADS) threads = RNNAT_MAX_THREADS;
#else
        threads = 1;
#endif
    }
    atomic_store(&chosen, threads);
    return threads;
}
#else
int32_t rnnat_threads_default(rnnat_status *status)
{
    *status = RNNAT_OK;
    return 1;
}
#endif

#if RNNAT_OPENMP
int32_t rnnat_threads_sensible(int32_t threads)
{
    enum { always = 64 };
    if (threads <= always) return threads; /* asking takes longer than a small step does */
    const int32_t processors = omp_get_num_procs();
    const int32_t most = processors > always ? processors : always;
    return threads < most ? threads : most;
}

typedef struct team {
    int32_t threads;
    void (*work)(void *arg, int32_t thread, int32_t granted);
    void *arg;
} team;

static void run_team(const team *t)
{
#pragma omp parallel num_threads(t->threads)
    t->work(t->arg, omp_get_thread_num(), omp_get_num_threads());
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
    if (!atomic_load(&forked))
        run_team(t);
    else if (pthread_create(&thread, NULL, run_in_thread, t) == 0)
        pthread_join(thread, NULL);
    else
        t->work(t->arg, 0, 1);
}
#else
static void run(team *t) { run_team(t); }
#endif

void rnnat_parallel(int32_t threads, void (*work)(void *arg, int32_t thread, int32_t granted),
                    void *arg)
{
    if (threads == 1) {
        work(arg, 0, 1);
    } else {
        team t = {threads, work, arg};
        run(&t);
    }
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void rnnat_barrier_wait(rnnat_barrier *barrier, int32_t count)
{
    enum { patience = 4096 }; /* looks before this processor is offered to somebody else */
    const unsigned generation = atomic_load_explicit(&barrier->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == count - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->generation, generation + 1, memory_order_release);
        return;
    }
    for (int looks = 0;
         atomic_load_explicit(&barrier->generation, memory_order_acquire) == generation; ++looks) {
        if (looks < patience)
            relax();
        else
            offer();
    }
}
#else
int32_t rnnat_threads_sensible(int32_t threads)
{
    (void)threads;
    return 1;
}

void rnnat_parallel(int32_t threads, void (*work)(void *arg, int32_t thread, int32_t granted),
                    void *arg)
{
    (void)threads;
    work(arg, 0, 1);
}
#endif
