/* Which vectors this CPU has and the operating system saves. */
#ifndef RNNAT_CPU_FEATURES_H
#define RNNAT_CPU_FEATURES_H

#include <stdbool.h>

bool rnnat_cpu_has_neon(void);   /* with fused multiply-add */
bool rnnat_cpu_has_avx2(void);   /* with FMA */
bool rnnat_cpu_has_avx512(void); /* F, VL, DQ and BW */

/* Whether it multiplies four integers of 8 bits at once, and pairs of bfloat16, in the vectors of the
 * instruction set of that name. */
bool rnnat_cpu_has_int8_dot(const char *isa);
bool rnnat_cpu_has_bf16_dot(const char *isa);

#endif
