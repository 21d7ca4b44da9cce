/* How matrices tell of themselves, in what they are stored as. */
#include "emit.h"

#if RNNAT_INSPECT
static rnnat_element element_of(rnnat_stored type)
{
    if (rnnat_stored_is_int8(type)) return RNNAT_ELEMENT_INT8;
    return rnnat_stored_is_narrow(type) ? RNNAT_ELEMENT_UINT16 : RNNAT_ELEMENT_REAL;
}

/* The option of the build that has such kernels; NULL: every build has them. */
static const char *option_of(rnnat_stored type)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    if (type == (rnnat_stored)code) return #with;
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    if (type == RNNAT_STORED_BF16_DOT) return "RNNAT_WITH_BFLOAT16";
    return rnnat_stored_is_int8(type) ? "RNNAT_WITH_INT8" : NULL;
}

void rnnat_tell_stored(const rnnat_teller *teller, const char *name, const void *values,
                       size_t count, rnnat_stored type)
{
    const char *const option = option_of(type);
    if (option) teller->needs(teller->arg, option);
    if (values) teller->array(teller->arg, name, values, count, element_of(type));
}

/* The panels of an int8 matrix: integers, and behind them a scale and an integer of each column. */
static void tell_panels(const rnnat_teller *teller, const rnnat_matrix *matrix,
                        const rnnat_kernels *kernels)
{
    const int8_t *at = matrix->data;
    const size_t rows = (size_t)rnnat_stored_rows(matrix->type, matrix->k);
    const int32_t vectors = matrix->n / kernels->lanes;
    for (int32_t first = 0; first < vectors; first += matrix->panel) {
        const int32_t width = vectors - first < matrix->panel ? vectors - first : matrix->panel;
        const size_t columns = (size_t)width * (size_t)kernels->lanes;
        const size_t integers = (rows - sizeof(float) - sizeof(int32_t)) * columns;
        const int8_t *const scales = at + integers, *const sums = scales + columns * sizeof(float);
        teller->begin(teller->arg, "");
        rnnat_tell_stored(teller, "integers", at, integers, matrix->type);
        rnnat_tell_array(teller, "scales", scales, columns);
        teller->array(teller->arg, "sums", sums, columns, RNNAT_ELEMENT_INT32);
        teller->end(teller->arg);
        at += rows * columns;
    }
}

void rnnat_tell_matrix(const rnnat_teller *teller, const char *name, const rnnat_matrix *matrix,
                       const rnnat_kernels *kernels, int32_t parts)
{
    if (!matrix->data) return;
    teller->begin(teller->arg, name);
    teller->number(teller->arg, "k", matrix->k);
    teller->number(teller->arg, "n", matrix->n);
    teller->number(teller->arg, "panel", matrix->panel);
    teller->number(teller->arg, "type", (int64_t)matrix->type);
    if (matrix->type == RNNAT_STORED_OWN && !matrix->blas)
        teller->needs(teller->arg, "RNNAT_WITH_DTYPE");
    if (rnnat_stored_is_int8(matrix->type)) {
        teller->block(teller->arg, "data");
        for (int32_t p = 0; p < parts; ++p) {
            const rnnat_matrix part = rnnat_matrix_part(matrix, kernels, p, parts);
            tell_panels(teller, &part, kernels);
        }
        teller->end(teller->arg);
    } else {
        const size_t rows = (size_t)rnnat_stored_rows(matrix->type, matrix->k);
        rnnat_tell_stored(teller, "data", matrix->data, rows * (size_t)matrix->n, matrix->type);
    }
    teller->end(teller->arg);
}
#endif
