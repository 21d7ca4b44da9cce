/* Small models that together have every cell, option and kind of layer: for what has to hold of all
 * of them. */
#ifndef RNNAT_TEST_EVERY_MODEL_H
#define RNNAT_TEST_EVERY_MODEL_H

#include "model_file.h"

/* Begins model `index`, of which `name` tells; false past the last one. */
bool every_model_start(int32_t index, test_model *model, const char **name);

#endif
