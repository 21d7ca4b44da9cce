/* The BLAS seam: enter and leave keep a library on one thread exactly as long as somebody is
 * inside. */
#include <stdbool.h>

#include "blas_conventions.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#define HAVE_POSIX 1
#endif

static int global_count = 6, global_sets;
static void global_set(int count) { global_count = count, global_sets++; }
static int global_get(void) { return global_count; }

static const rnnat_blas_library with_global_count = {"global",
                                                     32,
                                                     0,
                                                     GENERIC(f32_32_cblas_sgemm),
                                                     GENERIC(f64_32_cblas_sgemm),
                                                     GENERIC(global_set),
                                                     GENERIC(global_get),
                                                     0};

static _Thread_local int local_count; /* 0: never set, as in MKL */
static int local_exchange(int count)
{
    const int previous = local_count;
    local_count = count;
    return previous;
}
static const rnnat_blas_library with_local_exchange = {"exchange",
                                                       32,
                                                       0,
                                                       GENERIC(f32_32_cblas_sgemm),
                                                       GENERIC(f64_32_cblas_sgemm),
                                                       GENERIC(local_exchange),
                                                       NULL,
                                                       1};

static _Thread_local int omp_count = 4;
static void omp_set(int count) { omp_count = count; }
static int omp_get(void) { return omp_count; }
static const rnnat_blas_library with_local_count = {"local",
                                                    32,
                                                    0,
                                                    GENERIC(f32_32_cblas_sgemm),
                                                    GENERIC(f64_32_cblas_sgemm),
                                                    GENERIC(omp_set),
                                                    GENERIC(omp_get),
                                                    1};

static void test_global_count(void)
{
    CHECK(rnnat_blas_use(&with_global_count));
    global_count = 6;
    global_sets = 0;
    rnnat_blas_enter();
    CHECK(global_count == 1);
    rnnat_blas_enter();
    rnnat_blas_leave();
    CHECK(global_count == 1); /* still inside */
    rnnat_blas_leave();
    CHECK(global_count == 6 && global_sets == 2);
    rnnat_blas_leave(); /* one too many is no one's leave */
    CHECK(global_count == 6 && global_sets == 2);
    rnnat_blas_enter();
    CHECK(global_count == 1);
    rnnat_blas_leave();
    CHECK(global_count == 6);
    for (int count = -1; count <= 1; count++) { /* nothing to hold back, nothing to restore */
        global_count = count;
        global_sets = 0;
        rnnat_blas_enter();
        rnnat_blas_leave();
        CHECK(global_count == count && global_sets == 0);
    }
}

static void test_local_counts(void)
{
    CHECK(rnnat_blas_use(&with_local_exchange));
    local_count = 0;
    rnnat_blas_enter();
    rnnat_blas_enter();
    CHECK(local_count == 1);
    rnnat_blas_leave();
    CHECK(local_count == 1);
    rnnat_blas_leave();
    CHECK(local_count == 0);

    CHECK(rnnat_blas_use(&with_local_count));
    for (int count = 0; count <= 4; count += 4) { /* Accelerate's default is 0 */
        omp_count = count;
        rnnat_blas_enter();
        CHECK(omp_count == 1);
        rnnat_blas_leave();
        CHECK(omp_count == count);
    }
}

/* leave undoes what enter did, also where another library was installed in between. */
static void test_change_of_library_inside(void)
{
    global_count = 6;
    CHECK(rnnat_blas_use(&with_global_count));
    rnnat_blas_enter();
    CHECK(rnnat_blas_use(&conventions[0]));
    rnnat_blas_leave();
    CHECK(global_count == 6);
    rnnat_blas_enter(); /* nothing to hold back */
    CHECK(rnnat_blas_use(&with_global_count));
    rnnat_blas_leave();
    CHECK(global_count == 6);
    CHECK(rnnat_blas_use(NULL));
    rnnat_blas_enter();
    rnnat_blas_leave();
}

#ifdef HAVE_POSIX
enum { THREADS = 4, ROUNDS = 2000 };

