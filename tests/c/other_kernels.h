/* The baseline's kernels as other builds have them. */
#ifndef RNNAT_TEST_OTHER_KERNELS_H
#define RNNAT_TEST_OTHER_KERNELS_H

#include "kernels/kernels.h"

extern const rnnat_kernels test_kernels_small[2];  /* RNNAT_SMALL, with vectors where there are */
extern const rnnat_kernels test_kernels_scalar[2]; /* RNNAT_SMALL and RNNAT_SCALAR */

#endif
