/* Arrays of a file, little-endian IEEE 754 at any alignment -> floats of this machine. */
#include <string.h>

#include "../config.h"
#include "../float16.h"
#include "safetensors.h"

#if RNNAT_READER
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "float and double are IEEE 754's");

/* Whether arrays of the machine's own type can be copied as they are. 0 is right everywhere. */
#ifndef RNNAT_LITTLE_ENDIAN
#if defined(_WIN32) || (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define RNNAT_LITTLE_ENDIAN 1
#else
#define RNNAT_LITTLE_ENDIAN 0
#endif
#endif

static uint32_t load_u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

static uint32_t load_u32(const unsigned char *p) { return load_u16(p) | load_u16(p + 2) << 16; }

static uint64_t load_u64(const unsigned char *p)
{
    return (uint64_t)load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float load_f32(const unsigned char *p) { return float_of_bits(load_u32(p)); }

static double load_f64(const unsigned char *p)
{
    const uint64_t bits = load_u64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float load_bf16(const unsigned char *p) { return rnnat_bf16_widen(load_u16(p)); }

static float load_f16(const unsigned char *p) { return rnnat_f16_widen(load_u16(p)); }

/* A weight of int8: 8 and 24 bits, whose product is rounded once. */
static float scaled_int8(unsigned char byte, float scale)
{
    return (float)((float)((byte ^ 0x80) - 0x80) * scale);
}

/* Bytes of one element; 0 for a type without a reader, and for int8 without scales. */
static size_t element_size(const rnnat_tensor *t)
{
    switch (t->type) {
    case RNNAT_TENSOR_I8: return RNNAT_WITH_INT8 && t->scales && t->rank == 2 && t->dims[1] ? 1 : 0;
    case RNNAT_TENSOR_F16:
    case RNNAT_TENSOR_BF16: return 2;
    case RNNAT_TENSOR_F32: return 4;
    case RNNAT_TENSOR_F64: return 8;
    case RNNAT_TENSOR_OTHER: break;
    }
    return 0;
}

/* How many of the wanted elements the tensor has. */
static size_t available(const rnnat_tensor *t, size_t size, size_t first, size_t count)
{
    const size_t elements = size == 0 ? 0 : t->bytes / size;
    if (first >= elements) {
        return 0;
    }
    return count < elements - first ? count : elements - first;
}

/* out[i] = element i of the n at p */
#define READ_ALL(OUT, LOAD, SIZE)                                                                  \
    for (size_t i = 0; i < n; ++i) {                                                               \
        out[i] = (OUT)LOAD(p + i * SIZE);                                                          \
    }

/* The same of rows of k with a scale each, from element `first` on. */
#define READ_ROWS(OUT)                                                                             \
    {                                                                                              \
        const size_t k = (size_t)t->dims[1];                                                       \
        const unsigned char *row_scale = t->scales + first / k * 4;                                \
        size_t i = 0, column = first % k;                                                          \
        for (; i < n; row_scale += 4, column = 0) {                                                \
            const float scale = load_f32(row_scale);                                               \
            for (; i < n && column < k; ++i, ++column) {                                           \
                out[i] = (OUT)scaled_int8(p[i], scale);                                            \
            }                                                                                      \
        }                                                                                          \
    }

#define DEFINE_READ(NAME, OUT, OWN_TYPE)                                                           \
    void NAME(const rnnat_tensor *t, size_t first, size_t count, OUT *out)                         \
    {                                                                                              \
        const size_t size = element_size(t);                                                       \
        const size_t n = available(t, size, first, count);                                         \
        const unsigned char *const p = n == 0 ? NULL : t->data + first * size;                     \
        for (size_t i = n; i < count; ++i) {                                                       \
            out[i] = (OUT)float_of_bits(0x7FC00000u);                                              \
        }                                                                                          \
        if (n == 0) {                                                                              \
            return;                                                                                \
        }                                                                                          \
        if (RNNAT_LITTLE_ENDIAN && t->type == (OWN_TYPE)) {                                        \
            memcpy(out, p, n * sizeof(OUT));                                                       \
            return;                                                                                \
        }                                                                                          \
        switch (t->type) {                                                                         \
        case RNNAT_TENSOR_F16: READ_ALL(OUT, load_f16, 2) break;                                   \
        case RNNAT_TENSOR_BF16: READ_ALL(OUT, load_bf16, 2) break;                                 \
        case RNNAT_TENSOR_F32: READ_ALL(OUT, load_f32, 4) break;                                   \
        case RNNAT_TENSOR_F64: READ_ALL(OUT, load_f64, 8) break;                                   \
        case RNNAT_TENSOR_I8:                                                                      \
            if (RNNAT_WITH_INT8) READ_ROWS(OUT)                                                    \
            break;                                                                                 \
        case RNNAT_TENSOR_OTHER: break;                                                            \
        }                                                                                          \
    }

DEFINE_READ(rnnat_tensor_read_f32, float, RNNAT_TENSOR_F32)
#if RNNAT_FLOAT64
DEFINE_READ(rnnat_tensor_read_f64, double, RNNAT_TENSOR_F64)
#endif
#endif
