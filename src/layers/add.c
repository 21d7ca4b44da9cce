/* The sum of two values, with an activation: what an output layer makes of h and of x. */
#include <string.h>

#include "layers.h"

/* Each thread takes some of the steps. */
static bool run_add(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_adding *const add = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    const size_t bytes = (size_t)add->features * (size_t)kernels->elem;
    for (int32_t step = own.first; step < own.first + own.steps; ++step)
        for (int32_t row = 0; row < task->rows; ++row)
            memcpy(rnnat_view_at(kernels, *chunk->out, step, row),
                   rnnat_view_at(kernels, *chunk->in[0], step, row), bytes);
    rnnat_view out = *chunk->out, more = *chunk->in[1];
    out.base = rnnat_view_at(kernels, out, own.first, 0);
    more.base = rnnat_view_at(kernels, more, own.first, 0);
    kernels->add(rnnat_rows_of(out, task->rows), rnnat_rows_of(more, task->rows),
                 own.steps * task->rows, add->features);
    if (add->activation != RNNAT_IDENTITY)
        rnnat_activate_steps(task, chunk, add->activation, add->features);
    return true;
}

#if RNNAT_INSPECT
static void show_add(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_adding *const add = task->node->data;
    if (add->traced_cell >= 0)
        rnnat_trace_output(task, chunk, chunk->trace[add->traced_cell].o, add->features);
}

static void tell_add(const rnnat_node *node, const rnnat_kernels *kernels,
                     const rnnat_teller *teller)
{
    const rnnat_adding *const add = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_adding");
    teller->number(teller->arg, "features", add->features);
    teller->number(teller->arg, "activation", (int64_t)add->activation);
    teller->number(teller->arg, "traced_cell", add->traced_cell);
}
#endif

const rnnat_layer rnnat_layer_add = {.name = "rnnat_layer_add",
                                     .run = run_add,
                                     .show = RNNAT_IF_INSPECT(show_add),
                                     .tell = RNNAT_IF_INSPECT(tell_add)};
