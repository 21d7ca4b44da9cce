/* Plain C11, one number at a time: any compiler and any target. No fused multiply-add: a product and
 * a sum, each rounded, so that cells give the bits of vec_portable.h. See body.inc.h for what each
 * name promises. Blocks are for FPUs without vectors, such as Cortex-M4F's and M7's, whose registers
 * hold 32 floats. */
#ifndef RNNAT_VEC_SCALAR_H
#define RNNAT_VEC_SCALAR_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../types.h"

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
/* 16: GCC where there is arithmetic of float16. i386: -mfpmath=sse; IBM Z: -fexcess-precision=fast */
#error "expected float arithmetic in float (FLT_EVAL_METHOD 0), got a wider one"
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#endif

#define RNNAT_VEC_REGISTERS 32

enum { lanes_f32 = 1, lanes_f64 = 1 };
typedef float vec_f32;
typedef double vec_f64;

#define RNNAT_VEC(T, S, SUFFIX)                                                                    \
    static inline T load_##S(const T *p) { return *p; }                                            \
    static inline void store_##S(T *p, T v) { *p = v; }                                            \
    static inline T load_first_##S(const T *p, int32_t n, T rest) { return n > 0 ? *p : rest; }    \
    static inline void store_first_##S(T *p, int32_t n, T v)                                       \
    {                                                                                              \
        if (n > 0) *p = v;                                                                         \
    }                                                                                              \
    static inline T set1_##S(T x) { return x; }                                                    \
    static inline T add_##S(T a, T b) { return a + b; }                                            \
    static inline T sub_##S(T a, T b) { return a - b; }                                            \
    static inline T mul_##S(T a, T b) { return a * b; }                                            \
    static inline T div_##S(T a, T b) { return a / b; }                                            \
    static inline T fma_##S(T a, T b, T c)                                                         \
    {                                                                                              \
        const T unsummed = a * b;                                                                  \
        return unsummed + c;                                                                       \
    }                                                                                              \
    static inline T min_##S(T a, T b) { return a < b ? a : b; }                                    \
    static inline T max_##S(T a, T b) { return a > b ? a : b; }                                    \
    static inline T sqrt_##S(T v) { return sqrt##SUFFIX(v); }                                      \
    static inline T if_less_##S(T a, T b, T x, T y) { return a < b ? x : y; }                      \
    static inline T abs_##S(T v) { return fabs##SUFFIX(v); }                                       \
    static inline T copysign_##S(T v, T sign) { return copysign##SUFFIX(v, sign); }

RNNAT_VEC(vec_f32, f32, f)
RNNAT_VEC(vec_f64, f64, )
#undef RNNAT_VEC

#if RNNAT_WITH_FLOAT16 && RNNAT_GNU && defined(__ARM_FP) &&                                        \
    ((__ARM_FP & 2) || (defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'))
/* The FPU widens float16: every one of a Cortex-M, though GCC's __ARM_FP says so of some alone. */
#define RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
#ifdef __ARM_FP16_FORMAT_IEEE /* Clang's; GCC's with -mfp16-format=ieee */
    __fp16 v;
    memcpy(&v, p, sizeof v);
    return v;
#else
    const uint32_t bits = *p;
    vec_f32 v;
    memcpy(&v, &bits, sizeof v);
    __asm__("vcvtb.f32.f16 %0, %0" : "+t"(v));
    return v;
#endif
}
#endif

#if RNNAT_WITH_INT8
#define RNNAT_PUT_WIDTH 4
typedef int32_t vec_i32;
static inline vec_i32 zero_i32(void) { return 0; }
static inline vec_i32 load_i32(const int32_t *p) { return *p; }
static inline vec_f32 of_i32(vec_i32 v) { return (float)v; }
static inline int32_t bits_of(vec_f32 v)
{
    int32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline vec_f32 largest_f32(vec_f32 a, vec_f32 b) { return bits_of(a) > bits_of(b) ? a : b; }
static inline float reduce_largest_f32(vec_f32 v) { return v; }

/* x * times, rounded: a sum that large has no fraction, and the integer in its last bits. */
static inline int16_t rounded(float x, float times)
{
    const float scaled = x * times;
    return (int16_t)(bits_of(scaled + 0x1.8p23f) - bits_of(0x1.8p23f));
}
static inline void put_pairs(rnnat_pairs *to, const float *x, int32_t n, float times)
{
    to->even[0] = rounded(x[0], times);
    to->odd[0] = n > 1 ? rounded(x[1], times) : 0;
    to->even[1] = n > 2 ? rounded(x[2], times) : 0;
    to->odd[1] = n > 3 ? rounded(x[3], times) : 0;
}
#if RNNAT_GNU && defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_BIG_ENDIAN)
/* Two products of 16 bits at once, by Arm's DSP instructions: those of Cortex-M4, M7 and M33. */
typedef struct vec_pairs {
    uint32_t even, odd;
} vec_pairs;
typedef vec_pairs vec_row_pairs;
static inline vec_row_pairs spread_pairs(rnnat_pairs x)
{
    uint64_t both;
    memcpy(&both, &x, sizeof both);
    return (vec_row_pairs){(uint32_t)both, (uint32_t)(both >> 32)};
}
static inline vec_pairs load_pairs(const int8_t *p)
{
    uint32_t all;
    memcpy(&all, __builtin_assume_aligned(p, sizeof all), sizeof all);
    vec_pairs w;
    __asm__("sxtb16 %0, %1" : "=r"(w.even) : "r"(all));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(w.odd) : "r"(all));
    return w;
}
static inline vec_i32 dot_two(uint32_t x, uint32_t w, vec_i32 sums)
{
    vec_i32 all;
    __asm__("smlad %0, %1, %2, %3" : "=r"(all) : "r"(x), "r"(w), "r"(sums));
    return all;
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    return dot_two(x.odd, w.odd, dot_two(x.even, w.even, sums));
}
#else
typedef rnnat_pairs vec_row_pairs;
static inline vec_row_pairs spread_pairs(rnnat_pairs x) { return x; }
typedef struct vec_pairs {
    int8_t k[4];
} vec_pairs;
static inline vec_pairs load_pairs(const int8_t *p)
{
    vec_pairs w;
    memcpy(w.k, p, sizeof w.k);
    return w;
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    return sums + x.even[0] * w.k[0] + x.odd[0] * w.k[1] + x.even[1] * w.k[2] + x.odd[1] * w.k[3];
}
#endif
#endif

static inline vec_f32 pow2_f32(vec_f32 n)
{
    uint32_t bits;
    memcpy(&bits, &n, sizeof bits);
    bits = (bits << 23) + UINT32_C(0x3f800000);
    memcpy(&n, &bits, sizeof n);
    return n;
}
static inline vec_f64 pow2_f64(vec_f64 n)
{
    uint64_t bits;
    memcpy(&bits, &n, sizeof bits);
    bits = (bits << 52) + UINT64_C(0x3ff0000000000000);
    memcpy(&n, &bits, sizeof n);
    return n;
}
static inline vec_f32 exponent_f32(vec_f32 v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits >> 23) | UINT32_C(0x4b000000);
    memcpy(&v, &bits, sizeof v);
    return v - (0x1p23f + 127);
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits >> 52) | UINT64_C(0x4330000000000000);
    memcpy(&v, &bits, sizeof v);
    return v - (0x1p52 + 1023);
}

#endif
