/* Integers in vectors of 16 bytes, for vec headers of four floats, whose abs, mul and add there are. */
#ifndef RNNAT_VEC_INT32_H
#define RNNAT_VEC_INT32_H

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#include "../types.h"

#define RNNAT_PUT_WIDTH 4
typedef int32_t vec_i32 __attribute__((vector_size(16)));
static inline vec_i32 zero_i32(void) { return (vec_i32){0, 0, 0, 0}; }
static inline vec_i32 load_i32(const int32_t *p)
{
    vec_i32 v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline vec_f32 of_i32(vec_i32 v)
{
#if defined(__clang__) || __GNUC__ >= 9
    return (vec_f32) __builtin_convertvector(v, float __attribute__((vector_size(16))));
#else
    return (vec_f32){(float)v[0], (float)v[1], (float)v[2], (float)v[3]};
#endif
}
static inline vec_f32 largest_f32(vec_f32 a, vec_f32 b)
{
    const vec_i32 x = (vec_i32)a, y = (vec_i32)b, larger = x > y;
    return (vec_f32)((x & larger) | (y & ~larger));
}
static inline float reduce_largest_f32(vec_f32 v)
{
    const vec_i32 all = (vec_i32)v;
    int32_t most = all[0];
    for (int i = 1; i < 4; ++i) most = all[i] > most ? all[i] : most;
    float value;
    memcpy(&value, &most, sizeof value);
    return value;
}
/* n elements of x * times, rounded: a sum that large has no fraction, and the integer in its last bits. */
static inline vec_i32 rounded(const float *x, int32_t n, vec_f32 times)
{
    const vec_f32 some = n < 4 ? load_first_f32(x, n, set1_f32(0)) : load_f32(x);
    const vec_i32 bits = (vec_i32)add_f32(mul_f32(some, times), set1_f32(0x1.8p23f));
    return bits - (vec_i32)set1_f32(0x1.8p23f);
}

#if defined(__SSE2__) || defined(__wasm_simd128__)
typedef struct vec_pairs {
    vec_i32 even, odd;
} vec_pairs;
typedef vec_pairs vec_row_pairs;
static inline vec_row_pairs spread_pairs(rnnat_pairs x)
{
    int32_t even, odd;
    memcpy(&even, x.even, sizeof even);
    memcpy(&odd, x.odd, sizeof odd);
    return (vec_row_pairs){(vec_i32){even, even, even, even}, (vec_i32){odd, odd, odd, odd}};
}
static inline vec_pairs load_pairs(const int8_t *p)
{
    typedef int16_t words __attribute__((vector_size(16)));
    words all;
    memcpy(&all, p, sizeof all);
    return (vec_pairs){(vec_i32)((all << 8) >> 8), (vec_i32)(all >> 8)};
}
static inline vec_i32 dot_two(vec_i32 x, vec_i32 w)
{
#ifdef __SSE2__
    return (vec_i32)_mm_madd_epi16((__m128i)x, (__m128i)w);
#else
    return (vec_i32)wasm_i32x4_dot_i16x8((v128_t)x, (v128_t)w);
#endif
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    return sums + dot_two(x.even, w.even) + dot_two(x.odd, w.odd);
}
#else /* four products of 32 bits */
typedef struct vec_pairs {
    vec_i32 k[4];
} vec_pairs;
typedef rnnat_pairs vec_row_pairs;
static inline vec_row_pairs spread_pairs(rnnat_pairs x) { return x; }
static inline vec_pairs load_pairs(const int8_t *p)
{
    vec_i32 all;
    memcpy(&all, p, sizeof all);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (vec_pairs){{all >> 24, (all << 8) >> 24, (all << 16) >> 24, (all << 24) >> 24}};
#else
    return (vec_pairs){{(all << 24) >> 24, (all << 16) >> 24, (all << 8) >> 24, all >> 24}};
#endif
}
static inline vec_i32 dot_pairs(vec_row_pairs x, vec_pairs w, vec_i32 sums)
{
    sums += w.k[0] * x.even[0];
    sums += w.k[1] * x.odd[0];
    sums += w.k[2] * x.even[1];
    return sums + w.k[3] * x.odd[1];
}
#endif
static inline void put_pairs(rnnat_pairs *to, const float *x, int32_t n, vec_f32 times)
{
    const vec_i32 all = rounded(x, n, times);
    to->even[0] = (int16_t)all[0];
    to->odd[0] = (int16_t)all[1];
    to->even[1] = (int16_t)all[2];
    to->odd[1] = (int16_t)all[3];
}

#endif
