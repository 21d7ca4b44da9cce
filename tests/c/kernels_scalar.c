#define RNNAT_SMALL 1
#define RNNAT_SCALAR 1
#include "other_kernels.h"

#include "kernels/vec_scalar.h"

#define RNNAT_TABLE test_kernels_scalar
#define RNNAT_ISA_NAME "scalar"
#include "kernels/table.inc.h"
