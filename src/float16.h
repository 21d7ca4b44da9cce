/* float16 to float and back. IEEE 754's binary16 has 1 sign, 5 exponent (bias 15) and 10 fraction bits,
 * binary32 has 1, 8 (bias 127) and 23. */
#ifndef RNNAT_FLOAT16_H
#define RNNAT_FLOAT16_H

#include <stdint.h>
#include <string.h>

/* Widens exactly, NaN with its payload; it calculates with no denormal, which a CPU may take for 0. */
static inline float rnnat_f16_widen(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16, rest = half & 0x7FFFu;
    const uint32_t normal = (rest << 13) + ((rest < 0x7C00u ? UINT32_C(112) : UINT32_C(224)) << 23);
    uint32_t bits = (rest << 13) + (UINT32_C(113) << 23);
    float value;
    memcpy(&value, &bits, sizeof value);
    value -= 0x1p-14f; /* of a subnormal number, or 0 */
    memcpy(&bits, &value, sizeof bits);
    bits = sign | (rest < 0x400u ? bits : normal);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to the nearest float16, of two as near to the even one; to infinity from 65520 on. */
static inline uint16_t rnnat_f16_round(double value)
{
    const uint64_t one = UINT64_C(1) << 52;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = (uint32_t)(bits >> 48) & 0x8000u;
    const int32_t exponent = (int32_t)(bits >> 52 & 0x7FF) - 1023;
    bits &= one - 1;
    if (exponent == 1024 && bits)
        return (uint16_t)(sign | 0x7E00u | (uint32_t)(bits >> 42)); /* NaN */
    if (exponent > 15) return (uint16_t)(sign | 0x7C00u);
    if (exponent < -25) return (uint16_t)sign;
    const int32_t shift = exponent < -14 ? 28 - exponent : 42;
    bits += exponent < -14 ? one : (uint64_t)(exponent + 15) << 52;
    const uint64_t left = bits & ((UINT64_C(1) << shift) - 1), tie = UINT64_C(1) << (shift - 1);
    uint32_t half = (uint32_t)(bits >> shift);
    if (left > tie || (left == tie && (half & 1))) ++half;
    return (uint16_t)(sign | half);
}

/* Widens bfloat16, which is the upper half of a float. */
static inline float rnnat_bf16_widen(uint32_t upper)
{
    const uint32_t bits = upper << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to the nearest bfloat16, of two as near to the even one; to infinity from 0x1.FFp127 on. The
 * smallest are multiples of 2^-133. */
static inline uint16_t rnnat_bf16_round(double value)
{
    const uint64_t one = UINT64_C(1) << 52;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = (uint32_t)(bits >> 48) & 0x8000u;
    const int32_t exponent = (int32_t)(bits >> 52 & 0x7FF) - 1023;
    bits &= one - 1;
    if (exponent == 1024 && bits)
        return (uint16_t)(sign | 0x7FC0u | (uint32_t)(bits >> 45)); /* NaN */
    if (exponent > 127) return (uint16_t)(sign | 0x7F80u);
    if (exponent < -134) return (uint16_t)sign;
    const int32_t shift = exponent < -126 ? -81 - exponent : 45;
    bits += exponent < -126 ? one : (uint64_t)(exponent + 127) << 52;
    const uint64_t left = bits & ((UINT64_C(1) << shift) - 1), tie = UINT64_C(1) << (shift - 1);
    uint32_t upper = (uint32_t)(bits >> shift);
    if (left > tie || (left == tie && (upper & 1))) ++upper;
    return (uint16_t)(sign | upper);
}

#endif
