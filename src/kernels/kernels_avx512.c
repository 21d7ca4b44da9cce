/* Compiles the kernels for AVX-512. */
#include "vec_avx512.h"

#define RNNAT_TABLE rnnat_kernels_avx512
#define RNNAT_TRAIN_TABLE rnnat_train_avx512
#define RNNAT_ISA_NAME "avx512"
#include "table.inc.h"
