/* Packs weights into panels, unpacks them, and multiplies with them. */
#include "matrix.h"

#include <float.h>
#include <string.h>

#include "../cpu_features.h"
#include "blas.h"
#include "int8_rows.h"

/* ---- weights that are stored as something else than what is computed in ---- */

/* Whether a type has two bytes an element, and is one that this library has. */
static bool is_narrow(rnnat_stored type)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    if (type == (rnnat_stored)code) return with;
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return type == RNNAT_STORED_BF16_DOT;
}

/* What its elements are rounded to. */
static rnnat_stored rounding_of(rnnat_stored type)
{
    return type == RNNAT_STORED_BF16_DOT ? RNNAT_STORED_BF16 : type;
}

/* Bytes of a stored element. */
static size_t stored_size(rnnat_stored type, const rnnat_kernels *kernels)
{
    if (rnnat_stored_is_int8(type)) return 1;
    return is_narrow(type) ? sizeof(uint16_t) : (size_t)kernels->elem;
}

size_t rnnat_operand_bytes(const rnnat_kernels *kernels, rnnat_stored type, int32_t k)
{
    const int32_t size = kernels->of[type].operand;
    return size ? rnnat_operand_row(size, k) : 0;
}

bool rnnat_stored_runs(const rnnat_kernels *kernels, rnnat_stored type)
{
    if (!kernels->of[type].gemm) return false;
    if (type == RNNAT_STORED_INT8_DOT) return rnnat_cpu_has_int8_dot(kernels->isa);
    return type != RNNAT_STORED_BF16_DOT || rnnat_cpu_has_bf16_dot(kernels->isa);
}

#if RNNAT_READER
rnnat_status rnnat_stored_of(const rnnat_model_options *options, const rnnat_kernels *kernels,
                             rnnat_stored *type)
{
    const int32_t weights = options->weight_dtype, compute = options->compute;
    if (weights < RNNAT_WEIGHT_AS_DTYPE || weights > RNNAT_WEIGHT_INT8) return RNNAT_ERROR_ARGUMENT;
    if (compute < RNNAT_COMPUTE_AS_DTYPE || compute > RNNAT_COMPUTE_BF16)
        return RNNAT_ERROR_ARGUMENT;
    *type = (rnnat_stored)weights;
    if (compute == RNNAT_COMPUTE_BF16) {
        if (weights != RNNAT_WEIGHT_AS_DTYPE && weights != RNNAT_WEIGHT_BF16)
            return RNNAT_ERROR_UNSUPPORTED;
        *type = RNNAT_STORED_BF16_DOT;
    }
    if (*type == RNNAT_STORED_OWN) return RNNAT_OK;
    if (options->dtype != RNNAT_F32 || options->matmul == RNNAT_MATMUL_BLAS)
        return RNNAT_ERROR_UNSUPPORTED;
    if (*type == RNNAT_STORED_INT8 && rnnat_stored_runs(kernels, RNNAT_STORED_INT8_DOT))
        *type = RNNAT_STORED_INT8_DOT;
    return rnnat_stored_runs(kernels, *type) ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
}

static uint16_t narrowed(rnnat_stored type, double value)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    if (rounding_of(type) == (rnnat_stored)code) return rnnat_##ending##_round(value);
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return 0;
}

static float widened(rnnat_stored type, uint16_t stored)
{
#define CASE(code, ending, name, most, stored_as, with)                                            \
    if (rounding_of(type) == (rnnat_stored)code) return rnnat_##ending##_widen(stored);
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return 0;
}

#if RNNAT_INSPECT
bool rnnat_weight_type_at(int32_t code, const char **type_name, double *largest)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    case code:                                                                                     \
        *type_name = name;                                                                         \
        *largest = most;                                                                           \
        return true;
    switch (code) {
        RNNAT_EACH_WEIGHT_TYPE(CASE)
    case RNNAT_WEIGHT_INT8:
        *type_name = "int8"; /* whatever is finite has a scale */
        *largest = (double)FLT_MAX;
        return true;
    default: return false;
    }
#undef CASE
}

float rnnat_weight_stored(int32_t code, double value)
{
    const rnnat_stored type = (rnnat_stored)code;
    return is_narrow(type) ? widened(type, narrowed(type, value)) : (float)value;
}
#endif

enum { piece = 64 }; /* elements that are read at once */

