/* Threads of our own: workers that the process keeps, each asleep until a call takes it.
 *
 * A call takes as many workers as it can get, tells each one what to do, does its own work and waits
 * for them; calls at the same time have different ones. Workers are made where too few are free, up
 * to what rnnat_threads_sensible allows the process, and fewer where the system refuses a thread. A
 * worker that has not come by the end of a call is not waited for, unless all were to come.
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
#include <sched.h>
#include <sys/prctl.h>
#endif

#include "crowding.h"
#include "waiting.h"

/* A worker's stack has room for a BLAS: the core takes 16 KiB (docs/embedded.md). */
enum { most_workers = 1023, worker_stack = 512 * 1024 };

/* How long a worker waits for its next call, and a call for its workers. Waking a thread costs some
 * 10 microseconds and more, calls that follow each other are less than that apart, and a worker that
 * nobody calls is to cost nothing. */
static const rnnat_patience between_calls = {20000, 100000}, in_a_call = {20000, 5000000};
static const int64_t endless = INT64_MAX;

typedef enum worker_state {
    worker_free,   /* looks whether it is called */
    worker_asleep, /* free, and has to be woken */
    worker_called, /* a call waits for it to come, and may do without */
    worker_busy,
    worker_awaited, /* busy, and its caller is asleep until it is not */
    worker_ending
} worker_state;

/* A call, as its workers see it. */
typedef struct worker_call {
    rnnat_work work;
    void *arg;
    int32_t count; /* its threads */
    bool together; /* none begins before all have come */
    atomic_int came; /* workers, of threads that begin together; below 0: it goes on without them */
    int processor; /* where the caller began, */
    atomic_int in_its_place; /* workers that came to that one */
} worker_call;

typedef struct worker {
    _Alignas(64) atomic_int state;
    int32_t index; /* which thread of the call it is */
    worker_call *of;
    struct worker *next; /* the call's next one or, of a free worker, the next free one */
    pthread_t thread;
    pthread_mutex_t lock; /* the lock of whoever sleeps: the worker, or its caller */
    pthread_cond_t changed;
} worker;

