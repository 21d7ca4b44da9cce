/* What a workspace keeps of the steps that a node with a window has read: those that its next windows
 * reach back to, and where these begin. */
#ifndef RNNAT_HISTORY_H
#define RNNAT_HISTORY_H

#include "../graph/pace.h"
#include "../layers/layer.h"

/* Takes the memory of node `index`; its phases and steps are set by rnnat_history_reset. */
void rnnat_history_carve(rnnat_arena *arena, const rnnat_model *model, int32_t index, int32_t rows,
                         rnnat_history *history);
/* Makes it what it is before the first step. */
void rnnat_history_reset(const rnnat_model *model, int32_t index, int32_t rows,
                         const rnnat_history *history);
/* Says where row `row` of its state array `array` is. */
rnnat_state_rows rnnat_history_state(const rnnat_model *model, int32_t index,
                                     const rnnat_history *history, int32_t batch, int32_t array,
                                     int32_t row);
/* Keeps the last steps of a chunk in the place of older ones; of a row that ends in it, the last before
 * its end. */
void rnnat_history_move(const rnnat_task *task, const rnnat_chunk *chunk,
                        const rnnat_history *history);
/* Sets the phase of a row in the array of them. */
void rnnat_history_set_phase(const rnnat_model *model, const rnnat_history *history, int32_t row,
                             int32_t phase);
/* Takes the phase of node `index` out of its state [batch], each number of which is read once. False:
 * rows have different ones, or its windows cannot have this one. */
bool rnnat_take_phase(const rnnat_model *model, int32_t index, const void *phases, int32_t batch,
                      int32_t *phase);
/* Takes those of all nodes [nodes], or NULL, out of a state, or NULL for a new one. False: one cannot be
 * taken, or nodes are at steps of their strides that do not go together. */
bool rnnat_take_phases(const rnnat_model *model, const void *const *states, int32_t batch,
                       int32_t *phases);

#endif
