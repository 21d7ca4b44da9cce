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
    static void name(const rnnat_sloping *data, real *y, const real *x)                            \
    {                                                                                              \
        const real *const slope = data->slope;                                                     \
        for (int32_t j = 0; j < data->features; ++j) y[j] = x[j] < 0 ? slope[j] * x[j] : x[j];     \
    }
SLOPE_ROW(slope_floats, float)
SLOPE_ROW(slope_doubles, double)
#undef SLOPE_ROW
RNNAT_RUN_ROWS(run_prelu, slope_floats, slope_doubles)

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
