/* Gated recurrent unit (Cho et al. 2014) and its gradient; s is the sigmoid. A row of gates is
 * n, r, z and, with reset after the product, q: the input's share n, r, z and the state's r, z, q
 * then lie side by side.
 *
 *   (1)   a = W_ih x_t + b_ih
 *   (2)   r = s(a_r + W_hr h_{t-1} + b_hr), z = s(a_z + W_hz h_{t-1} + b_hz)
 *   (3)   q = W_hn h_{t-1} + b_hn, n = tanh(a_n + r q)         reset after
 *   (3')  n = tanh(a_n + W_hn (r h_{t-1}) + b_hn)              reset before
 *   (4)   h_t = (1 - z) n + z h_{t-1}
 *
 * Backward, with dh_t from the output and from step t + 1:
 *
 *   (B1)  da_n = dh_t (1 - z) (1 - n^2), da_z = dh_t (h_{t-1} - n) z (1 - z), dh_{t-1} = dh_t z
 *   (B2)  da_r = da_n q r (1 - r), dq = da_n r                 reset after
 *   (B2') e = W_hn^T da_n, da_r = e h_{t-1} r (1 - r), dh_{t-1} += e r    reset before
 *   (B3)  dh_{t-1} += W_hr^T da_r + W_hz^T da_z [+ W_hn^T dq]
 *   (B4)  dW_ih = sum (da_r, da_z, da_n) x_t^T, dW_hh = sum (da_r, da_z, dq) h_{t-1}^T, db likewise;
 *         reset before: dW_hn = sum da_n (r h_{t-1})^T
 */
#include <string.h>

#include "../train/cell_training.h"

#if RNNAT_TRAIN
static void take_input(rnnat_net_builder *build, rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 3 * hidden;
    rnnat_train_name_weights(build, node, pass, n);
    rnnat_train_take_weight(build, node->input, n, &pass->ih);
    pass->bias = rnnat_train_take_vector(build, n);
    rnnat_product *const input =
        rnnat_train_product(node, (rnnat_product){.columns = n, .shift = 2 * hidden, .rows = n});
    rnnat_train_source(input, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    rnnat_train_ones(node, input, RNNAT_NET_BIAS_IH, -1);
}

static void take(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                 rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 3 * hidden;
    (void)layer;
    take_input(build, node, pass);
    rnnat_train_take_weight(build, node->state, n, &pass->hh);
    pass->bias_hn = rnnat_train_take_vector(build, hidden);
    rnnat_product *const state =
        rnnat_train_product(node, (rnnat_product){.first = hidden, .columns = n, .rows = n});
    rnnat_train_source(state, RNNAT_FROM_H, node->state, RNNAT_NET_HH);
    rnnat_train_ones(node, state, RNNAT_NET_BIAS_HH, -1);
}

static void take_before(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                        rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, rows = 3 * hidden;
    (void)layer;
    take_input(build, node, pass);
    rnnat_train_take_weight(build, node->state, 2 * hidden, &pass->hh);
    rnnat_train_take_weight(build, node->state, hidden, &pass->hn);
    rnnat_product *const gates = rnnat_train_product(
        node, (rnnat_product){.first = hidden, .columns = 2 * hidden, .rows = rows});
    rnnat_train_source(gates, RNNAT_FROM_H, node->state, RNNAT_NET_HH);
    rnnat_train_ones(node, gates, RNNAT_NET_BIAS_HH, -1);
    rnnat_product *const new = rnnat_train_product(
        node, (rnnat_product){.columns = hidden, .shift = 2 * hidden, .rows = rows});
    rnnat_train_source(new, RNNAT_FROM_AUX, node->state, RNNAT_NET_HH);
    rnnat_train_ones(node, new, RNNAT_NET_BIAS_HH, -1);
}

/* Rows r, z, n of PyTorch's W_ih become columns n, r, z. */
static void pack_input(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass,
                       bool all_biases)
{
    const int32_t hidden = node->hidden;
    const void *const weight = rnnat_net_array(net, pass, RNNAT_NET_IH);
    const void *const bias_ih = rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH);
    const void *const bias_hh = rnnat_net_array(net, pass, RNNAT_NET_BIAS_HH);
    rnnat_train_pack_weight(net, weight, 2 * hidden, hidden, 0, &pass->ih);
    rnnat_train_pack_weight(net, weight, 0, 2 * hidden, hidden, &pass->ih);
    rnnat_train_pack_bias(net, pass->bias, 0, bias_ih, all_biases ? bias_hh : NULL, 2 * hidden,
                          hidden);
    rnnat_train_pack_bias(net, pass->bias, hidden, bias_ih, bias_hh, 0, 2 * hidden);
}

