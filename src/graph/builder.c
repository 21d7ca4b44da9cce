/* What layers add to a model while it is made: nodes, values, state arrays, and their data. */
#include "builder.h"

#include <string.h>

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
    const int32_t output = rnnat_graph_add_value(
        graph, (rnnat_value){.features = features, .has_time = graph->has_time});
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
    const int32_t last = rnnat_graph_add_value(graph, (rnnat_value){.features = features});
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

void rnnat_graph_add_one(rnnat_graph *graph, const rnnat_layer *layer, const void *data,
                         size_t size, int32_t features)
{
    rnnat_node node = {.layer = layer,
                       .data = rnnat_graph_keep(graph, data, size),
                       .num_inputs = graph->num_inputs,
                       .num_passes = 1};
    memcpy(node.inputs, graph->inputs, sizeof node.inputs);
    rnnat_graph_result(graph, rnnat_graph_add(graph, &node, features), features, graph->has_time);
}

int32_t rnnat_graph_add_state(rnnat_graph *graph, int32_t rows, int32_t features)
{
    const int32_t index = graph->model->info.num_states++;
    if (graph->states) graph->states[index] = (rnnat_state_shape){rows, features};
    return index;
}
#endif
