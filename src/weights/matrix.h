/* Matrices: weights are packed when a model is made, and multiplied by our kernels or by a BLAS.
 *
 * A matrix [k, n] is stored in panels of a few vectors of columns, row k of a panel contiguous;
 * the last panel may be narrower. One panel as wide as the whole matrix is plain row-major, which
 * is what a BLAS reads. Gates are interleaved vector by vector: ARCHITECTURE.md draws it.
 */
#ifndef RNNAT_MATRIX_H
#define RNNAT_MATRIX_H

#include "../arena.h"
#include "../file/safetensors.h"
#include "../kernels/kernels.h"
#include "../threads/threads.h"

/* Features of a row that int8 multiplies at most: 128 * 127 times as many is the largest sum. */
#define RNNAT_INT8_MOST_FEATURES (1 << 17)

typedef struct rnnat_matrix {
    int32_t k;     /* rows: features that are multiplied */
    int32_t n;     /* columns, padding included: whole vectors */
    int32_t panel; /* vectors in a panel, but for a narrower last one */
    bool blas;     /* a BLAS multiplies it */
    rnnat_stored type; /* what its elements are stored as */
    const void *data;
} rnnat_matrix;

/* True where a BLAS multiplies. */
static inline bool rnnat_matrix_is_blas(const rnnat_matrix *matrix)
{
    return RNNAT_BLAS && matrix->blas;
}

/* Which rows of a PyTorch weight [all gates * units, k] become columns of a matrix: those of gates
 * first .. first + gates - 1. */
typedef struct rnnat_gates {
    int32_t gates; /* how many */
    int32_t first;
    int32_t units; /* rows of each gate */
} rnnat_gates;

/* n rounded up to whole vectors. */
static inline int32_t rnnat_pad(const rnnat_kernels *kernels, int32_t n)
{
    return (n + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
}

/* Takes memory for a matrix of `gates` x pad(units) columns. `panel` is in vectors. */
rnnat_matrix rnnat_matrix_take(rnnat_arena *arena, const rnnat_kernels *kernels, int32_t k,
                               rnnat_gates gates, int32_t panel, bool blas, rnnat_stored type);
/* What matrices are stored as where a model's options say so: ARGUMENT where they have no known value,
 * UNSUPPORTED where this build or CPU has no such product. */
rnnat_status rnnat_stored_of(const rnnat_model_options *options, const rnnat_kernels *kernels,
                             rnnat_stored *type);
/* Whether these kernels have such products, and the CPU their instructions. */
bool rnnat_stored_runs(const rnnat_kernels *kernels, rnnat_stored type);
/* Bytes that one thread needs for a row of k features of such a product. */
static inline size_t rnnat_operand_bytes(const rnnat_kernels *kernels, rnnat_stored type, int32_t k)
{
    const int32_t size = RNNAT_WITH_GROUPS ? kernels->of[type].operand : 0;
    return size ? rnnat_operand_row(size, k) : 0;
}
/* What is said of a type by its code, from 1 on: its name, and its largest number; false past the
 * last one. Then what a number is once it is stored. Both are Python's, with RNNAT_INSPECT. */
bool rnnat_weight_type_at(int32_t code, const char **type_name, double *largest);
float rnnat_weight_stored(int32_t code, double value);
/* Whether the type has room for every finite number of a tensor [rows, columns]. */
#if RNNAT_WITH_NARROW
bool rnnat_matrix_fits(rnnat_stored type, const rnnat_tensor *tensor);
#else
static inline bool rnnat_matrix_fits(rnnat_stored type, const rnnat_tensor *tensor)
{
    return (void)type, (void)tensor, true;
}
#endif
/* Fills it from a tensor [rows, k]. */
void rnnat_matrix_pack(rnnat_matrix *matrix, const rnnat_kernels *kernels, rnnat_gates gates,
                       const rnnat_tensor *tensor);
/* The inverse, widened: its rows of `rows` [all gates * units, k], bit for bit what is stored. */
void rnnat_matrix_unpack(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         rnnat_gates gates, void *rows);
/* dst[column] += tensor[row] for the first `count` of the gates; dst has gates * pad(units)
 * elements. */
void rnnat_vector_add(void *dst, const rnnat_kernels *kernels, rnnat_gates gates, int32_t count,
                      const rnnat_tensor *tensor);

/* Part `part` of a matrix of `parts` that have as many columns each, one matrix behind the other. */
rnnat_matrix rnnat_matrix_part(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                               int32_t part, int32_t parts);

/* The arguments with which a kernel does a thread's share of the product; not for a BLAS. */
rnnat_gemm_args rnnat_gemm_plan(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                                const rnnat_member *member, rnnat_operands operands, int32_t m,
                                int32_t n, rnnat_rows a, rnnat_rows c, const void *bias);
/* c[m, n] = bias + a[m, k] matrix; n of the matrix's columns are stored. The threads of a team
 * divide the columns; with a BLAS the first one does all. */
void rnnat_gemm(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                const rnnat_member *member, rnnat_operands operands, int32_t m, int32_t n,
                rnnat_rows a, rnnat_rows c, const void *bias);

#endif
