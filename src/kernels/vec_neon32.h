/* Armv7-A NEON with fused multiply-add (VFPv4): 4 floats; 2 doubles, one after the other, since this
 * NEON has none: as many as vec_neon.h has, so that a model packed for "neon" runs on both. See
 * body.inc.h for what each name promises.
 *
 * Floats are in intrinsics: a compiler takes no NEON for floats by itself, since this NEON treats
 * denormals as zero, always. That is what a run asks of other processors (float_scope.h). It has no
 * division either: four of the scalar unit, each rounded right. A product and a sum of doubles are
 * rounded each. */
#ifndef RNNAT_VEC_NEON32_H
#define RNNAT_VEC_NEON32_H

#include <arm_neon.h>
#include <math.h>
#include <stdint.h>

#include "../config.h"
#include <string.h>

#define RNNAT_VEC_REGISTERS 16

enum { lanes_f32 = 4, lanes_f64 = 2 };
typedef float32x4_t vec_f32;
typedef struct vec_f64 {
    double a, b;
} vec_f64;

/* ---- floats ---- */

static inline vec_f32 load_f32(const float *p) { return vld1q_f32(p); }
static inline void store_f32(float *p, vec_f32 v) { vst1q_f32(p, v); }
static inline vec_f32 load_first_f32(const float *p, int32_t n, vec_f32 rest)
{
    float all[4];
    vst1q_f32(all, rest);
    for (int32_t i = 0; i < n; ++i) all[i] = p[i];
    return vld1q_f32(all);
}
static inline void store_first_f32(float *p, int32_t n, vec_f32 v)
{
    float all[4];
    vst1q_f32(all, v);
    for (int32_t i = 0; i < n; ++i) p[i] = all[i];
}
static inline vec_f32 set1_f32(float x) { return vdupq_n_f32(x); }
static inline vec_f32 add_f32(vec_f32 a, vec_f32 b) { return vaddq_f32(a, b); }
static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b) { return vsubq_f32(a, b); }
static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b) { return vmulq_f32(a, b); }
static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    float x[4], y[4];
    vst1q_f32(x, a);
    vst1q_f32(y, b);
    for (int i = 0; i < 4; ++i) x[i] /= y[i];
    return vld1q_f32(x);
}
static inline vec_f32 sqrt_f32(vec_f32 v)
{
    float x[4];
    vst1q_f32(x, v);
    for (int i = 0; i < 4; ++i) x[i] = sqrtf(x[i]);
    return vld1q_f32(x);
}
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c) { return vfmaq_f32(c, a, b); }
/* min and max keep the second operand where the two do not compare, unlike vminq and vmaxq. */
static inline vec_f32 min_f32(vec_f32 a, vec_f32 b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline vec_f32 max_f32(vec_f32 a, vec_f32 b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vec_f32 if_less_f32(vec_f32 a, vec_f32 b, vec_f32 x, vec_f32 y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}
static inline vec_f32 abs_f32(vec_f32 v) { return vabsq_f32(v); }
static inline vec_f32 copysign_f32(vec_f32 v, vec_f32 sign)
{
    return vbslq_f32(vdupq_n_u32(UINT32_C(0x80000000)), sign, v);
}
#if RNNAT_WITH_INT8
#include "vec_int32.h"
#endif

static inline vec_f32 pow2_f32(vec_f32 n)
{
    const uint32x4_t bits = vshlq_n_u32(vreinterpretq_u32_f32(n), 23);
    return vreinterpretq_f32_u32(vaddq_u32(bits, vdupq_n_u32(UINT32_C(0x3f800000))));
}
static inline vec_f32 exponent_f32(vec_f32 v)
{
    const uint32x4_t bits = vshrq_n_u32(vreinterpretq_u32_f32(v), 23);
    const uint32x4_t placed = vorrq_u32(bits, vdupq_n_u32(UINT32_C(0x4b000000)));
    return vsubq_f32(vreinterpretq_f32_u32(placed), vdupq_n_f32(0x1p23f + 127));
}

/* ---- doubles ---- */

static inline vec_f64 load_f64(const double *p) { return (vec_f64){p[0], p[1]}; }
static inline void store_f64(double *p, vec_f64 v)
{
    p[0] = v.a;
    p[1] = v.b;
}
static inline vec_f64 load_first_f64(const double *p, int32_t n, vec_f64 rest)
{
    return n > 0 ? (vec_f64){p[0], rest.b} : rest;
}
static inline void store_first_f64(double *p, int32_t n, vec_f64 v)
{
    if (n > 0) p[0] = v.a;
}
static inline vec_f64 set1_f64(double x) { return (vec_f64){x, x}; }

#define RNNAT_BOTH(NAME, A, B)                                                                     \
    static inline vec_f64 NAME##_f64(vec_f64 x, vec_f64 y) { return (vec_f64){A, B}; }

RNNAT_BOTH(add, x.a + y.a, x.b + y.b)
RNNAT_BOTH(sub, x.a - y.a, x.b - y.b)
RNNAT_BOTH(mul, x.a *y.a, x.b *y.b)
RNNAT_BOTH(div, x.a / y.a, x.b / y.b)
RNNAT_BOTH(min, x.a < y.a ? x.a : y.a, x.b < y.b ? x.b : y.b)
RNNAT_BOTH(max, x.a > y.a ? x.a : y.a, x.b > y.b ? x.b : y.b)
RNNAT_BOTH(copysign, copysign(x.a, y.a), copysign(x.b, y.b))
#undef RNNAT_BOTH

static inline vec_f64 fma_f64(vec_f64 a, vec_f64 b, vec_f64 c) { return add_f64(mul_f64(a, b), c); }
static inline vec_f64 if_less_f64(vec_f64 a, vec_f64 b, vec_f64 x, vec_f64 y)
{
    return (vec_f64){a.a < b.a ? x.a : y.a, a.b < b.b ? x.b : y.b};
}
static inline vec_f64 abs_f64(vec_f64 v) { return (vec_f64){fabs(v.a), fabs(v.b)}; }
static inline vec_f64 sqrt_f64(vec_f64 v) { return (vec_f64){sqrt(v.a), sqrt(v.b)}; }
static inline double pow2_one(double n)
{
    uint64_t bits;
    memcpy(&bits, &n, sizeof bits);
    bits = (bits << 52) + UINT64_C(0x3ff0000000000000);
    memcpy(&n, &bits, sizeof n);
    return n;
}
static inline vec_f64 pow2_f64(vec_f64 n) { return (vec_f64){pow2_one(n.a), pow2_one(n.b)}; }

static inline double exponent_one(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits >> 52) | UINT64_C(0x4330000000000000);
    memcpy(&v, &bits, sizeof v);
    return v - (0x1p52 + 1023);
}
static inline vec_f64 exponent_f64(vec_f64 v)
{
    return (vec_f64){exponent_one(v.a), exponent_one(v.b)};
}

#endif
