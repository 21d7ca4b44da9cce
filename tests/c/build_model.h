/* Models of kernels and products that a file's options would not choose. */
#ifndef RNNAT_TEST_BUILD_MODEL_H
#define RNNAT_TEST_BUILD_MODEL_H

#include "kernels/kernels.h"
#include "model_file.h"

/* As rnnat_model_from_memory makes it, without asking whether the CPU has these products. */
rnnat_model *test_model_build(const test_model *model, const rnnat_kernels *kernels,
                              rnnat_stored type);

#endif
