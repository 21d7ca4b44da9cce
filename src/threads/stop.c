/* Asks whether a run is to stop, and has the threads of a team leave it together. */
#include "stop.h"

#if RNNAT_STOP
void rnnat_stop_begin(rnnat_stop *stop)
{
    if (!stop) return;
    stop->left = stop->every;
    atomic_init(&stop->told, false);
    atomic_init(&stop->ended, 0);
}

static void ask(rnnat_stop *stop, bool waits)
{
    rnnat_float_leave(stop->outside); /* signal handlers are the caller's code */
    const bool wanted = stop->wanted(stop->arg, waits);
    stop->outside = rnnat_float_enter();
    if (wanted) atomic_store_explicit(&stop->told, true, memory_order_relaxed);
}

static bool is_told(rnnat_stop *stop)
{
    return atomic_load_explicit(&stop->told, memory_order_relaxed);
}

void rnnat_stop_ask(rnnat_stop *stop, double work)
{
    stop->left -= work;
    if (stop->left > 0 || is_told(stop)) return;
    stop->left = stop->every;
    ask(stop, false);
}

void rnnat_stop_end(rnnat_stop *stop)
{
    if (stop) atomic_fetch_add_explicit(&stop->ended, 1, memory_order_relaxed);
}

void rnnat_stop_wait(rnnat_stop *stop, int32_t count)
{
    while (stop && !is_told(stop) &&
           atomic_load_explicit(&stop->ended, memory_order_relaxed) < count)
        ask(stop, true);
}

bool rnnat_stop_point_meet(rnnat_stop_point *at, const rnnat_member *member, uint32_t barrier,
                           double work)
{
    /* The first thread can be one barrier ahead of another that still looks: it then has named that
     * next barrier, at which the other one finds it. */
    if (member->index == 0 && rnnat_stops(at->stop, at->asks, work))
        atomic_store_explicit(&at->barrier, barrier, memory_order_relaxed);
    rnnat_meet(member);
    return atomic_load_explicit(&at->barrier, memory_order_relaxed) == barrier;
}
#endif
