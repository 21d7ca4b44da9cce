/* Padding over time: more steps in front of a row's first one and behind its last one. */
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
static const rnnat_word pad_modes[] = {{"zeros", RNNAT_PADDING_ZEROS},
                                       {"reflect", RNNAT_PADDING_REFLECT},
                                       {"replicate", RNNAT_PADDING_REPLICATE},
                                       {"circular", RNNAT_PADDING_CIRCULAR},
                                       {NULL, 0}};
static const rnnat_key pad_keys[] = {
    RNNAT_SIZE_KEY(rnnat_pad_options, features),
    RNNAT_COUNT_KEY(rnnat_pad_options, before),
    RNNAT_COUNT_KEY(rnnat_pad_options, after),
    RNNAT_OPEN_KEY(rnnat_pad_options, mode, pad_modes),
};

static int32_t takes_pad(const void *options)
{
    return ((const rnnat_pad_options *)options)->features;
}

static rnnat_status build_pad(rnnat_graph *graph, const void *options)
{
    const rnnat_pad_options *const line = options;
    const rnnat_padded data = {.features = line->features, .mode = (rnnat_padding)line->mode};
    const bool looks_on = data.mode == RNNAT_PADDING_REFLECT || data.mode == RNNAT_PADDING_CIRCULAR;
    const rnnat_window window = {.extent = 1,
                                 .stride = 1,
                                 .repeat = 1,
                                 .before = line->before,
                                 .after = line->after,
                                 .whole = looks_on && line->before > 0};
    if (line->before > RNNAT_WINDOW_MAX || line->after > RNNAT_WINDOW_MAX)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many steps of padding");
    return rnnat_graph_add_window(graph, &rnnat_layer_pad, &data, sizeof data, data.features,
                                  &window);
}
#endif

/* Which of a row's `count` steps, of which there is one, stands at `position`; -1: zeros do. */
static int64_t padded_step(rnnat_padding mode, int64_t count, int64_t position)
{
    const int64_t last = count - 1;
    if (position >= 0 && position <= last) return position;
    if (mode == RNNAT_PADDING_ZEROS) return -1;
    if (mode == RNNAT_PADDING_REPLICATE || last == 0) return position < 0 ? 0 : last;
    const int64_t period = mode == RNNAT_PADDING_REFLECT ? 2 * last : count;
    const int64_t rest = position % period, at = rest < 0 ? rest + period : rest;
    return at > last ? period - at : at; /* on its way back */
}

/* Each member takes some of the steps. A node that can run as its input comes has its padding in front of
 * the call's first step alone: the phase says how much is left. */
static bool run_pad(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_padded *const pad = task->node->data;
    const size_t size = (size_t)pad->features * (size_t)task->kernels->elem;
    const int32_t *const ends = rnnat_window_is_causal(&task->node->window) ? NULL : chunk->lengths;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            const int32_t count = ends ? ends[row] : chunk->steps;
            char *const to = rnnat_view_at(task->kernels, *chunk->out, step, row);
            const int64_t at = count ? padded_step(pad->mode, count, chunk->start + step) : -1;
            if (at >= 0)
                memcpy(to, rnnat_view_at(task->kernels, *chunk->in[0], (int32_t)at, row), size);
            else
                memset(to, 0, size);
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_pad(const rnnat_node *node, const rnnat_kernels *kernels,
                     const rnnat_teller *teller)
{
    const rnnat_padded *const pad = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_padded");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", pad->features);
    teller->number(teller->arg, "mode", (int64_t)pad->mode);
}
#endif
#endif

const rnnat_layer rnnat_layer_pad = {
    .name = "rnnat_layer_pad",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(pad_keys, rnnat_pad_options),
    .takes = RNNAT_IF_READER(takes_pad),
    .count = RNNAT_IF_READER(rnnat_count_window),
    .build = RNNAT_IF_READER(build_pad),
    .run = run_pad,
    .tell = RNNAT_IF_INSPECT(tell_pad),
#endif
};
