/* One layer of a recurrent stack that learns: a cell over all of time, forward into the tape, and
 * back out of it. The equations are in cells/<cell>_gradient.c. */
#include <string.h>

#include "../train/cell_training.h"
#include "../train/layer_training.h"
#include "../train/rows.h"
#include "layers.h"

#if RNNAT_TRAIN
/* ---- what a line becomes ---- */

static rnnat_status add_stack(rnnat_net_builder *build, const void *options)
{
    const rnnat_recurrent_options *const line = options;
    const rnnat_cell_training *const cell = line->cell->training;
    if (!cell || line->last_only || line->initial_state) return RNNAT_ERROR_UNSUPPORTED;
    const int32_t first_state = build->net->num_states, stack = build->net->num_nodes;
    const int32_t passes = line->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    const int32_t hidden = line->hidden_size, state = line->form.state;
    for (int32_t i = 0; i < cell->num_states; ++i)
        rnnat_net_add_state(build, line->num_layers * passes, i == 0 ? state : hidden);
    for (int32_t depth = 0; depth < line->num_layers; ++depth) {
        rnnat_net_node node = rnnat_net_node_of(
            &rnnat_recurrent_training, depth ? state * passes : line->input_size, state * passes);
        node.activation = line->form.activation;
        node.bias = line->bias;
        node.cell = cell;
        node.gates = cell->gates * hidden;
        node.hidden = hidden;
        node.state = state;
        node.dropout = depth + 1 < line->num_layers;
        node.num_passes = passes;
        node.first_state = first_state;
        node.first_row = depth * passes;
        if (depth == 0 && line->form.output_layer) node.output_layer = stack + line->num_layers;
        for (int32_t p = 0; p < passes; ++p) {
            node.pass[p].reverse = line->direction == RNNAT_REVERSE || p == 1;
            node.num_products = 0;
            cell->build(build, line, &node, &node.pass[p]);
        }
        rnnat_net_add(build, &node);
    }
    if (line->form.output_layer) rnnat_linear_train_stack(build, line, stack);
    return RNNAT_OK;
}

static void pack_recurrent(const rnnat_net *net, const rnnat_net_node *node)
{
    for (int32_t p = 0; p < node->num_passes; ++p) node->cell->pack(net, node, &node->pass[p]);
}

/* ---- the tape ---- */

static void take_tape(rnnat_arena *arena, const rnnat_net *net, const rnnat_net_node *node,
                      size_t time, size_t batch, rnnat_tape_node *to)
{
    const size_t elem = (size_t)net->kernels->elem;
    const size_t state = (size_t)node->state * elem, hidden = (size_t)node->hidden * elem;
    const rnnat_cell_training *const cell = node->cell;
    for (int32_t p = 0; p < node->num_passes; ++p) {
        rnnat_tape_pass *const pass = &to->pass[p];
        for (int32_t i = 0; i < cell->num_states; ++i)
            pass->states[i] = rnnat_arena_take_table(arena, time + 1, batch, i ? hidden : state);
        if (!cell->gates_are_h)
            pass->gates = rnnat_arena_take_table(arena, time, batch, (size_t)cell->gates * hidden);
        if (cell->has_aux || (cell->aux_if_projected && node->state != node->hidden))
            pass->aux = rnnat_arena_take_table(arena, time, batch, hidden);
    }
}

/* Features of state array `array`: 0 is h. */
static ptrdiff_t features_of(const rnnat_net_node *node, int32_t array)
{
    return array ? node->hidden : node->state;
}

/* State array `array` of a slot, from row `first` of the batch on. */
static void *state_at(const rnnat_net *net, const rnnat_tape *tape, int32_t i, int32_t p,
                      int32_t array, int32_t slot, int32_t first)
{
    return rnnat_at(net, tape->nodes[i].pass[p].states[array],
                    rnnat_tape_row(tape, slot, first) * features_of(&net->nodes[i], array));
}

/* The slot of the states before a step, and after it. */
static int32_t slot_before(const rnnat_net_pass *pass, int32_t step)
{
    return step + pass->reverse;
}
static int32_t slot_after(const rnnat_net_pass *pass, int32_t step)
{
    return step + !pass->reverse;
}

