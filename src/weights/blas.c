/* The table of the BLAS in use, the calls through it, and the count that keeps it on one thread.
 * blas.h states what is promised; the products themselves are the library's. */
#include "blas.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

#if RNNAT_BLAS

#define MAX_LIBRARIES 8
#define NAME_SIZE 160

/* Written once, before its address is published; only the two counters change later. */
typedef struct entry {
    rnnat_blas_library library; /* its name points at `name` */
    char name[NAME_SIZE];
    int32_t users; /* threads inside, of a library with a global count; guarded by the lock */
    int32_t saved; /* the count to restore when the last of them leaves; likewise */
    bool limited;  /* while it is to be restored */
} entry;

/* ---- the library a C build links ---------------------------------------------------------- */

#if RNNAT_BLAS_LINKED
/* The hidden lengths of the CHARACTER arguments are left out, as every CBLAS does: both are one
 * letter long, and no BLAS reads them. */
extern void sgemm_(const char *transa, const char *transb, const int32_t *m, const int32_t *n,
                   const int32_t *k, const float *alpha, const float *a, const int32_t *lda,
                   const float *b, const int32_t *ldb, const float *beta, float *c,
                   const int32_t *ldc);
extern void dgemm_(const char *transa, const char *transb, const int32_t *m, const int32_t *n,
                   const int32_t *k, const double *alpha, const double *a, const int32_t *lda,
                   const double *b, const int32_t *ldb, const double *beta, double *c,
                   const int32_t *ldc);

#if defined(__ELF__) && defined(__GNUC__)
/* Which BLAS was linked is known to the linker alone: whichever of these it has is called. */
#define WEAK __attribute__((weak))
extern void openblas_set_num_threads(int count) WEAK;
extern int openblas_get_num_threads(void) WEAK;
extern int openblas_get_parallel(void) WEAK;
extern void MKL_Set_Num_Threads(int count) WEAK;
extern int MKL_Get_Max_Threads(void) WEAK;

static void linked_set_threads(int count)
{
    if (openblas_set_num_threads != NULL) {
        openblas_set_num_threads(count);
    } else if (MKL_Set_Num_Threads != NULL) {
        MKL_Set_Num_Threads(count);
    }
}

/* 1, which is left alone, where there is no count to set. An OpenMP build of OpenBLAS keeps to
 * one thread inside a parallel region by itself, and its setter would change the caller's team
 * size besides. */
static int linked_get_threads(void)
{
    enum { OPENBLAS_OPENMP = 2 };
    if (openblas_set_num_threads != NULL && openblas_get_num_threads != NULL) {
        const bool openmp =
            openblas_get_parallel != NULL && openblas_get_parallel() == OPENBLAS_OPENMP;
        return openmp ? 1 : openblas_get_num_threads();
    }
    return MKL_Set_Num_Threads != NULL && MKL_Get_Max_Threads != NULL ? MKL_Get_Max_Threads() : 1;
}
#define LINKED_SET_THREADS (void (*)(void)) linked_set_threads
#define LINKED_GET_THREADS (void (*)(void)) linked_get_threads
#else
#define LINKED_SET_THREADS NULL
#define LINKED_GET_THREADS NULL
#endif

static entry linked = {.library = {.name = linked.name,
                                   .integer_bits = 32,
                                   .fortran = 1,
                                   .sgemm = (void (*)(void))sgemm_,
                                   .dgemm = (void (*)(void))dgemm_,
                                   .set_threads = LINKED_SET_THREADS,
                                   .get_threads = LINKED_GET_THREADS},
                       .name = "BLAS (linked)"};
#define FIRST_LIBRARY &linked
#else
#define FIRST_LIBRARY NULL
#endif

static entry installed[MAX_LIBRARIES];
static int32_t installed_count; /* guarded by the lock */
static _Atomic(entry *) current = FIRST_LIBRARY;

/* Held for a handful of instructions, and for a library's thread setter. */
static atomic_flag lock_flag = ATOMIC_FLAG_INIT;

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&lock_flag, memory_order_acquire)) {
#if defined(__unix__) || defined(__APPLE__)
        (void)sched_yield();
#endif
    }
}

static void unlock(void) { atomic_flag_clear_explicit(&lock_flag, memory_order_release); }

/* ---- installing --------------------------------------------------------------------------- */

static bool coherent(const rnnat_blas_library *lib)
{
    const bool counts =
        lib->set_threads == NULL || lib->get_threads != NULL || lib->threads_are_local == 1;
    return lib->name != NULL && lib->sgemm != NULL && lib->dgemm != NULL && counts &&
           (lib->integer_bits == 32 || lib->integer_bits == 64) &&
           (lib->fortran == 0 || lib->fortran == 1) &&
           (lib->threads_are_local == 0 || lib->threads_are_local == 1);
}

