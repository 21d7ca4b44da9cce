/* How a model is made of a file: its lines are read, its nodes built, its values planned. */
#ifndef RNNAT_GRAPH_H
#define RNNAT_GRAPH_H

#include "builder.h"

/* Lays the model out in build->arena; while that only counts, *model is scratch of the caller's. */
rnnat_status rnnat_model_build(rnnat_builder *build, int32_t matmul, rnnat_model *model);

/* Finds where every value is kept while the model runs, and the buffers for it (plan.c).
 * UNSUPPORTED: a node makes what nobody reads. */
rnnat_status rnnat_plan_values(rnnat_model *model, rnnat_value *values, rnnat_buffer *buffers);

#endif