static void *go_in_and_out(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        rnnat_blas_enter();
        rnnat_blas_enter();
        /* Whoever is inside keeps the count where it is: nobody writes it here. */
        CHECK(global_count == 1);
        CHECK(omp_count == 4);
        rnnat_blas_leave();
        CHECK(global_count == 1);
        rnnat_blas_leave();
    }
    return NULL;
}

static void *go_in_and_out_locally(void *argument)
{
    (void)argument;
    local_count = 3;
    for (int i = 0; i < ROUNDS; i++) {
        rnnat_blas_enter();
        CHECK(local_count == 1);
        rnnat_blas_leave();
        CHECK(local_count == 3);
    }
    return NULL;
}

/* Reads through whichever library is there while another thread keeps exchanging them. */
static void *multiply(void *argument)
{
    (void)argument;
    const float a = 3, b = 5;
    for (int i = 0; i < ROUNDS; i++) {
        float c = 1;
        rnnat_blas_gemm_f32(1, 1, 0, &a, 1, &b, 1, 2, &c, 1);
        CHECK(c == 2);
        CHECK(rnnat_blas_name()[0] != '\0');
        rnnat_blas_enter();
        rnnat_blas_leave();
    }
    return NULL;
}

static void *go_in_and_out_once(void *argument)
{
    (void)argument;
    local_count = 3;
    rnnat_blas_enter();
    CHECK(local_count == (rnnat_blas_name()[0] == 'e' ? 1 : 3)); /* "exchange" */
    rnnat_blas_leave();
    CHECK(local_count == 3);
    return NULL;
}

/* Another thread comes and goes while this one is inside. */
static void test_a_visitor(const rnnat_blas_library *lib)
{
    pthread_t visitor;
    CHECK(rnnat_blas_use(lib));
    global_count = 6;
    local_count = 0;
    rnnat_blas_enter();
    const int here = global_count, mine = local_count;
    CHECK(pthread_create(&visitor, NULL, go_in_and_out_once, NULL) == 0);
    CHECK(pthread_join(visitor, NULL) == 0);
    CHECK(global_count == here && local_count == mine);
    rnnat_blas_leave();
    CHECK(global_count == 6 && local_count == 0);
}

static void run_threads(void *(*work)(void *), bool exchange)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; exchange && i < ROUNDS; i++) {
        CHECK(rnnat_blas_use(i % 3 == 0 ? NULL : &conventions[i % CONVENTIONS]));
    }
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static pthread_barrier_t between;

static void *stay_inside(void *argument)
{
    (void)argument;
    rnnat_blas_enter();
    (void)pthread_barrier_wait(&between);
    (void)pthread_barrier_wait(&between);
    rnnat_blas_leave();
    return NULL;
}

/* A child of fork has nobody inside, whoever was: it gives the library back what it had. */
static void test_fork(void)
{
    pthread_t other;
    CHECK(rnnat_blas_use(&with_global_count));
    global_count = 6;
    CHECK(pthread_barrier_init(&between, NULL, 2) == 0);
    CHECK(pthread_create(&other, NULL, stay_inside, NULL) == 0);
    (void)pthread_barrier_wait(&between);
    const pid_t child = fork();
    if (child == 0) {
        bool right = true;
        for (int i = 0; i < 2; i++) {
            rnnat_blas_enter();
            right = right && global_count == 1;
            rnnat_blas_leave();
            right = right && global_count == 6;
        }
        _exit(right ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(global_count == 1); /* of the parent */
    (void)pthread_barrier_wait(&between);
    CHECK(pthread_join(other, NULL) == 0);
    CHECK(global_count == 6);
    CHECK(pthread_barrier_destroy(&between) == 0);
}

static void test_threads(void)
{
    test_fork();
    test_a_visitor(&with_global_count);
    test_a_visitor(&with_local_exchange);

    CHECK(rnnat_blas_use(&with_global_count));
    global_count = 6;
    run_threads(go_in_and_out, false);
    CHECK(global_count == 6);

    CHECK(rnnat_blas_use(&with_local_exchange));
    local_count = 0;
    run_threads(go_in_and_out_locally, false);
    CHECK(local_count == 0);

    run_threads(multiply, true);
}
#endif

int main(void)
{
    test_global_count();
    test_local_counts();
    test_change_of_library_inside();
#ifdef HAVE_POSIX
    test_threads();
#endif
    return 0;
}