static bool same(const entry *e, const rnnat_blas_library *y)
{
    const rnnat_blas_library *x = &e->library;
    return x->integer_bits == y->integer_bits && x->fortran == y->fortran && x->sgemm == y->sgemm &&
           x->dgemm == y->dgemm && x->set_threads == y->set_threads &&
           x->get_threads == y->get_threads && x->threads_are_local == y->threads_are_local &&
           strncmp(e->name, y->name, NAME_SIZE - 1) == 0;
}

bool rnnat_blas_use(const rnnat_blas_library *lib)
{
    if (lib == NULL) {
        atomic_store_explicit(&current, NULL, memory_order_release);
        return true;
    }
    if (!coherent(lib)) {
        return false;
    }
    lock();
    int32_t i = 0;
    while (i < installed_count && !same(&installed[i], lib)) {
        i++;
    }
    const bool fits = i < MAX_LIBRARIES;
    if (fits) {
        entry *e = &installed[i];
        if (i == installed_count) {
            size_t length = 0;
            while (length < NAME_SIZE - 1 && lib->name[length] != '\0') {
                length++;
            }
            memcpy(e->name, lib->name, length);
            e->name[length] = '\0';
            e->library = *lib;
            e->library.name = e->name;
            installed_count++;
        }
        atomic_store_explicit(&current, e, memory_order_release);
    }
    unlock();
    return fits;
}

bool rnnat_blas_available(void)
{
    return atomic_load_explicit(&current, memory_order_acquire) != NULL;
}

const char *rnnat_blas_name(void)
{
    const entry *e = atomic_load_explicit(&current, memory_order_acquire);
    return e != NULL ? e->name : "none";
}

/* ---- products ----------------------------------------------------------------------------- */

/* CBLAS_ORDER and CBLAS_TRANSPOSE of every cblas.h. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

/* One call per element type and integer width. Fortran is column-major: there, the memory of a
 * row-major X is X^T, and C = A B reads C^T = B^T A^T, so the operands trade places. */
