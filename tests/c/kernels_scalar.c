/* Other options than those of the library at hand. */
#undef RNNAT_SMALL
#undef RNNAT_TRAIN
#define RNNAT_SMALL 1
#undef RNNAT_SCALAR
#define RNNAT_SCALAR 1
#include "other_kernels.h"

#include "kernels/vec_scalar.h"

#define RNNAT_TABLE test_kernels_scalar
#define RNNAT_ISA_NAME "scalar"
#include "kernels/table.inc.h"
