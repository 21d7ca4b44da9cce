/* Packs weights into panels, unpacks them, and multiplies with them. */
#include "matrix.h"

#include <string.h>

#include "blas.h"
#include "groups.h"

#if RNNAT_READER
rnnat_matrix rnnat_matrix_take(rnnat_arena *arena, const rnnat_kernels *kernels, int32_t k,
                               rnnat_gates gates, int32_t panel, bool blas, rnnat_stored type)
{
    const int32_t n = gates.gates * rnnat_pad(kernels, gates.units);
    rnnat_matrix matrix = {
        .k = k, .n = n, .panel = blas ? n / kernels->lanes : panel, .blas = blas, .type = type};
    const size_t rows = (size_t)rnnat_stored_rows(type, k);
    matrix.data = rnnat_arena_take(arena, rows * rnnat_stored_size(type, kernels), (size_t)n);
    return matrix;
}

/* Reads up to a piece of elements from `first` on, as they are stored. */
static void read_elements(rnnat_stored type, const rnnat_kernels *kernels,
                          const rnnat_tensor *tensor, size_t first, size_t count, void *out)
{
    if (rnnat_stored_is_narrow(type)) {
        double values[rnnat_read_at_once];
        uint16_t *const to = out;
        rnnat_read_exactly(tensor, first, count, values);
        for (size_t i = 0; i < count; ++i) to[i] = rnnat_narrowed(type, values[i]);
        return;
    }
    if (rnnat_is_float(kernels)) rnnat_tensor_read_f32(tensor, first, count, out);
#if RNNAT_FLOAT64
    else
        rnnat_tensor_read_f64(tensor, first, count, out);
#endif
}

/* Where one column of a packed matrix lies: element k is at start + k * stride. */
typedef struct column_place {
    size_t start, stride;
} column_place;

static column_place place_of(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                             const rnnat_gates *gates, int32_t gate, int32_t unit)
{
    const int32_t column = rnnat_column_of(kernels, gates, gate, unit), lanes = kernels->lanes;
    const int32_t first = column / lanes / matrix->panel * matrix->panel; /* vector of its panel */
    const int32_t left = matrix->n / lanes - first;
    const size_t width = (size_t)(left < matrix->panel ? left : matrix->panel) * (size_t)lanes;
    return (column_place){(size_t)first * (size_t)lanes * (size_t)matrix->k +
                              (size_t)(column - first * lanes),
                          width};
}

/* Rows of a vector's units that are turned at once, and room for them in the widest vector. */
enum { turned = 32, vector_bytes = 64 };

typedef union turning {
    uint16_t narrow[turned * vector_bytes / sizeof(uint16_t)];
    float f32[turned * vector_bytes / sizeof(float)];
    double f64[turned * vector_bytes / sizeof(double)];
} turning;

/* to[i][lane] = rows[lane][i], with `stride` elements from one i to the next. The counts of lanes
 * that there are stand in it, so that compilers make loops of them that they know. */
#define TURN(LANES)                                                                                \
    for (size_t i = 0; i < count; ++i)                                                             \
        for (size_t lane = 0; lane < (LANES); ++lane)                                              \
            to[i * stride + lane] = rows[lane * turned + i];

#define DEFINE_TURN(NAME, TYPE)                                                                    \
    static void NAME(TYPE *to, size_t stride, const TYPE *rows, size_t lanes, size_t count)        \
    {                                                                                              \
        switch (lanes) {                                                                           \
        case 16 / sizeof(TYPE): TURN(16 / sizeof(TYPE)) break;                                     \
        case 32 / sizeof(TYPE): TURN(32 / sizeof(TYPE)) break;                                     \
        case 64 / sizeof(TYPE): TURN(64 / sizeof(TYPE)) break;                                     \
        default: TURN(lanes) break;                                                                \
        }                                                                                          \
    }

DEFINE_TURN(turn_narrow, uint16_t)
DEFINE_TURN(turn_f32, float)
#if RNNAT_FLOAT64
DEFINE_TURN(turn_f64, double)
#endif

/* One vector of units of a gate, elements from .. from + count - 1 of its rows, by way of `rows`;
 * units past the last one are zero. */
