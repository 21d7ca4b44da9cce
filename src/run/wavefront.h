/* Stacked layers as a wavefront: a stage of the chain for each thread. */
#ifndef RNNAT_WAVEFRONT_H
#define RNNAT_WAVEFRONT_H

#include "schedule.h"

/* How many stages the model can be run in, `most` at the most, each with about its share of the
 * work: 1 where that cannot be, a node needs all of time, or the model is no chain. */
int32_t rnnat_wavefront_stages(const rnnat_model *model, int32_t most);

/* What rnnat_run_steps does, for a workspace that was carved for as many stages as there are threads. */
void rnnat_wavefront_run(const rnnat_workspace *workspace, const rnnat_member *member, int32_t time,
                         const int32_t *lengths);

#endif
