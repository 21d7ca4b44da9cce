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

static void name_weights(building *b, const rnnat_cell *cell, const rnnat_net_op *op,
                         int32_t *index)
{
    const int64_t rows = (int64_t)cell->gates * op->hidden;
    const bool gru = cell == &rnnat_cell_gate_gru;
    none(index);
    index[RNNAT_NET_IH] = next_weight(b, rows, op->input);
    if (gru || cell == &rnnat_cell_gate_lstm) {
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

static void build_output_layer(building *b, const rnnat_recurrent_options *line, int32_t bottom);

/* An LSTM's. */
static bool has_peepholes(const rnnat_recurrent_options *line)
{
    const rnnat_lstm_options *const own = rnnat_own_options(line);
    return line->cell == &rnnat_cell_lstm && own->peephole;
}

static void build_recurrent(building *b, const rnnat_recurrent_options *line)
{
    const int32_t first_state = b->net->num_states, bottom = b->net->num_ops;
    const int32_t directions = line->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    for (int32_t layer = 0; layer < line->num_layers; ++layer) {
        const int32_t state = line->form.state;
        rnnat_net_op op = {
            .layer = &rnnat_layer_recurrent,
            .input = layer ? state * directions : line->input_size,
            .output = state * directions,
            .activation = line->form.activation,
            .cell = rnnat_train_cell_find(line->cell),
            .hidden = line->hidden_size,
            .state = state,
            .bias = line->bias,
            .peephole = has_peepholes(line),
            .bottom = layer == 0 && line->form.output_layer ? bottom + line->num_layers : -1,
            .dropout = layer + 1 < line->num_layers,
            .num_directions = directions,
            .first_state = first_state,
            .first_row = layer * directions};
        if (layer == 0) add_states(b, &op, line->num_layers * directions);
        for (int32_t d = 0; d < directions; ++d) {
            op.direction[d].reverse = line->direction == RNNAT_REVERSE || d == 1;
            name_weights(b, line->cell, &op, op.direction[d].index);
            op.cell->build(&b->arena, b->net, &op, &op.direction[d]);
        }
        put_op(b, &op);
    }
    if (line->form.output_layer) build_output_layer(b, line, bottom);
}

/* The linear layer behind a stack that also sees the stack's input. */
static void build_output_layer(building *b, const rnnat_recurrent_options *line, int32_t bottom)
{
    rnnat_net_op op = {.layer = &rnnat_layer_linear,
                       .input = b->net->output,
                       .output = line->form.output_layer,
                       .activation = line->form.output_activation,
                       .bias = line->bias,
                       .adds_skip = true,
                       .bottom = bottom,
                       .num_directions = 1};
    rnnat_net_direction *const d = &op.direction[0];
    none(d->index);
    d->index[RNNAT_NET_IH] = next_weight(b, op.output, op.input);
    d->index[RNNAT_NET_HH] = next_weight(b, op.output, line->input_size);
    if (op.bias) d->index[RNNAT_NET_BIAS_IH] = next_weight(b, op.output, 1);
    rnnat_train_take_both(&b->arena, b->net, op.input, op.output, &d->ih, &d->back_ih);
    rnnat_train_take_both(&b->arena, b->net, line->input_size, op.output, &d->hh, &d->back_hh);
    d->bias = rnnat_train_take_vector(&b->arena, b->net, op.output);
    rnnat_product *const product =
        rnnat_train_product(&op, (rnnat_product){.columns = op.output, .rows = op.output});
    rnnat_train_source(product, RNNAT_FROM_X, op.input, RNNAT_NET_IH);
    rnnat_train_source(product, RNNAT_FROM_SKIP, line->input_size, RNNAT_NET_HH);
    rnnat_train_ones(&op, product, RNNAT_NET_BIAS_IH, -1);
    put_op(b, &op);
}

static void build_linear(building *b, const rnnat_linear_options *line)
{
    rnnat_net_op op = {.layer = &rnnat_layer_linear,
                       .input = line->in_features,
                       .output = line->out_features,
                       .activation = (rnnat_activation)line->activation,
                       .bias = line->bias,
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

static void build_embedding(building *b, const rnnat_embedding_options *line)
{
    rnnat_net_op op = {.layer = &rnnat_layer_embedding,
                       .input = line->num_embeddings,
                       .output = line->embedding_dim};
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
        const rnnat_layer *layer;
        rnnat_layer_options options;
        const rnnat_recurrent_options *const line = (const void *)&options;
        const rnnat_status status = rnnat_layer_read(layers->texts[i], &layer, &options);
        if (status != RNNAT_OK) return status;
        const bool recurrent = layer == &rnnat_layer_recurrent;
        const bool embedding = layer == &rnnat_layer_embedding;
        if (recurrent ? line->last_only || line->initial_state || !rnnat_train_cell_find(line->cell)
                      : !embedding && layer != &rnnat_layer_linear)
            return RNNAT_ERROR_UNSUPPORTED;
        if (i == 0) net->input = layer->takes(&options);
        if (i > 0 && (embedding || layer->takes(&options) != net->output))
            return RNNAT_ERROR_FORMAT;
        if (recurrent)
            build_recurrent(b, line);
        else if (embedding)
            build_embedding(b, (const void *)&options);
        else
            build_linear(b, (const void *)&options);
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
        for (int32_t d = 0; op->layer == &rnnat_layer_recurrent && d < op->num_directions; ++d)
            op->cell->pack(net, op, &op->direction[d]);
        if (op->layer == &rnnat_layer_linear) {
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
