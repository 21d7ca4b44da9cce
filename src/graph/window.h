/* A window over time: which steps of its input a node makes each of its own steps of.
 *
 * Step j is made of `extent` positions of its input, from j stride - before on; every step of that
 * stands at `repeat` positions, one behind the other. What lies before the first or behind the last
 * is padding. */
#ifndef RNNAT_WINDOW_H
#define RNNAT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* The largest of these numbers, and how many nodes behind each other may change the number of steps. */
enum { RNNAT_WINDOW_MAX = 1 << 20, RNNAT_MOST_PACES = 64 };

typedef struct rnnat_window {
    int32_t extent; /* 0: none, each step of the input makes one */
    int32_t stride;
    int32_t repeat;
    int32_t before; /* positions of padding */
    int32_t after;
    bool lowest; /* padding is -infinity, not 0 */
    bool whole; /* its first step may be made of the last one of the input */
} rnnat_window;

/* Steps made of the first `steps` of the input, where the next window begins `phase` positions before
 * them. */
static inline int64_t rnnat_window_steps(const rnnat_window *window, int32_t phase, int64_t steps)
{
    if (window->extent == 0 || steps == 0) return steps;
    const int64_t last = steps * window->repeat + phase + window->after - window->extent;
    return last < 0 ? 0 : last / window->stride + 1;
}

/* The phase behind `steps` of the input. */
static inline int32_t rnnat_window_phase(const rnnat_window *window, int32_t phase, int64_t steps)
{
    const int64_t made = rnnat_window_steps(window, phase, steps);
    return (int32_t)(phase + steps * window->repeat - made * window->stride);
}

/* Whether the phase is the same at every step. */
static inline bool rnnat_window_is_steady(const rnnat_window *window)
{
    return window->repeat % window->stride == 0 && window->before == window->extent - 1;
}

/* Whether there is a step for every step of the input. */
static inline bool rnnat_window_keeps_pace(const rnnat_window *window)
{
    return window->extent == 0 || (window->stride == 1 && window->repeat == 1 &&
                                   window->before + window->after == window->extent - 1);
}

/* Whether it can run as its input comes. */
static inline bool rnnat_window_is_causal(const rnnat_window *window)
{
    return window->after <= 0 && !window->whole;
}

/* Steps of the input that the next windows may still need: what is kept from call to call. */
static inline int32_t rnnat_window_kept(const rnnat_window *window)
{
    if (window->extent == 0 || !rnnat_window_is_causal(window)) return 0;
    return (window->extent - 2 + window->repeat) / window->repeat;
}

/* Arrays of state: the steps that are kept, and the phase of each row. */
static inline int32_t rnnat_window_states(const rnnat_window *window)
{
    if (window->extent == 0 || !rnnat_window_is_causal(window)) return 0;
    return (rnnat_window_kept(window) > 0) + !rnnat_window_is_steady(window);
}

#endif
