/* A linear layer that learns, and one behind a recurrent stack that also reads what the stack reads:
 *
 *   (1)  y = f(W x + b)                 [f(W_ho h + W_xo x + b_o)]
 *
 * Backward, with dy from the layer behind:
 *
 *   (B1) da = dy f'(a)
 *   (B2) dx = W^T da                    [dh = W_ho^T da, dx += W_xo^T da]
 *   (B3) dW = sum da x^T, db = sum da   [dW_ho = sum da h^T, dW_xo = sum da x^T]
 */
#include "../train/layer_training.h"
#include "../train/rows.h"
#include "layers.h"

#if RNNAT_TRAIN
static void add_linear(rnnat_net_builder *build, rnnat_net_node *node)
{
    rnnat_net_pass *const pass = &node->pass[0];
    rnnat_train_take_weight(build, node->input, node->output, &pass->ih);
    pass->bias = rnnat_train_take_vector(build, node->output);
    rnnat_net_add_weight(build, pass, RNNAT_NET_IH, node->output, node->input);
    rnnat_product *const b3 =
        rnnat_train_product(node, (rnnat_product){.columns = node->output, .rows = node->output});
    rnnat_train_source(b3, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    if (node->stack >= 0) {
        const int32_t input = node->stack_input;
        rnnat_train_take_weight(build, input, node->output, &pass->hh);
        rnnat_net_add_weight(build, pass, RNNAT_NET_HH, node->output, input);
        rnnat_train_source(b3, RNNAT_FROM_STACK, input, RNNAT_NET_HH);
    }
    if (node->bias) rnnat_net_add_weight(build, pass, RNNAT_NET_BIAS_IH, node->output, 1);
    rnnat_train_ones(node, b3, RNNAT_NET_BIAS_IH, -1);
    rnnat_net_add(build, node);
}

static rnnat_status add_line(rnnat_net_builder *build, const void *options)
{
    const rnnat_linear_options *const line = options;
    rnnat_net_node node =
        rnnat_net_node_of(&rnnat_linear_training, line->in_features, line->out_features);
    node.activation = (rnnat_activation)line->activation;
    node.bias = line->bias;
    add_linear(build, &node);
    return RNNAT_OK;
}

void rnnat_linear_train_stack(rnnat_net_builder *build, const rnnat_recurrent_options *line,
                              int32_t stack)
{
    rnnat_net_node node =
        rnnat_net_node_of(&rnnat_linear_training, build->net->output, line->form.output_layer);
    node.activation = line->form.output_activation;
    node.bias = line->bias;
    node.stack = stack;
    node.stack_input = line->input_size;
    add_linear(build, &node);
}

static void pack_linear(const rnnat_net *net, const rnnat_net_node *node)
{
    const rnnat_net_pass *const pass = &node->pass[0];
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_IH), 0, node->output, 0,
                            &pass->ih);
    if (node->stack >= 0)
        rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HH), 0, node->output, 0,
                                &pass->hh);
    rnnat_train_pack_bias(net, pass->bias, 0, rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH), NULL,
                          0, node->output);
}

static void linear_forward(const rnnat_forward_rows *own, int32_t i)
{
    const rnnat_net *const net = own->net;
    const rnnat_tape *const tape = own->tape;
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_net_pass *const pass = &node->pass[0];
    const int32_t n = node->output, time = tape->time, chunk = rnnat_forward_chunk(own);
    void *const out = tape->nodes[i].out;
    for (int32_t first = 0, steps; first < time; first += steps) {
        steps = time - first < chunk ? time - first : chunk;
        rnnat_forward_multiply(own, first, steps, &pass->ih.forward, pass->bias,
                               rnnat_tape_input(tape, i), node->input, out, n, false);
        if (node->stack >= 0)
            rnnat_forward_multiply(own, first, steps, &pass->hh.forward, NULL,
                                   rnnat_tape_input(tape, node->stack), node->stack_input, out, n,
                                   true);
        for (int32_t step = first; step < first + steps; ++step) {
            if (rnnat_forward_stops(own, n)) return;
            void *const rows = rnnat_at(net, out, rnnat_tape_row(tape, step, own->first) * n);
            net->kernels->activate(node->activation, rnnat_plain_rows(rows, n, own->count),
                                   own->count, n);
            for (int32_t r = 0; tape->has_lengths && r < own->count; ++r)
                if (!rnnat_tape_is_valid(tape, step, own->first + r))
                    rnnat_net_copy(net, rnnat_at(net, rows, (ptrdiff_t)r * n), NULL, n);
        }
    }
}

static void linear_back(const rnnat_backward_rows *own, const rnnat_gradient_chunk *c, int32_t step,
                        const void *dy)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_node *const node = &net->nodes[c->node];
    const ptrdiff_t at = rnnat_tape_row(c->tape, step, own->first) * node->output;
    net->train->activation_backward(
        node->activation, own->count, node->output, rnnat_at(net, c->tape->nodes[c->node].out, at),
        rnnat_at(net, dy, at), rnnat_gradient_gates(c, step, own->first), step,
        rnnat_tape_lengths(c->tape, own->first)); /* B1 */
}

const rnnat_layer_training rnnat_linear_training = {
    .build = add_line, .pack = pack_linear, .forward = linear_forward, .back = linear_back};
#endif
