/* Makes models with random weights, and the bytes of their files. */
#include "model_file.h"

#include "safetensors_file.h"

/* ---- random numbers: splitmix64 (Steele, Lea and Flood 2014) ---- */

static uint64_t next_random(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

float test_random(uint64_t *random, float most)
{
    const int32_t bits = (int32_t)(next_random(random) >> 39); /* 25 of them */
    return (float)(bits - (1 << 24)) / (float)(1 << 24) * most;
}

int32_t test_choose(uint64_t *random, int32_t low, int32_t high)
{
    return low + (int32_t)(next_random(random) % (uint64_t)(high - low + 1));
}

/* ---- layers ---- */

int32_t test_layer_directions(const test_layer *layer)
{
    return layer->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
}

int32_t test_layer_state(const test_layer *layer)
{
    return layer->proj_size ? layer->proj_size : layer->output_size;
}

const char *test_layer_letters(const test_layer *layer)
{
    if (layer->cell == TEST_GRU) return layer->gate_recurrent ? "hz" : "h";
    return layer->cell == TEST_RNN ? "h" : layer->gate_recurrent ? "hcif" : "hc";
}

int32_t test_layer_states(const test_layer *layer)
{
    return (int32_t)strlen(test_layer_letters(layer));
}

int32_t test_layer_output(const test_layer *layer)
{
    if (layer->output_layer) return layer->output_layer;
    return layer->kind == TEST_RECURRENT ? test_layer_state(layer) * test_layer_directions(layer)
                                         : layer->output_size;
}

bool test_model_last_only(const test_model *model)
{
    for (int32_t i = 0; i < model->num_layers; ++i)
        if (model->layers[i].last_only) return true;
    return false;
}

int32_t test_model_states(const test_model *model, int32_t rows[MAX_STATES],
                          int32_t features[MAX_STATES])
{
    int32_t count = 0;
    for (int32_t i = 0; i < model->num_layers; ++i) {
        const test_layer *const layer = &model->layers[i];
        if (layer->kind != TEST_RECURRENT) continue;
        for (int32_t k = 0; k < test_layer_states(layer); ++k, ++count) {
            rows[count] = layer->num_layers * test_layer_directions(layer);
            features[count] = k == 0 ? test_layer_state(layer) : layer->output_size;
        }
    }
    return count;
}

/* ---- the line of a layer ---- */

static const char *flag(bool value) { return value ? "true" : "false"; }

/* The keys of a cell with activations, of all of its directions. */
static void describe_general(const test_layer *layer, char *line, size_t size)
{
    static const struct {
        const char *name;
        int constants;
    } names[] = {
#define FUNCTION(code, name, constants, with) {name, constants},
        RNNAT_EACH_FUNCTION(FUNCTION)
#undef FUNCTION
    };
    int used = 0;
    if (layer->cell == TEST_GRU)
        used = snprintf(line, size, "reset_after=%s ", flag(layer->reset_after));
    if (layer->cell == TEST_LSTM)
        used = snprintf(line, size, "proj_size=%d peephole=%s ", layer->proj_size,
                        flag(layer->peephole));
    const char *next = "activations=";
    for (int32_t d = 0; d < test_layer_directions(layer); ++d) {
        for (int32_t i = 0; i < 1 + (int32_t)layer->cell; ++i, next = ",") {
            const rnnat_function f = layer->functions[d].of[i];
            const double constants[] = {f.alpha, f.beta};
            used += snprintf(line + used, size - (size_t)used, "%s%s", next, names[f.kind].name);
            for (int k = 0; k < names[f.kind].constants; ++k)
                used += snprintf(line + used, size - (size_t)used, ":%a", constants[k]);
        }
    }
    if (layer->functions[0].clip > 0)
        used += snprintf(line + used, size - (size_t)used, " clip=%a", layer->functions[0].clip);
    if (layer->functions[0].input_forget)
        used += snprintf(line + used, size - (size_t)used, " input_forget=true");
    if (layer->functions[0].cell_clip > 0)
        used += snprintf(line + used, size - (size_t)used, " cell_clip=%a",
                         layer->functions[0].cell_clip);
    if ((size_t)used >= size) abort();
}

static void describe(const test_layer *layer, char *line, size_t size)
{
    static const char *const cells[] = {"rnn", "gru", "lstm"};
    static const char *const directions[] = {"forward", "reverse", "bidirectional"};
    static const char *const activations[] = {"identity", "sigmoid", "tanh",
                                              "relu",     "softmax", "log_softmax"};
    if (layer->kind == TEST_EMBEDDING) {
        snprintf(line, size, "embedding num_embeddings=%d embedding_dim=%d", layer->input_size,
                 layer->output_size);
        return;
    }
    if (layer->kind == TEST_LINEAR) {
        snprintf(line, size, "linear in_features=%d out_features=%d bias=%s activation=%s",
                 layer->input_size, layer->output_size, flag(layer->bias),
                 activations[layer->activation]);
        return;
    }
    if (layer->kind == TEST_MERGE) {
        static const char *const modes[] = {"sum", "mul", "ave"};
        snprintf(line, size, "merge features=%d mode=%s", layer->output_size, modes[layer->merge]);
        return;
    }
    if (layer->kind == TEST_ELEMENTWISE) { /* of tests/parts, which asks for this function */
        snprintf(line, size, "elementwise function=tanh");
        return;
    }
    if (layer->kind == TEST_POOL) { /* of test_push.c and tests/parts */
        snprintf(
            line, size,
            "pool mode=average kernel_size=4 stride=2 before=1 after=0 count_include_pad=true");
        return;
    }
    if (layer->kind == TEST_CONV) { /* over three steps, causal: of test_conv.c and tests/parts */
        snprintf(line, size,
                 "conv in_channels=%d out_channels=%d groups=1 kernel_time=3 stride_time=1 "
                 "dilation_time=1 before=2 after=0 positions=1 kernel_size=1 stride=1 dilation=1 "
                 "left=0 right=0 padding_mode=zeros bias=%s activation=%s",
                 layer->input_size, layer->output_size, flag(layer->bias),
                 activations[layer->activation]);
        return;
    }
    if (layer->kind == TEST_INSTANCE_NORM) { /* of tests/parts */
        snprintf(line, size,
                 "instance_norm channels=%d positions=1 groups=1 epsilon=0x1p-10 weight=false "
                 "bias=false",
                 layer->output_size);
        return;
    }
    if (layer->kind == TEST_STRIDED) { /* of tests/parts: the features as they are */
        snprintf(line, size,
                 "strided in_features=%d offset=0 size0=1 size1=1 size2=1 size3=%d stride0=0 "
                 "stride1=0 stride2=0 stride3=1",
                 layer->output_size, layer->output_size);
        return;
    }
    char more[400];
    if (layer->general)
        describe_general(layer, more, sizeof more);
    else if (layer->output_layer)
        snprintf(more, sizeof more, "nonlinearity=%s output_layer=%d output_nonlinearity=%s",
                 activations[layer->activation], layer->output_layer,
                 activations[layer->output_activation]);
    else if (layer->gate_recurrent)
        snprintf(more, sizeof more, "gate_recurrent=true");
    else if (layer->cell == TEST_RNN)
        snprintf(more, sizeof more, "nonlinearity=%s", activations[layer->activation]);
    else if (layer->cell == TEST_GRU)
        snprintf(more, sizeof more, "reset_after=%s", flag(layer->reset_after));
    else
        snprintf(more, sizeof more, "proj_size=%d peephole=%s", layer->proj_size,
                 flag(layer->peephole));
    snprintf(
        line, size,
        "recurrent cell=%s input_size=%d hidden_size=%d num_layers=%d direction=%s bias=%s %s%s%s",
        cells[layer->cell], layer->input_size, layer->output_size, layer->num_layers,
        directions[layer->direction], flag(layer->bias), more,
        layer->last_only ? " return_sequences=false" : "",
        layer->initial_state ? " initial_state=true" : "");
}

/* ---- tensors ---- */

static void name_tensor(char *full, size_t size, int32_t layer, const char *name, int32_t depth,
                        bool reverse)
{
    if (depth < 0)
        snprintf(full, size, "%d.%s", layer, name);
    else
        snprintf(full, size, "%d.%s_l%d%s", layer, name, depth, reverse ? "_reverse" : "");
}

/* Uniform in [-most, most]; rank 1 where columns is 0. */
static void add_tensor(test_model *model, const char *name, int32_t depth, bool reverse,
                       int32_t rows, int32_t columns, float most)
{
    if (model->num_tensors == MAX_TENSORS) abort();
    test_tensor *const tensor = &model->tensors[model->num_tensors++];
    const size_t count = (size_t)rows * (size_t)(columns ? columns : 1);
    *tensor = (test_tensor){
        .dtype = "F32", .rank = columns ? 2 : 1, .dims = {rows, columns ? columns : 1}};
    name_tensor(tensor->name, sizeof tensor->name, model->num_layers, name, depth, reverse);
    tensor->values = malloc(count * sizeof *tensor->values);
    if (!tensor->values) abort();
    for (size_t i = 0; i < count; ++i) tensor->values[i] = test_random(&model->random, most);
}

static void add_cell(test_model *model, const test_layer *layer, int32_t depth, bool reverse)
{
    static const int32_t gates_of[] = {1, 3, 4};
    const int32_t state = test_layer_state(layer), hidden = layer->output_size;
    const int32_t gates = gates_of[layer->cell] * hidden;
    const int32_t below = state * test_layer_directions(layer);
    const int32_t input = depth ? below : layer->input_size;
    add_tensor(model, "weight_ih", depth, reverse, gates, input, 2 / (float)input);
    if (layer->gate_recurrent) {
        const float most = 0.5f / (float)hidden; /* the LSTM's gates add up two rows */
        const bool gru = layer->cell == TEST_GRU;
        add_tensor(model, "weight_gh", depth, reverse, gates - gru * hidden, hidden, most);
        add_tensor(model, gru ? "weight_hh" : "weight_ch", depth, reverse, gru ? hidden : gates,
                   hidden, most);
        if (layer->bias) add_tensor(model, "bias_ih", depth, reverse, gates, 0, 0.5f);
        return;
    }
    add_tensor(model, "weight_hh", depth, reverse, gates, state, 1 / (float)state);
    if (layer->bias) {
        add_tensor(model, "bias_ih", depth, reverse, gates, 0, 0.5f);
        add_tensor(model, "bias_hh", depth, reverse, gates, 0, 0.5f);
    }
    if (layer->proj_size)
        add_tensor(model, "weight_hr", depth, reverse, state, hidden, 1 / (float)hidden);
    if (layer->peephole) {
        add_tensor(model, "weight_ci", depth, reverse, hidden, 0, 0.25f);
        add_tensor(model, "weight_cf", depth, reverse, hidden, 0, 0.25f);
        add_tensor(model, "weight_co", depth, reverse, hidden, 0, 0.25f);
    }
}

static void add_output(test_model *model, const test_layer *layer)
{
    const int32_t hidden = layer->output_size * test_layer_directions(layer);
    add_tensor(model, "weight_ho", -1, false, layer->output_layer, hidden, 1 / (float)hidden);
    add_tensor(model, "weight_xo", -1, false, layer->output_layer, layer->input_size,
               2 / (float)layer->input_size);
    if (layer->bias) add_tensor(model, "bias_o", -1, false, layer->output_layer, 0, 0.5f);
}

/* What each state begins with; such a file is version 2. */
static void add_initial(test_model *model, const test_layer *layer)
{
    const char *const letters = test_layer_letters(layer);
    for (int32_t s = 0; letters[s]; ++s) {
        const char name[] = {letters[s], '_', '0', '\0'};
        const int32_t features = s == 0 ? test_layer_state(layer) : layer->output_size;
        const int32_t rows = layer->num_layers * test_layer_directions(layer);
        add_tensor(model, name, -1, false, rows, features, 1);
    }
    strcpy(model->pairs[0].value, "2");
}

test_tensor *test_model_tensor(const test_model *model, int32_t layer, const char *name,
                               int32_t depth, bool reverse)
{
    char full[64];
    name_tensor(full, sizeof full, layer, name, depth, reverse);
    for (int32_t i = 0; i < model->num_tensors; ++i)
        if (strcmp(model->tensors[i].name, full) == 0) return RNNAT_WRITABLE(&model->tensors[i]);
    return NULL;
}

float test_model_initial(const test_model *model, int32_t index, int32_t batch, int32_t at)
{
    for (int32_t i = 0; i < model->num_layers; ++i) {
        const test_layer *const layer = &model->layers[i];
        if (layer->kind != TEST_RECURRENT) continue;
        if (index >= test_layer_states(layer)) {
            index -= test_layer_states(layer);
            continue;
        }
        const char name[] = {test_layer_letters(layer)[index], '_', '0', '\0'};
        const test_tensor *const tensor = test_model_tensor(model, i, name, -1, false);
        if (!tensor) return 0;
        const int32_t features = tensor->dims[1];
        return tensor->values[at / (batch * features) * features + at % features];
    }
    abort();
}

/* ---- models ---- */

void test_model_start(test_model *model, uint64_t seed)
{
    *model = (test_model){
        .random = seed,
        .pairs = {{"rnn_native.version", "1"}, {"rnn_native.layers", "0"}},
        .num_pairs = 2,
    };
}

void test_model_add(test_model *model, test_layer layer)
{
    if (model->num_layers == MAX_LAYERS) abort();
    test_pair *const pair = &model->pairs[model->num_pairs++];
    snprintf(pair->key, sizeof pair->key, "rnn_native.layer.%d", model->num_layers);
    describe(&layer, pair->value, sizeof pair->value);
    if (layer.kind == TEST_RECURRENT) {
        for (int32_t depth = 0; depth < layer.num_layers; ++depth) {
            add_cell(model, &layer, depth, layer.direction == RNNAT_REVERSE);
            if (layer.direction == RNNAT_BIDIRECTIONAL) add_cell(model, &layer, depth, true);
        }
        if (layer.output_layer) add_output(model, &layer);
        if (layer.initial_state) add_initial(model, &layer);
    } else if (layer.kind == TEST_LINEAR) {
        add_tensor(model, "weight", -1, false, layer.output_size, layer.input_size,
                   2 / (float)layer.input_size);
        if (layer.bias) add_tensor(model, "bias", -1, false, layer.output_size, 0, 0.5f);
    } else if (layer.kind == TEST_CONV) {
        add_tensor(model, "weight", -1, false, layer.output_size, 3 * layer.input_size,
                   1 / (float)layer.input_size);
        if (layer.bias) add_tensor(model, "bias", -1, false, layer.output_size, 0, 0.5f);
    } else if (layer.kind == TEST_EMBEDDING) {
        add_tensor(model, "weight", -1, false, layer.input_size, layer.output_size, 2);
    }
    model->layers[model->num_layers++] = layer;
    snprintf(model->pairs[1].value, sizeof model->pairs[1].value, "%d", model->num_layers);
}

void test_model_end(test_model *model)
{
    for (int32_t i = 0; i < model->num_tensors; ++i) free(model->tensors[i].values);
    model->num_tensors = 0;
}

/* ---- bytes ---- */

static size_t element_bytes(const test_tensor *tensor)
{
    return strcmp(tensor->dtype, "F64") == 0 ? 8 : strcmp(tensor->dtype, "I8") == 0 ? 1 : 4;
}

static size_t element_count(const test_tensor *tensor)
{
    size_t count = 1;
    for (int32_t i = 0; i < tensor->rank; ++i) count *= (size_t)tensor->dims[i];
    return count;
}

/* The bits of a number, little-endian on any machine. */
static unsigned char *put(unsigned char *to, const test_tensor *tensor, float value)
{
    uint64_t bits = 0;
    const size_t size = element_bytes(tensor);
    if (size == sizeof(double)) {
        const double wide = value;
        memcpy(&bits, &wide, sizeof wide);
    } else if (size == 1) {
        bits = (uint64_t)(int64_t)value;
    } else {
        uint32_t narrow;
        memcpy(&narrow, &value, sizeof value);
        bits = narrow;
    }
    for (size_t i = 0; i < size; ++i) *to++ = (unsigned char)(bits >> (8 * i) & 0xFF);
    return to;
}

test_bytes test_model_bytes(const test_model *model)
{
    size_t data = 0;
    text_size = 0;
    append("{\"__metadata__\":{");
    for (int32_t i = 0; i < model->num_pairs; ++i)
        append("%s\"%s\":\"%s\"", i ? "," : "", model->pairs[i].key, model->pairs[i].value);
    append("}");
    for (int32_t i = 0; i < model->num_tensors; ++i) {
        const test_tensor *const tensor = &model->tensors[i];
        const size_t bytes = element_count(tensor) * element_bytes(tensor);
        append(",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensor->name, tensor->dtype);
        for (int32_t d = 0; d < tensor->rank; ++d) append("%s%d", d ? "," : "", tensor->dims[d]);
        append("],\"data_offsets\":[%zu,%zu]}", data, data + bytes);
        data += bytes;
    }
    append("}");
    const st_file file = make_file(text, text_size, data);
    unsigned char *to = file.bytes + file.size - data;
    for (int32_t i = 0; i < model->num_tensors; ++i) {
        const test_tensor *const tensor = &model->tensors[i];
        for (size_t k = 0; k < element_count(tensor); ++k) to = put(to, tensor, tensor->values[k]);
    }
    return (test_bytes){file.bytes, file.size};
}

rnnat_model *test_model_make(const test_model *model, rnnat_dtype dtype, rnnat_matmul matmul)
{
    const rnnat_model_options options = {
        .struct_size = sizeof options, .dtype = (int32_t)dtype, .matmul = (int32_t)matmul};
    const test_bytes file = test_model_bytes(model);
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, &made);
    free(file.bytes);
    if (status == RNNAT_OK) return made;
    fprintf(stderr, "no model: %s\n", rnnat_status_name(status));
    abort();
}
