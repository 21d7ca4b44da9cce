/* Runs and streams of all inputs and outputs of a model. */
#ifndef RNNAT_FUZZ_GRAPH_CALLS_H
#define RNNAT_FUZZ_GRAPH_CALLS_H

#include "call.h"

/* One of at most 16 inputs, outputs and 64 states; others are passed over. */
void fuzz_run_graph(const fuzz_model *model);

#endif
