/* A wavefront: stacked layers cut into stages, each of which a thread runs over all chunks of time. */
#ifndef RNNAT_WAVEFRONT_H
#define RNNAT_WAVEFRONT_H

#include "schedule.h"

/* How many stages the model can be run in, `most` at the most, each with about as much work as the
 * others: 1 where that cannot be, where a node needs all of time, or where the model is no chain. */
int32_t rnnat_wavefront_stages(const rnnat_model *model, int32_t most);

/* Does what rnnat_run_steps does, in a workspace that was carved for as many stages as threads. */
void rnnat_wavefront_run(const rnnat_workspace *workspace, const rnnat_member *member, int32_t time,
                         const int32_t *lengths);

#endif
