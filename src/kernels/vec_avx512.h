/* AVX-512 (F, VL, DQ, BW): 16 floats or 8 doubles. See body.inc.h for what each name promises. */
#ifndef RNNAT_VEC_AVX512_H
#define RNNAT_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

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
