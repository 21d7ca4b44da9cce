/* Several values become one: sums, products and differences of elements, or features side by side. */
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_word combine_modes[] = {{"add", RNNAT_COMBINE_ADD},
                                           {"mul", RNNAT_COMBINE_MUL},
                                           {"sub", RNNAT_COMBINE_SUB},
                                           {"concat", RNNAT_COMBINE_CONCAT},
                                           {NULL, 0}};
static const rnnat_key combine_keys[] = {
    RNNAT_OPEN_KEY(rnnat_combine_options, mode, combine_modes)};

static rnnat_status build_combine(rnnat_graph *graph, const void *options)
{
    const rnnat_combine_options *const line = options;
    const rnnat_combine mode = (rnnat_combine)line->mode;
    const bool concat = mode == RNNAT_COMBINE_CONCAT;
    rnnat_combining data = {.mode = mode};
    int64_t features = 0;
    if (graph->num_inputs < 2 || (mode == RNNAT_COMBINE_SUB && graph->num_inputs > 2))
        return RNNAT_ERROR_SHAPE;
    for (int32_t i = 0; i < graph->num_inputs; ++i) {
        data.features[i] = graph->values ? graph->values[graph->inputs[i]].features : 0;
        if (!concat && data.features[i] != data.features[0]) return RNNAT_ERROR_SHAPE;
        features = concat ? features + data.features[i] : data.features[i];
    }
    if (features > RNNAT_LAYER_MAX_SIZE) return RNNAT_ERROR_UNSUPPORTED;
    rnnat_graph_add_one(graph, &rnnat_layer_combine, &data, sizeof data, (int32_t)features);
    return RNNAT_OK;
}
#endif

/* to = to with from, element by element. */
#define COMBINE(name, T)                                                                           \
    static void name(rnnat_combine mode, T *to, const T *from, int32_t n)                          \
    {                                                                                              \
        if (mode == RNNAT_COMBINE_ADD)                                                             \
            for (int32_t i = 0; i < n; ++i) to[i] += from[i];                                      \
        else if (mode == RNNAT_COMBINE_MUL)                                                        \
            for (int32_t i = 0; i < n; ++i) to[i] *= from[i];                                      \
        else                                                                                       \
            for (int32_t i = 0; i < n; ++i) to[i] -= from[i];                                      \
    }
COMBINE(combine_f32, float)
#if RNNAT_FLOAT64
COMBINE(combine_f64, double)
#endif
#undef COMBINE

/* Input `i` of one step and row, into `to`. */
static void take_input(const rnnat_task *task, int32_t i, char *to, const char *from)
{
    const rnnat_combining *const combine = task->node->data;
    const int32_t features = combine->features[i];
    if (i == 0 || combine->mode == RNNAT_COMBINE_CONCAT)
        memcpy(to, from, (size_t)features * (size_t)task->kernels->elem);
    else if (rnnat_is_float(task->kernels))
        combine_f32(combine->mode, (float *)(void *)to, (const float *)(const void *)from,
                    features);
#if RNNAT_FLOAT64
    else
        combine_f64(combine->mode, (double *)(void *)to, (const double *)(const void *)from,
                    features);
#endif
}

/* Each thread takes some of the steps. */
static bool run_combine(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_combining *const combine = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const bool concat = combine->mode == RNNAT_COMBINE_CONCAT;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            char *to = rnnat_view_at(kernels, *chunk->out, step, row);
            for (int32_t i = 0; i < task->node->num_inputs; ++i) {
                take_input(task, i, to, rnnat_view_at(kernels, *chunk->in[i], step, row));
                if (concat) to += (ptrdiff_t)combine->features[i] * kernels->elem;
            }
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_combine(const rnnat_node *node, const rnnat_kernels *kernels,
                         const rnnat_teller *teller)
{
    const rnnat_combining *const combine = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_combining");
    teller->number(teller->arg, "mode", (int64_t)combine->mode);
    teller->begin(teller->arg, "features");
    for (int32_t i = 0; i < node->num_inputs; ++i)
        teller->number(teller->arg, "", combine->features[i]);
    teller->end(teller->arg);
}
#endif

const rnnat_layer rnnat_layer_combine = {.name = "rnnat_layer_combine",
                                         .takes_several = true,
                                         .keys =
                                             RNNAT_LAYER_KEYS(combine_keys, rnnat_combine_options),
                                         .count = RNNAT_IF_READER(rnnat_count_one),
                                         .build = RNNAT_IF_READER(build_combine),
                                         .run = run_combine,
                                         .tell = RNNAT_IF_INSPECT(tell_combine)};
