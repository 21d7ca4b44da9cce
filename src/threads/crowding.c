/* When a process rests from dividing its calls, and for how long. */
#include "crowding.h"

#if RNNAT_TEAM
/* One call alone tells little: its workers were asleep, or the system did something for itself. */
enum { tries = 3 };

/* The first rest is so many times as long as a call that gained nothing, and each one after it twice as
 * long, so that tries cost little however long they take. Processors that have become free meanwhile
 * wait for the longest one. */
enum { calls_of_rest = 32, longest_rest = 250000000 };

/* While a thread has no processor the others wait for it, all at the same time; without that the call
 * would have taken `count` times as long on one thread. */
bool rnnat_crowding_gained(int32_t count, int64_t took, int64_t waited)
{
    const double others = count - 1;
    return (double)waited * count < (double)took * others * others;
}

void rnnat_crowding_note(rnnat_crowding *crowding, bool gained, int64_t took, int64_t now)
{
    if (gained) {
        *crowding = (rnnat_crowding){0};
        return;
    }
    if (++crowding->vain < tries) return;
    int64_t rest = longest_rest;
    if (crowding->rest)
        rest = 2 * crowding->rest;
    else if (took < longest_rest)
        rest = calls_of_rest * took;
    crowding->vain = 0;
    crowding->rest = rest < longest_rest ? rest : longest_rest;
    crowding->until = now + crowding->rest;
}
#endif
