/* The windows of a workspace's nodes: where they begin, and how many steps of a value there are. */
#ifndef RNNAT_WINDOWS_H
#define RNNAT_WINDOWS_H

#include "../graph/pace.h"
#include "history.h"
#include "workspace.h"

/* Sets the phases of node `index`, [rows] as its state has them. False, and nothing is set: rows have
 * different ones, or its windows cannot have this one. */
bool rnnat_windows_set_phase(const rnnat_workspace *workspace, int32_t index, const void *phases);
/* Moves the phases on: `steps` steps of the inputs were run, of each row as many as `lengths` says, unless
 * that is NULL. */
void rnnat_windows_move_phases(const rnnat_workspace *workspace, int64_t steps,
                               const int32_t *lengths);
/* Finds the lengths of rows, `lengths` of the inputs, in steps of other values. */
void rnnat_windows_take_lengths(const rnnat_workspace *workspace, const int32_t *lengths);
/* The same in steps of one value. */
const int32_t *rnnat_windows_lengths(const rnnat_workspace *workspace, int32_t value,
                                     const int32_t *lengths);
/* Steps of a value behind `steps` of the call's inputs. */
int32_t rnnat_windows_steps(const rnnat_workspace *workspace, int32_t value, int32_t steps);
/* Fills where the windows of a chunk's node begin, and what is before. */
void rnnat_windows_open(const rnnat_workspace *workspace, const rnnat_node *node,
                        rnnat_chunk *chunk);

#endif
