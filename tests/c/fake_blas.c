/* A naive BLAS that counts its threads and complains of wrong arguments. */
#include "fake_blas.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "weights/blas.h"

enum { own_threads = 4 };

static atomic_int threads = own_threads;
static atomic_long products, complaints;

static void set_threads(int count) { atomic_store(&threads, count); }
static int get_threads(void) { return atomic_load(&threads); }

#define DEFINE_GEMM(NAME, REAL)                                                                    \
    static void NAME(int order, int ta, int tb, int32_t m, int32_t n, int32_t k, REAL alpha,       \
                     const REAL *a, int32_t lda, const REAL *b, int32_t ldb, REAL beta, REAL *c,   \
                     int32_t ldc)                                                                  \
    {                                                                                              \
        const bool sound = order == 101 && ta == 111 && tb == 111 && m > 0 && n > 0 && k > 0 &&    \
                           lda >= k && ldb >= n && ldc >= n && get_threads() == 1;                 \
        atomic_fetch_add(&products, 1);                                                            \
        if (!sound) atomic_fetch_add(&complaints, 1);                                              \
        for (int32_t i = 0; i < m; ++i) {                                                          \
            REAL *const to = c + (ptrdiff_t)i * ldc;                                               \
            for (int32_t j = 0; j < n; ++j) to[j] = beta == 0 ? 0 : beta * to[j];                  \
            for (int32_t p = 0; p < k; ++p) {                                                      \
                const REAL *const from = b + (ptrdiff_t)p * ldb;                                   \
                const REAL scale = alpha * a[(ptrdiff_t)i * lda + p];                              \
                for (int32_t j = 0; j < n; ++j) to[j] += scale * from[j];                          \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_GEMM(sgemm, float)
DEFINE_GEMM(dgemm, double)

bool fake_blas_use(void)
{
    const rnnat_blas_library library = {.name = "fake",
                                        .integer_bits = 32,
                                        .sgemm = (void (*)(void))sgemm,
                                        .dgemm = (void (*)(void))dgemm,
                                        .set_threads = (void (*)(void))set_threads,
                                        .get_threads = (void (*)(void))get_threads};
    return rnnat_blas_use(&library);
}

bool fake_blas_is_content(void)
{
    return atomic_load(&products) > 0 && atomic_load(&complaints) == 0 &&
           atomic_load(&threads) == own_threads;
}
