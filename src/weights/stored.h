/* What matrices may be stored as, and their elements one by one. */
#ifndef RNNAT_STORED_H
#define RNNAT_STORED_H

#include "layout.h"

/* Features of a row that int8 multiplies at most: 128 * 127 times as many is the largest sum. */
#define RNNAT_INT8_MOST_FEATURES (1 << 17)

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

/* What matrices are stored as where a model's options say so: ARGUMENT where they have no known value,
 * UNSUPPORTED where this build or CPU has no such product. */
rnnat_status rnnat_stored_of(const rnnat_model_options *options, const rnnat_kernels *kernels,
                             rnnat_message *message, rnnat_stored *type);
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
/* Whether the type has room for every finite number of a tensor [rows, columns]; of int8 they all have to
 * be finite. */
#if RNNAT_WITH_NARROW
bool rnnat_tensor_fits(rnnat_stored type, const rnnat_tensor *tensor);
#else
static inline bool rnnat_tensor_fits(rnnat_stored type, const rnnat_tensor *tensor)
{
    return (void)type, (void)tensor, true;
}
#endif
/* The same of what is multiplied. */
static inline bool rnnat_matrix_fits(rnnat_stored type, const rnnat_tensor *tensor)
{
    return (!rnnat_stored_is_int8(type) || tensor->dims[1] <= RNNAT_INT8_MOST_FEATURES) &&
           rnnat_tensor_fits(type, tensor);
}

#endif
