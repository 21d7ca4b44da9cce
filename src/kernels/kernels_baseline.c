/* Compiles the kernels that run everywhere: in GCC's portable vectors, or in plain C11. */
#include "../config.h"
#if RNNAT_SCALAR
#include "vec_scalar.h"
#else
#include "vec_portable.h"
#endif

#define RNNAT_TABLE rnnat_kernels_baseline
#define RNNAT_TRAIN_TABLE rnnat_train_baseline
#define RNNAT_ISA_NAME "baseline"
#include "table.inc.h"
