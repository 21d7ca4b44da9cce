/* Compiles the kernels for AVX-512, and for AVX-512 with AMX, which has some more. */
#include "vec_avx512.h"

#define RNNAT_TABLE rnnat_kernels_avx512
#define RNNAT_TRAIN_TABLE rnnat_train_avx512
#define RNNAT_ISA_NAME "avx512"
#define RNNAT_AMX_TABLE rnnat_kernels_avx512_amx
#define RNNAT_AMX_NAME "avx512_amx"
#include "table.inc.h"
