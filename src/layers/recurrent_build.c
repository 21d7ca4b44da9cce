/* What a line of a recurrent layer becomes: a stack of nodes, and those of an output layer. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_word directions[] = {{"forward", RNNAT_FORWARD},
                                        {"reverse", RNNAT_REVERSE},
                                        {"bidirectional", RNNAT_BIDIRECTIONAL},
                                        {NULL, 0}};
static const rnnat_word axes[] = {{"time", 0}, {"positions", 1}, {NULL, 0}};
const rnnat_key rnnat_recurrent_keys[] = {
    {.name = "cell"}, /* of which cells/cell_line.c makes layer->cell */
    RNNAT_SIZE_KEY(rnnat_recurrent_options, input_size),
    RNNAT_SIZE_KEY(rnnat_recurrent_options, hidden_size),
    RNNAT_SIZE_KEY(rnnat_recurrent_options, num_layers),
    RNNAT_WORD_KEY(rnnat_recurrent_options, direction, directions),
    RNNAT_WORD_KEY(rnnat_recurrent_options, bias, rnnat_flags),
    {.name = "return_sequences",
     .words = rnnat_only_false,
     .optional = true,
     .at = offsetof(rnnat_recurrent_options, last_only)},
    {.name = "initial_state",
     .words = rnnat_only_true,
     .optional = true,
     .at = offsetof(rnnat_recurrent_options, initial_state)},
    {.name = "positions",
     .type = RNNAT_KEY_SIZE,
     .least = 1,
     .optional = true,
     .at = offsetof(rnnat_recurrent_options, positions)},
    {.name = "along",
     .words = axes,
     .optional = true,
     .at = offsetof(rnnat_recurrent_options, along_positions)},
};

/* Whether it runs along the positions of steps, and whether these have some: never in a build without
 * such layers. */
static bool is_along(const rnnat_recurrent_options *line)
{
    return RNNAT_WITH_WINDOWS && line->along_positions;
}
static bool is_within(const rnnat_recurrent_options *line)
{
    return RNNAT_WITH_WINDOWS && (line->positions > 1 || line->along_positions);
}

static int32_t positions_of(const rnnat_recurrent_options *line)
{
    return RNNAT_WITH_WINDOWS && line->positions ? line->positions : 1;
}

rnnat_status rnnat_recurrent_read(const char *pairs, void *options, rnnat_message *message)
{
    rnnat_recurrent_options *const layer = options;
    const rnnat_keys around = RNNAT_LAYER_KEYS(rnnat_recurrent_keys, rnnat_recurrent_options);
    const rnnat_status status = rnnat_cell_read(pairs, &around, layer, message);
    if (status != RNNAT_OK) return status;
    layer->form.state = layer->hidden_size;
    const rnnat_status formed = layer->cell->form ? layer->cell->form(layer) : RNNAT_OK;
    if (formed != RNNAT_OK) return formed;
    if (!RNNAT_WITH_WINDOWS && (layer->positions > 1 || layer->along_positions))
        return RNNAT_SAY(
            message, RNNAT_ERROR_UNSUPPORTED,
            RNNAT_TEXT("positions: this library was built without RNNAT_WITH_WINDOWS"));
    const bool other = layer->last_only || is_within(layer);
    return other && layer->form.output_layer ? RNNAT_ERROR_FORMAT : RNNAT_OK;
}

int32_t rnnat_recurrent_takes(const void *options)
{
    const rnnat_recurrent_options *const layer = options;
    const int64_t features = (int64_t)layer->input_size * positions_of(layer);
    return features <= RNNAT_LAYER_MAX_SIZE ? (int32_t)features : 0;
}

