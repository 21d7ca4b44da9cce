/* AArch64 NEON: 4 floats or 2 doubles. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_NEON_H
#define RNNAT_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#include "../config.h"
#include "target.h"

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

/* What is in assembly below has intrinsics, but Clang before 16 has them for files alone that are compiled for
 * such a CPU. A function of other options than its file's takes in none that is always inline, unless GCC adds
 * an extension to an architecture that has one such already: elsewhere the assembler alone is told. */
#if defined(__clang__) || defined(__ARM_FEATURE_DOTPROD)
#define RNNAT_ARM_TOLD(extension)
#ifdef __clang__
#define RNNAT_ARM_BEGIN(extension) RNNAT_TARGET_BEGIN(extension)
#else
#define RNNAT_ARM_BEGIN(extension) RNNAT_TARGET_BEGIN("+" extension)
#endif
#define RNNAT_ARM_END RNNAT_TARGET_END
#else
#ifdef __ARM_FEATURE_COMPLEX
#define RNNAT_ARM_TOLD(extension) ".arch armv8.3-a+crypto+fp16+sve+" extension "\n\t"
#else
#define RNNAT_ARM_TOLD(extension) ".arch armv8.2-a+crypto+fp16+sve+" extension "\n\t"
#endif
#define RNNAT_ARM_BEGIN(extension)
#define RNNAT_ARM_END
#endif

#if RNNAT_WITH_INT8
#include "vec_int32.h"

#if RNNAT_GNU && RNNAT_COMPILER(8, 7, 10)
#define RNNAT_HAS_QUADS
#ifdef __ARM_FEATURE_DOTPROD
#define RNNAT_ALWAYS_QUADS
#endif
#define RNNAT_QUADS_OFFSET 0 /* both sides are signed */
#define RNNAT_QUADS_CPU rnnat_cpu_has_dotprod
#define RNNAT_QUADS_BEGIN RNNAT_ARM_BEGIN("dotprod")
#define RNNAT_QUADS_END RNNAT_ARM_END
RNNAT_QUADS_BEGIN
typedef int8x16_t vec_quads;
typedef int8x8_t vec_row_quads; /* the first four */
static inline void put_quads(uint32_t *to, const float *x, int32_t n, vec_f32 times)
{
    const int16x4_t words = vmovn_s32((int32x4_t)rounded(x, n, times));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    vst1_lane_u32(to, vreinterpret_u32_s8(bytes), 0);
}
static inline vec_row_quads spread_quads(uint32_t x) { return vcreate_s8(x); }
static inline vec_quads load_quads(const int8_t *p) { return vld1q_s8(p); }
static inline vec_i32 dot_quads(vec_row_quads x, vec_quads w, vec_i32 sums)
{
    __asm__(RNNAT_ARM_TOLD("dotprod") "sdot %0.4s, %2.16b, %1.4b[0]" : "+w"(sums) : "w"(x), "w"(w));
    return sums;
}
RNNAT_QUADS_END
#endif

#if RNNAT_GNU && RNNAT_COMPILER(10, 11, 13)
#define RNNAT_HAS_TILES
#define RNNAT_TILES_CPU rnnat_cpu_has_i8mm
#define RNNAT_TILES_BEGIN RNNAT_ARM_BEGIN("i8mm")
#define RNNAT_TILES_END RNNAT_ARM_END
RNNAT_TILES_BEGIN
typedef struct vec_tiles {
    int8x16_t low, high;
} vec_tiles;
typedef int8x16_t vec_row_tiles;
static inline void put_tiles(uint64_t *to, const float *x, int32_t n, vec_f32 times)
{
    const vec_i32 low = rounded(x, n, times);
    const vec_i32 high = n > 4 ? rounded(x + 4, n - 4, times) : zero_i32();
    const int16x8_t words = vcombine_s16(vmovn_s32((int32x4_t)low), vmovn_s32((int32x4_t)high));
    vst1_u64(to, vreinterpret_u64_s8(vmovn_s16(words)));
}
static inline vec_row_tiles spread_tiles(uint64_t first, uint64_t second)
{
    return vcombine_s8(vcreate_s8(first), vcreate_s8(second));
}
static inline vec_tiles load_tiles(const int8_t *p)
{
    return (vec_tiles){vld1q_s8(p), vld1q_s8(p + 16)};
}
static inline vec_i32 dot_tiles(vec_row_tiles x, int8x16_t w, vec_i32 sums)
{
    /* Volatile, it stays in the order in which a block's sums fit in registers. */
    __asm__ volatile(RNNAT_ARM_TOLD("i8mm") "smmla %0.4s, %1.16b, %2.16b"
                     : "+w"(sums)
                     : "w"(x), "w"(w));
    return sums;
}
static inline vec_i32 first_row(vec_i32 low, vec_i32 high)
{
    return (vec_i32)vzip1q_s64((int64x2_t)low, (int64x2_t)high);
}
static inline vec_i32 second_row(vec_i32 low, vec_i32 high)
{
    return (vec_i32)vzip2q_s64((int64x2_t)low, (int64x2_t)high);
}
RNNAT_TILES_END
#endif
#endif

#if RNNAT_WITH_BFLOAT16 && RNNAT_GNU && RNNAT_COMPILER(10, 11, 13)
#define RNNAT_HAS_BF16_DOT
#define RNNAT_BF16_DOT_CPU rnnat_cpu_has_bf16
#define RNNAT_BF16_DOT_BEGIN RNNAT_ARM_BEGIN("bf16")
#define RNNAT_BF16_DOT_END RNNAT_ARM_END
RNNAT_BF16_DOT_BEGIN
typedef uint16x8_t vec_bf16;
typedef uint16x4_t vec_row_bf16; /* the first two */
static inline void put_bf16(uint32_t *to, const float *x, int32_t n, vec_f32 unused)
{
    (void)unused;
    uint16x4_t all;
    const vec_f32 some = n < lanes_f32 ? load_first_f32(x, n, set1_f32(0)) : load_f32(x);
    __asm__(RNNAT_ARM_TOLD("bf16") "bfcvtn %0.4h, %1.4s" : "=w"(all) : "w"(some));
    vst1_u32(to, vreinterpret_u32_u16(all));
}
static inline vec_row_bf16 spread_bf16(uint32_t x) { return vcreate_u16(x); }
static inline vec_bf16 load_pairs_bf16(const uint16_t *p) { return vld1q_u16(p); }
static inline vec_f32 dot_bf16(vec_row_bf16 x, vec_bf16 w, vec_f32 sums)
{
    __asm__(RNNAT_ARM_TOLD("bf16") "bfdot %0.4s, %2.8h, %1.2h[0]" : "+w"(sums) : "w"(x), "w"(w));
    return sums;
}
RNNAT_BF16_DOT_END
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
