/* The threads behind every call: all that a call gets run at once, calls at the same time have
 * different ones, they are kept and not multiplied, and where the system has none, or has no processor for
 * them, the call runs on fewer. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "threads/threads.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#if RNNAT_TEAM
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <dirent.h>
#endif

enum { MOST = 8, USERS = 6, ROUNDS = is_brief ? 20 : 80, PATIENCE = 60 /* seconds */ };

/* ---- a system that refuses threads, or lets them wait for a processor ---- */

static atomic_int left = -1; /* threads that it grants; -1: as many as it has */
static atomic_bool held; /* new ones do not run until this is false */

#ifdef RNNAT_TEST_WRAPS_THREADS
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
static void *(*held_start)(void *);

static void *start_when_free(void *arg)
{
    while (atomic_load(&held)) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return held_start(arg);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg)
{
    if (atomic_load(&left) == 0) return EAGAIN;
    if (atomic_load(&left) > 0) atomic_fetch_sub(&left, 1);
    if (!atomic_load(&held)) return __real_pthread_create(thread, attr, start, arg);
    held_start = start;
    return __real_pthread_create(thread, attr, start_when_free, arg);
}
#endif

/* ---- calls ---- */

/* What the threads of one call do, and see of each other. */
typedef struct call {
    rnnat_barrier barrier;
    pthread_t caller;
    int32_t count;
    atomic_int came[MOST];
    atomic_bool wrong;
} call;

static void work(void *arg, int32_t thread, int32_t count)
{
    call *const c = arg;
    const rnnat_member part = {thread, count, &c->barrier};
    if (thread < 0 || thread >= count || count > MOST ||
        (pthread_equal(pthread_self(), c->caller) != 0) != (thread == 0)) {
        atomic_store(&c->wrong, true);
        return;
    }
    if (thread == 0) c->count = count;
    for (int i = 0; i < 3; ++i) { /* ends only where all are there at once */
        atomic_fetch_add(&c->came[thread], 1);
        rnnat_meet(&part);
        for (int32_t other = 0; other < count; ++other)
            if (atomic_load(&c->came[other]) != i + 1) atomic_store(&c->wrong, true);
        rnnat_meet(&part);
    }
}

/* How many threads it got; 0 where anything was wrong. */
static int32_t run(int32_t threads)
{
    call c;
    memset(&c, 0, sizeof c);
    c.caller = pthread_self();
    rnnat_parallel(threads, NULL, work, &c);
    for (int32_t i = 0; i < MOST; ++i)
        if (atomic_load(&c.came[i]) != (i < c.count ? 3 : 0)) return 0;
    return atomic_load(&c.wrong) || c.count > threads ? 0 : c.count;
}

static bool runs_all_sizes(void)
{
    bool all = true;
    for (int32_t threads = 1; threads <= MOST; ++threads) all = run(threads) == threads && all;
    return all;
}

