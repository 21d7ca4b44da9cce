/* A model with every kind of layer and most of what has tensors of its own. */
#ifndef RNNAT_TEST_RICH_MODEL_H
#define RNNAT_TEST_RICH_MODEL_H

#include "model_file.h"

void test_model_start_rich(test_model *model);

#endif
