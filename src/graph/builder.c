/* What layers add to a model while it is made: nodes, values, state arrays, and their data. */
#include "builder.h"

#include <string.h>

#include "pace.h"

#if RNNAT_READER
const void *rnnat_graph_keep(rnnat_graph *graph, const void *data, size_t size)
{
    void *const kept = rnnat_arena_take(&graph->build->arena, 1, size);
    if (kept) memcpy(kept, data, size);
    return kept;
}

int32_t rnnat_graph_add_value(rnnat_graph *graph, rnnat_value value)
{
    if (graph->values) graph->values[graph->model->num_values] = value;
    return graph->model->num_values++;
}

int32_t rnnat_graph_add(rnnat_graph *graph, const rnnat_node *node, int32_t features)
{
    rnnat_model *const model = graph->model;
    int32_t paced_by = -1;
    if (graph->values) paced_by = graph->values[rnnat_node_paced_by(graph->values, node)].paced_by;
    if (RNNAT_HAS_WINDOW(node) && !rnnat_window_keeps_pace(&node->window))
        paced_by = model->num_nodes;
    if (paced_by >= 0) model->has_paces = true;
    if (RNNAT_HAS_WINDOW(node)) model->has_windows = true;
    const int32_t output = rnnat_graph_add_value(graph, (rnnat_value){.features = features,
                                                                      .has_time = graph->has_time,
                                                                      .is_static = graph->is_static,
                                                                      .paced_by = paced_by});
    if (graph->nodes) {
        rnnat_node *const added = &graph->nodes[model->num_nodes];
        *added = *node;
        added->output = output;
        added->last = -1;
    }
    if (graph->has_time && (node->num_inputs != 1 || node->inputs[0] != graph->made))
        model->is_chain = false;
    graph->made = output;
    ++model->num_nodes;
    if (graph->has_time) model->over_time = model->num_nodes;
    if (!rnnat_node_is_causal(node)) model->info.streamable = 0;
    return output;
}

int32_t rnnat_graph_add_last(rnnat_graph *graph, int32_t features)
{
    const int32_t paced_by = graph->values ? graph->values[graph->made].paced_by : -1;
    const int32_t last =
        rnnat_graph_add_value(graph, (rnnat_value){.features = features, .paced_by = paced_by});
    graph->result.last = last;
    if (graph->nodes) graph->nodes[graph->model->num_nodes - 1].last = last;
    return last;
}

void rnnat_graph_result(rnnat_graph *graph, int32_t value, int32_t features, bool has_time)
{
    graph->result.value = value;
    graph->features = features;
    graph->has_time = has_time;
}

void rnnat_count_one(const void *options, rnnat_counts *counts)
{
    (void)options;
    ++counts->nodes;
    ++counts->values;
}

static void add_reading_node(rnnat_graph *graph, rnnat_node node, int32_t features)
{
    node.num_inputs = graph->num_inputs;
    node.num_passes = 1;
    memcpy(node.inputs, graph->inputs, sizeof node.inputs);
    rnnat_graph_result(graph, rnnat_graph_add(graph, &node, features), features, graph->has_time);
}

void rnnat_graph_add_one(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                         size_t size, int32_t features)
{
    const void *const kept = rnnat_graph_keep(graph, data, size);
    add_reading_node(graph, (rnnat_node){.layer = layer, .data = kept}, features);
}

#if RNNAT_WITH_WINDOWS
rnnat_status rnnat_graph_add_whole(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                                   size_t size, int32_t features)
{
    const void *const kept = rnnat_graph_keep(graph, data, size);
    if (!graph->has_time) return RNNAT_REFUSE(graph, SHAPE, "expected a value with time to read");
    add_reading_node(graph, (rnnat_node){.layer = layer, .data = kept, .takes_whole = true},
                     features);
    return RNNAT_OK;
}

rnnat_status rnnat_graph_add_window(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                                    size_t size, int32_t features, const rnnat_window *window)
{
    const int32_t input = graph->inputs[0], kept = rnnat_window_kept(window);
    const int32_t read = graph->values ? graph->values[input].features : 0;
    if (!graph->has_time) return RNNAT_REFUSE(graph, SHAPE, "expected a value with time to read");
    if (graph->values && !rnnat_window_keeps_pace(window) &&
        rnnat_paces_above(graph->values, graph->nodes, input) >= RNNAT_MOST_PACES)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many layers with strides behind each other");
    const rnnat_node node = {.layer = layer,
                             .data = rnnat_graph_keep(graph, data, size),
                             .window = *window,
                             .num_states = rnnat_window_states(window),
                             .first_state = graph->model->info.num_states};
    if (kept) rnnat_graph_add_state(graph, kept, read);
    if (node.num_states > (kept > 0)) rnnat_graph_add_state(graph, 1, 1);
    add_reading_node(graph, node, features);
    return RNNAT_OK;
}

void rnnat_count_window(const void *options, rnnat_counts *counts)
{
    rnnat_count_one(options, counts);
    counts->states += 2; /* the steps that are kept, and the phase */
}
#endif

int32_t rnnat_graph_add_state(rnnat_graph *graph, int32_t rows, int32_t features)
{
    const int32_t index = graph->model->info.num_states++;
    if (graph->states) graph->states[index] = (rnnat_state_shape){rows, features};
    return index;
}
#endif
