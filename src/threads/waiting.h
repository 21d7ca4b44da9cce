/* How a thread waits for another one of its team: it looks, and looks again. For a moment it does
 * nothing else, since the other one is about to come; then it offers its processor between looks,
 * since the other one may need it; in the end it has to sleep. */
#ifndef RNNAT_WAITING_H
#define RNNAT_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

#if RNNAT_THREADS
/* Nanoseconds from the begin, after which a thread offers its processor, and sleeps. */
typedef struct rnnat_patience {
    int64_t spin, offer;
} rnnat_patience;

/* One wait. Zero is its initial value. */
typedef struct rnnat_waiting {
    int32_t looks;
    bool offered, taken; /* its processor; somebody had it for a while */
    int64_t since;       /* nanoseconds of a clock, or 0 */
} rnnat_waiting;

/* The clock is asked after so many looks: most waits end before. */
enum { rnnat_looks = 64 };

bool rnnat_wait_longer(rnnat_waiting *waiting, const rnnat_patience *patience);

/* Between two looks. False where it is time to sleep. */
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
