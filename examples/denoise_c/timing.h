/* How long things take, and waiting for the sound to come. */
#ifndef TIMING_H
#define TIMING_H

#include <stddef.h>

double seconds_now(void); /* of a clock that is never set */
void wait_until(double time);

typedef struct times {
    double min, median, p999, max, sum; /* seconds */
    size_t late; /* how many took longer than allowed */
} times;

/* Of n >= 1 times, which are sorted for it; percentiles are those of the nearest rank. */
times times_of(double *seconds, size_t n, double allowed);

#endif /* TIMING_H */