/* What both ways need of a step: its rows first .. first + rows - 1 of the batch. */
static rnnat_cell_rows rows_at(const rnnat_net *net, const rnnat_tape *tape, int32_t i, int32_t p,
                               int32_t step, int32_t first, int32_t rows)
{
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_tape_pass *const on = &tape->nodes[i].pass[p];
    const int32_t before = slot_before(&node->pass[p], step);
    const int32_t after = slot_after(&node->pass[p], step);
    const ptrdiff_t row = rnnat_tape_row(tape, step, first);
    rnnat_train_step s = {.rows = rows,
                          .hidden = node->hidden,
                          .step = step,
                          .lengths = rnnat_tape_lengths(tape, first),
                          .gates_stride = node->gates,
                          .state_stride = node->state,
                          .out_stride = node->output};
    s.h_prev = state_at(net, tape, i, p, 0, before, first);
    s.h_next = state_at(net, tape, i, p, 0, after, first);
    s.gates = on->gates ? rnnat_at(net, on->gates, row * s.gates_stride) : s.h_next;
    s.out = rnnat_at(net, tape->nodes[i].out, row * node->output + p * (ptrdiff_t)node->state);
    if (node->cell->num_states > 1) {
        s.c_prev = state_at(net, tape, i, p, 1, before, first);
        s.c_next = state_at(net, tape, i, p, 1, after, first);
    }
    if (node->cell->num_states > 2) {
        s.i_prev = state_at(net, tape, i, p, 2, before, first);
        s.i_next = state_at(net, tape, i, p, 2, after, first);
        s.f_prev = state_at(net, tape, i, p, 3, before, first);
        s.f_next = state_at(net, tape, i, p, 3, after, first);
    }
    if (on->aux) s.aux = rnnat_at(net, on->aux, row * node->hidden);
    return (rnnat_cell_rows){.net = net, .node = node, .pass = &node->pass[p], .step = s};
}

/* Where own rows of state array `array` of a pass are among the model's. */
static ptrdiff_t state_row(const rnnat_net_node *node, const rnnat_tape *tape, int32_t p,
                           int32_t first, ptrdiff_t features)
{
    return ((ptrdiff_t)(node->first_row + p) * tape->batch + first) * features;
}

/* ---- forward ---- */

/* The caller's states come into the slot before the first step, or leave that behind the last. */
static void move_states(const rnnat_forward_rows *own, int32_t i, int32_t p, bool leave)
{
    const rnnat_net *const net = own->net;
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_train_forward *const args = own->args;
    const int32_t slot = leave != node->pass[p].reverse ? own->tape->time : 0;
    for (int32_t array = 0; array < node->cell->num_states; ++array) {
        const ptrdiff_t n = features_of(node, array);
        void *const inside = state_at(net, own->tape, i, p, array, slot, own->first);
        const ptrdiff_t at = state_row(node, own->tape, p, own->first, n);
        const int32_t index = node->first_state + array;
        if (leave)
            rnnat_net_copy(net, rnnat_at(net, args->state_out[index], at), inside, own->count * n);
        else
            rnnat_net_copy(net, inside,
                           args->state_in ? rnnat_at(net, args->state_in[index], at) : NULL,
                           own->count * n);
    }
}

static void pass_forward(const rnnat_forward_rows *own, int32_t i, int32_t p)
{
    const rnnat_net *const net = own->net;
    const rnnat_tape *const tape = own->tape;
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_net_pass *const pass = &node->pass[p];
    const rnnat_tape_pass *const on = &tape->nodes[i].pass[p];
    const int32_t time = tape->time, chunk = rnnat_forward_chunk(own);
    void *const gates =
        on->gates ? on->gates : state_at(net, tape, i, p, 0, slot_after(pass, 0), 0);
    move_states(own, i, p, false);
    for (int32_t done = 0, steps; done < time; done += steps) {
        steps = time - done < chunk ? time - done : chunk;
        const int32_t first = pass->reverse ? time - done - steps : done;
        rnnat_forward_multiply(own, first, steps, &pass->ih.forward, pass->bias,
                               rnnat_tape_input(tape, i), node->input, gates, node->gates, false);
        for (int32_t s = 0; s < steps; ++s) {
            if (rnnat_forward_stops(own, (double)node->gates * node->state)) return;
            const int32_t step = pass->reverse ? first + steps - 1 - s : first + s;
            rnnat_cell_rows at = rows_at(net, tape, i, p, step, own->first, own->count);
            node->cell->forward(&at);
        }
    }
    move_states(own, i, p, true);
}

static void recurrent_forward(const rnnat_forward_rows *own, int32_t i)
{
    for (int32_t p = 0; p < own->net->nodes[i].num_passes; ++p) pass_forward(own, i, p);
}

/* ---- backward ---- */

