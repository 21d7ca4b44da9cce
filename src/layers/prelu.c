/* A ReLU with a slope below 0 for each feature, which was learnt. */
#include "layers.h"

#if RNNAT_READER
static const rnnat_key prelu_keys[] = {
    RNNAT_SIZE_KEY(rnnat_prelu_options, features),
};

static int32_t takes_prelu(const void *options)
{
    const rnnat_prelu_options *const line = options;
    return line->features;
}

static rnnat_status build_prelu(rnnat_graph *graph, const void *options)
{
    const rnnat_prelu_options *const line = options;
    rnnat_builder *const build = graph->build;
    const rnnat_gates each = {1, 0, line->features};
    void *const slope = rnnat_build_zeros(build, each);
    const rnnat_status status = rnnat_build_add(build, "slope", 1, each, 1, slope);
    if (status != RNNAT_OK) return status;
    const rnnat_sloping data = {.features = line->features, .slope = slope};
    rnnat_graph_add_one(graph, &rnnat_layer_prelu, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

#define SLOPE_ROW(name, real)                                                                      \
    static void name(real *y, const real *x, const real *slope, int32_t n)                         \
    {                                                                                              \
        for (int32_t j = 0; j < n; ++j) y[j] = x[j] < 0 ? slope[j] * x[j] : x[j];                  \
    }
SLOPE_ROW(slope_floats, float)
#if RNNAT_FLOAT64
SLOPE_ROW(slope_doubles, double)
#endif
#undef SLOPE_ROW

/* Each member takes some of the steps. */
static bool run_prelu(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_sloping *const data = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            const void *const x = rnnat_view_at(kernels, *chunk->in[0], step, row);
            void *const y = rnnat_view_at(kernels, *chunk->out, step, row);
#if RNNAT_FLOAT64
            if (!rnnat_is_float(kernels)) {
                slope_doubles(y, x, data->slope, data->features);
                continue;
            }
#endif
            slope_floats(y, x, data->slope, data->features);
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_prelu(const rnnat_node *node, const rnnat_kernels *kernels,
                       const rnnat_teller *teller)
{
    const rnnat_sloping *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_sloping");
    teller->number(teller->arg, "features", data->features);
    rnnat_tell_array(teller, "slope", data->slope, (size_t)data->features);
}
#endif

const rnnat_layer rnnat_layer_prelu = {.name = "rnnat_layer_prelu",
                                       .keys = RNNAT_LAYER_KEYS(prelu_keys, rnnat_prelu_options),
                                       .takes = RNNAT_IF_READER(takes_prelu),
                                       .count = RNNAT_IF_READER(rnnat_count_one),
                                       .build = RNNAT_IF_READER(build_prelu),
                                       .run = run_prelu,
                                       .tell = RNNAT_IF_INSPECT(tell_prelu)};
