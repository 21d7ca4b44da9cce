/* Small graphs that together have every way in which values pass between nodes. */
#ifndef RNNAT_FUZZ_GRAPH_MODELS_H
#define RNNAT_FUZZ_GRAPH_MODELS_H

#include "model_file.h"

enum { GRAPH_MODELS = 9 };

/* Begins graph `index`, 0 .. GRAPH_MODELS - 1. */
void graph_model_start(int32_t index, test_model *model);

#endif
