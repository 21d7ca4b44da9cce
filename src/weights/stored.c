/* What matrices may be stored as, and their elements one by one. */
#include "stored.h"

#include <float.h>

#if RNNAT_WITH_NARROW
/* Whether a type has two bytes an element, and is one that this library has. */
bool rnnat_stored_is_narrow(rnnat_stored type)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    if (type == (rnnat_stored)code) return with;
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return type == RNNAT_STORED_BF16_DOT;
}
#endif

bool rnnat_stored_runs(const rnnat_kernels *kernels, rnnat_stored type)
{
    const rnnat_products *const products = &kernels->of[type];
    return products->gemm && (!products->available || products->available());
}

#if RNNAT_READER
/* What has the most products at once. */
static rnnat_stored best_int8(const rnnat_kernels *kernels)
{
    for (rnnat_stored type = RNNAT_STORED_INT8_TILES; type > RNNAT_STORED_INT8; --type)
        if (rnnat_stored_runs(kernels, type)) return type;
    return RNNAT_STORED_INT8;
}

rnnat_status rnnat_stored_of(const rnnat_model_options *options, const rnnat_kernels *kernels,
                             rnnat_message *message, rnnat_stored *type)
{
    (void)message;
    const int32_t weights = options->weight_dtype, compute = options->compute;
    if (weights < RNNAT_WEIGHT_AS_DTYPE || weights > RNNAT_WEIGHT_INT8)
        return RNNAT_SAY(message, RNNAT_ERROR_ARGUMENT,
                         RNNAT_TEXT("options: expected weight_dtype from 0 to 3, got "),
                         RNNAT_NUMBER(weights));
    if (compute < RNNAT_COMPUTE_AS_DTYPE || compute > RNNAT_COMPUTE_BF16)
        return RNNAT_SAY(message, RNNAT_ERROR_ARGUMENT,
                         RNNAT_TEXT("options: expected compute from 0 to 1, got "),
                         RNNAT_NUMBER(compute));
    *type = (rnnat_stored)weights;
    if (compute == RNNAT_COMPUTE_BF16) {
        if (weights != RNNAT_WEIGHT_AS_DTYPE && weights != RNNAT_WEIGHT_BF16)
            return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED,
                             RNNAT_TEXT("options: expected weight_dtype of bfloat16, or none, with "
                                        "compute in bfloat16"));
        *type = RNNAT_STORED_BF16_DOT;
    }
    if (*type == RNNAT_STORED_OWN) return RNNAT_OK;
    if (RNNAT_WITH_NARROW && (options->dtype != RNNAT_F32 || options->matmul == RNNAT_MATMUL_BLAS))
        return RNNAT_SAY(
            message, RNNAT_ERROR_UNSUPPORTED,
            RNNAT_TEXT("options: expected RNNAT_F32 and no BLAS with this weight_dtype "
                       "or compute"));
    if (RNNAT_WITH_NARROW && *type == RNNAT_STORED_INT8) *type = best_int8(kernels);
    if (RNNAT_WITH_NARROW && rnnat_stored_runs(kernels, *type)) return RNNAT_OK;
    return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED,
                     RNNAT_TEXT("options: this CPU, or this library, cannot multiply by weights of "
                                "that weight_dtype and compute"));
}

#if RNNAT_WITH_NARROW
/* What its elements are rounded to. */
static rnnat_stored rounding_of(rnnat_stored type)
{
    return type == RNNAT_STORED_BF16_DOT ? RNNAT_STORED_BF16 : type;
}

uint16_t rnnat_narrowed(rnnat_stored type, double value)
{
#define CASE(code, ending, name, most, stored, with)                                               \
    if (rounding_of(type) == (rnnat_stored)code) return rnnat_##ending##_round(value);
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return 0;
}

float rnnat_widened(rnnat_stored type, uint16_t stored)
{
#define CASE(code, ending, name, most, stored_as, with)                                            \
    if (rounding_of(type) == (rnnat_stored)code) return rnnat_##ending##_widen(stored);
    RNNAT_EACH_WEIGHT_TYPE(CASE)
#undef CASE
    return 0;
}

/* Up to a piece of a tensor in the widest type, so that what is stored is rounded once. */
void rnnat_read_exactly(const rnnat_tensor *tensor, size_t first, size_t count, double *out)
{
#if RNNAT_FLOAT64
    rnnat_tensor_read_f64(tensor, first, count, out);
#else
    float values[rnnat_read_at_once];
    rnnat_tensor_read_f32(tensor, first, count, values);
    for (size_t i = 0; i < count; ++i) out[i] = (double)values[i];
#endif
}

bool rnnat_tensor_fits(rnnat_stored type, const rnnat_tensor *tensor)
{
    const bool is_int8 = rnnat_stored_is_int8(type);
    const size_t n =
        is_int8 || rnnat_stored_is_narrow(type) ? (size_t)(tensor->dims[0] * tensor->dims[1]) : 0;
    for (size_t first = 0; first < n; first += rnnat_read_at_once) {
        double values[rnnat_read_at_once];
        const size_t count = n - first < rnnat_read_at_once ? n - first : rnnat_read_at_once;
        rnnat_read_exactly(tensor, first, count, values);
        for (size_t i = 0; i < count; ++i) {
            const float stored =
                is_int8 ? (float)values[i] : rnnat_widened(type, rnnat_narrowed(type, values[i]));
            if ((is_int8 || values[i] - values[i] == 0) && stored - stored != 0)
                return false; /* not finite now; of integers it may not be so before */
        }
    }
    return true;
}
#endif

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
    return rnnat_stored_is_narrow(type) ? rnnat_widened(type, rnnat_narrowed(type, value))
                                        : (float)value;
}
#endif
#endif
