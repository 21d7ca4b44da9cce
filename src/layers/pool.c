/* Pooling over time: the mean, or the largest, of the steps in a window, of each feature by itself. */
#include <math.h>
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
const rnnat_word rnnat_pool_words[] = {
    {"average", RNNAT_POOL_AVERAGE}, {"max", RNNAT_POOL_MAX}, {NULL, 0}};
static const rnnat_key pool_keys[] = {
    RNNAT_OPEN_KEY(rnnat_pool_options, mode, rnnat_pool_words),
    RNNAT_SIZE_KEY(rnnat_pool_options, kernel_size),
    RNNAT_SIZE_KEY(rnnat_pool_options, stride),
    RNNAT_COUNT_KEY(rnnat_pool_options, before),
    RNNAT_COUNT_KEY(rnnat_pool_options, after),
    RNNAT_WORD_KEY(rnnat_pool_options, count_include_pad, rnnat_flags),
};

static rnnat_status build_pool(rnnat_graph *graph, const void *options)
{
    const rnnat_pool_options *const line = options;
    const int32_t input = graph->inputs[0];
    const rnnat_pooling data = {.features =
                                    graph->values ? graph->values[input].features : graph->features,
                                .mode = (rnnat_pool_mode)line->mode,
                                .counts_padding = line->count_include_pad != 0};
    const rnnat_window window = {.extent = line->kernel_size,
                                 .stride = line->stride,
                                 .repeat = 1,
                                 .before = line->before,
                                 .after = line->after,
                                 .lowest = data.mode == RNNAT_POOL_MAX};
    if (line->kernel_size > RNNAT_WINDOW_MAX || line->stride > RNNAT_WINDOW_MAX)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "kernel_size or stride is too large");
    if (line->before >= line->kernel_size || line->after >= line->kernel_size)
        /* a window of padding alone has neither */
        return RNNAT_REFUSE(graph, SHAPE, "expected less padding than kernel_size=");
    if (line->before && !line->after && !line->count_include_pad)
        return RNNAT_REFUSE(graph, UNSUPPORTED,
                            "expected count_include_pad=true with padding in front alone");
    return rnnat_graph_add_window(graph, &rnnat_layer_pool, &data, sizeof data, data.features,
                                  &window);
}
#endif

/* One step and row: over the steps of its window, in their order; padding is 0 or, of the largest, is
 * not looked at. NaNs stay. */
#define POOL(name, T)                                                                              \
    static void name(const rnnat_task *task, const rnnat_chunk *chunk, int64_t start, int32_t row, \
                     T *to)                                                                        \
    {                                                                                              \
        const rnnat_pooling *const pool = task->node->data;                                        \
        const bool is_max = pool->mode == RNNAT_POOL_MAX;                                          \
        const int32_t extent = task->node->window.extent, features = pool->features;               \
        int32_t count = 0;                                                                         \
        for (int32_t i = 0; i < features; ++i) to[i] = is_max ? -(T)INFINITY : 0;                  \
        for (int32_t k = 0; k < extent; ++k) {                                                     \
            const T *const from =                                                                  \
                (const T *)(const void *)rnnat_window_at(task, chunk, start + k, row);             \
            if (!from) continue;                                                                   \
            ++count;                                                                               \
            if (is_max)                                                                            \
                for (int32_t i = 0; i < features; ++i)                                             \
                    to[i] = from[i] > to[i] || from[i] != from[i] ? from[i] : to[i];               \
            else                                                                                   \
                for (int32_t i = 0; i < features; ++i) to[i] += from[i];                           \
        }                                                                                          \
        const T divisor = (T)(pool->counts_padding ? extent : count);                              \
        for (int32_t i = 0; !is_max && i < features; ++i) to[i] /= divisor;                        \
    }
POOL(pool_f32, float)
#if RNNAT_FLOAT64
POOL(pool_f64, double)
#endif
#undef POOL

/* Each member takes some of the steps. */
static bool run_pool(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        const int64_t start = chunk->start + (int64_t)step * task->node->window.stride;
        for (int32_t row = 0; row < task->rows; ++row) {
            void *const to = rnnat_view_at(task->kernels, *chunk->out, step, row);
            if (rnnat_is_float(task->kernels)) pool_f32(task, chunk, start, row, to);
#if RNNAT_FLOAT64
            else
                pool_f64(task, chunk, start, row, to);
#endif
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_pool(const rnnat_node *node, const rnnat_kernels *kernels,
                      const rnnat_teller *teller)
{
    const rnnat_pooling *const pool = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_pooling");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", pool->features);
    teller->number(teller->arg, "mode", (int64_t)pool->mode);
    teller->number(teller->arg, "counts_padding", pool->counts_padding);
}
#endif
#endif

const rnnat_layer rnnat_layer_pool = {
    .name = "rnnat_layer_pool",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(pool_keys, rnnat_pool_options),
    .count = RNNAT_IF_READER(rnnat_count_window),
    .build = RNNAT_IF_READER(build_pool),
    .run = run_pool,
    .tell = RNNAT_IF_INSPECT(tell_pool),
#endif
};
