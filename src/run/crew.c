/* The threads that run one lane, and where they meet. */
#include "schedule.h"

rnnat_barrier *rnnat_crew_take_barriers(rnnat_arena *arena, size_t crews)
{
    const size_t count = crews * rnnat_crew_barriers;
    rnnat_barrier *const barriers = RNNAT_TAKE(arena, count, rnnat_barrier);
#if RNNAT_THREADS
    for (size_t i = 0; barriers && i < count; ++i) {
        atomic_init(&barriers[i].arrived, 0);
        atomic_init(&barriers[i].generation, 0);
        atomic_init(&barriers[i].haste, 0);
    }
#endif
    return barriers;
}

rnnat_crew rnnat_crew_of(int32_t index, int32_t count, rnnat_barrier *barriers)
{
    const int32_t side = index % 2;
    return (rnnat_crew){
        .all = {index, count, barriers},
        .half = {index / 2, (count + 1 - side) / 2, barriers ? barriers + 1 + side : NULL},
        .side = side};
}
