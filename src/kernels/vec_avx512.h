/* AVX-512 (F, VL, DQ, BW): 16 floats or 8 doubles. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_AVX512_H
#define RNNAT_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "target.h"

#define RNNAT_VEC_REGISTERS 32

enum { lanes_f32 = 16, lanes_f64 = 8 };
typedef __m512 vec_f32;
typedef __m512d vec_f64;

static inline __mmask16 first_f32(int32_t n) { return (__mmask16)((1u << n) - 1u); }
static inline __mmask8 first_f64(int32_t n) { return (__mmask8)((1u << n) - 1u); }

#define RNNAT_VEC(T, S, P, M)                                                                      \
    static inline T load_##S(const P *p) { return _mm512_loadu_##M(p); }                           \
    static inline void store_##S(P *p, T v) { _mm512_storeu_##M(p, v); }                           \
    static inline T load_first_##S(const P *p, int32_t n, T rest)                                  \
    {                                                                                              \
        return _mm512_mask_loadu_##M(rest, first_##S(n), p);                                       \
    }                                                                                              \
    static inline void store_first_##S(P *p, int32_t n, T v)                                       \
    {                                                                                              \
        _mm512_mask_storeu_##M(p, first_##S(n), v);                                                \
    }                                                                                              \
    static inline T set1_##S(P x) { return _mm512_set1_##M(x); }                                   \
    static inline T add_##S(T a, T b) { return _mm512_add_##M(a, b); }                             \
    static inline T sub_##S(T a, T b) { return _mm512_sub_##M(a, b); }                             \
    static inline T mul_##S(T a, T b) { return _mm512_mul_##M(a, b); }                             \
    static inline T div_##S(T a, T b) { return _mm512_div_##M(a, b); }                             \
    static inline T fma_##S(T a, T b, T c) { return _mm512_fmadd_##M(a, b, c); }                   \
    static inline T min_##S(T a, T b) { return _mm512_min_##M(a, b); }                             \
    static inline T max_##S(T a, T b) { return _mm512_max_##M(a, b); }                             \
    static inline T sqrt_##S(T v) { return _mm512_sqrt_##M(v); }                                   \
    static inline T if_less_##S(T a, T b, T x, T y)                                                \
    {                                                                                              \
        return _mm512_mask_blend_##M(_mm512_cmp_##M##_mask(a, b, _CMP_LT_OQ), y, x);               \
    }                                                                                              \
    static inline T abs_##S(T v) { return _mm512_abs_##M(v); }                                     \
    static inline T copysign_##S(T v, T sign)                                                      \
    {                                                                                              \
        const T bit = _mm512_set1_##M((P) - 0.0);                                                  \
        return _mm512_or_##M(v, _mm512_and_##M(sign, bit));                                        \
    }

RNNAT_VEC(vec_f32, f32, float, ps)
RNNAT_VEC(vec_f64, f64, double, pd)
#undef RNNAT_VEC

#define RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

#if RNNAT_WITH_INT8 || RNNAT_WITH_BFLOAT16
#define RNNAT_PUT_WIDTH 16
static inline vec_f32 some_of(const float *x, int32_t n)
{
    return n < lanes_f32 ? load_first_f32(x, n, _mm512_setzero_ps()) : load_f32(x);
}
#endif

#if RNNAT_WITH_INT8
typedef __m512i vec_i32;
static inline vec_i32 zero_i32(void) { return _mm512_setzero_si512(); }
static inline vec_i32 load_i32(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline vec_f32 of_i32(vec_i32 v) { return _mm512_cvtepi32_ps(v); }
static inline vec_f32 largest_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
static inline float reduce_largest_f32(vec_f32 v)
{
    const int32_t most = _mm512_reduce_max_epi32(_mm512_castps_si512(v));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(most)));
}

typedef struct vec_pairs {
    __m512i even, odd;
} vec_pairs;
typedef vec_pairs vec_row_pairs;
static inline void put_pairs(rnnat_pairs *to, const float *x, int32_t n, vec_f32 times)
{
    const __m512i all = _mm512_cvtps_epi32(_mm512_mul_ps(some_of(x, n), times));
    const __m512i in_pairs = _mm512_shuffle_epi32(all, _MM_PERM_DBCA);
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(in_pairs));
}
static inline vec_row_pairs spread_pairs(rnnat_pairs x)
{
    int32_t even, odd;
    memcpy(&even, x.even, sizeof even);
    memcpy(&odd, x.odd, sizeof odd);
    return (vec_row_pairs){_mm512_set1_epi32(even), _mm512_set1_epi32(odd)};
}
static inline vec_pairs load_pairs(const int8_t *p)
{
    const __m512i all = _mm512_loadu_si512(p);
    return (vec_pairs){_mm512_srai_epi16(_mm512_slli_epi16(all, 8), 8), _mm512_srai_epi16(all, 8)};
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    sums = _mm512_add_epi32(sums, _mm512_madd_epi16(x.even, w.even));
    return _mm512_add_epi32(sums, _mm512_madd_epi16(x.odd, w.odd));
}

#if RNNAT_GNU && RNNAT_COMPILER(9, 6, 10)
#define RNNAT_HAS_QUADS
#ifdef __AVX512VNNI__
#define RNNAT_ALWAYS_QUADS
#endif
#define RNNAT_QUADS_OFFSET 1
#define RNNAT_QUADS_CPU rnnat_cpu_has_avx512vnni
#define RNNAT_QUADS_BEGIN RNNAT_TARGET_BEGIN("avx512vnni")
#define RNNAT_QUADS_END RNNAT_TARGET_END
RNNAT_QUADS_BEGIN
typedef __m512i vec_quads, vec_row_quads;
static inline void put_quads(uint32_t *to, const float *x, int32_t n, vec_f32 times)
{
    const __m512i all = _mm512_cvtps_epi32(_mm512_mul_ps(some_of(x, n), times));
    const __m128i bytes = _mm512_cvtepi32_epi8(all);
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}
static inline vec_row_quads spread_quads(uint32_t x) { return _mm512_set1_epi32((int32_t)x); }
static inline vec_quads load_quads(const int8_t *p) { return _mm512_loadu_si512(p); }
static inline vec_i32 dot_quads(vec_row_quads x, vec_quads w, vec_i32 sums)
{
    /* Assembly, for GCC copies every sum of an intrinsic whose vectors have other elements. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), RNNAT_IN("v")(w));
    return sums;
}
RNNAT_QUADS_END
#ifdef RNNAT_HAVE_AMX
#define RNNAT_HAS_AMX
#include "amx.h"
#endif
#endif
#endif

#if RNNAT_WITH_BFLOAT16 && RNNAT_GNU && RNNAT_COMPILER(10, 9, 12)
#define RNNAT_HAS_BF16_DOT
#define RNNAT_BF16_DOT_CPU rnnat_cpu_has_avx512bf16
#define RNNAT_BF16_DOT_BEGIN RNNAT_TARGET_BEGIN("avx512bf16")
#define RNNAT_BF16_DOT_END RNNAT_TARGET_END
RNNAT_BF16_DOT_BEGIN
typedef __m512i vec_bf16, vec_row_bf16;
static inline void put_bf16(uint32_t *to, const float *x, int32_t n, vec_f32 unused)
{
    (void)unused;
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(some_of(x, n)));
}
static inline vec_row_bf16 spread_bf16(uint32_t x) { return _mm512_set1_epi32((int32_t)x); }
static inline vec_bf16 load_pairs_bf16(const uint16_t *p) { return _mm512_loadu_si512(p); }
static inline vec_f32 dot_bf16(vec_row_bf16 x, vec_bf16 w, vec_f32 sums)
{
    return _mm512_dpbf16_ps(sums, (__m512bh)x, (__m512bh)w);
}
RNNAT_BF16_DOT_END
#endif

static inline vec_f32 pow2_f32(vec_f32 n)
{
    const __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3f800000)));
}
static inline vec_f64 pow2_f64(vec_f64 n)
{
    const __m512i bits = _mm512_slli_epi64(_mm512_castpd_si512(n), 52);
    return _mm512_castsi512_pd(_mm512_add_epi64(bits, _mm512_set1_epi64(0x3ff0000000000000)));
}

static inline vec_f32 exponent_f32(vec_f32 v)
{
    const __m512i bits = _mm512_srli_epi32(_mm512_castps_si512(v), 23);
    const __m512i placed = _mm512_or_si512(bits, _mm512_set1_epi32(0x4b000000));
    return _mm512_sub_ps(_mm512_castsi512_ps(placed), _mm512_set1_ps(0x1p23f + 127));
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    const __m512i bits = _mm512_srli_epi64(_mm512_castpd_si512(v), 52);
    const __m512i placed = _mm512_or_si512(bits, _mm512_set1_epi64(0x4330000000000000));
    return _mm512_sub_pd(_mm512_castsi512_pd(placed), _mm512_set1_pd(0x1p52 + 1023));
}

#endif
