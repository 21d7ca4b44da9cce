/* Tells the time, and waits for it. */
#define _POSIX_C_SOURCE 200809L
#include "timing.h"

#include <stdlib.h>
#include <time.h>

double seconds_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void wait_until(double time)
{
    for (double left = time - seconds_now(); left > 0; left = time - seconds_now()) {
        struct timespec pause = {.tv_sec = (time_t)left};
        pause.tv_nsec = (long)(1e9 * (left - (double)pause.tv_sec));
        nanosleep(&pause, NULL);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The least time that `thousandths` of all are not above. */
static double percentile(const double *sorted, size_t n, size_t thousandths)
{
    return sorted[(n * thousandths + 999) / 1000 - 1];
}

times times_of(double *seconds, size_t n, double allowed)
{
    qsort(seconds, n, sizeof *seconds, ascending);
    times t = {.min = seconds[0],
               .median = percentile(seconds, n, 500),
               .p999 = percentile(seconds, n, 999),
               .max = seconds[n - 1]};
    for (size_t i = 0; i < n; ++i) {
        t.sum += seconds[i];
        t.late += seconds[i] > allowed;
    }
    return t;
}
