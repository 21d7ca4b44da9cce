/* Compiles the kernels for NEON with fused multiply-add: AArch64, and Armv7-A. */
#if defined(__aarch64__)
#include "vec_neon.h"
#else
#include "vec_neon32.h"
#endif

#define RNNAT_TABLE rnnat_kernels_neon
#define RNNAT_TRAIN_TABLE rnnat_train_neon
#define RNNAT_ISA_NAME "neon"
#include "table.inc.h"
