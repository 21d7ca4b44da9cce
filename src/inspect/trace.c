/* Copies what a run calculates to where it is shown. */
#include "trace.h"

#include <string.h>

#if RNNAT_INSPECT
char *rnnat_trace_at(const rnnat_task *task, void *array, int32_t when, int32_t features)
{
    return (char *)array + (ptrdiff_t)when * task->rows * features * task->kernels->elem;
}

void rnnat_trace_state(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when, void *array,
                       rnnat_state_rows rows)
{
    const size_t bytes = (size_t)rows.features * (size_t)task->kernels->elem;
    char *const to = rnnat_trace_at(task, array, when, rows.features);
    for (int32_t row = 0; row < task->rows; ++row)
        if (!chunk->lengths || when < chunk->lengths[row])
            memcpy(to + (size_t)row * bytes, rows.base + row * rows.stride * task->kernels->elem,
                   bytes);
}

void rnnat_trace_output(const rnnat_task *task, const rnnat_chunk *chunk, void *array,
                        int32_t features)
{
    const size_t bytes = (size_t)features * (size_t)task->kernels->elem;
    const rnnat_view to =
        rnnat_dense(rnnat_trace_at(task, array, chunk->first, features), task->rows, features);
    for (int32_t step = 0; step < chunk->steps; ++step)
        for (int32_t row = 0; row < task->rows; ++row)
            memcpy(rnnat_view_at(task->kernels, to, step, row),
                   rnnat_view_at(task->kernels, *chunk->out, step, row), bytes);
}
#endif
