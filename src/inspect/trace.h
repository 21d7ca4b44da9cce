/* What a run shows of itself: rnnat_cell_trace. */
#ifndef RNNAT_TRACE_H
#define RNNAT_TRACE_H

#include "../layers/layer.h"

/* Rows of a state, each `features` long and padded to the stride, into step `when` of a trace's
 * array [time, rows, features]: of the rows that have not ended. */
void rnnat_trace_state(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when, void *array,
                       rnnat_state_rows rows);
/* Where step `when` of a trace's array is. */
char *rnnat_trace_at(const rnnat_task *task, void *array, int32_t when, int32_t features);
/* A chunk's outputs, into a trace's array. */
void rnnat_trace_output(const rnnat_task *task, const rnnat_chunk *chunk, void *array,
                        int32_t features);

#endif
