/* Models of a file whose matrices are int8 with scales. */
#ifndef RNNAT_TEST_INT8_MODEL_H
#define RNNAT_TEST_INT8_MODEL_H

#include "model_file.h"

/* Makes every matrix int8, rounded to 128ths of the largest number of a row, and adds its scales as a
 * tensor of their own behind all others; the file is then version 2. */
void test_model_quantise(test_model *model);
/* Makes these the floats that they stand for, and takes the scales away. */
void test_model_dequantise(test_model *model);
/* The scales of an int8 tensor. */
test_tensor *test_model_scales(const test_model *model, const test_tensor *of);

#endif
