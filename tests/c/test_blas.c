/* The BLAS seam, against naive libraries of our own: each calling convention and integer width
 * gets the right product and no other argument. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas_conventions.h"

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#define HAVE_POSIX 1
#endif

/* ---- products ------------------------------------------------------------------------------ */

/* Small integers: every sum is exact in any order, so the right product has one value. */
static double entry_of(int seed, int64_t row, int64_t column)
{
    return (double)((row * 7 + column * 3 + row * column + seed) % 11 - 5);
}

#define GUARD 77.0

/* Rows are `pad` longer than they need be; padding of A and B is NaN and that of C a guard. */
#define DEFINE_PRODUCT(SUFFIX, REAL)                                                               \
    static void check_product_##SUFFIX(int32_t m, int32_t n, int32_t k, int32_t pad, REAL beta)    \
    {                                                                                              \
        const int32_t lda = k + pad, ldb = n + pad, ldc = n + pad;                                 \
        REAL *a = malloc(((size_t)m * (size_t)lda + 1) * sizeof *a);                               \
        REAL *b = malloc(((size_t)k * (size_t)ldb + 1) * sizeof *b);                               \
        REAL *c = malloc(((size_t)m * (size_t)ldc + 1) * sizeof *c);                               \
        CHECK(a != NULL && b != NULL && c != NULL);                                                \
        for (int32_t i = 0; i < m * lda; i++)                                                      \
            a[i] = i % lda < k ? (REAL)entry_of(1, i / lda, i % lda) : (REAL)NAN;                  \
        for (int32_t i = 0; i < k * ldb; i++)                                                      \
            b[i] = i % ldb < n ? (REAL)entry_of(2, i / ldb, i % ldb) : (REAL)NAN;                  \
        for (int32_t i = 0; i < m * ldc; i++) {                                                    \
            const REAL old = beta == 0 ? (REAL)NAN : (REAL)entry_of(3, i / ldc, i % ldc);          \
            c[i] = i % ldc < n ? old : (REAL)GUARD;                                                \
        }                                                                                          \
        rnnat_blas_gemm_##SUFFIX(m, n, k, a, lda, b, ldb, beta, c, ldc);                           \
        for (int32_t i = 0; i < m; i++) {                                                          \
            for (int32_t j = 0; j < ldc; j++) {                                                    \
                double want = beta == 0 ? 0 : (double)beta * entry_of(3, i, j);                    \
                for (int32_t p = 0; p < k; p++) want += entry_of(1, i, p) * entry_of(2, p, j);     \
                CHECK((double)c[i * ldc + j] == (j < n ? want : GUARD));                           \
            }                                                                                      \
        }                                                                                          \
        free(a);                                                                                   \
        free(b);                                                                                   \
        free(c);                                                                                   \
    }

DEFINE_PRODUCT(f32, float)
DEFINE_PRODUCT(f64, double)

/* C = A B + beta C for every shape, also empty ones, whatever the leading dimensions. */
static void check_products(void)
{
    static const int32_t sizes[] = {0, 1, 2, 3, 5, 8};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    for (int i = 0; i < SIZES * SIZES * SIZES; i++) {
        const int32_t m = sizes[i % SIZES], n = sizes[i / SIZES % SIZES];
        const int32_t k = sizes[i / SIZES / SIZES];
        for (int32_t pad = 0; pad <= 3; pad += 3) {
            for (int beta = 0; beta <= 2; beta++) {
                check_product_f32(m, n, k, pad, (float)beta);
                check_product_f64(m, n, k, pad, beta);
            }
        }
    }
}

static void test_conventions(void)
{
    for (int i = 0; i < CONVENTIONS; i++) {
        CHECK(rnnat_blas_use(&conventions[i]));
        CHECK(rnnat_blas_available() && strcmp(rnnat_blas_name(), conventions[i].name) == 0);
        calls = 0;
        check_products();
        CHECK(calls > 0);
    }
}

static void test_without_a_library(void)
{
    CHECK(rnnat_blas_use(NULL));
    CHECK(!rnnat_blas_available() && strcmp(rnnat_blas_name(), "none") == 0);
    calls = 0;
    check_products();
    CHECK(calls == 0);
}

