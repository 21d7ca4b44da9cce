/* Makes a net of the lines of a file, and packs the caller's weights into it. */
#include <string.h>

#include "../dispatch.h"
#include "cell.h"

/* The layers so far, while a net is counted or laid out. */
typedef struct building {
    rnnat_arena arena;
    rnnat_net *net;
    bool laid_out; /* the net's arrays exist; else it is only counted */
} building;

/* The next array of the caller's list, of that many elements. */
static int32_t next_weight(building *b, int64_t rows, int64_t columns)
{
    const int32_t index = b->net->num_weights++;
    if (b->laid_out) b->net->weight_sizes[index] = (size_t)(rows * columns);
    return index;
}

static void add_states(building *b, const rnnat_net_op *op, int32_t rows)
{
    rnnat_net *const net = b->net;
    for (int32_t i = 0; i < op->cell->num_states; ++i, ++net->num_states) {
        if (!b->laid_out) continue;
        net->state_rows[net->num_states] = rows;
        net->state_features[net->num_states] = i == 0 ? op->state : op->hidden;
    }
}

static void none(int32_t *index)
{
    for (int32_t w = 0; w < RNNAT_NET_WEIGHTS; ++w) index[w] = -1;
}

static void name_weights(building *b, const rnnat_layer_text *text, const rnnat_net_op *op,
                         int32_t *index)
{
    const int32_t gates = text->cell == RNNAT_CELL_RNN ? 1 : text->cell == RNNAT_CELL_GRU ? 3 : 4;
    const int64_t rows = (int64_t)gates * op->hidden;
    none(index);
    index[RNNAT_NET_IH] = next_weight(b, rows, op->input);
    if (text->gate_recurrent) {
        const bool gru = text->cell == RNNAT_CELL_GRU;
        index[RNNAT_NET_GH] = next_weight(b, (gru ? 2 : 4) * (int64_t)op->hidden, op->hidden);
        index[gru ? RNNAT_NET_HH : RNNAT_NET_CH] =
            next_weight(b, (gru ? 1 : 4) * (int64_t)op->hidden, op->hidden);
        if (op->bias) index[RNNAT_NET_BIAS_IH] = next_weight(b, rows, 1);
        return;
    }
    index[RNNAT_NET_HH] = next_weight(b, rows, op->state);
    if (op->bias) {
        index[RNNAT_NET_BIAS_IH] = next_weight(b, rows, 1);
        index[RNNAT_NET_BIAS_HH] = next_weight(b, rows, 1);
    }
    if (op->state != op->hidden) index[RNNAT_NET_HR] = next_weight(b, op->state, op->hidden);
    for (int32_t w = RNNAT_NET_CI; op->peephole && w <= RNNAT_NET_CO; ++w)
        index[w] = next_weight(b, op->hidden, 1);
}

static void put_op(building *b, const rnnat_net_op *op)
{
    if (b->laid_out) b->net->ops[b->net->num_ops] = *op;
    ++b->net->num_ops;
    b->net->output = op->output;
}

static void build_output_layer(building *b, const rnnat_layer_text *text, int32_t bottom);

static void build_recurrent(building *b, const rnnat_layer_text *text)
{
    const int32_t first_state = b->net->num_states, bottom = b->net->num_ops;
    const int32_t directions = text->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    for (int32_t layer = 0; layer < text->num_layers; ++layer) {
        const int32_t state = text->proj_size ? text->proj_size : text->output_size;
        rnnat_net_op op = {.kind = RNNAT_LAYER_RECURRENT,
                           .input = layer ? state * directions : text->input_size,
                           .output = state * directions,
                           .activation = text->activation,
                           .cell = rnnat_train_cell_find(text),
                           .hidden = text->output_size,
                           .state = state,
                           .bias = text->bias,
                           .peephole = text->peephole,
                           .bottom =
                               layer == 0 && text->output_layer ? bottom + text->num_layers : -1,
                           .dropout = layer + 1 < text->num_layers,
                           .num_directions = directions,
                           .first_state = first_state,
                           .first_row = layer * directions};
        if (layer == 0) add_states(b, &op, text->num_layers * directions);
        for (int32_t d = 0; d < directions; ++d) {
            op.direction[d].reverse = text->direction == RNNAT_REVERSE || d == 1;
            name_weights(b, text, &op, op.direction[d].index);
            op.cell->build(&b->arena, b->net, &op, &op.direction[d]);
        }
        put_op(b, &op);
    }
    if (text->output_layer) build_output_layer(b, text, bottom);
}

