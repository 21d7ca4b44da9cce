/* What the files of matrices share: which types there are, and which element is where. */
#ifndef RNNAT_STORED_H
#define RNNAT_STORED_H

#include "matrix.h"

enum { rnnat_read_at_once = 64 }; /* elements of a tensor */

#if RNNAT_WITH_NARROW
/* Whether a type has two bytes an element, and is one that this library has. */
bool rnnat_stored_is_narrow(rnnat_stored type);
/* An element of two bytes, rounded to, and back. */
uint16_t rnnat_narrowed(rnnat_stored type, double value);
float rnnat_widened(rnnat_stored type, uint16_t stored);
/* At most rnnat_read_at_once elements of a tensor in the widest type, so that what is stored is rounded
 * once. */
void rnnat_read_exactly(const rnnat_tensor *tensor, size_t first, size_t count, double *out);
#else /* there is none */
static inline bool rnnat_stored_is_narrow(rnnat_stored type) { return (void)type, false; }
static inline uint16_t rnnat_narrowed(rnnat_stored type, double value)
{
    return (void)type, (void)value, (uint16_t)0;
}
static inline float rnnat_widened(rnnat_stored type, uint16_t stored)
{
    return (void)type, (float)stored;
}
static inline void rnnat_read_exactly(const rnnat_tensor *tensor, size_t first, size_t count,
                                      double *out)
{
    (void)tensor, (void)first, (void)count, (void)out;
}
#endif

/* Bytes of a stored element. */
static inline size_t rnnat_stored_size(rnnat_stored type, const rnnat_kernels *kernels)
{
    if (rnnat_stored_is_int8(type)) return 1;
    return rnnat_stored_is_narrow(type) ? sizeof(uint16_t) : (size_t)kernels->elem;
}

#if RNNAT_READER

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

/* Packs and unpacks a matrix whose type has groups: groups.c. */
void rnnat_pack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                       const rnnat_gates *gates, const rnnat_tensor *tensor);
void rnnat_unpack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         const rnnat_gates *gates, float *rows);
#endif

#endif
