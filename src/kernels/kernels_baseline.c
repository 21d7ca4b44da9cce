#include "vec_portable.h"

#define RNNAT_TABLE rnnat_kernels_baseline
#define RNNAT_TRAIN_TABLE rnnat_train_baseline
#define RNNAT_ISA_NAME "baseline"
#include "table.inc.h"