/* The linear layer behind a stack that also sees the stack's input. */
static void build_output_layer(building *b, const rnnat_layer_text *text, int32_t bottom)
{
    rnnat_net_op op = {.kind = RNNAT_LAYER_LINEAR,
                       .input = b->net->output,
                       .output = text->output_layer,
                       .activation = text->output_activation,
                       .bias = text->bias,
                       .adds_skip = true,
                       .bottom = bottom,
                       .num_directions = 1};
    rnnat_net_direction *const d = &op.direction[0];
    none(d->index);
    d->index[RNNAT_NET_IH] = next_weight(b, op.output, op.input);
    d->index[RNNAT_NET_HH] = next_weight(b, op.output, text->input_size);
    if (op.bias) d->index[RNNAT_NET_BIAS_IH] = next_weight(b, op.output, 1);
    rnnat_train_take_both(&b->arena, b->net, op.input, op.output, &d->ih, &d->back_ih);
    rnnat_train_take_both(&b->arena, b->net, text->input_size, op.output, &d->hh, &d->back_hh);
    d->bias = rnnat_train_take_vector(&b->arena, b->net, op.output);
    rnnat_product *const product =
        rnnat_train_product(&op, (rnnat_product){.columns = op.output, .rows = op.output});
    rnnat_train_source(product, RNNAT_FROM_X, op.input, RNNAT_NET_IH);
    rnnat_train_source(product, RNNAT_FROM_SKIP, text->input_size, RNNAT_NET_HH);
    rnnat_train_ones(&op, product, RNNAT_NET_BIAS_IH, -1);
    put_op(b, &op);
}

static void build_linear(building *b, const rnnat_layer_text *text)
{
    rnnat_net_op op = {.kind = RNNAT_LAYER_LINEAR,
                       .input = text->input_size,
                       .output = text->output_size,
                       .activation = text->activation,
                       .bias = text->bias,
                       .num_directions = 1};
    rnnat_net_direction *const d = &op.direction[0];
    none(d->index);
    d->index[RNNAT_NET_IH] = next_weight(b, op.output, op.input);
    if (op.bias) d->index[RNNAT_NET_BIAS_IH] = next_weight(b, op.output, 1);
    rnnat_train_take_both(&b->arena, b->net, op.input, op.output, &d->ih, &d->back_ih);
    d->bias = rnnat_train_take_vector(&b->arena, b->net, op.output);
    rnnat_product *const product =
        rnnat_train_product(&op, (rnnat_product){.columns = op.output, .rows = op.output});
    rnnat_train_source(product, RNNAT_FROM_X, op.input, RNNAT_NET_IH);
    rnnat_train_ones(&op, product, RNNAT_NET_BIAS_IH, -1);
    put_op(b, &op);
}

static void build_embedding(building *b, const rnnat_layer_text *text)
{
    rnnat_net_op op = {
        .kind = RNNAT_LAYER_EMBEDDING, .input = text->input_size, .output = text->output_size};
    none(op.direction[0].index);
    op.direction[0].index[RNNAT_NET_IH] = next_weight(b, op.input, op.output);
    b->net->takes_indices = true;
    put_op(b, &op);
}

