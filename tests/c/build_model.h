/* Models of weights and products that round, chosen by options or in spite of them. */
#ifndef RNNAT_TEST_BUILD_MODEL_H
#define RNNAT_TEST_BUILD_MODEL_H

#include "kernels/kernels.h"
#include "model_file.h"

/* As rnnat_model_from_memory makes it, without asking whether the CPU has these products. */
rnnat_model *test_model_build(const test_model *model, const rnnat_kernels *kernels,
                              rnnat_stored type);
/* As a caller makes it, whose options say no more; NULL where this build or CPU has no such products. */
rnnat_model *test_model_rounded(const test_model *model, int32_t weights, int32_t compute);

#endif
