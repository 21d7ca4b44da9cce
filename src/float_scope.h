/* Denormals cost no time: while a scope is open, this thread's SIMD unit treats them as zero, in
 * what it reads and what it writes. Leaving restores exactly what was there. */
#ifndef RNNAT_FLOAT_SCOPE_H
#define RNNAT_FLOAT_SCOPE_H

#include <stdint.h>

#include "config.h"

#if RNNAT_GNU && defined(__SSE__)
#include <xmmintrin.h>
typedef uint32_t rnnat_float_mode;
static inline rnnat_float_mode rnnat_float_enter(void)
{
    const rnnat_float_mode before = _mm_getcsr();
    const rnnat_float_mode wanted = before | 0x8040u; /* flush to zero, denormals are zero */
    if (wanted != before) _mm_setcsr(wanted);
    return before;
}
static inline void rnnat_float_leave(rnnat_float_mode before)
{
    if (_mm_getcsr() != before) _mm_setcsr(before);
}
#elif RNNAT_GNU && defined(__aarch64__)
typedef uint64_t rnnat_float_mode;
static inline rnnat_float_mode rnnat_float_enter(void)
{
    rnnat_float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)));
    return before;
}
static inline void rnnat_float_leave(rnnat_float_mode before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#elif defined(__arm__) && defined(__ARM_FP) && RNNAT_GNU
/* Armv7's NEON does so always with floats in vectors; this is for those of the scalar unit. */
typedef uint32_t rnnat_float_mode;
static inline rnnat_float_mode rnnat_float_enter(void)
{
    rnnat_float_mode before;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(before));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(before | (UINT32_C(1) << 24)));
    return before;
}
static inline void rnnat_float_leave(rnnat_float_mode before)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"(before));
}
#else
typedef int rnnat_float_mode;
static inline rnnat_float_mode rnnat_float_enter(void) { return 0; }
static inline void rnnat_float_leave(rnnat_float_mode before) { (void)before; }
#endif

#endif
