/* Bytes -> floats: every 16-bit pattern, every type, any alignment; and that the portable loads
 * give what the copies of a little-endian machine give. */

/* The portable reader, under other names beside the library's own. */
#undef RNNAT_LITTLE_ENDIAN
#define RNNAT_LITTLE_ENDIAN 0
#define rnnat_tensor_read_f32 portable_read_f32
#define rnnat_tensor_read_f64 portable_read_f64
#include "file/tensor_read.c"
#undef rnnat_tensor_read_f32
#undef rnnat_tensor_read_f64
void rnnat_tensor_read_f32(const rnnat_tensor *t, size_t first, size_t count, float *out);
void rnnat_tensor_read_f64(const rnnat_tensor *t, size_t first, size_t count, double *out);

#include <math.h>
#include <stdlib.h>

#include "check.h"

#define PATTERNS 65536u

/* sign * fraction * 2^scale by the definition of the format, with no bits moved about. */
static double by_definition(unsigned pattern, int exponent_bits, int fraction_bits)
{
    const int fraction = (int)(pattern % (1u << fraction_bits));
    const int exponent = (int)(pattern >> fraction_bits) % (1 << exponent_bits);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double sign = pattern >= PATTERNS / 2 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1) {
        return fraction == 0 ? sign * INFINITY : NAN;
    }
    if (exponent == 0) {
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    }
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

/* Equal, the sign of a zero included, or both NaN. */
static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) != 0 : a == b && signbit(a) == signbit(b);
}

static void test_16_bits(rnnat_tensor_type type, int exponent_bits, int fraction_bits)
{
    static unsigned char bytes[2 * PATTERNS + 1];
    static float narrow[PATTERNS];
    static double wide[PATTERNS];
    for (size_t odd = 0; odd < 2; ++odd) {
        for (size_t i = 0; i < PATTERNS; ++i) {
            bytes[odd + 2 * i] = (unsigned char)(i & 255);
            bytes[odd + 2 * i + 1] = (unsigned char)(i >> 8);
        }
        const rnnat_tensor t = {.type = type, .data = bytes + odd, .bytes = sizeof bytes - 1};
        rnnat_tensor_read_f32(&t, 0, PATTERNS, narrow);
        rnnat_tensor_read_f64(&t, 0, PATTERNS, wide);
        unsigned wrong = 0;
        for (unsigned i = 0; i < PATTERNS; ++i) {
            const double expected = by_definition(i, exponent_bits, fraction_bits);
            wrong += !same(narrow[i], expected) || !same(wide[i], expected);
        }
        CHECK(wrong == 0);
    }
}

