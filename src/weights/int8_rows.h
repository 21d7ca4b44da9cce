/* One row of a tensor as integers of 8 bits and a scale: rnn_native/spec/integers.py has the same, which says
 * what becomes of which row. */
#ifndef RNNAT_INT8_ROWS_H
#define RNNAT_INT8_ROWS_H

#include "../file/safetensors.h"
#include "../weight_types.h"

#if RNNAT_READER
typedef struct rnnat_int8_row {
    double step; /* the integer of a weight is the nearest to weight / step; 0: all are zero */
    double first; /* of a row that is rounded first, to multiples of this: else 0 */
    float scale; /* what a weight is, is its integer times this, rounded to float */
} rnnat_int8_row;

/* That of elements first .. first + count - 1, all of them finite. */
rnnat_int8_row rnnat_int8_row_of(const rnnat_tensor *tensor, size_t first, size_t count);
/* The integer of one of these. */
int8_t rnnat_int8_of(const rnnat_int8_row *row, float weight);
#endif

/* The weight of an integer. */
static inline float rnnat_int8_weight(int8_t integer, float scale)
{
    return (float)(integer * (double)scale);
}

#endif
