/* Other options than those of the library at hand. */
#undef RNNAT_SMALL
#undef RNNAT_TRAIN
#define RNNAT_SMALL 1
#include "other_kernels.h"

#if RNNAT_SCALAR
#include "kernels/vec_scalar.h"
#else
#include "kernels/vec_portable.h"
#endif

#define RNNAT_TABLE test_kernels_small
#define RNNAT_ISA_NAME "small"
#include "kernels/table.inc.h"
