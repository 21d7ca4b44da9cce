/* How a thread waits for another one of its team: it looks, and looks again. For a moment it does
 * nothing else, since the other one is about to come; then it offers its processor between looks,
 * since the other one may need it; in the end it sleeps. */
#ifndef RNNAT_WAITING_H
#define RNNAT_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

#if RNNAT_THREADS
/* After how many nanoseconds a thread offers its processor, and sleeps. */
typedef struct rnnat_patience {
    int64_t spin, offer;
} rnnat_patience;

/* One wait. Zero is its initial value. */
typedef struct rnnat_waiting {
    int32_t looks; /* since the clock was asked */
    bool offered; /* the thread has offered its processor */
    int64_t since; /* nanoseconds of a clock when it began to look at that; 0: it has not */
} rnnat_waiting;

/* After so many looks the clock is asked: most waits end before. */
enum { rnnat_looks = 64 };

bool rnnat_wait_longer(rnnat_waiting *waiting, const rnnat_patience *patience);
/* Sleeps for a moment. */
void rnnat_nap(void);
/* Nanoseconds of a clock, and how long a wait has taken by it: 0 where it was so short that the clock
 * was not asked. */
int64_t rnnat_now(void);
int64_t rnnat_waited(const rnnat_waiting *waiting);

/* Pauses between two looks. False where it is time to sleep. */
static inline bool rnnat_wait(rnnat_waiting *waiting, const rnnat_patience *patience)
{
    if (++waiting->looks >= rnnat_looks) return rnnat_wait_longer(waiting, patience);
#if RNNAT_GNU && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif RNNAT_GNU && (defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7))
    __asm__ volatile("yield");
#endif
    return true;
}
#endif

#endif
