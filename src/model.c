#include "model.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "text.h"

#if RNNAT_READER
/* key = text + decimal `n`. */
static void numbered(char *key, const char *text, int32_t n)
{
    char digits[12];
    size_t used = rnnat_text_size(text), count = 0;
    memcpy(key, text, used);
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (count) key[used++] = digits[--count];
    key[used] = '\0';
}

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
    numbered(key, "rnn_native.layer.", index);
    if (rnnat_safetensors_metadata(file, key, text, sizeof text) != RNNAT_OK)
        return RNNAT_ERROR_FORMAT;
    return rnnat_layer_text_parse(text, layer);
}

static rnnat_status build_embedding(rnnat_builder *build, const rnnat_layer_text *layer,
                                    rnnat_op *op)
{
    rnnat_tensor tensor;
    const rnnat_status status =
        rnnat_build_tensor(build, "weight", layer->input_size, layer->output_size, &tensor);
    if (status != RNNAT_OK) return status;
    const size_t count = (size_t)layer->input_size * (size_t)layer->output_size;
    void *const table = rnnat_arena_take(&build->arena, count, (size_t)build->kernels->elem);
    build->num_parameters += count;
    op->table = table;
    if (table && rnnat_is_float(build->kernels)) rnnat_tensor_read_f32(&tensor, 0, count, table);
#if RNNAT_FLOAT64
    else if (table)
        rnnat_tensor_read_f64(&tensor, 0, count, table);
#endif
    return RNNAT_OK;
}

static rnnat_status build_linear(rnnat_builder *build, const rnnat_layer_text *layer, rnnat_op *op)
{
    const rnnat_gates out = {1, 0, layer->output_size};
    const rnnat_status status = rnnat_build_matrix(build, "weight", 1, out, layer->input_size,
                                                   RNNAT_GEMM_PANEL, &op->weight);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(build, out);
    op->bias = bias;
    return rnnat_build_add(build, "bias", 1, out, 1, bias);
}

/* Whether the constants are finite in the type that is computed in. */
static bool has_room_for(const rnnat_kernels *kernels, const rnnat_functions *functions)
{
    const double most = rnnat_is_float(kernels) ? (double)FLT_MAX : DBL_MAX;
    for (int i = 0; i < RNNAT_FUNCTIONS; ++i)
        if (fabs(functions->of[i].alpha) > most || fabs(functions->of[i].beta) > most) return false;
    return true;
}

/* One layer of a recurrent layer's stack, all its directions. */
static rnnat_status build_recurrent(rnnat_builder *build, const rnnat_layer_text *layer,
                                    int32_t depth, rnnat_op *op)
{
    op->ops = rnnat_cell_find(layer);
    op->hidden = layer->output_size; /* of a recurrent layer: hidden_size */
    op->state = layer->proj_size ? layer->proj_size : layer->output_size;
    op->num_directions = layer->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    op->output = op->state * op->num_directions;
    op->input = depth ? op->output : layer->input_size;
    op->first_row = depth * op->num_directions;
    for (int32_t d = 0; d < op->num_directions; ++d) {
        char suffix[32];
        op->reverse[d] = layer->direction == RNNAT_REVERSE || d == 1;
        numbered(suffix, "_l", depth);
        if (op->reverse[d]) memcpy(suffix + rnnat_text_size(suffix), "_reverse", sizeof "_reverse");
        build->suffix = suffix;
        const rnnat_status status = op->ops->build(build, layer, op->input, &op->cell[d]);
        build->suffix = "";
        if (status != RNNAT_OK) return status;
        if (!has_room_for(build->kernels, &layer->functions[d])) return RNNAT_ERROR_UNSUPPORTED;
        op->cell[d].functions = layer->functions[d];
    }
    return RNNAT_OK;
}

