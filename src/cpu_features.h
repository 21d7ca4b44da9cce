/* Which vectors this CPU has and the operating system saves. */
#ifndef RNNAT_CPU_FEATURES_H
#define RNNAT_CPU_FEATURES_H

#include <stdbool.h>

bool rnnat_cpu_has_neon(void);   /* with fused multiply-add */
bool rnnat_cpu_has_avx2(void);   /* with FMA */
bool rnnat_cpu_has_avx512(void); /* F, VL, DQ and BW */

/* Beside these sets, of which the operating system then saves the vectors. */
bool rnnat_cpu_has_avxvnni(void);
bool rnnat_cpu_has_avx512vnni(void);
bool rnnat_cpu_has_avx512bf16(void);

/* Beside AArch64's NEON. */
bool rnnat_cpu_has_dotprod(void);
bool rnnat_cpu_has_i8mm(void);
bool rnnat_cpu_has_bf16(void);

#endif
