/* Reads the lines of a model file into nodes and values. */
#include "graph.h"

#include <string.h>

#include "../identity.h"
#include "../layers/layer.h"
#include "../text.h"
#include "pace.h"
#include "value_name.h"

#if RNNAT_READER
enum { text_size = 1024 }; /* of an entry of the metadata, its NUL included */

static rnnat_status read_text(const rnnat_safetensors *file, const char *key, char *text)
{
    return rnnat_safetensors_metadata(file, key, text, text_size) == RNNAT_OK ? RNNAT_OK
                                                                              : RNNAT_ERROR_FORMAT;
}

/* An entry that is a number from 1 to as many as entries can be. */
static rnnat_status read_count(const rnnat_safetensors *file, const char *key, int32_t *count)
{
    char text[text_size];
    const char *at = text;
    rnnat_status status = read_text(file, key, text);
    if (status == RNNAT_OK) status = rnnat_take_number(&at, count);
    if (status != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    const bool fits = *count > 0 && *count <= RNNAT_SAFETENSORS_MAX_ENTRIES;
    return *at == '\0' && fits ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

/* What a file says of its whole model. */
typedef struct outline {
    int32_t layers, inputs, outputs;
    bool is_graph; /* lines say what they read; else each layer reads the one before */
} outline;

static rnnat_status read_outline(const rnnat_safetensors *file, outline *of)
{
    char text[text_size];
    if (read_text(file, "rnn_native.version", text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    const size_t size = rnnat_text_size(text);
    const bool newer = rnnat_text_is(text, size, "2"); /* which a chain may be as well */
    if (!newer && !rnnat_text_is(text, size, "1")) return RNNAT_ERROR_UNSUPPORTED;
    *of = (outline){.inputs = 1, .outputs = 1};
    of->is_graph = newer && rnnat_safetensors_metadata(file, "rnn_native.inputs", text,
                                                       text_size) != RNNAT_ERROR_NOT_FOUND;
    rnnat_status status = read_count(file, "rnn_native.layers", &of->layers);
    if (status != RNNAT_OK || !of->is_graph) return status;
    status = read_count(file, "rnn_native.inputs", &of->inputs);
    if (status == RNNAT_OK) status = read_text(file, "rnn_native.outputs", text);
    for (const char *c = text; status == RNNAT_OK && *c; ++c) of->outputs += *c == ',';
    return status;
}

/* The line of a layer; `reads`: what stands behind " inputs=", or "". */
static rnnat_status read_layer(const rnnat_safetensors *file, const outline *of, int32_t index,
                               char *text, const rnnat_layer **layer, rnnat_layer_options *options,
                               const char **reads)
{
    static const char mark[] = " inputs=";
    const size_t length = sizeof mark - 1;
    char key[32];
    rnnat_text_number(key, "rnn_native.layer.", index);
    if (read_text(file, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    *reads = "";
    for (char *c = text; of->is_graph && *c; ++c) {
        size_t same = 0;
        while (same < length && c[same] == mark[same]) ++same;
        if (same < length) continue;
        *reads = c + length;
        *c = '\0';
        if (**reads == '\0') return RNNAT_ERROR_FORMAT;
        break;
    }
    return rnnat_layer_read(text, layer, options);
}

/* ---- what a file adds ---- */

/* The inputs of a graph. */
static rnnat_status add_inputs(rnnat_graph *graph, const outline *of)
{
    bool some_time = false;
    for (int32_t i = 0; i < of->inputs; ++i) {
        char key[32], text[text_size];
        rnnat_text_number(key, "rnn_native.input.", i);
        if (read_text(graph->build->file, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
        const size_t size = rnnat_text_size(text), word = rnnat_text_find(text, size, '=');
        const bool indices = rnnat_text_is(text, word, "indices");
        const char *at = text + word + (word < size);
        int32_t count;
        if (!indices && !rnnat_text_is(text, word, "features")) return RNNAT_ERROR_FORMAT;
        const rnnat_status status = rnnat_take_number(&at, &count);
        if (status != RNNAT_OK) return status;
        const bool is_static = rnnat_text_is(at, rnnat_text_size(at), " time=false");
        if ((*at && !is_static) || count < 1) return RNNAT_ERROR_FORMAT;
        if (is_static && !RNNAT_WITH_WINDOWS) return RNNAT_ERROR_UNSUPPORTED;
        rnnat_graph_add_value(graph, (rnnat_value){.features = indices ? 1 : count,
                                                   .known = indices ? count : 0,
                                                   .has_time = !is_static,
                                                   .is_static = is_static,
                                                   .paced_by = -1});
        some_time = some_time || !is_static;
    }
    return some_time ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
}

/* That of a chain, which is what its first layer reads. */
static void add_input_of(rnnat_graph *graph, const rnnat_layer *layer,
                         const rnnat_layer_options *first)
{
    const bool indices = layer->takes_indices;
    const int32_t taken = layer->takes ? layer->takes(first) : 1;
    rnnat_graph_add_value(graph, (rnnat_value){.features = indices ? 1 : taken,
                                               .known = indices ? taken : 0,
                                               .has_time = true,
                                               .paced_by = -1});
}

/* The value of that name: an input, or of one of the first `layers` layers. *value is 0 while they are
 * only counted. */
static rnnat_status find_value(const rnnat_graph *graph, rnnat_value_name of, int32_t layers,
                               int32_t *value)
{
    if (of.number >= (of.is_input ? graph->model->info.num_inputs : layers))
        return RNNAT_ERROR_FORMAT;
    *value = of.is_input ? of.number : 0;
    if (!of.is_input && graph->given)
        *value = of.is_last ? graph->given[of.number].last : graph->given[of.number].value;
    return *value < 0 ? RNNAT_ERROR_SHAPE : RNNAT_OK;
}

/* What layer `index` reads: what its line says, else the layer before, or the first input. */
static rnnat_status find_inputs(rnnat_graph *graph, int32_t index, const char *reads)
{
    graph->num_inputs = 1;
    graph->inputs[0] = index ? graph->result.value : 0;
    if (graph->given && index) graph->inputs[0] = graph->given[index - 1].value;
    for (int32_t n = 0; *reads; graph->num_inputs = ++n) {
        rnnat_value_name of;
        if (n == RNNAT_LINE_INPUTS) return RNNAT_ERROR_UNSUPPORTED;
        rnnat_status status = rnnat_take_value_name(&reads, &of);
        if (status == RNNAT_OK) status = find_value(graph, of, index, &graph->inputs[n]);
        if (status != RNNAT_OK) return status;
        if (*reads == ',' || (*reads && reads[-1] != ',')) return RNNAT_ERROR_FORMAT;
    }
    return RNNAT_OK;
}

/* Whether a layer can stand behind the one before in a chain, of which values are only counted. */
static rnnat_status check_chain(const rnnat_graph *graph, const rnnat_layer *layer,
                                const rnnat_layer_options *options, int32_t index)
{
    const bool from_caller = index == 0;
    if (from_caller ? layer->reads_a_layer || !layer->takes : layer->takes_indices)
        return RNNAT_ERROR_UNSUPPORTED;
    if (from_caller || !layer->takes) return RNNAT_OK;
    return layer->takes(options) == graph->features ? RNNAT_OK : RNNAT_ERROR_SHAPE;
}

/* The first value that the layer reads which is not static, if any; says whether all of them are. */
static int32_t find_pace(rnnat_graph *graph)
{
    int32_t first = 0;
    while (first < graph->num_inputs && RNNAT_IS_STATIC(&graph->values[graph->inputs[first]]))
        ++first;
    graph->is_static = first == graph->num_inputs;
    return graph->inputs[graph->is_static ? 0 : first];
}

/* Whether a layer can read these values. */
static rnnat_status check_inputs(rnnat_graph *graph, const rnnat_layer *layer,
                                 const rnnat_layer_options *options)
{
    const bool from_caller = graph->inputs[0] < graph->model->info.num_inputs;
    const int32_t paced_by = find_pace(graph);
    graph->has_time = graph->values[graph->inputs[0]].has_time;
    if (layer->mixes_time) return RNNAT_OK;
    if (!layer->takes_several && graph->num_inputs > 1) return RNNAT_ERROR_SHAPE;
    if (from_caller ? layer->reads_a_layer : layer->takes_indices) return RNNAT_ERROR_UNSUPPORTED;
    for (int32_t i = 0; i < graph->num_inputs; ++i) {
        const rnnat_value *const value = &graph->values[graph->inputs[i]];
        const int32_t features = layer->takes_indices ? value->known : value->features;
        if ((value->known > 0) != layer->takes_indices || value->has_time != graph->has_time)
            return RNNAT_ERROR_SHAPE;
        if (RNNAT_HAS_PACES(graph->model) && !RNNAT_IS_STATIC(value) &&
            !rnnat_same_pace(graph->model, paced_by, graph->inputs[i])) {
            if (value->has_time) return RNNAT_ERROR_SHAPE;
            graph->model->info.streamable = 0; /* where last steps come at each of their own */
        }
        if (layer->takes && features != layer->takes(options)) return RNNAT_ERROR_SHAPE;
    }
    return RNNAT_OK;
}

static rnnat_status build_layer(rnnat_graph *graph, const outline *of, int32_t index)
{
    char prefix[16], text[text_size];
    const char *reads;
    const rnnat_layer *layer;
    rnnat_layer_options options;
    rnnat_status status = read_layer(graph->build->file, of, index, text, &layer, &options, &reads);
    if (status != RNNAT_OK) return status;
#if RNNAT_WITH_POOL || RNNAT_WITH_SHARING
    rnnat_builder *const build = graph->build;
    build->identity = rnnat_identity_of_bytes(build->identity, text, rnnat_text_size(text));
    build->identity = rnnat_identity_of_bytes(build->identity, reads, rnnat_text_size(reads));
#endif
    if (index == 0 && !of->is_graph) add_input_of(graph, layer, &options);
    if (layer->takes_several && !of->is_graph) return RNNAT_ERROR_UNSUPPORTED;
    rnnat_text_number(prefix, "", index);
    memcpy(prefix + rnnat_text_size(prefix), ".", sizeof ".");
    graph->build->prefix = prefix;
    status = find_inputs(graph, index, reads);
    if (of->is_graph) graph->has_time = true; /* until its values say more */
    if (status == RNNAT_OK && graph->values)
        status = check_inputs(graph, layer, &options);
    else if (status == RNNAT_OK && !of->is_graph)
        status = check_chain(graph, layer, &options, index);
    graph->result.last = -1;
    const rnnat_stored type = graph->build->type;
#if RNNAT_WITH_NARROW
    if (rnnat_line_keeps(text)) graph->build->type = RNNAT_STORED_OWN;
#endif
    if (status == RNNAT_OK) status = layer->build(graph, &options);
    graph->build->type = type;
    if (graph->result.last == graph->result.value)
        graph->result.last = -1; /* one value, one name */
    if (status == RNNAT_OK && graph->given) graph->given[index] = graph->result;
    return status;
}

/* The values that are outputs, each a different one: of what is several outputs there are copies. */
static rnnat_status find_outputs(rnnat_graph *graph, const outline *of, int32_t *outputs)
{
    char text[text_size];
    const char *at = text;
    if (outputs) outputs[0] = graph->result.value;
    if (!of->is_graph) return RNNAT_OK;
    rnnat_status status = read_text(graph->build->file, "rnn_native.outputs", text);
    for (int32_t i = 0; status == RNNAT_OK && i < of->outputs; ++i) {
        const char *const here = at;
        rnnat_value_name number;
        int32_t value;
        status = rnnat_take_value_name(&at, &number);
        if (status == RNNAT_OK) status = find_value(graph, number, of->layers, &value);
        if (status != RNNAT_OK) return status;
        if (number.is_input) return RNNAT_ERROR_UNSUPPORTED;
        if (rnnat_is_named_before(text, here, number)) value = rnnat_combine_add_copy(graph, value);
        if (outputs) outputs[i] = value;
    }
    return status == RNNAT_OK && *at ? RNNAT_ERROR_FORMAT : status;
}

/* Outputs that will be copies, at most. */
static rnnat_status count_copies(const rnnat_safetensors *file, const outline *of, size_t *count)
{
    char text[text_size];
    const char *at = text;
    *count = 0;
    if (!of->is_graph) return RNNAT_OK;
    rnnat_status status = read_text(file, "rnn_native.outputs", text);
    for (rnnat_value_name number; status == RNNAT_OK && *at;) {
        const char *const here = at;
        status = rnnat_take_value_name(&at, &number);
        if (status == RNNAT_OK) *count += rnnat_is_named_before(text, here, number);
    }
    return status;
}

/* Counts nodes, values and states, so that their arrays can be taken before they are filled. */
static rnnat_status count_nodes(const rnnat_safetensors *file, const outline *of,
                                rnnat_counts *counts)
{
    size_t copies;
    const rnnat_status found = count_copies(file, of, &copies);
    if (found != RNNAT_OK) return found;
    *counts = (rnnat_counts){.nodes = copies, .values = copies + (size_t)of->inputs};
    for (int32_t i = 0; i < of->layers; ++i) {
        char text[text_size];
        const char *reads;
        const rnnat_layer *layer;
        rnnat_layer_options options;
        const rnnat_status status = read_layer(file, of, i, text, &layer, &options, &reads);
        if (status != RNNAT_OK) return status;
        counts->reads = 1;
        for (const char *c = reads; *c; ++c) counts->reads += *c == ',';
        layer->count(&options, counts);
    }
    return RNNAT_OK;
}

/* The names of inputs and outputs. */
static rnnat_status read_names(rnnat_graph *graph, const outline *of)
{
    const size_t count = (size_t)of->inputs + (size_t)of->outputs;
    const char **const names = rnnat_arena_take(&graph->build->arena, count, sizeof *names);
    graph->model->names = names;
    for (int32_t i = 0; i < of->inputs + of->outputs; ++i) {
        char key[48], text[text_size];
        const bool is_input = i < of->inputs;
        rnnat_text_number(key, is_input ? "rnn_native.input." : "rnn_native.output.",
                          is_input ? i : i - of->inputs);
        if (is_input) memcpy(key + rnnat_text_size(key), ".name", sizeof ".name");
        if (read_text(graph->build->file, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
        const char *const name = rnnat_graph_keep(graph, text, rnnat_text_size(text) + 1);
        if (names) names[i] = name;
    }
    return RNNAT_OK;
}

/* What info says of values, once all are there. */
static void describe_values(const rnnat_graph *graph)
{
    rnnat_model *const model = graph->model;
    rnnat_model_info *const info = &model->info;
    const rnnat_value *const x = &graph->values[0], *const y = &graph->values[model->outputs[0]];
    info->takes_indices = x->known > 0;
    info->input_size = x->known ? x->known : x->features;
    info->output_size = y->features;
    info->return_sequences = y->has_time;
}

rnnat_status rnnat_model_build(rnnat_builder *build, int32_t matmul, rnnat_model *model)
{
    outline of;
    rnnat_counts counts;
    rnnat_status status = read_outline(build->file, &of);
    if (status == RNNAT_OK) status = count_nodes(build->file, &of, &counts);
    if (status != RNNAT_OK) return status;
    *model = (rnnat_model){.kernels = build->kernels,
                           .info = {.struct_size = sizeof(rnnat_model_info),
                                    .dtype = rnnat_is_float(build->kernels) ? RNNAT_F32 : RNNAT_F64,
                                    .matmul = matmul,
                                    .num_layers = of.layers,
                                    .num_inputs = of.inputs,
                                    .num_outputs = of.outputs,
                                    .streamable = 1},
                           .is_chain = of.inputs == 1 && of.outputs == 1};
    rnnat_arena *const arena = &build->arena;
    rnnat_graph graph = {.build = build, .model = model, .has_time = true};
    rnnat_buffer *const buffers = rnnat_arena_take(arena, counts.values, sizeof *buffers);
    int32_t *const outputs = rnnat_arena_take(arena, (size_t)of.outputs, sizeof *outputs);
    model->nodes = graph.nodes = rnnat_arena_take(arena, counts.nodes, sizeof *graph.nodes);
    model->values = graph.values = rnnat_arena_take(arena, counts.values, sizeof *graph.values);
    model->states = graph.states = rnnat_arena_take(arena, counts.states, sizeof *graph.states);
    graph.given = rnnat_arena_take(arena, (size_t)of.layers, sizeof *graph.given);
    model->buffers = buffers;
    model->outputs = outputs;
    if (of.is_graph) status = add_inputs(&graph, &of);
    if (of.is_graph && status == RNNAT_OK) status = read_names(&graph, &of);
    for (int32_t i = 0; i < of.layers && status == RNNAT_OK; ++i) {
        status = build_layer(&graph, &of, i);
        if (status == RNNAT_OK && rnnat_build_overflows(build)) status = RNNAT_ERROR_OVERFLOW;
    }
    if (status == RNNAT_OK) status = find_outputs(&graph, &of, outputs);
    if (status == RNNAT_OK && graph.nodes) status = rnnat_plan_values(model, graph.values, buffers);
    if (status != RNNAT_OK) return status;
    if (graph.nodes) describe_values(&graph);
#if RNNAT_WITH_NARROW
    model->info.weight_dtype = rnnat_stored_is_int8(build->type)      ? RNNAT_WEIGHT_INT8
                               : build->type == RNNAT_STORED_BF16_DOT ? RNNAT_WEIGHT_BF16
                                                                      : (int32_t)build->type;
    if (build->type == RNNAT_STORED_BF16_DOT) model->info.compute = RNNAT_COMPUTE_BF16;
    model->operands = build->operands;
    model->product_rows = build->product_rows > 1 ? build->product_rows : 1;
#endif
#if RNNAT_WITH_POOL || RNNAT_WITH_SHARING
    const int32_t types = model->info.weight_dtype * 16 + model->info.compute;
    build->identity = rnnat_identity_of(build->identity, (uint64_t)types);
    model->identity = rnnat_identity_of(build->identity, (uint64_t)model->info.dtype) >> 1;
#endif
    model->info.num_parameters = build->num_parameters;
    model->info.memory = rnnat_arena_need(arena);
#if RNNAT_WITH_SHARING
    model->info.memory += build->weights.used;
#endif
    return RNNAT_OK;
}
#endif
