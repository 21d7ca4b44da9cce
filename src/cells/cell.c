/* Finds the cell of a layer, and builds what cells have in common of a file's arrays. */
#include "cell.h"

#include <string.h>

#include "../identity.h"
#include "../text.h"

#if RNNAT_READER
enum { MAX_NAME = 96 }; /* of a tensor, its NUL included */

/* dst = a + b + c; false where it does not fit. */
static bool join(char *dst, size_t size, const char *a, const char *b, const char *c)
{
    const char *const parts[] = {a, b, c};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; ++i) {
        const size_t length = rnnat_text_size(parts[i]);
        if (length >= size - used) return false;
        memcpy(dst + used, parts[i], length + 1);
        used += length;
    }
    return true;
}

/* Pieces of a text: what it is about. */
#define RNNAT_TENSOR(name) RNNAT_TEXT("tensor \""), RNNAT_TEXT(name), RNNAT_TEXT("\": ")

/* Says of a tensor what was expected of it, [rows, columns], or [rows] where columns is 0. */
static rnnat_status wrong_shape(const rnnat_builder *build, const char *name, int64_t rows,
                                int64_t columns, const rnnat_tensor *got)
{
#if RNNAT_WITH_MESSAGES
    RNNAT_SAY(
        build->message, RNNAT_ERROR_SHAPE, RNNAT_TENSOR(name), RNNAT_TEXT("expected the shape ["),
        RNNAT_NUMBER(rows), RNNAT_TEXT(columns ? ", " : ""),
        columns ? (rnnat_message_part)RNNAT_NUMBER(columns) : (rnnat_message_part)RNNAT_TEXT(""),
        RNNAT_TEXT("], got ["));
    for (int32_t i = 0; i < got->rank; ++i)
        RNNAT_SAY_MORE(build->message, RNNAT_ERROR_SHAPE, RNNAT_TEXT(i ? ", " : ""),
                       RNNAT_NUMBER(got->dims[i]));
    return RNNAT_SAY_MORE(build->message, RNNAT_ERROR_SHAPE, RNNAT_TEXT("]"));
#else
    (void)build, (void)name, (void)rows, (void)columns, (void)got;
    return RNNAT_ERROR_SHAPE;
#endif
}

/* Finds the scales of the int8 matrix `name`, F32 [rows] called <name>_scale, each finite and from 0. */
static rnnat_status find_scales(const rnnat_builder *build, const char *name, rnnat_tensor *tensor)
{
    char of[MAX_NAME + sizeof "_scale"];
    rnnat_tensor scales;
    if (!join(of, sizeof of, name, "_scale", "")) return RNNAT_ERROR_FORMAT;
    const rnnat_status status = rnnat_safetensors_tensor(build->file, of, &scales);
    if (status != RNNAT_OK)
        return RNNAT_SAY(build->message, status, RNNAT_TENSOR(of),
                         RNNAT_TEXT("expected the scales of int8 rows in the file, found none"));
    if (scales.type != RNNAT_TENSOR_F32)
        return RNNAT_SAY(build->message, RNNAT_ERROR_UNSUPPORTED, RNNAT_TENSOR(of),
                         RNNAT_TEXT("expected scales in F32, got another dtype"));
    if (scales.rank != 1 || scales.dims[0] != tensor->dims[0])
        return wrong_shape(build, of, (int64_t)tensor->dims[0], 0, &scales);
    for (size_t row = 0; row < scales.dims[0]; ++row) {
        float scale;
        rnnat_tensor_read_f32(&scales, row, 1, &scale);
        if (!(scale >= 0) || scale - scale != 0) /* infinite */
            return RNNAT_SAY(
                build->message, RNNAT_ERROR_FORMAT, RNNAT_TENSOR(of),
                RNNAT_TEXT("expected finite scales from 0 on, got another one in row "),
                RNNAT_NUMBER(row));
    }
    tensor->scales = scales.data;
    return RNNAT_OK;
}

/* Has the model's identity depend on an array's numbers, whatever they are stored as: where they are
 * packed, and once where they are read in parts. */
static void identify(rnnat_builder *build, const rnnat_tensor *tensor)
{
#if RNNAT_WITH_POOL || RNNAT_WITH_SHARING
    enum { at_once = 256 };
    double numbers[at_once]; /* or floats */
    size_t count = 1;
    if (!rnnat_build_weights(build)->base || rnnat_build_is_packed(build)) return;
    if (build->identified == tensor->data) return;
    build->identified = tensor->data;
    for (int32_t i = 0; i < tensor->rank; ++i) count *= (size_t)tensor->dims[i];
    for (size_t first = 0; first < count; first += at_once) {
        const size_t some = count - first < at_once ? count - first : at_once;
        rnnat_build_read(build, tensor, first, some, numbers);
        build->identity =
            rnnat_identity_of_bytes(build->identity, numbers, some * (size_t)build->kernels->elem);
    }
#else
    (void)build, (void)tensor;
#endif
}