/* Threads of this process, or 0 where nobody tells. */
static int32_t count_threads(void)
{
    int32_t count = 0;
#ifdef __linux__
    DIR *const tasks = opendir("/proc/self/task");
    for (const struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    if (tasks) closedir(tasks);
#endif
    return count;
}

/* Beside a sanitizer's own, and one that has ended and may still be listed. */
static bool are_at_most(int32_t threads) { return count_threads() <= threads + 2; }

/* Does it in a child, which begins without workers; true where that returns true. */
static bool in_child(bool (*what)(void))
{
    fflush(NULL);
    const pid_t id = fork();
    if (id == 0) {
        alarm(PATIENCE); /* ends it, where it hangs */
        _exit(what() ? 0 : 1);
    }
    int status = 0;
    return id > 0 && waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- tests ---- */

static atomic_int waiting; /* callers that are not in their calls yet */

static void *use(void *arg)
{
    for (int32_t i = 0; i < ROUNDS; ++i) {
        const int32_t threads = 1 + i % MOST, count = run(threads);
        if (count != threads) return NULL;
    }
    return arg;
}

static bool users_at_once(void)
{
    pthread_t users[USERS];
    bool all = true;
    for (int i = 0; i < USERS; ++i) all = pthread_create(&users[i], NULL, use, users) == 0 && all;
    for (int i = 0; i < USERS; ++i) {
        void *result = NULL;
        all = pthread_join(users[i], &result) == 0 && result == users && all;
    }
    return all && are_at_most(1 + USERS * (MOST - 1));
}

/* Each user ends before the next one begins: they have the same workers. */
static bool users_one_by_one(void)
{
    bool all = true;
    for (int i = 0; i < 2 * USERS; ++i) {
        pthread_t user;
        void *result = NULL;
        all = pthread_create(&user, NULL, use, &waiting) == 0 && pthread_join(user, &result) == 0 &&
              result == &waiting && all;
    }
    return all && are_at_most(MOST);
}

/* A process has no more of them than one call may have, however many calls there are. */

static void wait_for_all(void *arg, int32_t thread, int32_t count)
{
    (void)count;
    if (thread > 0) return;
    atomic_fetch_sub(&waiting, 1);
    while (atomic_load(&waiting) > 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    *(int32_t *)arg = count;
}

static void *call_and_stay(void *arg)
{
    rnnat_parallel(MOST, NULL, wait_for_all, arg);
    return NULL;
}

static bool bounded(void)
{
    enum { CALLERS = 20 };
    pthread_t callers[CALLERS];
    int32_t count[CALLERS], all = 0;
    const int32_t most = rnnat_threads_sensible(RNNAT_MAX_THREADS) - 1;
    atomic_store(&waiting, CALLERS);
    for (int i = 0; i < CALLERS; ++i)
        if (pthread_create(&callers[i], NULL, call_and_stay, &count[i]) != 0) return false;
    for (int i = 0; i < CALLERS; ++i) {
        pthread_join(callers[i], NULL);
        all += count[i] - 1;
    }
    const int32_t wanted = CALLERS * (MOST - 1);
    return all == (wanted < most ? wanted : most);
}

static bool refused(void)
{
#ifdef RNNAT_TEST_WRAPS_THREADS
    bool all = true;
    for (int32_t more = 0; more < 3; ++more) { /* two that it has are kept */
        atomic_store(&left, more);
        const int32_t before = more == 2 ? 1 : 0;
        all = run(MOST) == 1 + before + more && run(2) == (more ? 2 : 1) && all;
    }
    atomic_store(&left, -1);
    return runs_all_sizes() && all;
#else
    return true;
#endif
}

/* ---- workers that have no processor ---- */

/* Shares of a call that may do without its workers. */
typedef struct shares {
    atomic_bool begun[MOST];
    atomic_int done;
    int32_t count; /* that the caller was told */
} shares;

static void do_shares(void *arg, int32_t thread, int32_t count)
{
    shares *const s = arg;
    if (thread == 0) s->count = count;
    for (int32_t i = 0; i < MOST; ++i)
        if (!atomic_exchange(&s->begun[(thread + i) % MOST], true)) atomic_fetch_add(&s->done, 1);
}

static bool does_all_shares(bool together, int32_t *count)
{
    const rnnat_terms terms = {.together = together, .work = 1e3};
    shares s;
    memset(&s, 0, sizeof s);
    rnnat_parallel(MOST, &terms, do_shares, &s);
    *count = s.count;
    return atomic_load(&s.done) == MOST;
}

static void *set_free(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    atomic_store(&held, false);
    return arg;
}

/* Calls end while no worker has come; those that need all of them wait; and nobody who comes late does
 * what is over. */
static bool without_processors(void)
{
#ifdef RNNAT_TEST_WRAPS_THREADS
    int32_t count = 0;
    pthread_t other;
    atomic_store(&held, true);
    bool all = does_all_shares(false, &count) && count == MOST;
    all = does_all_shares(true, &count) && count == 1 && all;
    all = does_all_shares(false, &count) && all;
    for (int i = 0; i < 20; ++i) all = does_all_shares(i % 2 == 0, &count) && all;
    if (__real_pthread_create(&other, NULL, set_free, NULL) != 0) return false;
    all = run(MOST) == MOST && all;
    pthread_join(other, NULL);
    for (int i = 0; i < ROUNDS; ++i) {
        all = does_all_shares(i % 2 == 0, &count) && (count == 1 || count == MOST) && all;
        all = run(1 + i % MOST) == 1 + i % MOST && all;
    }
    return runs_all_sizes() && are_at_most(MOST) && all;
#else
    return true;
#endif
}

/* Children of a process whose other threads are in the middle of calls. */
static bool forks_amid_calls(void)
{
    pthread_t users[2];
    bool all = true;
    for (int i = 0; i < 2; ++i) all = pthread_create(&users[i], NULL, use, users) == 0 && all;
    for (int i = 0; i < (is_brief ? 3 : 20); ++i) all = in_child(runs_all_sizes) && all;
    for (int i = 0; i < 2; ++i) {
        void *result = NULL;
        all = pthread_join(users[i], &result) == 0 && result == users && all;
    }
    return all && in_child(users_one_by_one);
}

static atomic_int open_signals; /* workers that take a signal of somebody else's, */
static atomic_int deaf;         /* or do not take one of their own */

static void look_at_signals(void *arg, int32_t thread, int32_t count)
{
    sigset_t mask;
    (void)arg, (void)count;
    if (thread == 0 || pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0) return;
    for (int i = 0; i < 3; ++i)
        atomic_fetch_add(&open_signals,
                         sigismember(&mask, (const int[]){SIGINT, SIGTERM, SIGUSR1}[i]) == 0);
    atomic_fetch_add(&deaf, sigismember(&mask, SIGSEGV) == 1);
}

static void test_signals(void)
{
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    rnnat_parallel(4, NULL, look_at_signals, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK(atomic_load(&open_signals) == 0 && atomic_load(&deaf) == 0);
    CHECK(sigismember(&before, SIGINT) == sigismember(&after, SIGINT));
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Workers that nobody calls sleep: if they spun they would take all of half a second, at the least. */
static void test_rest(void)
{
    CHECK(run(MOST) == MOST);
    const double before = processor_seconds();
    struct timespec rest = {.tv_nsec = 500000000};
    while (nanosleep(&rest, &rest) != 0) {}
    CHECK(processor_seconds() - before < 0.1);
}

int main(void)
{
    CHECK(rnnat_threads_check() == RNNAT_OK && strcmp(rnnat_threading(), "team") == 0);
    CHECK(in_child(refused)); /* before there are workers */
    CHECK(in_child(without_processors));
    CHECK(in_child(bounded));
    CHECK(in_child(users_one_by_one));
    CHECK(runs_all_sizes());
    CHECK(in_child(runs_all_sizes));
    CHECK(users_at_once());
    CHECK(forks_amid_calls());
    test_signals();
    test_rest();
    return check_result();
}
#else
int main(void) { return 77; }
#endif