/* A single row's length is moot, and one that is too short reaches no library. */
static void test_row_lengths(void)
{
    const float a[2] = {2, 3};
    const float b[2] = {5, 7};
    float c[2] = {0, 0};
    const int64_t huge = (int64_t)1 << 40;
    CHECK(rnnat_blas_use(&conventions[0]));
    calls = 0;
    rnnat_blas_gemm_f32(1, 2, 1, a, huge, b, huge, 0, c, huge);
    CHECK(calls == 1 && c[0] == 10 && c[1] == 14);
    rnnat_blas_gemm_f32(1, 2, 1, a, 0, b, 0, 0, c, 0);
    CHECK(calls == 2 && c[0] == 10 && c[1] == 14);
    /* Rows of A that lie over each other: no BLAS takes lda < k. */
    const float x[3] = {1, 2, 3};
    rnnat_blas_gemm_f32(2, 1, 2, x, 1, b, 1, 0, c, 1);
    CHECK(calls == 2 && c[0] == 1 * 5 + 2 * 7 && c[1] == 2 * 5 + 3 * 7);
}

/* A row length that 32 bits cannot hold never reaches a 32-bit library. Its two rows are 8 GiB
 * apart: pages of zeros that are mapped, and never all there. */
#ifdef HAVE_POSIX
static void test_long_rows(void)
{
    const int64_t ldb = (int64_t)1 << 31;
    const uint64_t bytes = ((uint64_t)ldb + 4096) * sizeof(float);
    const int zeros = open("/dev/zero", O_RDONLY);
    if (bytes > SIZE_MAX || zeros < 0) return;
    void *b = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, zeros, 0);
    close(zeros);
    if (b == MAP_FAILED) return;
    const float a[2] = {2, 3};
    for (int i = 0; i < 2; i++) { /* 32 bits, then 64 */
        float c[2] = {5, 7};
        CHECK(rnnat_blas_use(&conventions[i]));
        calls = 0;
        rnnat_blas_gemm_f32(1, 2, 2, a, 2, b, ldb, 2, c, 2);
        CHECK(calls == i && c[0] == 10 && c[1] == 14);
    }
    munmap(b, (size_t)bytes);
}
#endif

/* ---- installing ---------------------------------------------------------------------------- */

static void set_count(int count) { (void)count; }

static void test_incoherent_tables_change_nothing(void)
{
    CHECK(rnnat_blas_use(&conventions[1]));
    rnnat_blas_library bad[7];
    for (int i = 0; i < 7; i++) bad[i] = conventions[0];
    bad[0].integer_bits = 16;
    bad[1].fortran = 2;
    bad[2].sgemm = NULL;
    bad[3].dgemm = NULL;
    bad[4].name = NULL;
    bad[5].threads_are_local = -1;
    bad[6].set_threads = GENERIC(set_count); /* a global count that cannot be read back */
    for (int i = 0; i < 7; i++) {
        CHECK(!rnnat_blas_use(&bad[i]));
        CHECK(strcmp(rnnat_blas_name(), "cblas 64") == 0);
    }
}

/* The caller may reuse its memory, and a long name is cut, not overrun. */
static void test_tables_are_copied(void)
{
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    rnnat_blas_library lib = conventions[0];
    lib.name = name;
    CHECK(rnnat_blas_use(&lib));
    memset(name, 'y', 8);
    memset(&lib, 0, sizeof lib);
    CHECK(strlen(rnnat_blas_name()) == 159 && rnnat_blas_name()[0] == 'x');
    calls = 0;
    check_product_f32(2, 3, 4, 1, 1);
    CHECK(calls == 1);
}

/* Installing the same tables over and over takes no room. */
static void test_reinstalling(void)
{
    for (int i = 0; i < 100; i++) CHECK(rnnat_blas_use(&conventions[i % CONVENTIONS]));
    CHECK(strcmp(rnnat_blas_name(), conventions[99 % CONVENTIONS].name) == 0);
}

/* The last test: it uses up the room. */
static void test_no_room(void)
{
    CHECK(rnnat_blas_use(&conventions[2]));
    rnnat_blas_library lib = conventions[0];
    char name[2] = "a";
    lib.name = name;
    int32_t more = 0;
    while (more < 100 && rnnat_blas_use(&lib)) {
        more++;
        name[0]++;
        CHECK(rnnat_blas_use(&conventions[2]));
    }
    CHECK(more < 100 && strcmp(rnnat_blas_name(), "fortran 32") == 0);
}

int main(void)
{
#if RNNAT_BLAS_LINKED
    CHECK(rnnat_blas_available()); /* the linked library, from the start */
    check_products();
    rnnat_blas_enter();
    check_products();
    rnnat_blas_leave();
#else
    CHECK(!rnnat_blas_available());
#endif
    test_conventions();
    test_without_a_library();
    test_row_lengths();
    test_incoherent_tables_change_nothing();
    test_reinstalling();
#ifdef HAVE_POSIX
    test_long_rows();
#endif
    test_tables_are_copied();
    test_no_room();
    return 0;
}