rnnat_status rnnat_build_tensor(rnnat_builder *build, const char *name, int64_t rows,
                                int64_t columns, rnnat_tensor *tensor)
{
    char full[MAX_NAME];
    if (!join(full, sizeof full, build->prefix, name, build->suffix)) return RNNAT_ERROR_FORMAT;
    const rnnat_status status = rnnat_safetensors_tensor(build->file, full, tensor);
    if (status != RNNAT_OK)
        return RNNAT_SAY(build->message, status, RNNAT_TENSOR(full),
                         RNNAT_TEXT("the layer needs it, and the file does not have it"));
    const bool integers = tensor->type == RNNAT_TENSOR_I8;
    if (tensor->type == RNNAT_TENSOR_OTHER || (integers && (!columns || !RNNAT_WITH_INT8)))
        return RNNAT_SAY(build->message, RNNAT_ERROR_UNSUPPORTED, RNNAT_TENSOR(full),
                         RNNAT_TEXT(!integers         ? "expected F32, F64, F16, BF16 or I8"
                                    : RNNAT_WITH_INT8 ? "expected F32, F64, F16 or BF16, got I8"
                                                      : "this library was built without I8"));
    if (tensor->rank != (columns ? 2 : 1) || tensor->dims[0] != (uint64_t)rows ||
        (columns && tensor->dims[1] != (uint64_t)columns))
        return wrong_shape(build, full, rows, columns, tensor);
    if (RNNAT_WITH_INT8 && integers) {
        const rnnat_status found = find_scales(build, full, tensor);
        if (found != RNNAT_OK) return found;
    }
    identify(build, tensor);
    return RNNAT_OK;
}

rnnat_status rnnat_build_unfit(const rnnat_builder *build, const char *name)
{
    (void)build, (void)name;
    return RNNAT_SAY(
        build->message, RNNAT_ERROR_UNSUPPORTED, RNNAT_TEXT("tensor \""), RNNAT_TEXT(build->prefix),
        RNNAT_TEXT(name), RNNAT_TEXT(build->suffix),
        RNNAT_TEXT("\": a number of it is not finite as weight_dtype or compute stores "
                   "it, or a row is longer than 131072"));
}

void rnnat_build_read(const rnnat_builder *build, const rnnat_tensor *tensor, size_t first,
                      size_t count, void *out)
{
    if (rnnat_is_float(build->kernels)) rnnat_tensor_read_f32(tensor, first, count, out);
#if RNNAT_FLOAT64
    else
        rnnat_tensor_read_f64(tensor, first, count, out);
#endif
}

rnnat_matrix rnnat_build_take(rnnat_builder *build, int32_t k, rnnat_gates gates, int32_t panel,
                              bool blas, rnnat_stored type)
{
    const size_t row = rnnat_operand_bytes(build->kernels, type, k);
    if (row > build->operands) build->operands = row;
    return rnnat_matrix_take(rnnat_build_weights(build), build->kernels, k, gates, panel, blas,
                             type);
}

rnnat_status rnnat_build_matrix(rnnat_builder *build, const char *name, int32_t all_gates,
                                rnnat_gates gates, int32_t columns, int32_t panel,
                                rnnat_matrix *matrix)
{
    rnnat_tensor tensor;
    const int64_t rows = (int64_t)all_gates * gates.units;
    const rnnat_status status = rnnat_build_tensor(build, name, rows, columns, &tensor);
    if (status != RNNAT_OK) return status;
    build->num_parameters += (uint64_t)gates.gates * (uint64_t)gates.units * (uint64_t)columns;
    *matrix = rnnat_build_take(build, columns, gates, panel, build->blas, build->type);
    if (rnnat_build_is_packed(build)) return RNNAT_OK;
    if (!matrix->data)
        return rnnat_matrix_fits(build->type, &tensor) ? RNNAT_OK : rnnat_build_unfit(build, name);
    rnnat_matrix_pack(matrix, build->kernels, gates, &tensor);
    return RNNAT_OK;
}

void *rnnat_build_zeros(rnnat_builder *build, rnnat_gates gates)
{
    const size_t n = (size_t)gates.gates * (size_t)rnnat_pad(build->kernels, gates.units);
    const size_t elem = (size_t)build->kernels->elem;
    void *const vector = rnnat_arena_take(rnnat_build_weights(build), n, elem);
    if (vector && !rnnat_build_is_packed(build)) memset(vector, 0, n * elem);
    return vector;
}

rnnat_status rnnat_build_add(rnnat_builder *build, const char *name, int32_t all_gates,
                             rnnat_gates gates, int32_t count, void *vector)
{
    rnnat_tensor tensor;
    const int64_t rows = (int64_t)all_gates * gates.units;
    const rnnat_status status = rnnat_build_tensor(build, name, rows, 0, &tensor);
    if (status != RNNAT_OK) return status;
    build->num_parameters += (uint64_t)count * (uint64_t)gates.units;
    if (vector && !rnnat_build_is_packed(build))
        rnnat_vector_add(vector, build->kernels, gates, count, &tensor);
    return RNNAT_OK;
}
#endif

void rnnat_cell_product(const rnnat_matrix *matrix, const rnnat_kernels *kernels, rnnat_step *s,
                        const void *h, ptrdiff_t h_stride)
{
    if (!rnnat_matrix_is_blas(matrix)) {
        s->w = matrix->data;
        s->type = matrix->type;
        return;
    }
    const rnnat_rows from = {h, 1, 0, h_stride}, to = {s->gh, 1, 0, matrix->n};
    s->w = NULL;
    s->gh_stride = matrix->n;
    const rnnat_member alone = {0, 1, NULL};
    rnnat_gemm(matrix, kernels, &alone, s->operands, s->rows, matrix->n, from, to, NULL);
}