/* Up to a piece of a tensor in the widest type, so that what is stored is rounded once. */
static void read_exactly(const rnnat_tensor *tensor, size_t first, size_t count, double *out)
{
#if RNNAT_FLOAT64
    rnnat_tensor_read_f64(tensor, first, count, out);
#else
    float values[piece];
    rnnat_tensor_read_f32(tensor, first, count, values);
    for (size_t i = 0; i < count; ++i) out[i] = (double)values[i];
#endif
}

bool rnnat_matrix_fits(rnnat_stored type, const rnnat_tensor *tensor)
{
    const bool is_int8 = rnnat_stored_is_int8(type);
    const size_t n = is_int8 || is_narrow(type) ? (size_t)(tensor->dims[0] * tensor->dims[1]) : 0;
    if (is_int8 && tensor->dims[1] > RNNAT_INT8_MOST_FEATURES) return false;
    for (size_t first = 0; first < n; first += piece) {
        double values[piece];
        const size_t count = n - first < piece ? n - first : piece;
        read_exactly(tensor, first, count, values);
        for (size_t i = 0; i < count; ++i) {
            const float stored =
                is_int8 ? (float)values[i] : widened(type, narrowed(type, values[i]));
            if ((is_int8 || values[i] - values[i] == 0) && stored - stored != 0)
                return false; /* not finite now; of integers it may not be so before */
        }
    }
    return true;
}

rnnat_matrix rnnat_matrix_take(rnnat_arena *arena, const rnnat_kernels *kernels, int32_t k,
                               rnnat_gates gates, int32_t panel, bool blas, rnnat_stored type)
{
    const int32_t n = gates.gates * rnnat_pad(kernels, gates.units);
    rnnat_matrix matrix = {
        .k = k, .n = n, .panel = blas ? n / kernels->lanes : panel, .blas = blas, .type = type};
    const size_t rows = (size_t)rnnat_stored_rows(type, k);
    matrix.data = rnnat_arena_take(arena, rows * stored_size(type, kernels), (size_t)n);
    return matrix;
}

static int32_t column_of(const rnnat_kernels *kernels, const rnnat_gates *gates, int32_t gate,
                         int32_t unit)
{
    const int32_t lanes = kernels->lanes;
    return (unit / lanes * gates->gates + gate) * lanes + unit % lanes;
}

