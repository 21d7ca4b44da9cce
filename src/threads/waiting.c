/* The clock of a wait, and the barrier at which the members of a team wait for each other. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* clock_gettime, nanosleep */
#endif

#include "waiting.h"

#include "threads.h"

#if RNNAT_THREADS
#include <time.h>

#if RNNAT_PTHREADS
#include <sched.h>

int64_t rnnat_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void offer_processor(void) { sched_yield(); }

void rnnat_nap(void)
{
    const struct timespec moment = {.tv_nsec = 50000};
    nanosleep(&moment, NULL);
}
#else /* C11 knows of no such thing */
int64_t rnnat_now(void) { return 0; }
static void offer_processor(void) {}
void rnnat_nap(void) {}
#endif

bool rnnat_wait_longer(rnnat_waiting *waiting, const rnnat_patience *patience)
{
    const int64_t now = rnnat_now();
    if (!waiting->since) waiting->since = now;
    const int64_t waited = now - waiting->since;
    if (waited >= patience->offer) return false;
    if (waited < patience->spin) {
        waiting->looks = 0;
    } else {
        offer_processor();
        waiting->offered = true;
    }
    return true;
}

int64_t rnnat_waited(const rnnat_waiting *waiting)
{
    return waiting->since ? rnnat_now() - waiting->since : 0;
}

/* Where there are not as many free processors as threads, spinning only keeps the others from
 * coming: who has spun in vain spins for a quarter the next time, and who need not have offered its
 * processor puts that right. */
void rnnat_barrier_wait(rnnat_barrier *barrier, int32_t count)
{
    enum { spin = 20000, offer = 5000000, most_haste = 3 };
    const unsigned generation = atomic_load_explicit(&barrier->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == count - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->generation, generation + 1, memory_order_release);
        return;
    }
    const int haste = atomic_load_explicit(&barrier->haste, memory_order_relaxed);
    const rnnat_patience patience = {haste < most_haste ? spin >> 2 * haste : 0, offer};
    rnnat_waiting waiting = {.looks = rnnat_looks - (rnnat_looks >> haste)};
    while (atomic_load_explicit(&barrier->generation, memory_order_acquire) == generation)
        if (!rnnat_wait(&waiting, &patience)) rnnat_nap();
    if (waiting.since)
        atomic_fetch_add_explicit(&barrier->waited, (unsigned)(rnnat_waited(&waiting) >> 10),
                                  memory_order_relaxed);
    const int next = !waiting.offered ? 0 : haste < most_haste ? haste + 1 : haste;
    if (next != haste) atomic_store_explicit(&barrier->haste, next, memory_order_relaxed);
}
#endif