static void pack(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass)
{
    pack_input(net, node, pass, false);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HH), 0, 3 * node->hidden, 0,
                            &pass->hh);
    rnnat_train_pack_bias(net, pass->bias_hn, 0, NULL,
                          rnnat_net_array(net, pass, RNNAT_NET_BIAS_HH), 2 * node->hidden,
                          node->hidden);
}

static void pack_before(const rnnat_net *net, const rnnat_net_node *node,
                        const rnnat_net_pass *pass)
{
    const void *const weight = rnnat_net_array(net, pass, RNNAT_NET_HH);
    pack_input(net, node, pass, true);
    rnnat_train_pack_weight(net, weight, 0, 2 * node->hidden, 0, &pass->hh);
    rnnat_train_pack_weight(net, weight, 2 * node->hidden, node->hidden, 0, &pass->hn);
}

/* The gates r, z [and q] of a row, behind n. */
static void *behind_new(const rnnat_cell_rows *at, void *gates)
{
    return rnnat_at(at->net, gates, at->node->hidden);
}

static void forward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    const size_t bytes = (size_t)s->hidden * (size_t)at->net->kernels->elem;
    for (int32_t r = 0; r < s->rows; ++r)
        memcpy(rnnat_at(at->net, s->gates, r * s->gates_stride + 3 * (ptrdiff_t)s->hidden),
               at->pass->bias_hn, bytes);
    rnnat_train_multiply(at->net, &at->pass->hh.forward, s->rows, s->h_prev, s->state_stride,
                         behind_new(at, s->gates), s->gates_stride, true); /* 2, 3: products */
    at->net->train->gru_forward(s);                                        /* 2, 3, 4 */
}

static void backward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    at->net->train->gru_backward(s); /* B1, B2 */
    rnnat_train_multiply(at->net, &at->pass->hh.back, s->rows, behind_new(at, s->dgates),
                         s->dgates_stride, s->dh, s->state_stride, true); /* B3 */
}

static void forward_before(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    rnnat_train_multiply(at->net, &at->pass->hh.forward, s->rows, s->h_prev, s->state_stride,
                         behind_new(at, s->gates), s->gates_stride, true);
    at->net->train->gru_gates_forward(s); /* 2 */
    rnnat_train_multiply(at->net, &at->pass->hn.forward, s->rows, s->aux, s->hidden, s->gates,
                         s->gates_stride, true);
    at->net->train->gru_new_forward(s); /* 3', 4 */
}

static void backward_before(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    at->net->train->gru_new_backward(s); /* B1 */
    rnnat_train_multiply(at->net, &at->pass->hn.back, s->rows, s->dgates, s->dgates_stride,
                         at->between, s->hidden, false);
    s->daux = at->between;
    at->net->train->gru_gates_backward(s); /* B2' */
    rnnat_train_multiply(at->net, &at->pass->hh.back, s->rows, behind_new(at, s->dgates),
                         s->dgates_stride, s->dh, s->state_stride, true); /* B3 */
}

const rnnat_cell_training rnnat_gru_training = {.gates = 4,
                                                .num_states = 1,
                                                .build = take,
                                                .pack = pack,
                                                .forward = forward,
                                                .backward = backward};

const rnnat_cell_training rnnat_gru_before_training = {.gates = 3,
                                                       .num_states = 1,
                                                       .has_aux = true,
                                                       .build = take_before,
                                                       .pack = pack_before,
                                                       .forward = forward_before,
                                                       .backward = backward_before};
#endif
