/* Each feature times a number, plus another: a batch normalisation that has learnt. */
#include "layers.h"

#if RNNAT_READER
static const rnnat_key scale_keys[] = {
    RNNAT_SIZE_KEY(rnnat_scale_options, features),
};

static int32_t takes_scale(const void *options)
{
    const rnnat_scale_options *const line = options;
    return line->features;
}

static rnnat_status build_scale(rnnat_graph *graph, const void *options)
{
    const rnnat_scale_options *const line = options;
    rnnat_builder *const build = graph->build;
    const rnnat_gates each = {1, 0, line->features};
    void *const scale = rnnat_build_zeros(build, each);
    void *const shift = rnnat_build_zeros(build, each);
    rnnat_status status = rnnat_build_add(build, "scale", 1, each, 1, scale);
    if (status == RNNAT_OK) status = rnnat_build_add(build, "shift", 1, each, 1, shift);
    if (status != RNNAT_OK) return status;
    const rnnat_scaling data = {.features = line->features, .scale = scale, .shift = shift};
    rnnat_graph_add_one(graph, &rnnat_layer_scale, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

#define SCALE_ROW(name, real)                                                                      \
    static void name(const rnnat_scaling *data, real *y, const real *x)                            \
    {                                                                                              \
        const real *const scale = data->scale, *const shift = data->shift;                         \
        for (int32_t j = 0; j < data->features; ++j) y[j] = x[j] * scale[j] + shift[j];            \
    }
SCALE_ROW(scale_floats, float)
SCALE_ROW(scale_doubles, double)
#undef SCALE_ROW
RNNAT_RUN_ROWS(run_scale, scale_floats, scale_doubles)

#if RNNAT_INSPECT
static void tell_scale(const rnnat_node *node, const rnnat_kernels *kernels,
                       const rnnat_teller *teller)
{
    const rnnat_scaling *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_scaling");
    teller->number(teller->arg, "features", data->features);
    rnnat_tell_array(teller, "scale", data->scale, (size_t)data->features);
    rnnat_tell_array(teller, "shift", data->shift, (size_t)data->features);
}
#endif

const rnnat_layer rnnat_layer_scale = {.name = "rnnat_layer_scale",
                                       .keys = RNNAT_LAYER_KEYS(scale_keys, rnnat_scale_options),
                                       .takes = RNNAT_IF_READER(takes_scale),
                                       .count = RNNAT_IF_READER(rnnat_count_one),
                                       .build = RNNAT_IF_READER(build_scale),
                                       .run = run_scale,
                                       .tell = RNNAT_IF_INSPECT(tell_scale)};
