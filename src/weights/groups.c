/* Matrices of groups: two, four or eight of a column's elements side by side, as CPUs multiply them. */
#include <string.h>

#include "groups.h"
#include "int8_rows.h"
#include "stored.h"

#if RNNAT_READER && RNNAT_WITH_GROUPS
/* Where a column's elements begin, from the panel's first group to the next one, and where what stands behind
 * them is, in elements. */
typedef struct group_place {
    size_t start, stride, behind;
    size_t width; /* columns of the panel */
} group_place;

static group_place group_place_of(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                                  const rnnat_gates *gates, int32_t gate, int32_t unit)
{
    const int32_t column = rnnat_column_of(kernels, gates, gate, unit), lanes = kernels->lanes;
    const int32_t first = column / lanes / matrix->panel * matrix->panel; /* vector of its panel */
    const int32_t left = matrix->n / lanes - first, group = rnnat_stored_group(matrix->type);
    const size_t width = (size_t)(left < matrix->panel ? left : matrix->panel) * (size_t)lanes;
    const size_t rows = (size_t)rnnat_stored_rows(matrix->type, matrix->k);
    const size_t own = ((size_t)matrix->k + (size_t)group - 1) / (size_t)group * (size_t)group;
    const size_t panel = (size_t)first * (size_t)lanes * rows;
    const size_t within = (size_t)(column - first * lanes);
    return (group_place){.start = panel + within * (size_t)group,
                         .stride = width * (size_t)group,
                         .behind = panel + own * width + within * sizeof(float),
                         .width = width};
}

/* Writes a column of integers, its scale, and -128 times its sum. */
static void pack_int8(const rnnat_matrix *matrix, const group_place *place,
                      const rnnat_tensor *tensor, size_t first)
{
    int8_t *const data = RNNAT_WRITABLE(matrix->data);
    const size_t k = (size_t)matrix->k, group = (size_t)rnnat_stored_group(matrix->type);
    const rnnat_int8_row row = rnnat_int8_row_of(tensor, first, k);
    float values[rnnat_read_at_once];
    int32_t sum = 0;
    for (size_t i = 0; i < k; ++i) {
        if (i % rnnat_read_at_once == 0)
            rnnat_tensor_read_f32(tensor, first + i,
                                  k - i < rnnat_read_at_once ? k - i : rnnat_read_at_once, values);
        const int8_t integer = rnnat_int8_of(&row, values[i % rnnat_read_at_once]);
        data[place->start + i / group * place->stride + i % group] = integer;
        sum += integer;
    }
    /* Of a sum that is only correct with others, modulo 2^32. */
    const uint32_t offset = 0u - 128u * (uint32_t)sum;
    memcpy(data + place->behind, &row.scale, sizeof row.scale);
    memcpy(data + place->behind + place->width * sizeof(float), &offset, sizeof offset);
}

/* Writes a column of pairs. */
static void pack_pairs(const rnnat_matrix *matrix, const group_place *place,
                       const rnnat_tensor *tensor, size_t first)
{
    uint16_t *const data = RNNAT_WRITABLE(matrix->data);
    const size_t k = (size_t)matrix->k;
    double values[rnnat_read_at_once];
    for (size_t i = 0; i < k; ++i) {
        if (i % rnnat_read_at_once == 0)
            rnnat_read_exactly(tensor, first + i,
                               k - i < rnnat_read_at_once ? k - i : rnnat_read_at_once, values);
        data[place->start + i / 2 * place->stride + i % 2] =
            rnnat_narrowed(matrix->type, values[i % rnnat_read_at_once]);
    }
}

void rnnat_pack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                       const rnnat_gates *gates, const rnnat_tensor *tensor)
{
    const size_t rows = (size_t)rnnat_stored_rows(matrix->type, matrix->k);
    memset(RNNAT_WRITABLE(matrix->data), 0,
           rows * (size_t)matrix->n * rnnat_stored_size(matrix->type, kernels));
    for (int32_t gate = 0; gate < gates->gates; ++gate) {
        for (int32_t unit = 0; unit < gates->units; ++unit) {
            const group_place place = group_place_of(matrix, kernels, gates, gate, unit);
            const size_t first = rnnat_row_of(gates, gate, unit) * (size_t)matrix->k;
            if (rnnat_stored_is_int8(matrix->type))
                pack_int8(matrix, &place, tensor, first);
            else
                pack_pairs(matrix, &place, tensor, first);
        }
    }
}

#if RNNAT_INSPECT
/* Element i of a column of a matrix in groups. */
static float group_element(const rnnat_matrix *matrix, const group_place *place, size_t i)
{
    const size_t group = (size_t)rnnat_stored_group(matrix->type);
    const size_t at = place->start + i / group * place->stride + i % group;
    if (!rnnat_stored_is_int8(matrix->type))
        return rnnat_widened(matrix->type, ((const uint16_t *)matrix->data)[at]);
    float scale;
    memcpy(&scale, (const int8_t *)matrix->data + place->behind, sizeof scale);
    return rnnat_int8_weight(((const int8_t *)matrix->data)[at], scale);
}

void rnnat_unpack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         const rnnat_gates *gates, float *rows)
{
    const size_t k = (size_t)matrix->k;
    for (int32_t gate = 0; gate < gates->gates; ++gate) {
        for (int32_t unit = 0; unit < gates->units; ++unit) {
            const group_place place = group_place_of(matrix, kernels, gates, gate, unit);
            float *const to = rows + rnnat_row_of(gates, gate, unit) * k;
            for (size_t i = 0; i < k; ++i) to[i] = group_element(matrix, &place, i);
        }
    }
}
#endif
#endif
