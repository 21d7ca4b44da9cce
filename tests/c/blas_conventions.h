/* Naive libraries of our own, float and double, by each calling convention and integer width. For
 * programs of the BLAS seam, some of whose threads end at the first thing that is wrong. */
#ifndef RNNAT_TEST_BLAS_CONVENTIONS_H
#define RNNAT_TEST_BLAS_CONVENTIONS_H

#include <stdio.h>
#include <stdlib.h>

#include "weights/blas.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int calls; /* of any fake product */

/* op(X) is X: what the seam asks for; the column-major naive product is the definition. */
#define DEFINE_FAKE(NAME, REAL, INT)                                                               \
    static void NAME##_sgemm_(const char *ta, const char *tb, const INT *m, const INT *n,          \
                              const INT *k, const REAL *alpha, const REAL *a, const INT *lda,      \
                              const REAL *b, const INT *ldb, const REAL *beta, REAL *c,            \
                              const INT *ldc)                                                      \
    {                                                                                              \
        calls++;                                                                                   \
        CHECK(*ta == 'N' && *tb == 'N' && *m > 0 && *n > 0 && *k > 0);                             \
        CHECK(*lda >= *m && *ldb >= *k && *ldc >= *m);                                             \
        for (INT j = 0; j < *n; j++) {                                                             \
            for (INT i = 0; i < *m; i++) {                                                         \
                REAL sum = 0;                                                                      \
                for (INT p = 0; p < *k; p++) sum += a[i + p * *lda] * b[p + j * *ldb];             \
                REAL *to = c + i + j * *ldc;                                                       \
                *to = *alpha * sum + (*beta == 0 ? 0 : *beta * *to);                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void NAME##_cblas_sgemm(int order, int ta, int tb, INT m, INT n, INT k, REAL alpha,     \
                                   const REAL *a, INT lda, const REAL *b, INT ldb, REAL beta,      \
                                   REAL *c, INT ldc)                                               \
    {                                                                                              \
        CHECK(order == 101 && ta == 111 && tb == 111);                                             \
        CHECK(lda >= k && ldb >= n && ldc >= n);                                                   \
        NAME##_sgemm_("N", "N", &n, &m, &k, &alpha, b, &ldb, a, &lda, &beta, c, &ldc);             \
    }

DEFINE_FAKE(f32_32, float, int32_t)
DEFINE_FAKE(f32_64, float, int64_t)
DEFINE_FAKE(f64_32, double, int32_t)
DEFINE_FAKE(f64_64, double, int64_t)

#define GENERIC(f) ((void (*)(void))(f))

static const rnnat_blas_library conventions[] = {
    {"cblas 32", 32, 0, GENERIC(f32_32_cblas_sgemm), GENERIC(f64_32_cblas_sgemm), NULL, NULL, 0},
    {"cblas 64", 64, 0, GENERIC(f32_64_cblas_sgemm), GENERIC(f64_64_cblas_sgemm), NULL, NULL, 0},
    {"fortran 32", 32, 1, GENERIC(f32_32_sgemm_), GENERIC(f64_32_sgemm_), NULL, NULL, 0},
    {"fortran 64", 64, 1, GENERIC(f32_64_sgemm_), GENERIC(f64_64_sgemm_), NULL, NULL, 0},
};
enum { CONVENTIONS = sizeof conventions / sizeof conventions[0] };

#endif
