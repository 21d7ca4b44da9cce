/* AArch64 NEON: 4 floats or 2 doubles. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_NEON_H
#define RNNAT_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#include "../config.h"

#define RNNAT_VEC_REGISTERS 32

enum { lanes_f32 = 4, lanes_f64 = 2 };
typedef float32x4_t vec_f32;
typedef float64x2_t vec_f64;

/* min and max keep the second operand where the two do not compare, unlike vminq and vmaxq. */
#define RNNAT_VEC(T, S, P, BITS, SIGN)                                                             \
    static inline T load_##S(const P *p) { return vld1q_##S(p); }                                  \
    static inline void store_##S(P *p, T v) { vst1q_##S(p, v); }                                   \
    static inline T load_first_##S(const P *p, int32_t n, T rest)                                  \
    {                                                                                              \
        for (int32_t i = 0; i < n; ++i) rest[i] = p[i];                                            \
        return rest;                                                                               \
    }                                                                                              \
    static inline void store_first_##S(P *p, int32_t n, T v)                                       \
    {                                                                                              \
        for (int32_t i = 0; i < n; ++i) p[i] = v[i];                                               \
    }                                                                                              \
    static inline T set1_##S(P x) { return vdupq_n_##S(x); }                                       \
    static inline T add_##S(T a, T b) { return vaddq_##S(a, b); }                                  \
    static inline T sub_##S(T a, T b) { return vsubq_##S(a, b); }                                  \
    static inline T mul_##S(T a, T b) { return vmulq_##S(a, b); }                                  \
    static inline T div_##S(T a, T b) { return vdivq_##S(a, b); }                                  \
    static inline T fma_##S(T a, T b, T c) { return vfmaq_##S(c, a, b); }                          \
    static inline T min_##S(T a, T b) { return vbslq_##S(vcltq_##S(a, b), a, b); }                 \
    static inline T max_##S(T a, T b) { return vbslq_##S(vcgtq_##S(a, b), a, b); }                 \
    static inline T sqrt_##S(T v) { return vsqrtq_##S(v); }                                        \
    static inline T if_less_##S(T a, T b, T x, T y) { return vbslq_##S(vcltq_##S(a, b), x, y); }   \
    static inline T abs_##S(T v) { return vabsq_##S(v); }                                          \
    static inline T copysign_##S(T v, T sign) { return vbslq_##S(vdupq_n_##BITS(SIGN), sign, v); }

RNNAT_VEC(vec_f32, f32, float, u32, UINT32_C(0x80000000))
RNNAT_VEC(vec_f64, f64, double, u64, UINT64_C(0x8000000000000000))
#undef RNNAT_VEC

#define RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

#if RNNAT_WITH_INT8
#include "vec_int32.h"
#endif

static inline vec_f32 pow2_f32(vec_f32 n)
{
    const uint32x4_t bits = vshlq_n_u32(vreinterpretq_u32_f32(n), 23);
    return vreinterpretq_f32_u32(vaddq_u32(bits, vdupq_n_u32(0x3f800000u)));
}
static inline vec_f64 pow2_f64(vec_f64 n)
{
    const uint64x2_t bits = vshlq_n_u64(vreinterpretq_u64_f64(n), 52);
    return vreinterpretq_f64_u64(vaddq_u64(bits, vdupq_n_u64(UINT64_C(0x3ff0000000000000))));
}

static inline vec_f32 exponent_f32(vec_f32 v)
{
    const uint32x4_t bits = vshrq_n_u32(vreinterpretq_u32_f32(v), 23);
    const uint32x4_t placed = vorrq_u32(bits, vdupq_n_u32(0x4b000000u));
    return vsubq_f32(vreinterpretq_f32_u32(placed), vdupq_n_f32(0x1p23f + 127));
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    const uint64x2_t bits = vshrq_n_u64(vreinterpretq_u64_f64(v), 52);
    const uint64x2_t placed = vorrq_u64(bits, vdupq_n_u64(UINT64_C(0x4330000000000000)));
    return vsubq_f64(vreinterpretq_f64_u64(placed), vdupq_n_f64(0x1p52 + 1023));
}

#endif
