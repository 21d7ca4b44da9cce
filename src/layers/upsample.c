/* More steps: each one several times, or cut into parts, which become steps one behind the other. */
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
static const rnnat_word upsample_modes[] = {
    {"nearest", RNNAT_UPSAMPLE_NEAREST}, {"parts", RNNAT_UPSAMPLE_PARTS}, {NULL, 0}};
static const rnnat_key upsample_keys[] = {
    RNNAT_SIZE_KEY(rnnat_upsample_options, factor),
    RNNAT_OPEN_KEY(rnnat_upsample_options, mode, upsample_modes),
    RNNAT_COUNT_KEY(rnnat_upsample_options, cut),
};

static rnnat_status build_upsample(rnnat_graph *graph, const void *options)
{
    const rnnat_upsample_options *const line = options;
    const int32_t input = graph->inputs[0];
    const int32_t read = graph->values ? graph->values[input].features : graph->features;
    const bool parts = line->mode == RNNAT_UPSAMPLE_PARTS;
    if (line->factor > RNNAT_WINDOW_MAX)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "factor is too large");
    if (line->cut >= line->factor) return RNNAT_REFUSE(graph, SHAPE, "expected cut= below factor=");
    if (parts && graph->values && read % line->factor)
        return RNNAT_REFUSE(graph, SHAPE, "expected factor= to divide the features it reads");
    const rnnat_upsampling data = {.features = parts ? read / line->factor : read,
                                   .mode = (rnnat_upsample)line->mode};
    const rnnat_window window = {
        .extent = 1 + line->cut, /* it waits for as many as are cut off behind the last */
        .stride = 1,
        .repeat = line->factor};
    return rnnat_graph_add_window(graph, &rnnat_layer_upsample, &data, sizeof data, data.features,
                                  &window);
}
#endif

/* Each member takes some of the steps. */
static bool run_upsample(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_upsampling *const upsample = task->node->data;
    const int64_t factor = task->node->window.repeat;
    const size_t size = (size_t)upsample->features * (size_t)task->kernels->elem;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        const int64_t position = chunk->start + step;
        const int64_t rest = position % factor, part = rest < 0 ? rest + factor : rest;
        const size_t at = upsample->mode == RNNAT_UPSAMPLE_PARTS ? (size_t)part * size : 0;
        for (int32_t row = 0; row < task->rows; ++row) {
            const char *const from = rnnat_window_at(task, chunk, position, row);
            char *const to = rnnat_view_at(task->kernels, *chunk->out, step, row);
            if (from)
                memcpy(to, from + at, size);
            else /* past the row's end */
                memset(to, 0, size);
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_upsample(const rnnat_node *node, const rnnat_kernels *kernels,
                          const rnnat_teller *teller)
{
    const rnnat_upsampling *const upsample = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_upsampling");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", upsample->features);
    teller->number(teller->arg, "mode", (int64_t)upsample->mode);
}
#endif
#endif

const rnnat_layer rnnat_layer_upsample = {
    .name = "rnnat_layer_upsample",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(upsample_keys, rnnat_upsample_options),
    .count = RNNAT_IF_READER(rnnat_count_window),
    .build = RNNAT_IF_READER(build_upsample),
    .run = run_upsample,
    .tell = RNNAT_IF_INSPECT(tell_upsample),
#endif
};
