/* Pooling inside a step: the mean, or the largest, of some positions, of each channel by itself. */
#include <math.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
static const rnnat_key pool_within_keys[] = {
    RNNAT_OPEN_KEY(rnnat_pool_within_options, mode, rnnat_pool_words),
    RNNAT_SIZE_KEY(rnnat_pool_within_options, positions),
    RNNAT_SIZE_KEY(rnnat_pool_within_options, channels),
    RNNAT_SIZE_KEY(rnnat_pool_within_options, kernel_size),
    RNNAT_SIZE_KEY(rnnat_pool_within_options, stride),
    RNNAT_COUNT_KEY(rnnat_pool_within_options, left),
    RNNAT_COUNT_KEY(rnnat_pool_within_options, right),
    RNNAT_WORD_KEY(rnnat_pool_within_options, count_include_pad, rnnat_flags),
};

static int32_t takes_pool_within(const void *options)
{
    const rnnat_pool_within_options *const line = options;
    const int64_t features = (int64_t)line->positions * line->channels;
    return features <= RNNAT_LAYER_MAX_SIZE ? (int32_t)features : 0;
}

static rnnat_status build_pool_within(rnnat_graph *graph, const void *options)
{
    const rnnat_pool_within_options *const line = options;
    const int64_t padded = (int64_t)line->left + line->positions + line->right;
    if (line->left >= line->kernel_size || line->right >= line->kernel_size ||
        line->kernel_size > padded)
        return RNNAT_REFUSE(
            graph, SHAPE,
            "expected less padding than kernel_size=, and no larger a kernel than positions");
    const int64_t made = (padded - line->kernel_size) / line->stride + 1;
    const int64_t most = line->positions > made ? line->positions : made;
    if (most * line->channels > RNNAT_LAYER_MAX_SIZE)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features");
    const rnnat_pooling_within data = {.positions = line->positions,
                                       .channels = line->channels,
                                       .made = (int32_t)made,
                                       .kernel_size = line->kernel_size,
                                       .stride = line->stride,
                                       .left = line->left,
                                       .mode = (rnnat_pool_mode)line->mode,
                                       .counts_padding = line->count_include_pad != 0};
    rnnat_graph_add_one(graph, &rnnat_layer_pool_within, &data, sizeof data,
                        data.made * data.channels);
    return RNNAT_OK;
}
#endif

/* Over the positions of each window, in their order. */
#define POOL_WITHIN(name, T)                                                                       \
    static void name(const rnnat_pooling_within *pool, T *y, const T *x)                           \
    {                                                                                              \
        const bool is_max = pool->mode == RNNAT_POOL_MAX;                                          \
        const int32_t n = pool->channels;                                                          \
        for (int32_t j = 0; j < pool->made; ++j, y += n) {                                         \
            const int64_t first = (int64_t)j * pool->stride - pool->left;                          \
            const int64_t from = first > 0 ? first : 0, behind = first + pool->kernel_size;        \
            const int64_t end = behind < pool->positions ? behind : pool->positions;               \
            const T divisor = (T)(pool->counts_padding ? pool->kernel_size : end - from);          \
            for (int32_t i = 0; i < n; ++i) y[i] = is_max ? -(T)INFINITY : 0;                      \
            for (int64_t k = from; k < end; ++k) {                                                 \
                const T *const tap = x + k * n;                                                    \
                if (is_max)                                                                        \
                    for (int32_t i = 0; i < n; ++i)                                                \
                        y[i] = tap[i] > y[i] || tap[i] != tap[i] ? tap[i] : y[i];                  \
                else                                                                               \
                    for (int32_t i = 0; i < n; ++i) y[i] += tap[i];                                \
            }                                                                                      \
            for (int32_t i = 0; !is_max && i < n; ++i) y[i] /= divisor;                            \
        }                                                                                          \
    }
POOL_WITHIN(pool_within_floats, float)
POOL_WITHIN(pool_within_doubles, double)
#undef POOL_WITHIN
RNNAT_RUN_ROWS(run_pool_within, pool_within_floats, pool_within_doubles)

#if RNNAT_INSPECT
static void tell_pool_within(const rnnat_node *node, const rnnat_kernels *kernels,
                             const rnnat_teller *teller)
{
    const rnnat_pooling_within *const pool = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_pooling_within");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "positions", pool->positions);
    teller->number(teller->arg, "channels", pool->channels);
    teller->number(teller->arg, "made", pool->made);
    teller->number(teller->arg, "kernel_size", pool->kernel_size);
    teller->number(teller->arg, "stride", pool->stride);
    teller->number(teller->arg, "left", pool->left);
    teller->number(teller->arg, "mode", (int64_t)pool->mode);
    teller->number(teller->arg, "counts_padding", pool->counts_padding);
}
#endif
#endif

const rnnat_layer rnnat_layer_pool_within = {
    .name = "rnnat_layer_pool_within",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(pool_within_keys, rnnat_pool_within_options),
    .takes = RNNAT_IF_READER(takes_pool_within),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_pool_within),
    .run = run_pool_within,
    .tell = RNNAT_IF_INSPECT(tell_pool_within),
#endif
};