#define DEFINE_CALL(NAME, REAL, INT)                                                               \
    typedef void NAME##_cblas(int order, int transa, int transb, INT m, INT n, INT k, REAL alpha,  \
                              const REAL *a, INT lda, const REAL *b, INT ldb, REAL beta, REAL *c,  \
                              INT ldc);                                                            \
    typedef void NAME##_fortran(const char *transa, const char *transb, const INT *m,              \
                                const INT *n, const INT *k, const REAL *alpha, const REAL *a,      \
                                const INT *lda, const REAL *b, const INT *ldb, const REAL *beta,   \
                                REAL *c, const INT *ldc);                                          \
    static void NAME(bool fortran, void (*function)(void), INT m, INT n, INT k, const REAL *a,     \
                     INT lda, const REAL *b, INT ldb, REAL beta, REAL *c, INT ldc)                 \
    {                                                                                              \
        const REAL one = 1;                                                                        \
        if (fortran) {                                                                             \
            ((NAME##_fortran *)function)("N", "N", &n, &m, &k, &one, b, &ldb, a, &lda, &beta, c,   \
                                         &ldc);                                                    \
        } else {                                                                                   \
            ((NAME##_cblas *)function)(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, one, a,     \
                                       lda, b, ldb, beta, c, ldc);                                 \
        }                                                                                          \
    }

DEFINE_CALL(call_f32_lp64, float, int32_t)
DEFINE_CALL(call_f32_ilp64, float, int64_t)
DEFINE_CALL(call_f64_lp64, double, int32_t)
DEFINE_CALL(call_f64_ilp64, double, int64_t)

/* A BLAS checks its arguments, and some print or exit over a bad one: none gets there. With one
 * row its length means nothing but is checked all the same, so it is replaced. */
static bool row_length_fits(int32_t rows, int32_t columns, int64_t *length, int32_t bits)
{
    if (rows == 1) {
        *length = columns;
    }
    return *length >= columns && (bits == 64 || *length <= INT32_MAX);
}

#define DEFINE_GEMM(SUFFIX, REAL, FIELD)                                                           \
    static void plain_##SUFFIX(int32_t m, int32_t n, int32_t k, const REAL *a, int64_t lda,        \
                               const REAL *b, int64_t ldb, REAL beta, REAL *c, int64_t ldc)        \
    {                                                                                              \
        for (int32_t i = 0; i < m; i++) {                                                          \
            const REAL *row_a = a == NULL ? NULL : a + (ptrdiff_t)(i * lda);                       \
            REAL *row_c = c + (ptrdiff_t)(i * ldc);                                                \
            for (int32_t j = 0; j < n; j++) {                                                      \
                row_c[j] = beta == 0 ? 0 : beta * row_c[j];                                        \
            }                                                                                      \
            for (int32_t p = 0; p < k; p++) {                                                      \
                const REAL *row_b = b + (ptrdiff_t)(p * ldb);                                      \
                for (int32_t j = 0; j < n; j++) {                                                  \
                    row_c[j] += row_a[p] * row_b[j];                                               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void rnnat_blas_gemm_##SUFFIX(int32_t m, int32_t n, int32_t k, const REAL *a, int64_t lda,     \
                                  const REAL *b, int64_t ldb, REAL beta, REAL *c, int64_t ldc)     \
    {                                                                                              \
        const entry *e = atomic_load_explicit(&current, memory_order_acquire);                     \
        const int32_t bits = e != NULL ? e->library.integer_bits : 0;                              \
        if (m <= 0 || n <= 0) {                                                                    \
            return;                                                                                \
        }                                                                                          \
        if (e == NULL || k <= 0 || !row_length_fits(m, k, &lda, bits) ||                           \
            !row_length_fits(k, n, &ldb, bits) || !row_length_fits(m, n, &ldc, bits)) {            \
            plain_##SUFFIX(m, n, k, a, lda, b, ldb, beta, c, ldc);                                 \
        } else if (bits == 64) {                                                                   \
            call_##SUFFIX##_ilp64(e->library.fortran != 0, e->library.FIELD, m, n, k, a, lda, b,   \
                                  ldb, beta, c, ldc);                                              \
        } else {                                                                                   \
            call_##SUFFIX##_lp64(e->library.fortran != 0, e->library.FIELD, m, n, k, a,            \
                                 (int32_t)lda, b, (int32_t)ldb, beta, c, (int32_t)ldc);            \
        }                                                                                          \
    }

DEFINE_GEMM(f32, float, sgemm)
DEFINE_GEMM(f64, double, dgemm)

/* ---- one thread --------------------------------------------------------------------------- */

/* The calling thread's outermost pair. The library is remembered: leave undoes what enter did,
 * also if another was installed meanwhile. */
static _Thread_local struct {
    entry *held; /* NULL where there was nothing to hold back */
    int32_t depth;
    int32_t previous; /* of a local setting */
} inside;

static void set_count(const rnnat_blas_library *lib, int count)
{
    ((void (*)(int))lib->set_threads)(count);
}

static int get_count(const rnnat_blas_library *lib) { return ((int (*)(void))lib->get_threads)(); }

#if defined(__unix__) || defined(__APPLE__)
/* A child of fork has no other threads: nobody holds the lock or is inside. What was held back stays
 * so until the child's own first user leaves. */
static void forget_users(void)
{
    unlock();
    entry *const e = atomic_load_explicit(&current, memory_order_relaxed);
    for (int32_t i = 0; i < MAX_LIBRARIES; i++) {
        installed[i].users = 0;
    }
    if (e != NULL) {
        e->users = 0;
    }
}

static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, forget_users); }

static void ready_for_fork(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
}
#else
static void ready_for_fork(void) {}
#endif

void rnnat_blas_enter(void)
{
    if (inside.depth++ > 0) {
        return;
    }
    ready_for_fork();
    entry *e = atomic_load_explicit(&current, memory_order_acquire);
    inside.held = e != NULL && e->library.set_threads != NULL ? e : NULL;
    if (inside.held == NULL) {
        return;
    }
    const rnnat_blas_library *lib = &e->library;
    if (lib->threads_are_local == 0) {
        lock();
        if (e->users == 0 && !e->limited) {
            e->saved = get_count(lib);
            e->limited = e->saved > 1;
        }
        if (e->users == 0 && e->limited) {
            set_count(lib, 1);
        }
        e->users++;
        unlock();
    } else if (lib->get_threads != NULL) {
        inside.previous = get_count(lib);
        set_count(lib, 1);
    } else {
        inside.previous = ((int (*)(int))lib->set_threads)(1);
    }
}

void rnnat_blas_leave(void)
{
    if (inside.depth == 0 || --inside.depth > 0 || inside.held == NULL) {
        return;
    }
    entry *e = inside.held;
    const rnnat_blas_library *lib = &e->library;
    inside.held = NULL;
    if (lib->threads_are_local == 0) {
        lock();
        if (--e->users == 0 && e->limited) {
            set_count(lib, e->saved);
            e->limited = false;
        }
        unlock();
    } else if (lib->get_threads != NULL) {
        set_count(lib, inside.previous);
    } else {
        (void)((int (*)(int))lib->set_threads)(inside.previous);
    }
}
#endif
