/* A team: the threads that run one workspace, and its barriers. */
#include "schedule.h"

rnnat_barrier *rnnat_team_take_barriers(rnnat_arena *arena, size_t teams)
{
    const size_t count = teams * rnnat_team_barriers;
    rnnat_barrier *const barriers = RNNAT_TAKE(arena, count, rnnat_barrier);
#if RNNAT_THREADS
    for (size_t i = 0; barriers && i < count; ++i) {
        atomic_init(&barriers[i].arrived, 0);
        atomic_init(&barriers[i].generation, 0);
        atomic_init(&barriers[i].haste, 0);
        atomic_init(&barriers[i].waited, 0);
    }
#endif
    return barriers;
}

rnnat_team rnnat_team_of(int32_t index, int32_t count, rnnat_barrier *barriers)
{
    const int32_t pass = index % 2;
    return (rnnat_team){
        .all = {index, count, barriers},
        .of_pass = {index / 2, (count + 1 - pass) / 2, barriers ? barriers + 1 + pass : NULL},
        .pass = pass};
}
