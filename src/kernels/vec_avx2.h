/* AVX2 with FMA: 8 floats or 4 doubles. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_AVX2_H
#define RNNAT_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "target.h"

#define RNNAT_VEC_REGISTERS 16

enum { lanes_f32 = 8, lanes_f64 = 4 };
typedef __m256 vec_f32;
typedef __m256d vec_f64;

static inline __m256i first_f32(int32_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline __m256i first_f64(int32_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

#define RNNAT_VEC(T, S, P, M)                                                                      \
    static inline T load_##S(const P *p) { return _mm256_loadu_##M(p); }                           \
    static inline void store_##S(P *p, T v) { _mm256_storeu_##M(p, v); }                           \
    static inline T load_first_##S(const P *p, int32_t n, T rest)                                  \
    {                                                                                              \
        const __m256i mask = first_##S(n);                                                         \
        return _mm256_blendv_##M(rest, _mm256_maskload_##M(p, mask), _mm256_castsi256_##M(mask));  \
    }                                                                                              \
    static inline void store_first_##S(P *p, int32_t n, T v)                                       \
    {                                                                                              \
        _mm256_maskstore_##M(p, first_##S(n), v);                                                  \
    }                                                                                              \
    static inline T set1_##S(P x) { return _mm256_set1_##M(x); }                                   \
    static inline T add_##S(T a, T b) { return _mm256_add_##M(a, b); }                             \
    static inline T sub_##S(T a, T b) { return _mm256_sub_##M(a, b); }                             \
    static inline T mul_##S(T a, T b) { return _mm256_mul_##M(a, b); }                             \
    static inline T div_##S(T a, T b) { return _mm256_div_##M(a, b); }                             \
    static inline T fma_##S(T a, T b, T c) { return _mm256_fmadd_##M(a, b, c); }                   \
    static inline T min_##S(T a, T b) { return _mm256_min_##M(a, b); }                             \
    static inline T max_##S(T a, T b) { return _mm256_max_##M(a, b); }                             \
    static inline T sqrt_##S(T v) { return _mm256_sqrt_##M(v); }                                   \
    static inline T if_less_##S(T a, T b, T x, T y)                                                \
    {                                                                                              \
        return _mm256_blendv_##M(y, x, _mm256_cmp_##M(a, b, _CMP_LT_OQ));                          \
    }                                                                                              \
    static inline T abs_##S(T v) { return _mm256_andnot_##M(_mm256_set1_##M((P) - 0.0), v); }      \
    static inline T copysign_##S(T v, T sign)                                                      \
    {                                                                                              \
        const T bit = _mm256_set1_##M((P) - 0.0);                                                  \
        return _mm256_or_##M(v, _mm256_and_##M(sign, bit));                                        \
    }

RNNAT_VEC(vec_f32, f32, float, ps)
RNNAT_VEC(vec_f64, f64, double, pd)
#undef RNNAT_VEC

#ifdef __F16C__ /* whoever compiles the amalgamated pair may have left it out */
#define RNNAT_HAS_LOAD_F16
static inline vec_f32 load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
#endif

#if RNNAT_WITH_INT8
#define RNNAT_PUT_WIDTH 8
typedef __m256i vec_i32;
static inline vec_i32 zero_i32(void) { return _mm256_setzero_si256(); }
static inline vec_i32 load_i32(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vec_f32 of_i32(vec_i32 v) { return _mm256_cvtepi32_ps(v); }
static inline vec_f32 largest_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
static inline float reduce_largest_f32(vec_f32 v)
{
    const __m256i all = _mm256_castps_si256(v);
    __m128i most = _mm_max_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4E));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0xB1));
    return _mm_cvtss_f32(_mm_castsi128_ps(most));
}
/* n elements of x * times as integers of 16 bits, in each half twice. */
static inline __m256i rounded_twice(const float *x, int32_t n, vec_f32 times, const int order)
{
    const vec_f32 some = n < lanes_f32 ? load_first_f32(x, n, _mm256_setzero_ps()) : load_f32(x);
    const __m256i all = _mm256_cvtps_epi32(_mm256_mul_ps(some, times));
    const __m256i in_pairs = order ? _mm256_shuffle_epi32(all, 0xD8) : all;
    return _mm256_packs_epi32(in_pairs, in_pairs);
}

