/* exp(x) / sum(exp(x)) of each of several blocks of features, or its logarithm. */
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_ELEMENTWISE
#if RNNAT_READER
static const rnnat_key softmax_keys[] = {
    RNNAT_SIZE_KEY(rnnat_softmax_options, groups),
    RNNAT_WORD_KEY(rnnat_softmax_options, log, rnnat_flags),
};

static rnnat_status build_softmax(rnnat_graph *graph, const void *options)
{
    const rnnat_softmax_options *const line = options;
    const int32_t input = graph->inputs[0];
    const rnnat_softmaxing data = {.features = graph->values ? graph->values[input].features
                                                             : graph->features,
                                   .groups = line->groups,
                                   .is_log = line->log != 0};
    if (data.features % data.groups)
        return RNNAT_REFUSE(graph, SHAPE, "expected groups= to divide the features it reads");
    rnnat_graph_add_one(graph, &rnnat_layer_softmax, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

/* Each member takes some of the steps. */
static bool run_softmax(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_softmaxing *const data = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    const int32_t size = data->features / data->groups;
    for (int32_t step = own.first; step < own.first + own.steps; ++step)
        for (int32_t row = 0; row < task->rows; ++row) {
            char *const y = rnnat_view_at(kernels, *chunk->out, step, row);
            memcpy(y, rnnat_view_at(kernels, *chunk->in[0], step, row),
                   (size_t)data->features * (size_t)kernels->elem);
            kernels->activate(data->is_log ? RNNAT_LOG_SOFTMAX : RNNAT_SOFTMAX,
                              (rnnat_rows){y, data->groups, size, 0}, data->groups, size);
        }
    return true;
}

#if RNNAT_INSPECT
static void tell_softmax(const rnnat_node *node, const rnnat_kernels *kernels,
                         const rnnat_teller *teller)
{
    const rnnat_softmaxing *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_softmaxing");
    teller->needs(teller->arg, "RNNAT_WITH_GENERAL");
    teller->needs(teller->arg, "RNNAT_WITH_ELEMENTWISE");
    teller->number(teller->arg, "features", data->features);
    teller->number(teller->arg, "groups", data->groups);
    teller->number(teller->arg, "is_log", data->is_log);
}
#endif
#endif

const rnnat_layer rnnat_layer_softmax = {
    .name = "rnnat_layer_softmax",
#if RNNAT_WITH_ELEMENTWISE
    .keys = RNNAT_LAYER_KEYS(softmax_keys, rnnat_softmax_options),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_softmax),
    .run = run_softmax,
    .tell = RNNAT_IF_INSPECT(tell_softmax),
#endif
};