void rnnat_recurrent_count(const void *options, rnnat_counts *counts)
{
    const rnnat_recurrent_options *const layer = options;
    const size_t nodes = (size_t)layer->num_layers + (layer->form.output_layer ? 3 : 0);
    counts->nodes += nodes;
    counts->values += nodes + 1; /* h after the last step */
    counts->states += (size_t)layer->cell->num_states;
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
static rnnat_status build_cell(rnnat_builder *build, const rnnat_recurrent_options *line,
                               int32_t depth, int32_t direction, bool reverse, int32_t in_features,
                               rnnat_cell_weights *weights)
{
    char suffix[32];
    rnnat_text_number(suffix, "_l", depth);
    if (reverse) memcpy(suffix + rnnat_text_size(suffix), "_reverse", sizeof "_reverse");
    build->suffix = suffix;
    const rnnat_status status = line->cell->build(build, line, in_features, weights);
    build->suffix = "";
    if (status != RNNAT_OK) return status;
    if (!has_room_for(build->kernels, &line->form.functions[direction]))
        return RNNAT_SAY(build->message, RNNAT_ERROR_UNSUPPORTED,
                         RNNAT_TEXT("a constant of an activation, or clip, is past float"));
    weights->functions = line->form.functions[direction];
    return RNNAT_OK;
}

/* Reads what the states of a node begin with, a row a direction, from the tensors "h_0" and its like, each
 * [layers of the stack * passes, features]. */
static rnnat_status build_initial(rnnat_builder *build, const rnnat_recurrent_options *line,
                                  int32_t first_row, int32_t passes, rnnat_recurrent *layer)
{
    for (int32_t s = 0; s < layer->cell->num_states; ++s) {
        const char name[] = {layer->cell->states[s], '_', '0', '\0'};
        const size_t features = (size_t)(s == 0 ? layer->state : layer->hidden);
        const size_t pad = (size_t)rnnat_pad(build->kernels, (int32_t)features);
        const size_t elem = (size_t)build->kernels->elem;
        rnnat_tensor tensor;
        const rnnat_status status = rnnat_build_tensor(
            build, name, (int64_t)line->num_layers * passes, (int64_t)features, &tensor);
        if (status != RNNAT_OK) return status;
        char *const rows = rnnat_build_zeros(build, (rnnat_gates){passes, 0, (int32_t)features});
        build->num_parameters += (uint64_t)passes * features;
        layer->initial[s] = rows;
        if (!rows || rnnat_build_is_packed(build)) continue;
        for (int32_t p = 0; p < passes; ++p)
            rnnat_build_read(build, &tensor, (size_t)(first_row + p) * features, features,
                             rows + (size_t)p * pad * elem);
    }
    return RNNAT_OK;
}

/* What is made of x and of h by an output layer: o = activation(W_ho h + (W_xo x + b_o)). */
static rnnat_status add_output_layer(rnnat_graph *graph, const rnnat_cell_form *form, int32_t on_x,
                                     int32_t h, int32_t h_features, int32_t first_cell)
{
    const rnnat_linear_names names = {"weight_ho", NULL};
    const rnnat_linear data = {.features = form->output_layer};
    int32_t on_h;
    const rnnat_status status = rnnat_linear_add(graph, &names, h, h_features, data, &on_h);
    if (status != RNNAT_OK) return status;
    const rnnat_adding sum = {.features = form->output_layer,
                              .activation = form->output_activation,
                              .traced_cell = first_cell};
    const rnnat_node node = {.layer = &rnnat_layer_add,
                             .data = rnnat_graph_keep(graph, &sum, sizeof sum),
                             .inputs = {on_h, on_x},
                             .num_inputs = 2,
                             .num_passes = 1};
    rnnat_graph_result(graph, rnnat_graph_add(graph, &node, sum.features), sum.features, true);
    return RNNAT_OK;
}

/* Adds the node of one layer of the stack; returns its value. Of `data` is what it is but for its
 * positions. */
static int32_t add_layer(rnnat_graph *graph, const rnnat_recurrent_options *line, rnnat_node *node,
                         rnnat_recurrent_within *data, int32_t channels, bool last_only)
{
    const rnnat_recurrent *const layer = &data->of;
    const int32_t num_directions = line->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    const int32_t positions = positions_of(line), made = layer->state * num_directions;
    const bool along = is_along(line);
    node->panel = layer->weights[0].w_hh.panel;
    node->product = (double)layer->cell->products * layer->hidden * layer->state;
    node->work =
        num_directions * (layer->hidden * ((double)layer->cell->gates * channels) + node->product);
    const double cost = positions * rnnat_stored_cost(layer->weights[0].w_hh.type);
    node->product *= cost;
    node->work *= cost;
    node->layer = &rnnat_layer_recurrent;
#if RNNAT_WITH_WINDOWS
    if (is_within(line)) node->layer = &rnnat_layer_recurrent_within;
#endif
    data->positions = positions;
    data->channels = channels;
    data->directions = along ? num_directions : 0;
    data->reverse = line->direction == RNNAT_REVERSE;
    data->last_only = along && last_only;
    node->data = rnnat_graph_keep(graph, data, is_within(line) ? sizeof *data : sizeof *layer);
    return rnnat_graph_add(graph, node, along && last_only ? made : positions * made);
}

rnnat_status rnnat_recurrent_build(rnnat_graph *graph, const void *options)
{
    const rnnat_recurrent_options *const line = options;
    const rnnat_cell_form *const form = &line->form;
    const rnnat_cell *const cell = line->cell;
    const bool over_time = !is_along(line);
    if (!graph->has_time && over_time)
        return RNNAT_REFUSE(graph, SHAPE, "expected a value with time to read");
    const int32_t num_directions = line->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    const int32_t hidden = line->hidden_size, state = form->state;
    const int32_t positions = positions_of(line), first_cell = graph->model->num_cells;
    const int32_t made = state * num_directions > hidden ? state * num_directions : hidden;
    const int64_t most = line->input_size > made ? line->input_size : made;
    if (RNNAT_WITH_GROUPS && positions > graph->build->product_rows)
        graph->build->product_rows = positions;
    if (is_within(line) && positions * most > RNNAT_LAYER_MAX_SIZE)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features");
    int32_t input = graph->inputs[0], features = line->input_size, on_x = -1, first_state = 0;
    if (form->output_layer) {
        const rnnat_linear_names names = {"weight_xo", line->bias ? "bias_o" : NULL};
        const rnnat_linear data = {.features = form->output_layer};
        const rnnat_status status = rnnat_linear_add(graph, &names, input, features, data, &on_x);
        if (status != RNNAT_OK) return status;
    }
    for (int32_t i = 0; over_time && i < cell->num_states; ++i) {
        const int32_t index = rnnat_graph_add_state(graph, line->num_layers * num_directions,
                                                    positions * (i == 0 ? state : hidden));
        if (i == 0) first_state = index;
    }
    for (int32_t depth = 0; depth < line->num_layers; ++depth) {
        rnnat_recurrent_within data = {.of = {.cell = cell,
                                              .hidden = hidden,
                                              .state = state,
                                              .first_cell = first_cell + depth * num_directions,
                                              .activation = form->activation}};
        rnnat_node node = {.inputs = {input},
                           .num_inputs = 1,
                           .num_passes = over_time ? num_directions : 1,
                           .num_states = over_time ? cell->num_states : 0,
                           .first_state = first_state,
                           .first_row = depth * num_directions};
        for (int32_t d = 0; d < num_directions; ++d) {
            const bool reverse = line->direction == RNNAT_REVERSE || d == 1;
            const rnnat_status status =
                build_cell(graph->build, line, depth, d, reverse, features, &data.of.weights[d]);
            if (status != RNNAT_OK) return status;
            node.reverse[d] = over_time && reverse;
        }
        if (line->initial_state) {
            const rnnat_status status =
                build_initial(graph->build, line, node.first_row, num_directions, &data.of);
            if (status != RNNAT_OK) return status;
        }
        const bool is_top = depth == line->num_layers - 1;
        input = add_layer(graph, line, &node, &data, features, line->last_only && is_top);
        features = state * num_directions;
    }
    graph->model->num_cells += num_directions * line->num_layers;
    if (!over_time) {
        rnnat_graph_result(graph, input, line->last_only ? features : positions * features,
                           graph->has_time);
        return RNNAT_OK;
    }
    features *= positions;
    const int32_t last = rnnat_graph_add_last(graph, features);
    if (form->output_layer) return add_output_layer(graph, form, on_x, input, features, first_cell);
    rnnat_graph_result(graph, line->last_only ? last : input, features, !line->last_only);
    return RNNAT_OK;
}
#endif
