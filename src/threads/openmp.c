/* Runs calls on OpenMP's threads. Its library ends the process where the system refuses it a thread, and keeps
 * threads for each thread that ever asked for some. */
#include "threads.h"

#if RNNAT_OPENMP
#ifndef _OPENMP
#error "RNNAT_OPENMP=1: expected a compiler flag that enables OpenMP, such as -fopenmp"
#endif
#include <omp.h>
#if RNNAT_PTHREADS
#include <pthread.h>
#endif

typedef struct openmp_region {
    int32_t threads;
    rnnat_work work;
    void *arg;
} openmp_region;

bool rnnat_openmp_is_inside(void) { return omp_get_active_level() >= omp_get_max_active_levels(); }

static void run_region(const openmp_region *region)
{
#pragma omp parallel num_threads(region->threads)
    region->work(region->arg, omp_get_thread_num(), omp_get_num_threads());
}

#if RNNAT_PTHREADS
/* OpenMP keeps a pool for each thread that ever began a parallel region. After fork the child's
 * only thread holds a pool whose threads are gone, and would wait for them for ever. A thread made
 * in the child has no pool yet: there, every region begins in a new one. */
static atomic_bool forked;
static pthread_once_t watching = PTHREAD_ONCE_INIT;

static void note_fork(void) { atomic_store(&forked, true); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }

static void *run_in_thread(void *arg)
{
    run_region(arg);
    return NULL;
}

void rnnat_openmp_parallel(int32_t threads, rnnat_work work, void *arg)
{
    openmp_region region = {threads, work, arg};
    pthread_t thread;
    pthread_once(&watching, watch_forks);
    if (!atomic_load(&forked))
        run_region(&region);
    else if (pthread_create(&thread, NULL, run_in_thread, &region) == 0)
        pthread_join(thread, NULL);
    else
        work(arg, 0, 1);
}
#else
void rnnat_openmp_parallel(int32_t threads, rnnat_work work, void *arg)
{
    const openmp_region region = {threads, work, arg};
    run_region(&region);
}
#endif
#endif
