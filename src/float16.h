/* float16 and bfloat16 to float and back. IEEE 754's binary16 has 1 sign, 5 exponent (bias 15) and 10
 * fraction bits, bfloat16 has 1, 8 (bias 127) and 7, binary32 has 1, 8 (bias 127) and 23. */
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

/* Widens bfloat16, which is the upper half of a float. */
static inline float rnnat_bf16_widen(uint32_t upper)
{
    const uint32_t bits = upper << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to the nearest number of 16 bits, `fraction` of them its fraction's, of two as near to the even
 * one; to infinity from half a step past the largest one on. */
static inline uint16_t rnnat_round_to_16(double value, int32_t fraction, int32_t bias)
{
    const uint64_t one = UINT64_C(1) << 52;
    const uint32_t infinity = (2 * (uint32_t)bias + 1) << fraction;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = (uint32_t)(bits >> 48) & 0x8000u;
    const int32_t exponent = (int32_t)(bits >> 52 & 0x7FF) - 1023, least = 1 - bias;
    int32_t shift = 52 - fraction;
    bits &= one - 1;
    if (exponent == 1024 && bits) /* NaN, a quiet one */
        return (uint16_t)(sign | infinity | 1u << (fraction - 1) | (uint32_t)(bits >> shift));
    if (exponent > bias) return (uint16_t)(sign | infinity);
    if (exponent < least - fraction - 1) return (uint16_t)sign;
    if (exponent < least) { /* a subnormal number */
        shift += least - exponent;
        bits += one;
    } else {
        bits += (uint64_t)(exponent + bias) << 52;
    }
    const uint64_t left = bits & ((UINT64_C(1) << shift) - 1), tie = UINT64_C(1) << (shift - 1);
    uint32_t rounded = (uint32_t)(bits >> shift);
    if (left > tie || (left == tie && (rounded & 1))) ++rounded;
    return (uint16_t)(sign | rounded);
}

static inline uint16_t rnnat_f16_round(double value) { return rnnat_round_to_16(value, 10, 15); }
static inline uint16_t rnnat_bf16_round(double value) { return rnnat_round_to_16(value, 7, 127); }

#endif