static void pack_vector(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                        const rnnat_gates *gates, int32_t gate, int32_t unit,
                        const rnnat_tensor *tensor, size_t from, size_t count, turning *rows)
{
    const size_t elem = rnnat_stored_size(matrix->type, kernels), lanes = (size_t)kernels->lanes;
    const size_t k = (size_t)matrix->k, left = (size_t)(gates->units - unit);
    const column_place place = place_of(matrix, kernels, gates, gate, unit);
    const size_t at = place.start + from * place.stride;
    for (size_t lane = 0; lane < lanes; ++lane) {
        unsigned char *const row = (unsigned char *)rows + lane * turned * elem;
        if (lane < left)
            read_elements(matrix->type, kernels, tensor,
                          rnnat_row_of(gates, gate, unit + (int32_t)lane) * k + from, count, row);
        else
            memset(row, 0, count * elem);
    }
    if (rnnat_stored_is_narrow(matrix->type))
        turn_narrow((uint16_t *)RNNAT_WRITABLE(matrix->data) + at, place.stride, rows->narrow,
                    lanes, count);
    else if (rnnat_is_float(kernels))
        turn_f32((float *)RNNAT_WRITABLE(matrix->data) + at, place.stride, rows->f32, lanes, count);
#if RNNAT_FLOAT64
    else
        turn_f64((double *)RNNAT_WRITABLE(matrix->data) + at, place.stride, rows->f64, lanes,
                 count);
#endif
}

/* Vector by vector, so that what a row of a panel has is written in one go. */
void rnnat_matrix_pack(rnnat_matrix *matrix, const rnnat_kernels *kernels, rnnat_gates gates,
                       const rnnat_tensor *tensor)
{
    const size_t k = (size_t)matrix->k;
    turning rows;
    if (RNNAT_WITH_GROUPS && rnnat_stored_group(matrix->type) > 1) {
        rnnat_pack_groups(matrix, kernels, &gates, tensor);
        return;
    }
    memset(&rows, 0, sizeof rows);
    for (int32_t unit = 0; unit < gates.units; unit += kernels->lanes)
        for (int32_t gate = 0; gate < gates.gates; ++gate)
            for (size_t from = 0; from < k; from += turned)
                pack_vector(matrix, kernels, &gates, gate, unit, tensor, from,
                            k - from < turned ? k - from : turned, &rows);
}

#if RNNAT_INSPECT
/* Copies one element as it is computed with. */
static void copy_wide(rnnat_stored type, unsigned char *to, const unsigned char *from, size_t elem)
{
    if (!rnnat_stored_is_narrow(type)) {
        memcpy(to, from, elem);
        return;
    }
    uint16_t stored;
    memcpy(&stored, from, sizeof stored);
    const float value = rnnat_widened(type, stored);
    memcpy(to, &value, sizeof value);
}

void rnnat_matrix_unpack(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         rnnat_gates gates, void *rows)
{
    if (RNNAT_WITH_GROUPS && rnnat_stored_group(matrix->type) > 1) {
        rnnat_unpack_groups(matrix, kernels, &gates, rows);
        return;
    }
    const size_t elem = rnnat_stored_size(matrix->type, kernels), k = (size_t)matrix->k;
    const size_t wide = (size_t)kernels->elem;
    const unsigned char *const data = matrix->data;
    for (int32_t gate = 0; gate < gates.gates; ++gate) {
        for (int32_t unit = 0; unit < gates.units; ++unit) {
            const column_place from = place_of(matrix, kernels, &gates, gate, unit);
            unsigned char *const to =
                (unsigned char *)rows + rnnat_row_of(&gates, gate, unit) * k * wide;
            for (size_t i = 0; i < k; ++i)
                copy_wide(matrix->type, to + i * wide, data + (from.start + i * from.stride) * elem,
                          elem);
        }
    }
}
#endif

