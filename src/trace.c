/* What a run shows of itself: rnnat_cell_trace. */
#include <string.h>

#include "forward.h"

#if RNNAT_INSPECT
/* Step `when` of an array [time, rows, features] of a trace. */
static char *trace_at(const rnnat_lane *lane, void *array, int32_t when, int32_t features)
{
    return (char *)array + (ptrdiff_t)when * lane->rows * features * lane->model->kernels->elem;
}

void rnnat_trace_gates(const rnnat_lane *lane, const rnnat_op *op, int32_t direction, int32_t when,
                       rnnat_step *step)
{
    const rnnat_cell_trace *const trace = &lane->trace[op->first_cell + direction];
    for (int i = 0; i < RNNAT_CELL_GATES && trace->gates[i]; ++i)
        step->trace[i] = trace_at(lane, trace->gates[i], when, op->hidden);
}

void rnnat_trace_states(const rnnat_lane *lane, const rnnat_op *op, int32_t direction, int32_t when,
                        int32_t now, const int32_t *lengths)
{
    const rnnat_cell_trace *const trace = &lane->trace[op->first_cell + direction];
    const rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    for (int32_t s = 0; s < (trace->c ? 2 : 1); ++s) {
        const int32_t features = rnnat_op_features(op, s);
        const rnnat_view to = rnnat_dense(lane, s ? trace->c : trace->h, features);
        const rnnat_view from =
            rnnat_dense(lane, state->array[s][now], rnnat_pad(lane->model->kernels, features));
        for (int32_t row = 0; row < lane->rows; ++row)
            if (!lengths || when < lengths[row])
                memcpy(rnnat_view_at(lane, to, when, row), rnnat_view_at(lane, from, 0, row),
                       (size_t)features * (size_t)lane->model->kernels->elem);
    }
}

void rnnat_trace_output(const rnnat_lane *lane, const rnnat_op *op, rnnat_view out, int32_t first,
                        int32_t steps)
{
    void *const array = lane->trace[op->first_cell].o;
    const rnnat_view to = rnnat_dense(lane, trace_at(lane, array, first, op->output), op->output);
    for (int32_t step = 0; step < steps; ++step)
        for (int32_t row = 0; row < lane->rows; ++row)
            memcpy(rnnat_view_at(lane, to, step, row), rnnat_view_at(lane, out, step, row),
                   (size_t)op->output * (size_t)lane->model->kernels->elem);
}
#endif