static struct {
    pthread_mutex_t lock;
    worker *free; /* a list; the worker that was busy last comes first, for it may still be awake */
    int32_t made;
    bool watches_forks;
    rnnat_crowding crowding;
    atomic_bool rests; /* a rest of calls has begun, and may have ended */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
static worker workers[most_workers]; /* pages of zeros, until they are made */

/* Waits until the worker is no longer `now`; who sleeps meanwhile makes it `sleeping`. Returns for how
 * many nanoseconds, where it was long. */
static int64_t wait_while(worker *w, int now, int sleeping, const rnnat_patience *patience)
{
    rnnat_waiting waiting = {0};
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
    return rnnat_waited(&waiting);
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

/* Waits for the other workers of a call whose threads begin together; false where it goes on without. */
static bool come_together(worker_call *c)
{
    rnnat_waiting waiting = {0};
    int came = atomic_fetch_add(&c->came, 1) + 1;
    while (came > 0 && came < c->count - 1) {
        if (!rnnat_wait(&waiting, &in_a_call)) rnnat_nap();
        came = atomic_load_explicit(&c->came, memory_order_acquire);
    }
    return came > 0;
}

/* Waits for all workers of such a call; false where it goes on without, for it had `patience`
 * nanoseconds. */
static bool gather(worker_call *c, int64_t patience)
{
    const rnnat_patience bounded = {in_a_call.spin, patience};
    rnnat_waiting waiting = {0};
    int came;
    while ((came = atomic_load_explicit(&c->came, memory_order_acquire)) < c->count - 1) {
        if (rnnat_wait(&waiting, patience == endless ? &in_a_call : &bounded)) continue;
        if (patience == endless)
            rnnat_nap();
        else if (atomic_compare_exchange_strong(&c->came, &came, -RNNAT_MAX_THREADS))
            return false;
    }
    return true;
}

/* Which processor a thread is on; -1 where that is not known. */
static int current_processor(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

static void take_part(worker_call *c, int32_t index)
{
    const int processor = current_processor();
    if (processor >= 0 && processor == c->processor) atomic_fetch_add(&c->in_its_place, 1);
    if (!c->together || come_together(c)) c->work(c->arg, index, c->count);
}

static void *live(void *arg)
{
    worker *const w = arg;
#ifdef __linux__
    prctl(PR_SET_NAME, "rnn_native");
#endif
    for (;;) {
        int seen = worker_called;
        wait_while(w, worker_free, worker_asleep, &between_calls);
        if (atomic_compare_exchange_strong(&w->state, &seen, worker_busy)) {
            take_part(w->of, w->index);
            set_state(w, worker_free);
        } else if (seen == worker_ending) {
            return NULL;
        }
    }
}

/* A child of fork has no workers, and nobody who holds a lock. */
static void forget_workers(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pool.free = NULL;
    pool.made = 0;
    pool.crowding = (rnnat_crowding){0};
    atomic_store(&pool.rests, false);
}

/* Signals go to other threads: all but those that tell of a fault of this one. */
static void choose_signals(sigset_t *signals)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(signals);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; ++i) sigdelset(signals, faults[i]);
}

/* False where the system has no further thread. */
#if RNNAT_GNU
__attribute__((noinline)) /* its stack is not there while a call runs */
#endif
static bool start(worker *w)
{
    pthread_attr_t small;
    sigset_t blocked, before;
    if (!pool.watches_forks) pool.watches_forks = pthread_atfork(NULL, NULL, forget_workers) == 0;
    if (!pool.watches_forks || pthread_attr_init(&small) != 0) return false;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    atomic_init(&w->state, worker_free);
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

/* Up to so many free workers, as a list; none while calls that may do without rest from them. */
static worker *take_workers(int32_t count, bool may_do_without, int64_t now)
{
    worker *first = NULL, **end = &first;
    pthread_mutex_lock(&pool.lock);
    if (may_do_without && rnnat_crowding_rests(&pool.crowding, now)) count = 0;
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

/* How long a call waits for its workers to come, where it may do without: a part of what it takes on
 * one thread, to which a worker comes that is asleep, or a moment, in which one comes that is awake. */
static int64_t patience_of(const rnnat_terms *terms)
{
    const double multiplications_a_nanosecond = 128;
    const int64_t least = 5000, most = 2000000;
    const double wanted = terms->work / multiplications_a_nanosecond;
    return wanted < (double)least ? least : wanted < (double)most ? (int64_t)wanted : most;
}

/* Waits for the workers of a call that came, calls off the others, and frees them all. */
static void end_call(worker_call *c, worker *first, bool all_come, const rnnat_terms *terms,
                     int64_t began)
{
    worker *last = NULL;
    int32_t came = 0;
    int64_t waited = 0;
    for (worker *w = first; w; w = w->next) {
        int seen = worker_called;
        last = w;
        if (terms && atomic_compare_exchange_strong(&w->state, &seen, worker_free)) continue;
        waited += wait_while(w, worker_busy, worker_awaited, &in_a_call);
        ++came;
    }
    waited *= came;
    for (int32_t i = 0; terms && i < terms->num_barriers; ++i)
        waited += (int64_t)atomic_load_explicit(&terms->barriers[i].waited, memory_order_relaxed)
                  << 10;
    const int64_t now = terms ? rnnat_now() : 0, took = now - began;
    pthread_mutex_lock(&pool.lock);
    if (terms) {
        rnnat_crowding *const crowding = &pool.crowding;
        const int64_t without = rnnat_crowding_gain(1, took, 0);
        int64_t gain = all_come ? rnnat_crowding_gain(came + 1, took, waited) : without;
        if (atomic_load(&c->in_its_place) > 0 && gain > without) gain = without;
        rnnat_crowding_note(crowding, gain, took, now);
        if (rnnat_crowding_rests(crowding, now))
            atomic_store_explicit(&pool.rests, true, memory_order_relaxed);
    }
    last->next = pool.free;
    pool.free = first;
    pthread_mutex_unlock(&pool.lock);
}

bool rnnat_workers_rest(void)
{
    if (!atomic_load_explicit(&pool.rests, memory_order_relaxed)) return false;
    const int64_t now = rnnat_now();
    pthread_mutex_lock(&pool.lock);
    const bool rests = rnnat_crowding_rests(&pool.crowding, now);
    if (!rests) atomic_store_explicit(&pool.rests, false, memory_order_relaxed);
    pthread_mutex_unlock(&pool.lock);
    return rests;
}

void rnnat_workers_parallel(int32_t threads, const rnnat_terms *terms, rnnat_work work, void *arg)
{
    const int64_t began = terms ? rnnat_now() : 0;
    worker *const first = RNNAT_OPENMP && rnnat_openmp_is_inside()
                              ? NULL
                              : take_workers(threads - 1, terms != NULL, began);
    worker_call c = {.work = work, .arg = arg, .count = 1, .together = !terms || terms->together};
    atomic_init(&c.came, 0);
    atomic_init(&c.in_its_place, 0);
    if (!first) {
        work(arg, 0, 1);
        return;
    }
    for (int32_t i = 0; terms && i < terms->num_barriers; ++i)
        atomic_store_explicit(&terms->barriers[i].waited, 0, memory_order_relaxed);
    for (const worker *w = first; w; w = w->next) ++c.count;
    c.processor = current_processor();
    int32_t index = 1;
    for (worker *w = first; w; w = w->next) {
        w->index = index++;
        w->of = &c;
        set_state(w, worker_called);
    }
    const bool all_come = !c.together || gather(&c, terms ? patience_of(terms) : endless);
    work(arg, 0, all_come ? c.count : 1);
    end_call(&c, first, all_come, terms, began);
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
