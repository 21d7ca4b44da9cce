/* Matrices: weights are packed when a model is made, and multiplied by our kernels or by a BLAS.
 *
 * A matrix [k, n] is stored in panels of a few vectors of columns, row k of a panel contiguous;
 * the last panel may be narrower. One panel as wide as the whole matrix is plain row-major, which
 * is what a BLAS reads. Gates are interleaved vector by vector: ARCHITECTURE.md draws it.
 */
#ifndef RNNAT_MATRIX_H
#define RNNAT_MATRIX_H

#include "../arena.h"
#include "../threads/threads.h"
#include "stored.h"

/* Takes memory for a matrix of `gates` x pad(units) columns. `panel` is in vectors. */
rnnat_matrix rnnat_matrix_take(rnnat_arena *arena, const rnnat_kernels *kernels, int32_t k,
                               rnnat_gates gates, int32_t panel, bool blas, rnnat_stored type);
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
