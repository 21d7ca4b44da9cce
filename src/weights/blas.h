/* Matrix products by a BLAS the process already has.
 *
 * rnn_native links no BLAS of its own. From Python, the library that SciPy or NumPy brought along
 * is found at run time and handed to rnnat_blas_use. A C build with RNNAT_BLAS_LINKED instead starts
 * with the linked Fortran symbols sgemm_ and dgemm_ (32-bit integers). Without RNNAT_BLAS there is
 * none, and nothing of this.
 *
 * Every function may be called from any thread at any time. None allocates, prints or fails
 * half-way.
 */
#ifndef RNNAT_GEMM_BLAS_H
#define RNNAT_GEMM_BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

#if RNNAT_BLAS

/* One BLAS: two entry points, how they are called, and how its own threads are held back. All
 * function pointers are generic, and cast to the type that the other members tell before use.
 *
 * Thread control is one of
 *   none       set_threads NULL: the library has no threads, or no way to limit them;
 *   global     void set(int), int get(void): one count for the whole process (OpenBLAS);
 *   exchange   threads_are_local 1 and get_threads NULL: int set(int) applies to the calling
 *              thread and returns its previous setting (MKL_Set_Num_Threads_Local);
 *   local      threads_are_local 1 and get_threads given: void set(int), int get(void), both of
 *              the calling thread (omp_set_num_threads under an OpenMP build of OpenBLAS, or
 *              Accelerate's BLASSetThreading, whose 1 means a single thread). */
typedef struct rnnat_blas_library {
    const char *name;         /* for people; up to 159 bytes are kept */
    int32_t integer_bits;     /* 32 or 64: the width of every BLAS integer argument */
    int32_t fortran;          /* 1: sgemm_, all by address, column-major; 0: cblas_sgemm */
    void (*sgemm)(void);      /* never NULL */
    void (*dgemm)(void);      /* never NULL */
    void (*set_threads)(void);
    void (*get_threads)(void);
    int32_t threads_are_local; /* 0 or 1 */
} rnnat_blas_library;

/* Make `lib` the BLAS of this process; it is copied, its name too. NULL uninstalls. A product
 * under way finishes with the library it began with: a table that was once installed never
 * changes, and there is room for eight different ones in the life of a process.
 * Returns false, and changes nothing, where `lib` contradicts itself or there is no room. */
bool rnnat_blas_use(const rnnat_blas_library *lib);

bool rnnat_blas_available(void);

/* The installed library's name, "none" without one. The text stays valid for good. */
const char *rnnat_blas_name(void);

/* C = A B + beta C, row-major: A [m, k], B [k, n], C [m, n]; lda, ldb, ldc count the elements from
 * one row to the next. m, n, k >= 0; nothing happens where m or n is 0, and k = 0 leaves beta C.
 * Where beta is 0, C is written without being read, so that it may hold anything, NaN too.
 *
 * What no BLAS takes is computed by a plain loop instead, correct and slow: row lengths shorter
 * than a row, or beyond 2^31 - 1 with 32-bit integers, and any product while none is installed. */
void rnnat_blas_gemm_f32(int32_t m, int32_t n, int32_t k, const float *a, int64_t lda,
                         const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
void rnnat_blas_gemm_f64(int32_t m, int32_t n, int32_t k, const double *a, int64_t lda,
                         const double *b, int64_t ldb, double beta, double *c, int64_t ldc);

/* Between enter and leave the library runs each product on the thread that asks for it, so that
 * products may be called from threads of our own. Every thread that calls gemm enters and leaves
 * itself (in a parallel region: inside it); pairs nest, and only a thread's outermost pair costs
 * anything.
 *
 * With a global count the first thread in saves it and sets 1, the last one out restores it.
 * Meanwhile other users of that library in the process, NumPy say, run on one thread as well, and
 * a count they set in between is overwritten on the way out. A child forked while another thread
 * was in between keeps a count of 1.
 * A thread inside may find its OpenMP default team size set to 1 (OpenMP builds of OpenBLAS):
 * parallel regions begun there state their number of threads. */
void rnnat_blas_enter(void);
void rnnat_blas_leave(void);

#else
static inline bool rnnat_blas_available(void) { return false; }
static inline void rnnat_blas_enter(void) {}
static inline void rnnat_blas_leave(void) {}
#endif

#endif
