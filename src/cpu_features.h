/* Which vectors this CPU has and the operating system saves. */
#ifndef RNNAT_CPU_FEATURES_H
#define RNNAT_CPU_FEATURES_H

#include <stdbool.h>

bool rnnat_cpu_has_neon(void);   /* with fused multiply-add */
bool rnnat_cpu_has_avx2(void);   /* with FMA */
bool rnnat_cpu_has_avx512(void); /* F, VL, DQ and BW */
bool rnnat_cpu_has_amx(void);    /* tiles of 8-bit integers, beside AVX-512 with VNNI */

/* Beside these sets, of which the operating system then saves the vectors. */
bool rnnat_cpu_has_avxvnni(void);
bool rnnat_cpu_has_avx512vnni(void);
bool rnnat_cpu_has_avx512bf16(void);
/* Asks the kernel for AMX's tiles on behalf of the process: Linux grants each process what it asks for. */
bool rnnat_cpu_permits_amx(void);

/* Beside AArch64's NEON. */
bool rnnat_cpu_has_dotprod(void);
bool rnnat_cpu_has_i8mm(void);
bool rnnat_cpu_has_bf16(void);

#endif
