/* The last step: of what a row has, the features of its last one, without an axis of time. */
#include <string.h>

#include "layers.h"

/* What it keeps is the last step so far of each row, [rows, features], zeros before the first one: its
 * state, and in a run what it gives. */

#if RNNAT_READER
static void count_last(const void *options, rnnat_counts *counts)
{
    rnnat_count_one(options, counts);
    ++counts->values; /* the one of every step, and the last one's */
    ++counts->states;
}

static rnnat_status build_last(rnnat_graph *graph, const void *options)
{
    (void)options;
    if (!graph->has_time) return RNNAT_ERROR_SHAPE;
    const int32_t input = graph->inputs[0];
    const rnnat_lasting data = {.features = graph->values ? graph->values[input].features
                                                          : graph->features};
    const rnnat_node node = {.layer = &rnnat_layer_last,
                             .data = rnnat_graph_keep(graph, &data, sizeof data),
                             .inputs = {input},
                             .num_inputs = 1,
                             .num_passes = 1,
                             .num_states = 1,
                             .first_state = rnnat_graph_add_state(graph, 1, data.features)};
    rnnat_graph_add(graph, &node, data.features);
    rnnat_graph_result(graph, rnnat_graph_add_last(graph, data.features), data.features, false);
    return RNNAT_OK;
}
#endif

static size_t bytes_of(const rnnat_node *node, const rnnat_kernels *kernels)
{
    const rnnat_lasting *const data = node->data;
    return (size_t)data->features * (size_t)kernels->elem;
}

static void *carve_last(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                        rnnat_arena *arena)
{
    return rnnat_arena_take(arena, (size_t)rows, bytes_of(node, kernels));
}

static void reset_last(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                       void *memory)
{
    memset(memory, 0, (size_t)rows * bytes_of(node, kernels));
}

static rnnat_state_rows state_last(const rnnat_node *node, const rnnat_kernels *kernels,
                                   void *memory, int32_t array, int32_t pass)
{
    const rnnat_lasting *const data = node->data;
    (void)kernels;
    (void)array;
    (void)pass;
    return (rnnat_state_rows){memory, data->features, data->features, 1};
}

/* One member does all: a chunk has one step a row to keep. A stream's output is every step, each of
 * which is the last one so far. */
static bool run_last(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_kernels *const kernels = task->kernels;
    const size_t bytes = bytes_of(task->node, kernels);
    if (task->member.index) return true;
    for (int32_t row = 0; row < task->rows; ++row) {
        int32_t end = chunk->steps;
        if (chunk->lengths && chunk->lengths[row] - chunk->first < end)
            end = chunk->lengths[row] - chunk->first;
        for (int32_t step = 0; chunk->out->base && step < end; ++step)
            memcpy(rnnat_view_at(kernels, *chunk->out, step, row),
                   rnnat_view_at(kernels, *chunk->in[0], step, row), bytes);
        if (end > 0)
            memcpy((char *)task->memory + (size_t)row * bytes,
                   rnnat_view_at(kernels, *chunk->in[0], end - 1, row), bytes);
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_last(const rnnat_node *node, const rnnat_kernels *kernels,
                      const rnnat_teller *teller)
{
    const rnnat_lasting *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_lasting");
    teller->number(teller->arg, "features", data->features);
}
#endif

const rnnat_layer rnnat_layer_last = {.name = "rnnat_layer_last",
                                      .count = RNNAT_IF_READER(count_last),
                                      .build = RNNAT_IF_READER(build_last),
                                      .carve = carve_last,
                                      .reset = reset_last,
                                      .state = state_last,
                                      .run = run_last,
                                      .tell = RNNAT_IF_INSPECT(tell_last)};
