/* What a line of a recurrent layer becomes: a stack of nodes, and those of an output layer. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "layers.h"

#if RNNAT_READER
void rnnat_recurrent_count(const rnnat_layer_text *text, rnnat_counts *counts)
{
    const rnnat_cell *const cell = rnnat_cell_find(text);
    const size_t nodes = (size_t)text->num_layers + (text->output_layer ? 3 : 0);
    counts->nodes += nodes;
    counts->values += nodes + 1; /* h after the last step */
    counts->states += cell ? (size_t)cell->num_states : 0;
}

/* Whether the constants are finite in the type that is computed in. */
static bool has_room_for(const rnnat_kernels *kernels, const rnnat_functions *functions)
{
    const double most = rnnat_is_float(kernels) ? (double)FLT_MAX : DBL_MAX;
    for (int i = 0; i < RNNAT_FUNCTIONS; ++i)
        if (fabs(functions->of[i].alpha) > most || fabs(functions->of[i].beta) > most) return false;
    return true;
}

/* The weights of one direction of the layer at `depth` of the stack. */
static rnnat_status build_cell(rnnat_builder *build, const rnnat_layer_text *text,
                               const rnnat_cell *cell, int32_t depth, int32_t direction,
                               bool reverse, int32_t in_features, rnnat_cell_weights *weights)
{
    char suffix[32];
    rnnat_text_number(suffix, "_l", depth);
    if (reverse) memcpy(suffix + rnnat_text_size(suffix), "_reverse", sizeof "_reverse");
    build->suffix = suffix;
    const rnnat_status status = cell->build(build, text, in_features, weights);
    build->suffix = "";
    if (status != RNNAT_OK) return status;
    if (!has_room_for(build->kernels, &text->functions[direction])) return RNNAT_ERROR_UNSUPPORTED;
    weights->functions = text->functions[direction];
    return RNNAT_OK;
}

/* What is made of x and of h by an output layer: o = activation(W_ho h + (W_xo x + b_o)). */
static rnnat_status add_output_layer(rnnat_graph *graph, const rnnat_layer_text *text, int32_t on_x,
                                     int32_t h, int32_t h_features, int32_t first_cell)
{
    const rnnat_linear_names names = {"weight_ho", NULL};
    const rnnat_linear data = {.features = text->output_layer};
    int32_t on_h;
    const rnnat_status status = rnnat_linear_add(graph, &names, h, h_features, data, &on_h);
    if (status != RNNAT_OK) return status;
    const rnnat_adding sum = {.features = text->output_layer,
                              .activation = text->output_activation,
                              .traced_cell = first_cell};
    const rnnat_node node = {.layer = &rnnat_layer_add,
                             .data = rnnat_graph_keep(graph, &sum, sizeof sum),
                             .inputs = {on_h, on_x},
                             .num_inputs = 2,
                             .num_passes = 1};
    rnnat_graph_result(graph, rnnat_graph_add(graph, &node, sum.features), sum.features, true);
    return RNNAT_OK;
}

rnnat_status rnnat_recurrent_build(rnnat_graph *graph, const rnnat_layer_text *text)
{
    const rnnat_cell *const cell = rnnat_cell_find(text);
    if (!cell) return RNNAT_ERROR_UNSUPPORTED;
    if (!graph->has_time) return RNNAT_ERROR_SHAPE;
    const int32_t num_directions = text->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    const int32_t hidden = text->output_size, state = text->proj_size ? text->proj_size : hidden;
    const int32_t first_cell = graph->model->num_cells;
    int32_t input = graph->inputs[0], features = text->input_size, on_x = -1, first_state = 0;
    if (text->output_layer) {
        const rnnat_linear_names names = {"weight_xo", text->bias ? "bias_o" : NULL};
        const rnnat_linear data = {.features = text->output_layer};
        const rnnat_status status = rnnat_linear_add(graph, &names, input, features, data, &on_x);
        if (status != RNNAT_OK) return status;
    }
    for (int32_t i = 0; i < cell->num_states; ++i) {
        const int32_t index = rnnat_graph_add_state(graph, text->num_layers * num_directions,
                                                    i == 0 ? state : hidden);
        if (i == 0) first_state = index;
    }
    for (int32_t depth = 0; depth < text->num_layers; ++depth) {
        rnnat_recurrent data = {.cell = cell,
                                .hidden = hidden,
                                .state = state,
                                .first_cell = first_cell + depth * num_directions,
                                .activation = text->activation};
        rnnat_node node = {.layer = &rnnat_layer_recurrent,
                           .inputs = {input},
                           .num_inputs = 1,
                           .num_passes = num_directions,
                           .num_states = cell->num_states,
                           .first_state = first_state,
                           .first_row = depth * num_directions};
        for (int32_t d = 0; d < num_directions; ++d) {
            node.reverse[d] = text->direction == RNNAT_REVERSE || d == 1;
            const rnnat_status status = build_cell(graph->build, text, cell, depth, d,
                                                   node.reverse[d], features, &data.weights[d]);
            if (status != RNNAT_OK) return status;
        }
        node.data = rnnat_graph_keep(graph, &data, sizeof data);
        node.product = (double)cell->products * hidden * state;
        node.work = num_directions * (hidden * ((double)cell->gates * features) + node.product);
        node.panel = data.weights[0].w_hh.panel;
        features = state * num_directions;
        input = rnnat_graph_add(graph, &node, features);
    }
    graph->model->num_cells += num_directions * text->num_layers;
    const int32_t last = rnnat_graph_add_last(graph, features);
    if (text->output_layer) return add_output_layer(graph, text, on_x, input, features, first_cell);
    rnnat_graph_result(graph, text->last_only ? last : input, features, !text->last_only);
    return RNNAT_OK;
}
#endif
