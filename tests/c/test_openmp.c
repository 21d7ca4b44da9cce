/* A call from within somebody's parallel region of OpenMP's has one thread, unless regions may be
 * within each other, whoever its threads would be; outside of any it has those it asks for. */
#include "check.h"
#include "threads/threads.h"

#if RNNAT_OPENMP
#include <omp.h>

static void note_count(void *arg, int32_t thread, int32_t count)
{
    if (thread == 0) *(int32_t *)arg = count;
}

static int32_t threads_of(int32_t threads)
{
    int32_t got = 0;
    rnnat_parallel(threads, NULL, note_count, &got);
    return got;
}

/* What the two threads of a region get, together. */
static int32_t threads_within(int32_t threads)
{
    int32_t all = 0;
#pragma omp parallel num_threads(2) reduction(+ : all)
    all = threads_of(threads);
    return all;
}

int main(void)
{
    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    CHECK(threads_of(3) == 3);
    CHECK(threads_within(3) == 2);
    omp_set_max_active_levels(2);
    CHECK(threads_within(3) == 6);
    return check_result();
}
#else
int main(void) { return 77; }
#endif
