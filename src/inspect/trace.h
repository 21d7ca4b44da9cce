/* How a run shows what its cells calculate, in the arrays of rnnat_cell_trace. */
#ifndef RNNAT_TRACE_H
#define RNNAT_TRACE_H

#include "../layers/layer.h"

/* Copies a state into step `when` of a trace's array [time, rows, features], of the rows that have not
 * ended. */
void rnnat_trace_state(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when, void *array,
                       rnnat_state_rows rows);
/* Where step `when` of a trace's array is. */
char *rnnat_trace_at(const rnnat_task *task, void *array, int32_t when, int32_t features);
/* Copies a chunk's outputs into a trace's array. */
void rnnat_trace_output(const rnnat_task *task, const rnnat_chunk *chunk, void *array,
                        int32_t features);

#endif
