/* Compiles the kernels for AVX2 with FMA. */
#include "vec_avx2.h"

#define RNNAT_TABLE rnnat_kernels_avx2
#define RNNAT_TRAIN_TABLE rnnat_train_avx2
#define RNNAT_ISA_NAME "avx2"
#include "table.inc.h"
