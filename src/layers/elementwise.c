/* A function of each feature by itself: y = f(x). */
#include <float.h>
#include <math.h>

#include "layers.h"

#if RNNAT_WITH_ELEMENTWISE
#if RNNAT_READER
static const rnnat_key elementwise_keys[] = {
    {.name = "function",
     .type = RNNAT_KEY_FUNCTIONS,
     .at = offsetof(rnnat_elementwise_options, function)},
};

static rnnat_status build_elementwise(rnnat_graph *graph, const void *options)
{
    const rnnat_elementwise_options *const line = options;
    const rnnat_function *const function = &line->function.of[0];
    const double most = rnnat_is_float(graph->build->kernels) ? (double)FLT_MAX : DBL_MAX;
    if (line->function.count != 1) return RNNAT_REFUSE(graph, FORMAT, "expected one function");
    if (fabs(function->alpha) > most || fabs(function->beta) > most)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "a constant of the function is past float");
    const int32_t input = graph->inputs[0];
    const rnnat_elementwise data = {.features = graph->values ? graph->values[input].features
                                                              : graph->features,
                                    .function = *function};
    rnnat_graph_add_one(graph, &rnnat_layer_elementwise, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

/* `rows` rows of features, in views whose rows are one behind the other. */
static void apply(const rnnat_task *task, rnnat_view in, rnnat_view out, int32_t rows)
{
    const rnnat_elementwise *const data = task->node->data;
    task->kernels->apply(&data->function, rnnat_rows_of(out, task->rows),
                         rnnat_rows_of(in, task->rows), rows, data->features);
}

/* Each member takes some of the steps. */
static bool run_elementwise(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    rnnat_view in = *chunk->in[0], out = *chunk->out;
    in.base = rnnat_view_at(task->kernels, in, own.first, 0);
    out.base = rnnat_view_at(task->kernels, out, own.first, 0);
    apply(task, in, out, own.steps * task->rows);
    return true;
}

#if RNNAT_INSPECT
static void tell_elementwise(const rnnat_node *node, const rnnat_kernels *kernels,
                             const rnnat_teller *teller)
{
    const rnnat_elementwise *const data = node->data;
    void *const arg = teller->arg;
    (void)kernels;
    teller->type(arg, "rnnat_elementwise");
    teller->needs(arg, "RNNAT_WITH_GENERAL"); /* which has the functions */
    teller->needs(arg, "RNNAT_WITH_ELEMENTWISE");
    teller->number(arg, "features", data->features);
    teller->begin(arg, "function");
    teller->number(arg, "kind", (int64_t)data->function.kind);
    teller->real(arg, "alpha", data->function.alpha);
    teller->real(arg, "beta", data->function.beta);
    teller->end(arg);
}
#endif
#endif

const rnnat_layer rnnat_layer_elementwise = {
    .name = "rnnat_layer_elementwise",
#if RNNAT_WITH_ELEMENTWISE
    .keys = RNNAT_LAYER_KEYS(elementwise_keys, rnnat_elementwise_options),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_elementwise),
    .run = run_elementwise,
    .tell = RNNAT_IF_INSPECT(tell_elementwise),
#endif
};