/* The input's part of the output layer, in the bottom of its stack. */
static rnnat_status build_skip(rnnat_builder *build, const rnnat_layer_text *layer, rnnat_op *op)
{
    const rnnat_gates out = {1, 0, layer->output_layer};
    op->skip_size = layer->output_layer;
    const rnnat_status status =
        rnnat_build_matrix(build, "weight_xo", 1, out, op->input, RNNAT_GEMM_PANEL, &op->skip);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(build, out);
    op->skip_bias = bias;
    return rnnat_build_add(build, "bias_o", 1, out, 1, bias);
}

/* The output layer itself, behind the stack's last operation `top`. */
static rnnat_status build_output(rnnat_builder *build, const rnnat_layer_text *layer,
                                 const rnnat_op *top, int32_t first_cell, rnnat_op *op)
{
    *op = (rnnat_op){.kind = RNNAT_LAYER_LINEAR,
                     .input = top->output,
                     .output = layer->output_layer,
                     .activation = layer->output_activation,
                     .adds_skip = true,
                     .first_cell = first_cell};
    return rnnat_build_matrix(build, "weight_ho", 1, (rnnat_gates){1, 0, op->output}, op->input,
                              RNNAT_GEMM_PANEL, &op->weight);
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* What the whole model must know of one more operation. */
static rnnat_status add_op(rnnat_model *model, const rnnat_builder *build, rnnat_op *op)
{
    if (model->num_ops == 0) {
        model->info.takes_indices = op->kind == RNNAT_LAYER_EMBEDDING;
        model->info.input_size = op->input;
        if (op->kind == RNNAT_LAYER_MERGE) return RNNAT_ERROR_UNSUPPORTED;
    } else if (op->kind == RNNAT_LAYER_EMBEDDING) {
        return RNNAT_ERROR_UNSUPPORTED;
    } else if (op->input != model->info.output_size ||
               (op->kind == RNNAT_LAYER_RECURRENT && !model->info.return_sequences)) {
        return RNNAT_ERROR_SHAPE;
    }
    model->info.output_size = op->output;
    model->max_width = larger(model->max_width, op->output);
    if (op->kind == RNNAT_LAYER_RECURRENT) {
        op->first_cell = model->num_cells;
        model->num_cells += op->num_directions;
        const int32_t pad = rnnat_pad(build->kernels, op->hidden);
        model->max_gates = larger(model->max_gates, op->ops->gates * pad);
        model->max_products = larger(model->max_products, op->ops->products * pad);
        model->max_hidden = larger(model->max_hidden, pad);
        if (!rnnat_op_is_causal(op)) model->info.streamable = 0;
    }
    if (op->last_only) model->info.return_sequences = 0;
    if (build->ops) build->ops[model->num_ops] = *op;
    ++model->num_ops;
    if (op->last_only || model->info.return_sequences) model->over_time = model->num_ops;
    return RNNAT_OK;
}

/* One layer of the file: one operation, or as many as its stack is high. */
static rnnat_status build_layer(rnnat_builder *build, rnnat_model *model, int32_t index,
                                const rnnat_layer_text *layer)
{
    char prefix[16];
    numbered(prefix, "", index);
    memcpy(prefix + rnnat_text_size(prefix), ".", sizeof ".");
    build->prefix = prefix;
    const bool recurrent = layer->kind == RNNAT_LAYER_RECURRENT;
    const int32_t first_state = model->info.num_states, first_cell = model->num_cells;
    rnnat_op top = {.kind = layer->kind};
    for (int32_t depth = 0; depth < (recurrent ? layer->num_layers : 1); ++depth) {
        rnnat_op op = {.kind = layer->kind,
                       .input = layer->input_size,
                       .output = layer->output_size,
                       .activation = layer->activation,
                       .merge = layer->merge,
                       .last_only = layer->last_only && depth == layer->num_layers - 1,
                       .first_state = first_state};
        rnnat_status status = RNNAT_OK;
        switch (layer->kind) {
        case RNNAT_LAYER_EMBEDDING: status = build_embedding(build, layer, &op); break;
        case RNNAT_LAYER_RECURRENT: status = build_recurrent(build, layer, depth, &op); break;
        case RNNAT_LAYER_LINEAR: status = build_linear(build, layer, &op); break;
        case RNNAT_LAYER_MERGE: break; /* nothing but what its line says */
        }
        if (status == RNNAT_OK && depth == 0 && layer->output_layer)
            status = build_skip(build, layer, &op);
        if (status == RNNAT_OK) status = add_op(model, build, &op);
        if (status != RNNAT_OK) return status;
        top = op;
        if (recurrent && depth == 0) {
            model->info.num_states += op.ops->num_states;
            for (int32_t i = 0; build->states && i < op.ops->num_states; ++i)
                build->states[first_state + i] = (struct rnnat_state_shape){
                    layer->num_layers * op.num_directions, rnnat_op_features(&op, i)};
        }
    }
    if (!layer->output_layer) return RNNAT_OK;
    int32_t *const skip = rnnat_op_is_causal(&top) ? &model->max_skip : &model->max_whole_skip;
    *skip = larger(*skip, layer->output_layer);
    rnnat_op output;
    const rnnat_status status = build_output(build, layer, &top, first_cell, &output);
    return status == RNNAT_OK ? add_op(model, build, &output) : status;
}

/* Counts operations and states, so that their arrays can be taken before they are filled. */
static rnnat_status count_ops(const rnnat_safetensors *file, int32_t layers, size_t *ops,
                              size_t *states)
{
    *ops = *states = 0;
    for (int32_t i = 0; i < layers; ++i) {
        rnnat_layer_text layer;
        const rnnat_status status = read_layer(file, i, &layer);
        if (status != RNNAT_OK) return status;
        const bool recurrent = layer.kind == RNNAT_LAYER_RECURRENT;
        if (recurrent && !rnnat_cell_find(&layer)) return RNNAT_ERROR_UNSUPPORTED;
        *ops += recurrent ? (size_t)layer.num_layers + (layer.output_layer > 0) : 1;
        *states += recurrent ? (size_t)rnnat_cell_find(&layer)->num_states : 0;
    }
    return RNNAT_OK;
}

rnnat_status rnnat_model_build(rnnat_builder *build, int32_t matmul, rnnat_model *model)
{
    int32_t layers;
    size_t ops, states;
    rnnat_status status = read_count(build->file, &layers);
    if (status == RNNAT_OK) status = count_ops(build->file, layers, &ops, &states);
    if (status != RNNAT_OK) return status;
    *model = (rnnat_model){.kernels = build->kernels,
                           .info = {.struct_size = sizeof(rnnat_model_info),
                                    .matmul = matmul,
                                    .num_layers = layers,
                                    .return_sequences = 1,
                                    .streamable = 1}};
    model->ops = build->ops = rnnat_arena_take(&build->arena, ops, sizeof *build->ops);
    model->states = build->states = rnnat_arena_take(&build->arena, states, sizeof *build->states);
    for (int32_t i = 0; i < layers; ++i) {
        rnnat_layer_text layer;
        status = read_layer(build->file, i, &layer);
        if (status == RNNAT_OK) status = build_layer(build, model, i, &layer);
        if (status != RNNAT_OK) return status;
        if (build->arena.overflow) return RNNAT_ERROR_OVERFLOW;
    }
    model->info.dtype = rnnat_is_float(build->kernels) ? RNNAT_F32 : RNNAT_F64;
    model->info.num_parameters = build->num_parameters;
    model->info.memory = rnnat_arena_need(&build->arena);
    return RNNAT_OK;
}

#if RNNAT_INSPECT
rnnat_status rnnat_model_unpack(const rnnat_model *model, int32_t index, int32_t direction,
                                rnnat_weight which, void *rows)
{
    if (index < 0 || index >= model->num_ops) return RNNAT_ERROR_ARGUMENT;
    const rnnat_kernels *const kernels = model->kernels;
    const rnnat_op *const op = &model->ops[index];
    if (op->kind == RNNAT_LAYER_MERGE) return RNNAT_ERROR_ARGUMENT;
    if (op->kind == RNNAT_LAYER_EMBEDDING) {
        const size_t count = (size_t)op->input * (size_t)op->output;
        if (which != RNNAT_WEIGHT) return RNNAT_ERROR_ARGUMENT;
        memcpy(rows, op->table, count * (size_t)kernels->elem);
        return RNNAT_OK;
    }
    if (op->kind == RNNAT_LAYER_LINEAR) {
        if (which != RNNAT_WEIGHT) return RNNAT_ERROR_ARGUMENT;
        rnnat_matrix_unpack(&op->weight, kernels, (rnnat_gates){1, 0, op->output}, rows);
        return RNNAT_OK;
    }
    if (direction < 0 || direction >= op->num_directions) return RNNAT_ERROR_ARGUMENT;
    const rnnat_cell *const cell = &op->cell[direction];
    const int32_t gates = op->ops->gates, units = op->hidden;
    switch (which) {
    case RNNAT_WEIGHT: return RNNAT_ERROR_ARGUMENT;
    case RNNAT_WEIGHT_IH:
        rnnat_matrix_unpack(&cell->w_ih, kernels, (rnnat_gates){gates, 0, units}, rows);
        return RNNAT_OK;
    case RNNAT_WEIGHT_HH: {
        const int32_t rest = cell->w_hn.data ? 1 : 0; /* gates that are a matrix of their own */
        if (!cell->w_hh.data) return RNNAT_ERROR_ARGUMENT;
        if (cell->w_gh.data) {
            rnnat_matrix_unpack(&cell->w_hh, kernels, (rnnat_gates){1, 0, units}, rows);
            return RNNAT_OK;
        }
        rnnat_matrix_unpack(&cell->w_hh, kernels, (rnnat_gates){gates - rest, 0, units}, rows);
        if (rest)
            rnnat_matrix_unpack(&cell->w_hn, kernels, (rnnat_gates){rest, gates - rest, units},
                                rows);
        return RNNAT_OK;
    }
    case RNNAT_WEIGHT_HR:
        if (!cell->w_hr.data) return RNNAT_ERROR_ARGUMENT;
        rnnat_matrix_unpack(&cell->w_hr, kernels, (rnnat_gates){1, 0, op->state}, rows);
        return RNNAT_OK;
    case RNNAT_WEIGHT_GH:
        if (!cell->w_gh.data) return RNNAT_ERROR_ARGUMENT;
        if (!cell->w_gf.data) {
            const int32_t on_gates = cell->w_gh.n / rnnat_pad(kernels, units);
            rnnat_matrix_unpack(&cell->w_gh, kernels, (rnnat_gates){on_gates, 0, units}, rows);
            return RNNAT_OK;
        }
        rnnat_matrix_unpack(&cell->w_gh, kernels, (rnnat_gates){1, 0, units}, rows);
        rnnat_matrix_unpack(&cell->w_gf, kernels, (rnnat_gates){1, 1, units}, rows);
        rnnat_matrix_unpack(&cell->w_go, kernels, (rnnat_gates){2, 2, units}, rows);
        return RNNAT_OK;
    case RNNAT_WEIGHT_CH:
        if (!cell->w_ch.data) return RNNAT_ERROR_ARGUMENT;
        rnnat_matrix_unpack(&cell->w_ch, kernels, (rnnat_gates){gates, 0, units}, rows);
        return RNNAT_OK;
    case RNNAT_WEIGHT_XO:
        if (!op->skip.data) return RNNAT_ERROR_ARGUMENT;
        rnnat_matrix_unpack(&op->skip, kernels, (rnnat_gates){1, 0, op->skip_size}, rows);
        return RNNAT_OK;
    }
    return RNNAT_ERROR_ARGUMENT;
}
#endif
#endif