static void move_dstates(const rnnat_backward_rows *own, int32_t i, int32_t p, bool leave)
{
    const rnnat_net *const net = own->net;
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_train_backward *const args = own->args;
    for (int32_t array = 0; array < node->cell->num_states; ++array) {
        const ptrdiff_t n = features_of(node, array);
        const ptrdiff_t at = state_row(node, own->tape, p, own->first, n);
        const int32_t index = node->first_state + array;
        void *const inside = own->dstates[array];
        if (leave)
            rnnat_net_copy(net, rnnat_at(net, args->dstate_in[index], at), inside, own->count * n);
        else
            rnnat_net_copy(net, inside,
                           args->dstate ? rnnat_at(net, args->dstate[index], at) : NULL,
                           own->count * n);
    }
}

static void begin_back(const rnnat_backward_rows *own, int32_t i, int32_t p)
{
    move_dstates(own, i, p, false);
}

static void end_back(const rnnat_backward_rows *own, int32_t i, int32_t p)
{
    move_dstates(own, i, p, true);
}

static void recurrent_back(const rnnat_backward_rows *own, const rnnat_gradient_chunk *c,
                           int32_t step, const void *dy)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_node *const node = &net->nodes[c->node];
    rnnat_cell_rows at = rows_at(net, c->tape, c->node, c->pass, step, own->first, own->count);
    at.step.dy = rnnat_at(net, dy,
                          rnnat_tape_row(c->tape, step, own->first) * node->output +
                              c->pass * (ptrdiff_t)node->state);
    at.step.dh = own->dstates[0];
    if (node->cell->num_states > 1) at.step.dc = own->dstates[1];
    if (node->cell->num_states > 2) {
        at.step.di = own->dstates[2];
        at.step.df = own->dstates[3];
    }
    at.step.dgates = rnnat_gradient_gates(c, step, own->first);
    at.step.dgates_stride = node->gates;
    at.between = own->between;
    if (node->state != node->hidden)
        at.dstate = rnnat_at(net, c->scratch->dstate,
                             rnnat_tape_row(c->tape, step - c->first, own->first) * node->state);
    node->cell->backward(&at);
}

static const void *source_of(const rnnat_gradient_chunk *c, rnnat_source from, int32_t step,
                             int32_t first, ptrdiff_t *stride)
{
    const rnnat_net_node *const node = &c->net->nodes[c->node];
    if (from == RNNAT_FROM_AUX) {
        *stride = node->hidden;
        return rnnat_at(c->net, c->tape->nodes[c->node].pass[c->pass].aux,
                        rnnat_tape_row(c->tape, step, first) * *stride);
    }
    const int32_t array = (int32_t)from - RNNAT_FROM_H; /* of the states before the step */
    *stride = features_of(node, array);
    return state_at(c->net, c->tape, c->node, c->pass, array,
                    slot_before(&node->pass[c->pass], step), first);
}

/* ---- gradients of diagonal peepholes ---- */

static void add_peepholes(const rnnat_gradient_chunk *c, const rnnat_member *member)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_node *const node = &net->nodes[c->node];
    void *const sums = c->scratch->peephole;
    const int32_t hidden = node->hidden;
    const int32_t from = rnnat_first(member, member->index, hidden);
    const int32_t to = rnnat_first(member, member->index + 1, hidden);
    if (!node->peephole) return;
    const rnnat_cell_rows at = rows_at(net, c->tape, c->node, c->pass, c->first, 0, 0);
    for (int32_t g = 0; c->start && g < 3; ++g)
        rnnat_net_copy(net, rnnat_at(net, sums, g * (ptrdiff_t)hidden + from), NULL, to - from);
    net->train->peephole(sums, hidden, from, to, c->scratch->dgates, node->gates, at.step.c_prev,
                         at.step.c_next, c->first, c->steps, c->tape->batch,
                         rnnat_tape_lengths(c->tape, 0));
}

static void store_peepholes(const rnnat_gradient_chunk *c, const rnnat_member *member,
                            void *const *grads)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_node *const node = &net->nodes[c->node];
    const int32_t *const index = node->pass[c->pass].index;
    const int32_t from = rnnat_first(member, member->index, node->hidden);
    const int32_t to = rnnat_first(member, member->index + 1, node->hidden);
    for (int32_t g = 0; node->peephole && g < 3; ++g)
        rnnat_net_copy(net, rnnat_at(net, grads[index[RNNAT_NET_CI + g]], from),
                       rnnat_at(net, c->scratch->peephole, g * (ptrdiff_t)node->hidden + from),
                       to - from);
}

const rnnat_layer_training rnnat_recurrent_training = {.build = add_stack,
                                                       .pack = pack_recurrent,
                                                       .carve = take_tape,
                                                       .forward = recurrent_forward,
                                                       .begin = begin_back,
                                                       .end = end_back,
                                                       .back = recurrent_back,
                                                       .source = source_of,
                                                       .add = add_peepholes,
                                                       .store = store_peepholes};
#endif