/* Counts the layers, or lays them out where b->laid_out. */
static rnnat_status build_layers(building *b, const rnnat_net_layers *layers)
{
    rnnat_net *const net = b->net;
    net->num_ops = net->num_states = net->num_weights = 0;
    for (int32_t i = 0; i < layers->count; ++i) {
        rnnat_layer_text text;
        const rnnat_status status = rnnat_layer_text_parse(layers->texts[i], &text);
        if (status != RNNAT_OK) return status;
        if (text.last_only || text.general) return RNNAT_ERROR_UNSUPPORTED;
        if (i == 0) net->input = text.input_size;
        if (i > 0 && (text.kind == RNNAT_LAYER_EMBEDDING || text.input_size != net->output))
            return RNNAT_ERROR_FORMAT;
        switch (text.kind) {
        case RNNAT_LAYER_EMBEDDING: build_embedding(b, &text); break;
        case RNNAT_LAYER_RECURRENT: build_recurrent(b, &text); break;
        case RNNAT_LAYER_LINEAR: build_linear(b, &text); break;
        case RNNAT_LAYER_MERGE:
        case RNNAT_LAYER_COMBINE: return RNNAT_ERROR_UNSUPPORTED;
        }
    }
    return RNNAT_OK;
}

/* Lays the net out in the arena; with none, counts. */
static rnnat_status build(rnnat_arena *arena, const rnnat_net_layers *layers, rnnat_net *net)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    if (status != RNNAT_OK) return status;
    if (layers->count < 1 || (layers->dtype != RNNAT_F32 && layers->dtype != RNNAT_F64))
        return RNNAT_ERROR_ARGUMENT;
    *net = (rnnat_net){.kernels = &kernels[layers->dtype], .train = kernels[layers->dtype].train};
    building counting = {.net = net};
    status = build_layers(&counting, layers);
    if (status != RNNAT_OK) return status;
    net->ops = rnnat_arena_take(arena, (size_t)net->num_ops, sizeof *net->ops);
    net->weight_sizes = rnnat_arena_take(arena, (size_t)net->num_weights, sizeof(size_t));
    net->state_rows = rnnat_arena_take(arena, (size_t)net->num_states, sizeof(int32_t));
    net->state_features = rnnat_arena_take(arena, (size_t)net->num_states, sizeof(int32_t));
    building b = {.arena = *arena, .net = net, .laid_out = arena->base != NULL};
    status = build_layers(&b, layers);
    *arena = b.arena;
    if (status == RNNAT_OK && arena->overflow) status = RNNAT_ERROR_OVERFLOW;
    return status;
}

rnnat_status rnnat_net_size(const rnnat_net_layers *layers, size_t *need)
{
    rnnat_net net;
    rnnat_arena arena = rnnat_arena_at(NULL);
    rnnat_arena_take(&arena, 1, sizeof net);
    const rnnat_status status = build(&arena, layers, &net);
    if (status == RNNAT_OK) *need = rnnat_arena_need(&arena);
    return status;
}

rnnat_status rnnat_net_init(void *memory, size_t size, const rnnat_net_layers *layers,
                            const void *const *weights, rnnat_net **out)
{
    size_t need;
    rnnat_status status = rnnat_net_size(layers, &need);
    if (status != RNNAT_OK) return status;
    if (size < need) return RNNAT_ERROR_TOO_SMALL;
    memset(memory, 0, need); /* what pads a packed panel stays zero */
    rnnat_arena arena = rnnat_arena_at(memory);
    rnnat_net *const net = rnnat_arena_take(&arena, 1, sizeof *net);
    status = build(&arena, layers, net);
    net->weights = weights;
    if (status == RNNAT_OK) *out = net;
    return status;
}

void rnnat_net_update(rnnat_net *net)
{
    for (int32_t i = 0; i < net->num_ops; ++i) {
        const rnnat_net_op *const op = &net->ops[i];
        for (int32_t d = 0; op->kind == RNNAT_LAYER_RECURRENT && d < op->num_directions; ++d)
            op->cell->pack(net, op, &op->direction[d]);
        if (op->kind == RNNAT_LAYER_LINEAR) {
            const rnnat_net_direction *const d = &op->direction[0];
            rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_IH), 0, op->output, 0,
                                  &d->ih, &d->back_ih);
            if (op->adds_skip)
                rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_HH), 0, op->output, 0,
                                      &d->hh, &d->back_hh);
            rnnat_train_pack_bias(net, d->bias, 0, rnnat_net_array(net, d, RNNAT_NET_BIAS_IH), NULL,
                                  0, op->output);
        }
    }
}
