/* Whether several threads pay just now. Where processors are busy with others, a call that divides its
 * work waits for the thread that has none, and may take longer than on one thread. How much calls have
 * gained or lost so is known when they have ended: a process that has lost by them goes on with one
 * thread for a while, and then tries again. */
#ifndef RNNAT_CROWDING_H
#define RNNAT_CROWDING_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

#if RNNAT_TEAM
/* What a process remembers of its calls, in nanoseconds; zero is its initial value. */
typedef struct rnnat_crowding {
    int64_t balance; /* what they have gained since the last rest, up to a bound; below 0: lost */
    int64_t until; /* of a clock, when the last rest ends */
} rnnat_crowding;

/* Whether a call that begins now is to have one thread. */
static inline bool rnnat_crowding_rests(const rnnat_crowding *crowding, int64_t now)
{
    return now < crowding->until;
}

/* What a call of `count` threads has gained that took so long, and whose threads have waited for each
 * other for `waited`, the times of all added up; below 0: lost. A count of 1: no other thread came. */
int64_t rnnat_crowding_gain(int32_t count, int64_t took, int64_t waited);

/* Notes what a call has gained that took so long, and has ended now. */
void rnnat_crowding_note(rnnat_crowding *crowding, int64_t gain, int64_t took, int64_t now);
#endif

#endif
