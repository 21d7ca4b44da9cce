/* Reads the lines of a model file into nodes and values. */
#include "graph.h"

#include <string.h>

#include "../layers/layer.h"
#include "../text.h"

#if RNNAT_READER
static rnnat_status read_count(const rnnat_safetensors *file, int32_t *count)
{
    char value[8];
    rnnat_status status =
        rnnat_safetensors_metadata(file, "rnn_native.version", value, sizeof value);
    if (status != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    if (!rnnat_text_is(value, rnnat_text_size(value), "1")) return RNNAT_ERROR_UNSUPPORTED;
    status = rnnat_safetensors_metadata(file, "rnn_native.layers", value, sizeof value);
    if (status != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    *count = 0;
    for (const char *c = value; *c; ++c) {
        if (*c < '0' || *c > '9') return RNNAT_ERROR_FORMAT;
        *count = *count * 10 + (*c - '0');
    }
    return *count > 0 && *count <= RNNAT_SAFETENSORS_MAX_ENTRIES ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

static rnnat_status read_layer(const rnnat_safetensors *file, int32_t index,
                               rnnat_layer_text *layer)
{
    char key[32], text[768];
    rnnat_text_number(key, "rnn_native.layer.", index);
    if (rnnat_safetensors_metadata(file, key, text, sizeof text) != RNNAT_OK)
        return RNNAT_ERROR_FORMAT;
    return rnnat_layer_text_parse(text, layer);
}

/* ---- what layers add ---- */

const void *rnnat_graph_keep(rnnat_graph *graph, const void *data, size_t size)
{
    void *const kept = rnnat_arena_take(&graph->build->arena, 1, size);
    if (kept) memcpy(kept, data, size);
    return kept;
}

/* One more value. */
static int32_t add_value(rnnat_graph *graph, rnnat_value value)
{
    if (graph->values) graph->values[graph->model->num_values] = value;
    return graph->model->num_values++;
}

int32_t rnnat_graph_add(rnnat_graph *graph, const rnnat_node *node, int32_t features)
{
    rnnat_model *const model = graph->model;
    const int32_t output =
        add_value(graph, (rnnat_value){.features = features, .has_time = graph->has_time});
    if (graph->nodes) {
        rnnat_node *const added = &graph->nodes[model->num_nodes];
        *added = *node;
        added->output = output;
        added->last = -1;
    }
    model->is_chain = model->is_chain && node->num_inputs == 1 && node->inputs[0] == graph->made;
    graph->made = output;
    ++model->num_nodes;
    if (graph->has_time) model->over_time = model->num_nodes;
    if (!rnnat_node_is_causal(node)) model->info.streamable = 0;
    return output;
}

int32_t rnnat_graph_add_last(rnnat_graph *graph, int32_t features)
{
    const int32_t last = add_value(graph, (rnnat_value){.features = features});
    if (graph->nodes) graph->nodes[graph->model->num_nodes - 1].last = last;
    return last;
}

void rnnat_graph_result(rnnat_graph *graph, int32_t value, int32_t features, bool has_time)
{
    graph->made = graph->model->output = value;
    graph->model->info.output_size = features;
    graph->has_time = has_time;
}

int32_t rnnat_graph_add_state(rnnat_graph *graph, int32_t rows, int32_t features)
{
    const int32_t index = graph->model->info.num_states++;
    if (graph->states) graph->states[index] = (rnnat_state_shape){rows, features};
    return index;
}

/* ---- a chain of layers ---- */

/* The model's input, which is what its first layer reads. */
static void add_input(rnnat_graph *graph, const rnnat_layer_text *first)
{
    rnnat_model_info *const info = &graph->model->info;
    info->takes_indices = first->kind == RNNAT_LAYER_EMBEDDING;
    info->input_size = first->input_size;
    graph->has_time = true;
    graph->made = graph->model->input =
        add_value(graph, (rnnat_value){.features = info->takes_indices ? 1 : first->input_size,
                                       .is_indices = info->takes_indices != 0,
                                       .has_time = true});
}

/* Whether the layer can stand here, behind what gives `features`. */
static rnnat_status check_place(const rnnat_layer_text *layer, int32_t index, int32_t features)
{
    if (layer->kind == (index == 0 ? RNNAT_LAYER_MERGE : RNNAT_LAYER_EMBEDDING))
        return RNNAT_ERROR_UNSUPPORTED;
    return index == 0 || layer->input_size == features ? RNNAT_OK : RNNAT_ERROR_SHAPE;
}

static rnnat_status build_layer(rnnat_graph *graph, int32_t index, const rnnat_layer_text *layer)
{
    rnnat_model *const model = graph->model;
    char prefix[16];
    rnnat_text_number(prefix, "", index);
    memcpy(prefix + rnnat_text_size(prefix), ".", sizeof ".");
    graph->build->prefix = prefix;
    if (index == 0) add_input(graph, layer);
    graph->inputs[0] = index == 0 ? model->input : model->output;
    graph->num_inputs = 1;
    const rnnat_status status = check_place(layer, index, model->info.output_size);
    return status == RNNAT_OK ? rnnat_layer_of(layer->kind)->build(graph, layer) : status;
}

/* Counts nodes, values and states, so that their arrays can be taken before they are filled. */
static rnnat_status count_nodes(const rnnat_safetensors *file, int32_t layers, rnnat_counts *counts)
{
    *counts = (rnnat_counts){.values = 1};
    for (int32_t i = 0; i < layers; ++i) {
        rnnat_layer_text layer;
        const rnnat_status status = read_layer(file, i, &layer);
        if (status != RNNAT_OK) return status;
        rnnat_layer_of(layer.kind)->count(&layer, counts);
    }
    return RNNAT_OK;
}

rnnat_status rnnat_model_build(rnnat_builder *build, int32_t matmul, rnnat_model *model)
{
    int32_t layers;
    rnnat_counts counts;
    rnnat_status status = read_count(build->file, &layers);
    if (status == RNNAT_OK) status = count_nodes(build->file, layers, &counts);
    if (status != RNNAT_OK) return status;
    *model = (rnnat_model){.kernels = build->kernels,
                           .info = {.struct_size = sizeof(rnnat_model_info),
                                    .dtype = rnnat_is_float(build->kernels) ? RNNAT_F32 : RNNAT_F64,
                                    .matmul = matmul,
                                    .num_layers = layers,
                                    .streamable = 1},
                           .is_chain = true};
    rnnat_graph graph = {.build = build, .model = model};
    rnnat_buffer *const buffers = rnnat_arena_take(&build->arena, counts.values, sizeof *buffers);
    model->nodes = graph.nodes = rnnat_arena_take(&build->arena, counts.nodes, sizeof *graph.nodes);
    model->values = graph.values =
        rnnat_arena_take(&build->arena, counts.values, sizeof *graph.values);
    model->states = graph.states =
        rnnat_arena_take(&build->arena, counts.states, sizeof *graph.states);
    model->buffers = buffers;
    for (int32_t i = 0; i < layers; ++i) {
        rnnat_layer_text layer;
        status = read_layer(build->file, i, &layer);
        if (status == RNNAT_OK) status = build_layer(&graph, i, &layer);
        if (status != RNNAT_OK) return status;
        if (build->arena.overflow) return RNNAT_ERROR_OVERFLOW;
    }
    if (graph.nodes) rnnat_plan_values(model, graph.values, buffers);
    model->info.return_sequences = graph.has_time;
    model->info.num_parameters = build->num_parameters;
    model->info.memory = rnnat_arena_need(&build->arena);
    return RNNAT_OK;
}
#endif
