/* When a process rests from dividing its calls, and for how long. */
#include "crowding.h"

#if RNNAT_TEAM
/* A rest begins when so much has been lost as half a call takes on one thread: by one call whose
 * threads waited for long, or by three to which nobody came, each of which has lost `in_vain` of its
 * time by calling. It is `most_times` as long as what was lost, so that tries cost little; but since
 * processors that have become free meanwhile wait for its end, it is no longer than `long_rest`, unless
 * `least_times` are longer. */
enum { in_vain = 6, most_times = 32, least_times = 4, long_rest = 250000000 };

/* What calls have gained makes up for so much that is lost: a system has moments of its own. */
enum { most_balance = 20000000 };

/* While a thread has no processor all others wait for it at the same time. One thread would have taken
 * `count` times what is left of the call. */
int64_t rnnat_crowding_gain(int32_t count, int64_t took, int64_t waited)
{
    if (count == 1) return -(took / in_vain);
    const int64_t stood = waited / (count - 1);
    return stood < took ? count * (took - stood) - took : -took;
}

void rnnat_crowding_note(rnnat_crowding *crowding, int64_t gain, int64_t took, int64_t now)
{
    const int64_t alone = took + gain;
    crowding->balance += gain;
    if (crowding->balance > most_balance) crowding->balance = most_balance;
    if (crowding->balance >= 0 || crowding->balance > -alone / 2) return;
    const int64_t lost = -crowding->balance;
    int64_t rest = long_rest;
    if (lost < long_rest / most_times) rest = lost * most_times;
    if (lost > long_rest / least_times) rest = lost * least_times;
    crowding->balance = 0;
    crowding->until = now + rest;
}
#endif