typedef struct vec_pairs {
    __m256i even, odd;
} vec_pairs;
typedef vec_pairs vec_row_pairs;
static inline void put_pairs(rnnat_pairs *to, const float *x, int32_t n, vec_f32 times)
{
    const __m256i twice = rounded_twice(x, n, times, 1);
    const __m256i once = _mm256_permute4x64_epi64(twice, 0x08);
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(once));
}
static inline vec_row_pairs spread_pairs(rnnat_pairs x)
{
    int32_t even, odd;
    memcpy(&even, x.even, sizeof even);
    memcpy(&odd, x.odd, sizeof odd);
    return (vec_row_pairs){_mm256_set1_epi32(even), _mm256_set1_epi32(odd)};
}
static inline vec_pairs load_pairs(const int8_t *p)
{
    const __m256i all = _mm256_loadu_si256((const __m256i *)p);
    return (vec_pairs){_mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8), _mm256_srai_epi16(all, 8)};
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(x.odd, w.odd));
}

#if RNNAT_GNU && RNNAT_COMPILER(11, 12, 13)
#define RNNAT_HAS_QUADS
#ifdef __AVXVNNI__
#define RNNAT_ALWAYS_QUADS
#endif
#define RNNAT_QUADS_OFFSET 1
#define RNNAT_QUADS_CPU rnnat_cpu_has_avxvnni
#define RNNAT_QUADS_BEGIN RNNAT_TARGET_BEGIN("avxvnni")
#define RNNAT_QUADS_END RNNAT_TARGET_END
RNNAT_QUADS_BEGIN
typedef __m256i vec_quads, vec_row_quads;
static inline void put_quads(uint32_t *to, const float *x, int32_t n, vec_f32 times)
{
    const __m256i words = rounded_twice(x, n, times, 0);
    const __m256i bytes =
        _mm256_xor_si256(_mm256_packs_epi16(words, words), _mm256_set1_epi8(-128));
    to[0] = (uint32_t)_mm256_extract_epi32(bytes, 0);
    to[1] = (uint32_t)_mm256_extract_epi32(bytes, 4);
}
static inline vec_row_quads spread_quads(uint32_t x) { return _mm256_set1_epi32((int32_t)x); }
static inline vec_quads load_quads(const int8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline vec_i32 dot_quads(vec_row_quads x, vec_quads w, vec_i32 sums)
{
    /* Assembly, for GCC copies every sum of an intrinsic whose vectors have other elements. */
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(x), RNNAT_IN("x")(w));
    return sums;
}
RNNAT_QUADS_END
#endif
#endif

static inline vec_f32 pow2_f32(vec_f32 n)
{
    const __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000)));
}
static inline vec_f64 pow2_f64(vec_f64 n)
{
    const __m256i bits = _mm256_slli_epi64(_mm256_castpd_si256(n), 52);
    return _mm256_castsi256_pd(_mm256_add_epi64(bits, _mm256_set1_epi64x(0x3ff0000000000000)));
}

static inline vec_f32 exponent_f32(vec_f32 v)
{
    const __m256i bits = _mm256_srli_epi32(_mm256_castps_si256(v), 23);
    const __m256i placed = _mm256_or_si256(bits, _mm256_set1_epi32(0x4b000000));
    return _mm256_sub_ps(_mm256_castsi256_ps(placed), _mm256_set1_ps(0x1p23f + 127));
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    const __m256i bits = _mm256_srli_epi64(_mm256_castpd_si256(v), 52);
    const __m256i placed = _mm256_or_si256(bits, _mm256_set1_epi64x(0x4330000000000000));
    return _mm256_sub_pd(_mm256_castsi256_pd(placed), _mm256_set1_pd(0x1p52 + 1023));
}

#endif
