/* A matrix, and which of its columns is which unit. */
#ifndef RNNAT_LAYOUT_H
#define RNNAT_LAYOUT_H

#include "../file/safetensors.h"
#include "../kernels/kernels.h"

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

/* The column of a unit of a gate, and the row of the PyTorch weight that became it. */
static inline int32_t rnnat_column_of(const rnnat_kernels *kernels, const rnnat_gates *gates,
                                      int32_t gate, int32_t unit)
{
    const int32_t lanes = kernels->lanes;
    return (unit / lanes * gates->gates + gate) * lanes + unit % lanes;
}
static inline size_t rnnat_row_of(const rnnat_gates *gates, int32_t gate, int32_t unit)
{
    return (size_t)(gates->first + gate) * (size_t)gates->units + (size_t)unit;
}

#endif