/* Values that each type holds exactly, their little-endian bytes, at every alignment. */
static void test_types(void)
{
    static const double values[] = {1.0, -2.5, 0.0};
    static const struct {
        rnnat_tensor_type type;
        size_t size;
        unsigned char bytes[24];
    } cases[] = {
        {RNNAT_TENSOR_F16, 2, {0x00, 0x3C, 0x00, 0xC1, 0x00, 0x00}},
        {RNNAT_TENSOR_BF16, 2, {0x80, 0x3F, 0x20, 0xC0, 0x00, 0x00}},
        {RNNAT_TENSOR_F32, 4, {0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0, 0, 0, 0, 0}},
        {RNNAT_TENSOR_F64, 8, {0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0x04, 0xC0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        for (size_t shift = 0; shift < 8; ++shift) {
            const size_t bytes = 3 * cases[i].size;
            unsigned char *block = malloc(shift + bytes); /* reads past the end are seen */
            if (block == NULL) {
                abort();
            }
            memcpy(block + shift, cases[i].bytes, bytes);
            const rnnat_tensor t = {.type = cases[i].type, .data = block + shift, .bytes = bytes};
            for (size_t first = 0; first <= 4; ++first) {
                for (size_t count = 0; count <= 4; ++count) {
                    float f[2][5] = {{9, 9, 9, 9, 9}, {9, 9, 9, 9, 9}};
                    double d[2][5] = {{9, 9, 9, 9, 9}, {9, 9, 9, 9, 9}};
                    rnnat_tensor_read_f32(&t, first, count, f[0]);
                    portable_read_f32(&t, first, count, f[1]);
                    rnnat_tensor_read_f64(&t, first, count, d[0]);
                    portable_read_f64(&t, first, count, d[1]);
                    for (size_t k = 0; k < 5; ++k) {
                        const double expected = k >= count       ? 9.0 /* not written */
                                                : first + k >= 3 ? NAN /* past the end */
                                                                 : values[first + k];
                        CHECK(same(f[0][k], expected) && same(f[1][k], expected));
                        CHECK(same(d[0][k], expected) && same(d[1][k], expected));
                    }
                }
            }
            free(block);
        }
    }
}

static void test_extremes(void)
{
    static const unsigned char bytes[] = {
        0x01, 0,    0,    0,    /* the least subnormal */
        0xFF, 0xFF, 0x7F, 0x7F, /* the greatest float */
        0,    0,    0x80, 0xFF, /* -infinity */
        0x12, 0x34, 0xC5, 0x7F, /* a NaN: its payload stays */
    };
    const rnnat_tensor t = {.type = RNNAT_TENSOR_F32, .data = bytes, .bytes = sizeof bytes};
    float f[2][4];
    double d[4];
    rnnat_tensor_read_f32(&t, 0, 4, f[0]);
    portable_read_f32(&t, 0, 4, f[1]);
    rnnat_tensor_read_f64(&t, 0, 4, d);
    CHECK(memcmp(f[0], f[1], sizeof f[0]) == 0);
    CHECK(d[0] == ldexp(1, -149) && d[1] == ldexp(0xFFFFFF, 104) && d[2] == -INFINITY &&
          isnan(d[3]));
    CHECK(load_u32(bytes + 12) == 0x7FC53412u);

    /* doubles round to float: 1 + 2^-24 is a tie, to even; 1 + 2^-23 is a float */
    static const unsigned char doubles[] = {0, 0, 0, 0x10, 0, 0, 0xF0, 0x3F,
                                            0, 0, 0, 0x20, 0, 0, 0xF0, 0x3F};
    const rnnat_tensor w = {.type = RNNAT_TENSOR_F64, .data = doubles, .bytes = sizeof doubles};
    rnnat_tensor_read_f32(&w, 0, 2, f[0]);
    rnnat_tensor_read_f64(&w, 0, 2, d);
    CHECK(d[0] == 1 + ldexp(1, -24) && d[1] == 1 + ldexp(1, -23));
    CHECK(f[0][0] == 1 && f[0][1] == 1 + ldexpf(1, -23));
}

/* Rows of every int8, each with a scale of its own, from every element on: the exact product, which a
 * double has, rounded once, in both types. */
static void test_int8(void)
{
    enum { K = 256, ROWS = 9 };
    static const float scales[ROWS] = {
        0,     1,        0x1.fffffep-8f,  0x1p-149f,      0x1.8p-145f,
        1e-3f, 1.0f / 3, 0x1.fffffep127f, 0x1.fffffep120f};
    static unsigned char bytes[ROWS * K], scale_bytes[1 + ROWS * sizeof(float)];
    for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = (unsigned char)i;
    for (size_t row = 0; row < ROWS; ++row) {
        uint32_t bits;
        memcpy(&bits, &scales[row], sizeof bits);
        for (size_t b = 0; b < 4; ++b)
            scale_bytes[1 + 4 * row + b] = (unsigned char)(bits >> (8 * b) & 0xFF);
    }
    const rnnat_tensor t = {.type = RNNAT_TENSOR_I8,
                            .rank = 2,
                            .dims = {ROWS, K},
                            .data = bytes,
                            .bytes = sizeof bytes,
                            .scales = scale_bytes + 1};
    static float f[ROWS * K + 1];
    static double d[ROWS * K + 1];
    for (size_t first = 0; first < sizeof bytes; first += first < K ? 1 : 61) {
        const size_t count = sizeof bytes - first + 1;
        rnnat_tensor_read_f32(&t, first, count, f);
        rnnat_tensor_read_f64(&t, first, count, d);
        size_t wrong = 0;
        for (size_t i = 0; i + 1 < count; ++i) {
            const size_t at = first + i;
            const int integer = at % K < 128 ? (int)(at % K) : (int)(at % K) - 256;
            const float expected = (float)(integer * (double)scales[at / K]);
            wrong += !same(f[i], expected) || !same(d[i], expected);
        }
        CHECK(wrong == 0 && isnan(f[count - 1]) && isnan(d[count - 1]));
    }
    rnnat_tensor without[3] = {t, t, t}; /* scales, another axis, columns */
    without[0].scales = NULL;
    without[1].rank = 1;
    without[2].dims[1] = 0;
    for (size_t i = 0; i < 3; ++i) {
        rnnat_tensor_read_f32(&without[i], 0, 1, f);
        rnnat_tensor_read_f64(&without[i], 0, 1, d);
        CHECK(isnan(f[0]) && isnan(d[0]));
    }
}

static void test_no_reader(void)
{
    static const unsigned char bytes[8] = {0};
    const rnnat_tensor t = {.type = RNNAT_TENSOR_OTHER, .data = bytes, .bytes = sizeof bytes};
    float f[2] = {1, 1};
    double d[2] = {1, 1};
    rnnat_tensor_read_f32(&t, 0, 2, f);
    rnnat_tensor_read_f64(&t, 0, 2, d);
    CHECK(isnan(f[0]) && isnan(f[1]) && isnan(d[0]) && isnan(d[1]));
}

int main(void)
{
    test_16_bits(RNNAT_TENSOR_F16, 5, 10);
    test_16_bits(RNNAT_TENSOR_BF16, 8, 7);
    test_types();
    test_extremes();
    test_int8();
    test_no_reader();
    return check_result();
}
