#include "threads.h"

#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
#include <pthread.h>
#define RNNAT_FORKS 1
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
static void offer(void) { sched_yield(); }
#else
static void offer(void) {}
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
        if (*end || value < 1 || value > RNNAT_MAX_THREADS) {
            *status = RNNAT_ERROR_ARGUMENT;
            return 0;
        }
        threads = (int32_t)value;
    } else {
#ifdef _OPENMP
        threads = omp_get_max_threads();
        if (threads > RNNAT_MAX_THREADS) threads = RNNAT_MAX_THREADS;
#else
        threads = 1;
#endif
    }
    atomic_store(&chosen, threads);
    return threads;
}

int32_t rnnat_threads_sensible(int32_t threads)
{
#ifdef _OPENMP
    enum { always = 64 };
    if (threads <= always) return threads; /* asking takes longer than a small step does */
    const int32_t processors = omp_get_num_procs();
    const int32_t most = processors > always ? processors : always;
    return threads < most ? threads : most;
#else
    (void)threads;
    return 1;
#endif
}

typedef struct team {
    int32_t threads;
    void (*work)(void *arg, int32_t thread, int32_t granted);
    void *arg;
} team;

static void run_team(const team *t)
{
#ifdef _OPENMP
#pragma omp parallel num_threads(t->threads)
    t->work(t->arg, omp_get_thread_num(), omp_get_num_threads());
#else
    t->work(t->arg, 0, 1);
#endif
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
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
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
