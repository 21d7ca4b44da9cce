/* Threads of our own: workers that the process keeps, each asleep until a call takes it.
 *
 * A call takes as many workers as it can get, tells each one what to do, does its own work and waits
 * for them; calls at the same time have different ones. Workers are made where too few are free, up
 * to what rnnat_threads_sensible allows the process, and fewer where the system refuses a thread.
 * Nothing is taken from the heap: workers stand in an array, a worker's memory is its stack. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* of POSIX: threads, signals */
#endif

#include "threads.h"

#if RNNAT_TEAM
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "waiting.h"

/* A worker's stack has room for a BLAS: the core takes 16 KiB (docs/embedded.md). */
enum { most_workers = 1023, worker_stack = 512 * 1024 };

/* How long a worker waits for its next call, and a call for its workers. Waking a thread costs some
 * 10 microseconds and more, calls that follow each other are less than that apart, and a worker that
 * nobody calls is to cost nothing. */
static const rnnat_patience between_calls = {20000, 100000}, in_a_call = {20000, 5000000};

typedef enum worker_state {
    worker_free,   /* looks whether it is busy */
    worker_asleep, /* free, and has to be woken */
    worker_busy,
    worker_awaited, /* busy, and its caller is asleep until it is not */
    worker_ending
} worker_state;

typedef struct worker {
    _Alignas(64) atomic_int state;
    int32_t index, count; /* which thread of the call it is, and of how many */
    rnnat_work work;
    void *arg;
    struct worker
        *next; /* of a busy worker the call's next one, of a free worker the next free one */
    int32_t crowded; /* how many of the next waits for it are to be short */
    pthread_t thread;
    pthread_mutex_t lock; /* the lock of whoever sleeps: the worker, or its caller */
    pthread_cond_t changed;
} worker;

static struct {
    pthread_mutex_t lock;
    worker *free; /* a list; the worker that was busy last comes first, for it may still be awake */
    int32_t made;
    bool watches_forks;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
static worker workers[most_workers]; /* pages of zeros, until they are made */

/* Waits until the worker is no longer `now`; who sleeps meanwhile makes it `sleeping`. Where somebody
 * else had the processor for a while, the next waits sleep at once: nobody is kept from it, and the
 * system looks for a free one when it wakes a thread. */
static void wait_while(worker *w, int now, int sleeping, const rnnat_patience *patience,
                       int32_t *crowded)
{
    enum { short_waits = 16 };
    static const rnnat_patience none = {0, 0};
    rnnat_waiting waiting = {0};
    if (*crowded > 0) {
        patience = &none;
        --*crowded;
    }
    while (atomic_load_explicit(&w->state, memory_order_acquire) == now) {
        int seen = now;
        if (rnnat_wait(&waiting, patience)) continue;
        if (!atomic_compare_exchange_strong(&w->state, &seen, sleeping)) break;
        pthread_mutex_lock(&w->lock);
        while (atomic_load_explicit(&w->state, memory_order_acquire) == sleeping)
            pthread_cond_wait(&w->changed, &w->lock);
        pthread_mutex_unlock(&w->lock);
        break;
    }
    if (waiting.taken) *crowded = short_waits;
}

/* Makes the worker `next`, and wakes who sleeps until it is. */
static void set_state(worker *w, int next)
{
    const int before = atomic_exchange(&w->state, next);
    if (before != worker_asleep && before != worker_awaited) return;
    pthread_mutex_lock(&w->lock); /* by now who saw the state from before waits, */
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->changed); /* and does not wake to find the lock taken */
}

static void *live(void *arg)
{
    worker *const w = arg;
    int32_t crowded = 0;
#ifdef __linux__
    prctl(PR_SET_NAME, "rnn_native");
#endif
    for (;;) {
        wait_while(w, worker_free, worker_asleep, &between_calls, &crowded);
        if (atomic_load_explicit(&w->state, memory_order_acquire) == worker_ending) return NULL;
        w->work(w->arg, w->index, w->count);
        set_state(w, worker_free);
    }
}

/* A child of fork has no workers, and nobody who holds a lock. */
static void forget_workers(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pool.free = NULL;
    pool.made = 0;
}

/* Signals go to other threads: all but those that tell of a fault of this one. */
static void choose_signals(sigset_t *signals)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(signals);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; ++i) sigdelset(signals, faults[i]);
}

/* False where the system has no further thread. */
static bool start(worker *w)
{
    pthread_attr_t small;
    sigset_t blocked, before;
    if (!pool.watches_forks) pool.watches_forks = pthread_atfork(NULL, NULL, forget_workers) == 0;
    if (!pool.watches_forks || pthread_attr_init(&small) != 0) return false;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    atomic_init(&w->state, worker_free);
    w->crowded = 0;
    pthread_attr_setstacksize(&small, worker_stack);
    choose_signals(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before); /* which a new thread inherits */
    int refused = pthread_create(&w->thread, &small, live, w);
    /* Thread-local variables of large libraries may need all of that, and more. */
    if (refused == EINVAL) refused = pthread_create(&w->thread, NULL, live, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&small);
    return refused == 0;
}

/* Up to so many free workers, as a list. */
static worker *take_workers(int32_t count)
{
    worker *first = NULL, **end = &first;
    pthread_mutex_lock(&pool.lock);
    while (count > 0 && pool.free) {
        *end = pool.free;
        end = &pool.free->next;
        pool.free = pool.free->next;
        --count;
    }
    if (count > 0) {
        const int32_t allowed = rnnat_threads_sensible(RNNAT_MAX_THREADS) - 1;
        const int32_t most = allowed < most_workers ? allowed : most_workers;
        for (; count > 0 && pool.made < most && start(&workers[pool.made]); --count) {
            *end = &workers[pool.made++];
            end = &(*end)->next;
        }
    }
    *end = NULL;
    pthread_mutex_unlock(&pool.lock);
    return first;
}

void rnnat_workers_parallel(int32_t threads, rnnat_work work, void *arg)
{
    worker *const first =
        RNNAT_OPENMP && rnnat_openmp_is_inside() ? NULL : take_workers(threads - 1);
    int32_t count = 1, index = 1;
    for (const worker *w = first; w; w = w->next) ++count;
    for (worker *w = first; w; w = w->next) {
        w->work = work;
        w->arg = arg;
        w->index = index++;
        w->count = count;
        set_state(w, worker_busy);
    }
    work(arg, 0, count);
    worker *last = NULL;
    for (worker *w = first; w; w = w->next) {
        wait_while(w, worker_busy, worker_awaited, &in_a_call, &w->crowded);
        last = w;
    }
    if (!last) return;
    pthread_mutex_lock(&pool.lock);
    last->next = pool.free;
    pool.free = first;
    pthread_mutex_unlock(&pool.lock);
}

#if RNNAT_GNU
/* Where the library is unloaded, or the process ends, free workers leave its code first. */
__attribute__((destructor)) static void end_workers(void)
{
    if (pthread_mutex_trylock(&pool.lock) != 0) return; /* somebody is in a call */
    worker *const first = pool.free;
    pool.free = NULL;
    pthread_mutex_unlock(&pool.lock);
    for (worker *w = first; w; w = w->next) set_state(w, worker_ending);
    for (worker *w = first; w; w = w->next) pthread_join(w->thread, NULL);
}
#endif
#endif
