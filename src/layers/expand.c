/* A value without time at every step of another. */
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
/* The first input of the model that has time; 0 while they are only counted. */
static int32_t first_with_time(const rnnat_graph *graph)
{
    int32_t input = 0;
    while (graph->values && !graph->values[input].has_time) ++input;
    return input;
}

/* Its node reads the value whose steps it has first, as every node does. */
static rnnat_status build_expand(rnnat_graph *graph, const void *options)
{
    (void)options;
    if (graph->num_inputs > 2)
        return RNNAT_REFUSE(graph, SHAPE, "expected one value to read, or two");
    const int32_t x = graph->inputs[0];
    const int32_t like = graph->num_inputs == 2 ? graph->inputs[1] : first_with_time(graph);
    rnnat_node node = {
        .layer = &rnnat_layer_expand, .inputs = {like, x}, .num_inputs = 2, .num_passes = 1};
    rnnat_expanding data = {.features = 0};
    if (graph->values) {
        const rnnat_value *const from = &graph->values[x], *const to = &graph->values[like];
        const bool is_stated = graph->num_inputs == 2;
        if (from->known || from->has_time || !to->has_time || (is_stated && to->known))
            return RNNAT_REFUSE(graph, SHAPE,
                                "expected features without time, and a value with time");
        node.waits = !from->is_static;
        data.features = from->features;
    }
    node.data = rnnat_graph_keep(graph, &data, sizeof data);
    graph->has_time = true;
    graph->is_static = false;
    const int32_t value = rnnat_graph_add(graph, &node, data.features);
    rnnat_graph_result(graph, value, data.features, true);
    return RNNAT_OK;
}
#endif

static bool run_expand(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_expanding *const expand = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const size_t bytes = (size_t)expand->features * (size_t)kernels->elem;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step)
        for (int32_t row = 0; row < task->rows; ++row)
            memcpy(rnnat_view_at(kernels, *chunk->out, step, row),
                   rnnat_view_at(kernels, *chunk->in[1], step, row), bytes);
    return true;
}

#if RNNAT_INSPECT
static void tell_expand(const rnnat_node *node, const rnnat_kernels *kernels,
                        const rnnat_teller *teller)
{
    const rnnat_expanding *const expand = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_expanding");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", expand->features);
}
#endif
#endif

const rnnat_layer rnnat_layer_expand = {
    .name = "rnnat_layer_expand",
#if RNNAT_WITH_WINDOWS
    .takes_several = true,
    .mixes_time = true,
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_expand),
    .run = run_expand,
    .tell = RNNAT_IF_INSPECT(tell_expand),
#endif
};
