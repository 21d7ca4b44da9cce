/* Any compiler with GNU vectors: 16 bytes, which becomes SSE2 on x86-64, NEON or SIMD128 where the
 * target has it, and plain scalar code where it has nothing. No fused multiply-add: a product and
 * a sum, each rounded. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_PORTABLE_H
#define RNNAT_VEC_PORTABLE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define RNNAT_VEC_REGISTERS 16

enum { lanes_f32 = 4, lanes_f64 = 2 };
typedef float vec_f32 __attribute__((vector_size(16)));
typedef double vec_f64 __attribute__((vector_size(16)));
typedef uint32_t bits_f32 __attribute__((vector_size(16)));
typedef uint64_t bits_f64 __attribute__((vector_size(16)));

#define RNNAT_VEC(T, S, P, B, SUFFIX, ...)                                                         \
    static inline T load_##S(const P *p)                                                           \
    {                                                                                              \
        T v;                                                                                       \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    static inline void store_##S(P *p, T v) { memcpy(p, &v, sizeof v); }                           \
    static inline T load_first_##S(const P *p, int32_t n, T rest)                                  \
    {                                                                                              \
        for (int32_t i = 0; i < n; ++i) rest[i] = p[i];                                            \
        return rest;                                                                               \
    }                                                                                              \
    static inline void store_first_##S(P *p, int32_t n, T v)                                       \
    {                                                                                              \
        for (int32_t i = 0; i < n; ++i) p[i] = v[i];                                               \
    }                                                                                              \
    static inline T set1_##S(P x) { return (T){__VA_ARGS__}; }                                     \
    static inline T add_##S(T a, T b) { return a + b; }                                            \
    static inline T sub_##S(T a, T b) { return a - b; }                                            \
    static inline T mul_##S(T a, T b) { return a * b; }                                            \
    static inline T div_##S(T a, T b) { return a / b; }                                            \
    static inline T fma_##S(T a, T b, T c) { return a * b + c; }                                   \
    static inline T select_##S(B mask, T a, T b) { return (T)(((B)a & mask) | ((B)b & ~mask)); }   \
    static inline T min_##S(T a, T b) { return select_##S((B)(a < b), a, b); }                     \
    static inline T max_##S(T a, T b) { return select_##S((B)(a > b), a, b); }                     \
    static inline T sqrt_##S(T v)                                                                  \
    {                                                                                              \
        for (int32_t i = 0; i < lanes_##S; ++i) v[i] = sqrt##SUFFIX(v[i]);                         \
        return v;                                                                                  \
    }                                                                                              \
    static inline T if_less_##S(T a, T b, T x, T y) { return select_##S((B)(a < b), x, y); }       \
    static inline T abs_##S(T v) { return (T)((B)v & ~(B)set1_##S((P) - 0.0)); }                   \
    static inline T copysign_##S(T v, T sign)                                                      \
    {                                                                                              \
        return (T)((B)v | ((B)sign & (B)set1_##S((P) - 0.0)));                                     \
    }

RNNAT_VEC(vec_f32, f32, float, bits_f32, f, x, x, x, x)
RNNAT_VEC(vec_f64, f64, double, bits_f64, , x, x)
#undef RNNAT_VEC

#if defined(__clang__) || __GNUC__ >= 9 /* as in float16.h */
#define RNNAT_HAS_LOAD_F16
typedef uint16_t halves __attribute__((vector_size(8)));
static inline vec_f32 load_f16(const uint16_t *p)
{
    halves four;
    memcpy(&four, p, sizeof four);
    const bits_f32 all = __builtin_convertvector(four, bits_f32), rest = all & 0x7FFFu;
    const bits_f32 beyond = (bits_f32)(rest > 0x7BFFu) & (112u << 23);
    const vec_f32 small = (vec_f32)((rest << 13) + (113u << 23)) - 0x1p-14f;
    const vec_f32 normal = (vec_f32)((rest << 13) + (112u << 23) + beyond);
    const bits_f32 sign = (all & 0x8000u) << 16;
    return (vec_f32)((bits_f32)select_f32((bits_f32)(rest < 0x400u), small, normal) | sign);
}
#endif

#if RNNAT_WITH_INT8
#include "vec_int32.h"
#endif

static inline vec_f32 pow2_f32(vec_f32 n) { return (vec_f32)(((bits_f32)n << 23) + 0x3f800000u); }
static inline vec_f64 pow2_f64(vec_f64 n)
{
    return (vec_f64)(((bits_f64)n << 52) + UINT64_C(0x3ff0000000000000));
}
static inline vec_f32 exponent_f32(vec_f32 v)
{
    return (vec_f32)(((bits_f32)v >> 23) | 0x4b000000u) - (0x1p23f + 127);
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    return (vec_f64)(((bits_f64)v >> 52) | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
}

#endif
