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
    static void name(real *y, const real *x, const real *scale, const real *shift, int32_t n)      \
    {                                                                                              \
        for (int32_t j = 0; j < n; ++j) y[j] = x[j] * scale[j] + shift[j];                         \
    }
SCALE_ROW(scale_floats, float)
#if RNNAT_FLOAT64
SCALE_ROW(scale_doubles, double)
#endif
#undef SCALE_ROW

/* Each member takes some of the steps. */
static bool run_scale(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_scaling *const data = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            const void *const x = rnnat_view_at(kernels, *chunk->in[0], step, row);
            void *const y = rnnat_view_at(kernels, *chunk->out, step, row);
#if RNNAT_FLOAT64
            if (!rnnat_is_float(kernels)) {
                scale_doubles(y, x, data->scale, data->shift, data->features);
                continue;
            }
#endif
            scale_floats(y, x, data->scale, data->shift, data->features);
        }
    }
    return true;
}

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
