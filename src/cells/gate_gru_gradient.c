/* The gate-recurrent unit of the article's section 3.2 and its gradient: both gates recur on the
 * update gate, and h is mixed the other way round from gru.c. s is the sigmoid; a row of gates is
 * n, r, z, and step.c is z.
 *
 *   (1)   a = W_ih x_t + b
 *   (2)   r = s(a_r + W_rr z_{t-1}), z_t = s(a_z + W_zz z_{t-1})
 *   (3)   n = tanh(a_n + W_hh (r h_{t-1}))
 *   (4)   h_t = (1 - z_t) h_{t-1} + z_t n
 *
 * Backward, with dh_t and dz_t from the output and from step t + 1:
 *
 *   (B1)  da_n = dh_t z_t (1 - n^2), da_z = (dz_t + dh_t (n - h_{t-1})) z_t (1 - z_t)
 *         dh_{t-1} = dh_t (1 - z_t)
 *   (B2)  e = W_hh^T da_n, da_r = e h_{t-1} r (1 - r), dh_{t-1} += e r
 *   (B3)  dz_{t-1} = W_rr^T da_r + W_zz^T da_z
 *   (B4)  dW_ih = sum (da_r, da_z, da_n) x_t^T, db likewise, dW_gh = sum (da_r, da_z) z_{t-1}^T,
 *         dW_hh = sum da_n (r h_{t-1})^T
 */
#include "../train/cell_training.h"

#if RNNAT_TRAIN
static void take(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                 rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 3 * hidden;
    (void)layer;
    rnnat_net_add_weight(build, pass, RNNAT_NET_IH, n, node->input);
    rnnat_net_add_weight(build, pass, RNNAT_NET_GH, 2 * (int64_t)hidden, hidden);
    rnnat_net_add_weight(build, pass, RNNAT_NET_HH, hidden, hidden);
    if (node->bias) rnnat_net_add_weight(build, pass, RNNAT_NET_BIAS_IH, n, 1);
    rnnat_train_take_weight(build, node->input, n, &pass->ih);
    rnnat_train_take_weight(build, hidden, 2 * hidden, &pass->gi);
    rnnat_train_take_weight(build, hidden, hidden, &pass->hh);
    pass->bias = rnnat_train_take_vector(build, n);
    rnnat_product *const input =
        rnnat_train_product(node, (rnnat_product){.columns = n, .shift = 2 * hidden, .rows = n});
    rnnat_train_source(input, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    rnnat_train_ones(node, input, RNNAT_NET_BIAS_IH, -1);
    rnnat_product *const gates = rnnat_train_product(
        node, (rnnat_product){.first = hidden, .columns = 2 * hidden, .rows = 2 * hidden});
    rnnat_train_source(gates, RNNAT_FROM_C, hidden, RNNAT_NET_GH);
    rnnat_product *const new =
        rnnat_train_product(node, (rnnat_product){.columns = hidden, .rows = hidden});
    rnnat_train_source(new, RNNAT_FROM_AUX, hidden, RNNAT_NET_HH);
}

static void pack(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden;
    const void *const weight = rnnat_net_array(net, pass, RNNAT_NET_IH);
    const void *const bias = rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH);
    rnnat_train_pack_weight(net, weight, 2 * hidden, hidden, 0, &pass->ih);
    rnnat_train_pack_weight(net, weight, 0, 2 * hidden, hidden, &pass->ih);
    rnnat_train_pack_bias(net, pass->bias, 0, bias, NULL, 2 * hidden, hidden);
    rnnat_train_pack_bias(net, pass->bias, hidden, bias, NULL, 0, 2 * hidden);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_GH), 0, 2 * hidden, 0,
                            &pass->gi);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HH), 0, hidden, 0, &pass->hh);
}

static void forward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    rnnat_train_multiply(at->net, &at->pass->gi.forward, s->rows, s->c_prev, s->hidden,
                         rnnat_at(at->net, s->gates, s->hidden), s->gates_stride, true);
    at->net->train->gru_gates_forward(s); /* 2 */
    rnnat_train_multiply(at->net, &at->pass->hh.forward, s->rows, s->aux, s->hidden, s->gates,
                         s->gates_stride, true);
    at->net->train->gate_gru_new_forward(s); /* 3, 4 */
}

static void backward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    at->net->train->gate_gru_new_backward(s); /* B1 */
    rnnat_train_multiply(at->net, &at->pass->hh.back, s->rows, s->dgates, s->dgates_stride,
                         at->between, s->hidden, false);
    s->daux = at->between;
    at->net->train->gru_gates_backward(s); /* B2 */
    rnnat_train_multiply(at->net, &at->pass->gi.back, s->rows,
                         rnnat_at(at->net, s->dgates, s->hidden), s->dgates_stride, s->dc,
                         s->hidden, true); /* B3 */
}

const rnnat_cell_training rnnat_gate_gru_training = {.gates = 3,
                                                     .num_states = 2,
                                                     .has_aux = true,
                                                     .build = take,
                                                     .pack = pack,
                                                     .forward = forward,
                                                     .backward = backward};
#endif