void rnnat_vector_add(void *dst, const rnnat_kernels *kernels, rnnat_gates gates, int32_t count,
                      const rnnat_tensor *tensor)
{
    for (int32_t gate = 0; gate < count; ++gate) {
        for (int32_t unit = 0; unit < gates.units; ++unit) {
            const int32_t column = rnnat_column_of(kernels, &gates, gate, unit);
            const size_t row = (size_t)(gates.first + gate) * (size_t)gates.units + (size_t)unit;
            if (rnnat_is_float(kernels)) {
                float value;
                rnnat_tensor_read_f32(tensor, row, 1, &value);
                ((float *)dst)[column] += value;
            }
#if RNNAT_FLOAT64
            else {
                double value;
                rnnat_tensor_read_f64(tensor, row, 1, &value);
                ((double *)dst)[column] += value;
            }
#endif
        }
    }
}
#endif

#if RNNAT_BLAS
/* A BLAS knows one stride for rows: groups of rows that have one are multiplied at once. */
static void blas_gemm(const rnnat_matrix *matrix, const rnnat_kernels *kernels, int32_t m,
                      int32_t n, rnnat_rows a, rnnat_rows c, const void *bias)
{
    const ptrdiff_t elem = kernels->elem;
    const bool linear = (a.inner_stride * a.inner == a.outer_stride || a.inner >= m) &&
                        (c.inner_stride * c.inner == c.outer_stride || c.inner >= m);
    const bool steps = a.inner == 1 && c.inner == 1;
    const int32_t group = linear || steps ? m : a.inner;
    const ptrdiff_t lda = steps ? a.outer_stride : a.inner_stride;
    const ptrdiff_t ldc = steps ? c.outer_stride : c.inner_stride;
    for (int32_t row = 0; row < m; row += group) {
        const int32_t rows = m - row < group ? m - row : group;
        const char *from = (const char *)a.base + row / a.inner * a.outer_stride * elem;
        char *to = (char *)RNNAT_WRITABLE(c.base) + row / c.inner * c.outer_stride * elem;
        for (int32_t r = 0; r < rows; ++r) {
            if (bias)
                memcpy(to + r * ldc * elem, bias, (size_t)n * (size_t)elem);
            else
                memset(to + r * ldc * elem, 0, (size_t)n * (size_t)elem);
        }
        if (rnnat_is_float(kernels))
            rnnat_blas_gemm_f32(rows, n, matrix->k, (const float *)from, lda, matrix->data,
                                matrix->n, 1.0f, (float *)to, ldc);
        else
            rnnat_blas_gemm_f64(rows, n, matrix->k, (const double *)from, lda, matrix->data,
                                matrix->n, 1.0, (double *)to, ldc);
    }
}
#endif

rnnat_matrix rnnat_matrix_part(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                               int32_t part, int32_t parts)
{
    rnnat_matrix one = *matrix;
    one.n = matrix->n / parts;
    if (matrix->panel == matrix->n / kernels->lanes) one.panel = one.n / kernels->lanes;
    one.data =
        (const char *)matrix->data + (size_t)part * (size_t)rnnat_stored_rows(one.type, one.k) *
                                         (size_t)one.n * rnnat_stored_size(one.type, kernels);
    return one;
}

rnnat_gemm_args rnnat_gemm_plan(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                                const rnnat_member *member, rnnat_operands operands, int32_t m,
                                int32_t n, rnnat_rows a, rnnat_rows c, const void *bias)
{
    const int32_t width = RNNAT_GEMM_PANEL * kernels->lanes, panels = (n + width - 1) / width;
    return (rnnat_gemm_args){.m = m,
                             .k = matrix->k,
                             .n = n,
                             .first_panel = rnnat_first(member, member->index, panels),
                             .last_panel = rnnat_first(member, member->index + 1, panels),
                             .a = a,
                             .c = c,
                             .type = matrix->type,
                             .operands = operands,
                             .b = matrix->data,
                             .bias = bias};
}

void rnnat_gemm(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                const rnnat_member *member, rnnat_operands operands, int32_t m, int32_t n,
                rnnat_rows a, rnnat_rows c, const void *bias)
{
    if (m == 0) return;
#if RNNAT_BLAS
    if (matrix->blas) {
        if (member->index == 0) blas_gemm(matrix, kernels, m, n, a, c, bias);
        return;
    }
#endif
    const rnnat_gemm_args args =
        rnnat_gemm_plan(matrix, kernels, member, operands, m, n, a, c, bias);
    kernels->of[args.type].gemm(&args);
}
