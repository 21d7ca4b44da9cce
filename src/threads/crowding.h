/* Whether several threads pay just now. Where processors are busy with others, a call that divides its
 * work waits for the thread that has none, and takes longer than one thread does. That is seen when it
 * has happened: after some such calls in a row the process goes on with one thread for a while, and
 * then tries again. */
#ifndef RNNAT_CROWDING_H
#define RNNAT_CROWDING_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

#if RNNAT_TEAM
/* What a process remembers of its calls; zero is its initial value. Times are nanoseconds of one clock. */
typedef struct rnnat_crowding {
    int32_t vain; /* calls in a row that gained nothing */
    int64_t rest; /* how long the last rest was; 0: calls have gained since */
    int64_t until; /* when it ends */
} rnnat_crowding;

/* Whether a call that begins now is to have one thread. */
static inline bool rnnat_crowding_rests(const rnnat_crowding *crowding, int64_t now)
{
    return now < crowding->until;
}

/* Whether `count` threads took less time for a call, `took`, than one would have: they have waited for
 * each other for `waited`, the times of all added up. */
bool rnnat_crowding_gained(int32_t count, int64_t took, int64_t waited);

/* Notes a call of several threads that has ended now. */
void rnnat_crowding_note(rnnat_crowding *crowding, bool gained, int64_t took, int64_t now);
#endif

#endif
