/* The two halves of the features become one: the directions of a bidirectional layer. */
#include "layers.h"

#if RNNAT_READER
static const rnnat_word merge_modes[] = {
    {"sum", RNNAT_MERGE_SUM}, {"mul", RNNAT_MERGE_MUL}, {"ave", RNNAT_MERGE_AVE}, {NULL, 0}};
static const rnnat_key merge_keys[] = {
    RNNAT_SIZE_KEY(rnnat_merge_options, features),
    RNNAT_OPEN_KEY(rnnat_merge_options, mode, merge_modes),
};

static int32_t takes_merge(const void *options)
{
    const rnnat_merge_options *const line = options;
    return 2 * line->features;
}

static rnnat_status build_merge(rnnat_graph *graph, const void *options)
{
    const rnnat_merge_options *const line = options;
    const rnnat_merging data = {.features = line->features, .mode = (rnnat_merge)line->mode};
    rnnat_graph_add_one(graph, &rnnat_layer_merge, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

static bool run_merge(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_merging *const merge = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    rnnat_view in = *chunk->in[0], out = *chunk->out;
    in.base = rnnat_view_at(kernels, in, own.first, 0);
    out.base = rnnat_view_at(kernels, out, own.first, 0);
    kernels->merge(merge->mode, rnnat_rows_of(out, task->rows), rnnat_rows_of(in, task->rows),
                   own.steps * task->rows, merge->features);
    return true;
}

#if RNNAT_INSPECT
static void tell_merge(const rnnat_node *node, const rnnat_kernels *kernels,
                       const rnnat_teller *teller)
{
    const rnnat_merging *const merge = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_merging");
    teller->number(teller->arg, "features", merge->features);
    teller->number(teller->arg, "mode", (int64_t)merge->mode);
}
#endif

const rnnat_layer rnnat_layer_merge = {.name = "rnnat_layer_merge",
                                       .reads_a_layer = true,
                                       .keys = RNNAT_LAYER_KEYS(merge_keys, rnnat_merge_options),
                                       .takes = RNNAT_IF_READER(takes_merge),
                                       .count = RNNAT_IF_READER(rnnat_count_one),
                                       .build = RNNAT_IF_READER(build_merge),
                                       .run = run_merge,
                                       .tell = RNNAT_IF_INSPECT(tell_merge)};
