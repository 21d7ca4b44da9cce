/* Reads the lines of a model file into nodes and values. */
#include "graph.h"

#include <string.h>

#include "../identity.h"
#include "../text.h"
#include "outline.h"
#include "pace.h"
#include "value_name.h"

#if RNNAT_READER
#define OUTPUTS_FORM "values such as 3,4:1"
#define INPUT_FORM "features= or indices= with a number, and time=false or nothing"

/* ---- what a file adds ---- */

/* The inputs of a graph. */
static rnnat_status add_inputs(rnnat_graph *graph, const rnnat_outline *of)
{
    bool some_time = false;
    for (int32_t i = 0; i < of->inputs; ++i) {
        char key[32], text[RNNAT_ENTRY_SIZE];
        rnnat_text_number(key, "rnn_native.input.", i);
        if (rnnat_entry_read(graph->build, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
        const size_t size = rnnat_text_size(text), word = rnnat_text_find(text, size, '=');
        const bool indices = rnnat_text_is(text, word, "indices");
        const char *at = text + word + (word < size);
        int32_t count;
        if (!indices && !rnnat_text_is(text, word, "features"))
            return rnnat_entry_wrong(graph->build, RNNAT_ERROR_FORMAT, key, text, INPUT_FORM);
        const rnnat_status status = rnnat_take_number(&at, &count);
        if (status != RNNAT_OK)
            return rnnat_entry_wrong(graph->build, status, key, text, INPUT_FORM);
        const bool is_static = rnnat_text_is(at, rnnat_text_size(at), " time=false");
        if ((*at && !is_static) || count < 1)
            return rnnat_entry_wrong(graph->build, RNNAT_ERROR_FORMAT, key, text, INPUT_FORM);
        if (is_static && !RNNAT_WITH_WINDOWS)
            return rnnat_entry_wrong(graph->build, RNNAT_ERROR_UNSUPPORTED, key, text,
                                     "time, for this library has no RNNAT_WITH_WINDOWS");
        rnnat_graph_add_value(graph, (rnnat_value){.features = indices ? 1 : count,
                                                   .known = indices ? count : 0,
                                                   .has_time = !is_static,
                                                   .is_static = is_static,
                                                   .paced_by = -1});
        some_time = some_time || !is_static;
    }
    if (some_time) return RNNAT_OK;
    return RNNAT_REFUSE(graph, UNSUPPORTED, "expected an input with time, got time=false alone");
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
        return RNNAT_REFUSE(graph, FORMAT,
                            "inputs= or outputs name a value that is not there before");
    *value = of.is_input ? of.number : 0;
    if (!of.is_input && graph->given)
        *value = of.is_last ? graph->given[of.number].last : graph->given[of.number].value;
    if (*value >= 0) return RNNAT_OK;
    return RNNAT_REFUSE(graph, SHAPE,
                        "inputs= or outputs name a last step (:1) that a layer does not give");
}

/* What layer `index` reads: what its line says, else the layer before, or the first input. */
static rnnat_status find_inputs(rnnat_graph *graph, int32_t index, const char *reads)
{
    graph->num_inputs = 1;
    graph->inputs[0] = index ? graph->result.value : 0;
    if (graph->given && index) graph->inputs[0] = graph->given[index - 1].value;
    for (int32_t n = 0; *reads; graph->num_inputs = ++n) {
        rnnat_value_name of;
        if (n == RNNAT_LINE_INPUTS)
            return RNNAT_REFUSE(graph, UNSUPPORTED, "the layer reads more than 128 values");
        rnnat_status status = rnnat_take_value_name(&reads, &of);
        if (status == RNNAT_OK) status = find_value(graph, of, index, &graph->inputs[n]);
        if (status == RNNAT_OK && (*reads == ',' || (*reads && reads[-1] != ',')))
            status = RNNAT_ERROR_FORMAT;
        if (status != RNNAT_OK)
            return RNNAT_SAY(graph->build->message, status,
                             RNNAT_TEXT("expected inputs= to be values such as in0,3,4:1"));
    }
    return RNNAT_OK;
}

/* Whether a layer can stand behind the one before in a chain, of which values are only counted. */
static rnnat_status check_chain(const rnnat_graph *graph, const rnnat_layer *layer,
                                const rnnat_layer_options *options, int32_t index)
{
    const bool from_caller = index == 0;
    if (from_caller ? layer->reads_a_layer || !layer->takes : layer->takes_indices)
        return RNNAT_REFUSE(
            graph, UNSUPPORTED,
            "such a layer cannot stand first, or an embedding behind another layer");
    if (from_caller || !layer->takes || layer->takes(options) == graph->features) return RNNAT_OK;
    return RNNAT_SAY(graph->build->message, RNNAT_ERROR_SHAPE, RNNAT_TEXT("the layer takes "),
                     RNNAT_NUMBER(layer->takes(options)),
                     RNNAT_TEXT(" features, and the one before gives "),
                     RNNAT_NUMBER(graph->features));
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
    if (!layer->takes_several && graph->num_inputs > 1)
        return RNNAT_REFUSE(graph, SHAPE, "the layer reads one value, and inputs= names more");
    if (from_caller ? layer->reads_a_layer : layer->takes_indices)
        return RNNAT_REFUSE(graph, UNSUPPORTED,
                            "such a layer cannot read an input, or an embedding another layer");
    for (int32_t i = 0; i < graph->num_inputs; ++i) {
        const rnnat_value *const value = &graph->values[graph->inputs[i]];
        const int32_t features = layer->takes_indices ? value->known : value->features;
        if ((value->known > 0) != layer->takes_indices || value->has_time != graph->has_time)
            return RNNAT_REFUSE(
                graph, SHAPE, "it reads indices for features, or a value without time beside one");
        if (RNNAT_HAS_PACES(graph->model) && !RNNAT_IS_STATIC(value) &&
            !rnnat_same_pace(graph->model, paced_by, graph->inputs[i])) {
            if (value->has_time)
                return RNNAT_REFUSE(graph, SHAPE,
                                    "it reads values with different numbers of steps");
            graph->model->info.streamable = 0; /* where last steps come at each of their own */
        }
        if (layer->takes && features != layer->takes(options))
            return RNNAT_SAY(graph->build->message, RNNAT_ERROR_SHAPE,
                             RNNAT_TEXT("the layer takes "), RNNAT_NUMBER(layer->takes(options)),
                             RNNAT_TEXT(" features, and the value that it reads has "),
                             RNNAT_NUMBER(features));
    }
    return RNNAT_OK;
}

static rnnat_status build_layer(rnnat_graph *graph, const rnnat_outline *of, int32_t index)
{
    char prefix[16], text[RNNAT_ENTRY_SIZE];
    const char *reads;
    const rnnat_layer *layer;
    rnnat_layer_options options;
    rnnat_status status =
        rnnat_outline_layer(graph->build, of, index, text, &layer, &options, &reads);
    if (status != RNNAT_OK) return status;
#if RNNAT_WITH_POOL || RNNAT_WITH_SHARING
    rnnat_builder *const build = graph->build;
    build->identity = rnnat_identity_of_bytes(build->identity, text, rnnat_text_size(text));
    build->identity = rnnat_identity_of_bytes(build->identity, reads, rnnat_text_size(reads));
#endif
    if (index == 0 && !of->is_graph) add_input_of(graph, layer, &options);
    if (layer->takes_several && !of->is_graph) {
        (void)RNNAT_REFUSE(graph, UNSUPPORTED, "a chain has no layer that reads several values");
        return rnnat_blame_line(graph->build, RNNAT_ERROR_UNSUPPORTED, index, text);
    }
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
    return status == RNNAT_OK ? status : rnnat_blame_line(graph->build, status, index, text);
}

/* The values that are outputs, each a different one: of what is several outputs there are copies. */
static rnnat_status find_outputs(rnnat_graph *graph, const rnnat_outline *of, int32_t *outputs)
{
    char text[RNNAT_ENTRY_SIZE];
    const char *at = text;
    if (outputs) outputs[0] = graph->result.value;
    if (!of->is_graph) return RNNAT_OK;
    static const char key[] = "rnn_native.outputs";
    rnnat_status status = rnnat_entry_read(graph->build, key, text);
    for (int32_t i = 0; status == RNNAT_OK && i < of->outputs; ++i) {
        const char *const here = at;
        rnnat_value_name number;
        int32_t value;
        status = rnnat_take_value_name(&at, &number);
        if (status == RNNAT_OK) status = find_value(graph, number, of->layers, &value);
        if (status != RNNAT_OK)
            return rnnat_entry_wrong(graph->build, status, key, text, OUTPUTS_FORM);
        if (number.is_input)
            return rnnat_entry_wrong(graph->build, RNNAT_ERROR_UNSUPPORTED, key, text,
                                     "what layers give alone");
        if (rnnat_is_named_before(text, here, number)) value = rnnat_combine_add_copy(graph, value);
        if (outputs) outputs[i] = value;
    }
    return status == RNNAT_OK && *at
               ? rnnat_entry_wrong(graph->build, RNNAT_ERROR_FORMAT, key, text, OUTPUTS_FORM)
               : status;
}

/* Outputs that will be copies, at most. */
static rnnat_status count_copies(const rnnat_builder *build, const rnnat_outline *of, size_t *count)
{
    char text[RNNAT_ENTRY_SIZE];
    const char *at = text;
    *count = 0;
    if (!of->is_graph) return RNNAT_OK;
    static const char key[] = "rnn_native.outputs";
    rnnat_status status = rnnat_entry_read(build, key, text);
    for (rnnat_value_name number; status == RNNAT_OK && *at;) {
        const char *const here = at;
        status = rnnat_take_value_name(&at, &number);
        if (status == RNNAT_OK) *count += rnnat_is_named_before(text, here, number);
    }
    return status == RNNAT_OK ? status : rnnat_entry_wrong(build, status, key, text, OUTPUTS_FORM);
}

/* Counts nodes, values and states, so that their arrays can be taken before they are filled. */
static rnnat_status count_nodes(const rnnat_builder *build, const rnnat_outline *of,
                                rnnat_counts *counts)
{
    size_t copies;
    const rnnat_status found = count_copies(build, of, &copies);
    if (found != RNNAT_OK) return found;
    *counts = (rnnat_counts){.nodes = copies, .values = copies + (size_t)of->inputs};
    for (int32_t i = 0; i < of->layers; ++i) {
        char text[RNNAT_ENTRY_SIZE];
        const char *reads;
        const rnnat_layer *layer;
        rnnat_layer_options options;
        const rnnat_status status =
            rnnat_outline_layer(build, of, i, text, &layer, &options, &reads);
        if (status != RNNAT_OK) return status;
        counts->reads = 1;
        for (const char *c = reads; *c; ++c) counts->reads += *c == ',';
        layer->count(&options, counts);
    }
    return RNNAT_OK;
}

/* The names of inputs and outputs. */
static rnnat_status read_names(rnnat_graph *graph, const rnnat_outline *of)
{
    const size_t count = (size_t)of->inputs + (size_t)of->outputs;
    const char **const names = rnnat_arena_take(&graph->build->arena, count, sizeof *names);
    graph->model->names = names;
    for (int32_t i = 0; i < of->inputs + of->outputs; ++i) {
        char key[48], text[RNNAT_ENTRY_SIZE];
        const bool is_input = i < of->inputs;
        rnnat_text_number(key, is_input ? "rnn_native.input." : "rnn_native.output.",
                          is_input ? i : i - of->inputs);
        if (is_input) memcpy(key + rnnat_text_size(key), ".name", sizeof ".name");
        if (rnnat_entry_read(graph->build, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
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
    rnnat_outline of;
    rnnat_counts counts;
    rnnat_status status = rnnat_outline_read(build, &of);
    if (status == RNNAT_OK) status = count_nodes(build, &of, &counts);
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
    if (status != RNNAT_OK) return status;
    if (graph.nodes) status = rnnat_plan_values(model, graph.values, buffers);
    if (status != RNNAT_OK)
        return RNNAT_SAY(build->message, status,
                         RNNAT_TEXT("graph: a layer makes what no layer reads, nor an output"));
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