/* Reads up to a piece of elements from `first` on, as they are stored. */
static void read_elements(rnnat_stored type, const rnnat_kernels *kernels,
                          const rnnat_tensor *tensor, size_t first, size_t count, void *out)
{
    if (is_narrow(type)) {
        double values[piece];
        uint16_t *const to = out;
        read_exactly(tensor, first, count, values);
        for (size_t i = 0; i < count; ++i) to[i] = narrowed(type, values[i]);
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
    const int32_t column = column_of(kernels, gates, gate, unit), lanes = kernels->lanes;
    const int32_t first = column / lanes / matrix->panel * matrix->panel; /* vector of its panel */
    const int32_t left = matrix->n / lanes - first;
    const size_t width = (size_t)(left < matrix->panel ? left : matrix->panel) * (size_t)lanes;
    return (column_place){(size_t)first * (size_t)lanes * (size_t)matrix->k +
                              (size_t)(column - first * lanes),
                          width};
}

/* Row of the PyTorch weight that became this column. */
static size_t row_of(const rnnat_gates *gates, int32_t gate, int32_t unit)
{
    return (size_t)(gates->first + gate) * (size_t)gates->units + (size_t)unit;
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
    const size_t elem = stored_size(matrix->type, kernels), lanes = (size_t)kernels->lanes;
    const size_t k = (size_t)matrix->k, left = (size_t)(gates->units - unit);
    const column_place place = place_of(matrix, kernels, gates, gate, unit);
    const size_t at = place.start + from * place.stride;
    for (size_t lane = 0; lane < lanes; ++lane) {
        unsigned char *const row = (unsigned char *)rows + lane * turned * elem;
        if (lane < left)
            read_elements(matrix->type, kernels, tensor,
                          row_of(gates, gate, unit + (int32_t)lane) * k + from, count, row);
        else
            memset(row, 0, count * elem);
    }
    if (is_narrow(matrix->type))
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

/* ---- groups of a column's elements side by side ---- */

/* Where a column's elements begin, from the panel's first group to the next one, and where what stands behind
 * them is, in elements. */
typedef struct group_place {
    size_t start, stride, behind;
    size_t width; /* columns of the panel */
} group_place;

static group_place group_place_of(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                                  const rnnat_gates *gates, int32_t gate, int32_t unit)
{
    const int32_t column = column_of(kernels, gates, gate, unit), lanes = kernels->lanes;
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
    const size_t k = (size_t)matrix->k;
    const rnnat_int8_row row = rnnat_int8_row_of(tensor, first, k);
    float values[piece];
    int32_t sum = 0;
    for (size_t i = 0; i < k; ++i) {
        if (i % piece == 0)
            rnnat_tensor_read_f32(tensor, first + i, k - i < piece ? k - i : piece, values);
        const int8_t integer = rnnat_int8_of(&row, values[i % piece]);
        data[place->start + i / 4 * place->stride + i % 4] = integer;
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
    double values[piece];
    for (size_t i = 0; i < k; ++i) {
        if (i % piece == 0) read_exactly(tensor, first + i, k - i < piece ? k - i : piece, values);
        data[place->start + i / 2 * place->stride + i % 2] =
            narrowed(matrix->type, values[i % piece]);
    }
}

static void pack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                        const rnnat_gates *gates, const rnnat_tensor *tensor)
{
    const size_t rows = (size_t)rnnat_stored_rows(matrix->type, matrix->k);
    memset(RNNAT_WRITABLE(matrix->data), 0,
           rows * (size_t)matrix->n * stored_size(matrix->type, kernels));
    for (int32_t gate = 0; gate < gates->gates; ++gate) {
        for (int32_t unit = 0; unit < gates->units; ++unit) {
            const group_place place = group_place_of(matrix, kernels, gates, gate, unit);
            const size_t first = row_of(gates, gate, unit) * (size_t)matrix->k;
            if (rnnat_stored_is_int8(matrix->type))
                pack_int8(matrix, &place, tensor, first);
            else
                pack_pairs(matrix, &place, tensor, first);
        }
    }
}

/* Vector by vector, so that what a row of a panel has is written in one go. */
void rnnat_matrix_pack(rnnat_matrix *matrix, const rnnat_kernels *kernels, rnnat_gates gates,
                       const rnnat_tensor *tensor)
{
    const size_t k = (size_t)matrix->k;
    turning rows;
    if (rnnat_stored_group(matrix->type) > 1) {
        pack_groups(matrix, kernels, &gates, tensor);
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
    if (!is_narrow(type)) {
        memcpy(to, from, elem);
        return;
    }
    uint16_t stored;
    memcpy(&stored, from, sizeof stored);
    const float value = widened(type, stored);
    memcpy(to, &value, sizeof value);
}

/* Element i of a column of a matrix in groups. */
static float group_element(const rnnat_matrix *matrix, const group_place *place, size_t i)
{
    const size_t group = (size_t)rnnat_stored_group(matrix->type);
    const size_t at = place->start + i / group * place->stride + i % group;
    if (!rnnat_stored_is_int8(matrix->type))
        return widened(matrix->type, ((const uint16_t *)matrix->data)[at]);
    float scale;
    memcpy(&scale, (const int8_t *)matrix->data + place->behind, sizeof scale);
    return rnnat_int8_weight(((const int8_t *)matrix->data)[at], scale);
}

static void unpack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                          const rnnat_gates *gates, float *rows)
{
    const size_t k = (size_t)matrix->k;
    for (int32_t gate = 0; gate < gates->gates; ++gate) {
        for (int32_t unit = 0; unit < gates->units; ++unit) {
            const group_place place = group_place_of(matrix, kernels, gates, gate, unit);
            float *const to = rows + row_of(gates, gate, unit) * k;
            for (size_t i = 0; i < k; ++i) to[i] = group_element(matrix, &place, i);
        }
    }
}

void rnnat_matrix_unpack(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         rnnat_gates gates, void *rows)
{
    if (rnnat_stored_group(matrix->type) > 1) {
        unpack_groups(matrix, kernels, &gates, rows);
        return;
    }
    const size_t elem = stored_size(matrix->type, kernels), k = (size_t)matrix->k;
    const size_t wide = (size_t)kernels->elem;
    const unsigned char *const data = matrix->data;
    for (int32_t gate = 0; gate < gates.gates; ++gate) {
        for (int32_t unit = 0; unit < gates.units; ++unit) {
            const column_place from = place_of(matrix, kernels, &gates, gate, unit);
            unsigned char *const to = (unsigned char *)rows + row_of(&gates, gate, unit) * k * wide;
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
            const int32_t column = column_of(kernels, &gates, gate, unit);
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
    one.data = (const char *)matrix->data + (size_t)part *
                                                (size_t)rnnat_stored_rows(one.type, one.k) *
                                                (size_t)one.n * stored_size(one.type, kernels);
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
