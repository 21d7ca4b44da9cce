/* The gate-recurrent LSTM of the article's section 3.3 and its gradient: gates recur on gates, and
 * full-matrix peepholes see c_{t-1} in all four. s is the sigmoid; gates in the order i, f, g, o.
 *
 *   (1)   a = W_ih x_t + b + W_ch c_{t-1}
 *         a_i += W_ii i_{t-1}, a_f += W_if f_{t-1}, a_g += W_ig i_{t-1}, a_o += W_io i_{t-1}
 *   (2)   i_t = s(a_i), f_t = s(a_f), g = tanh(a_g), o = s(a_o)
 *   (3)   c_t = f_t c_{t-1} + i_t g, h_t = o tanh(c_t)
 *
 * Backward, with dh_t, dc_t, di_t and df_t from the output and from step t + 1:
 *
 *   (B1)  da_o = dh_t tanh(c_t) o (1 - o), dc = dc_t + dh_t o (1 - tanh(c_t)^2)
 *         da_i = (di_t + dc g) i (1 - i), da_f = (df_t + dc c_{t-1}) f (1 - f)
 *         da_g = dc i (1 - g^2), dc_{t-1} = dc f, dh_{t-1} = 0
 *   (B2)  dc_{t-1} += W_ch^T da
 *   (B3)  di_{t-1} = W_ii^T da_i + W_ig^T da_g + W_io^T da_o, df_{t-1} = W_if^T da_f
 *   (B4)  dW_ih = sum da x_t^T, db = sum da, dW_ch = sum da c_{t-1}^T, dW_gh = sum da times
 *         i_{t-1}, f_{t-1}, i_{t-1}, i_{t-1}
 */
#include "../train/cell_training.h"

#if RNNAT_TRAIN
/* W_ii is gi, W_if gf; W_ig and W_io, side by side, hh. */
static void take(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                 rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 4 * hidden;
    (void)layer;
    rnnat_net_add_weight(build, pass, RNNAT_NET_IH, n, node->input);
    rnnat_net_add_weight(build, pass, RNNAT_NET_GH, n, hidden);
    rnnat_net_add_weight(build, pass, RNNAT_NET_CH, n, hidden);
    if (node->bias) rnnat_net_add_weight(build, pass, RNNAT_NET_BIAS_IH, n, 1);
    rnnat_train_take_weight(build, node->input, n, &pass->ih);
    rnnat_train_take_weight(build, hidden, n, &pass->ch);
    rnnat_train_take_weight(build, hidden, hidden, &pass->gi);
    rnnat_train_take_weight(build, hidden, hidden, &pass->gf);
    rnnat_train_take_weight(build, hidden, 2 * hidden, &pass->hh);
    pass->bias = rnnat_train_take_vector(build, n);
    rnnat_product *const all = rnnat_train_product(node, (rnnat_product){.columns = n, .rows = n});
    rnnat_train_source(all, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    rnnat_train_source(all, RNNAT_FROM_C, hidden, RNNAT_NET_CH);
    rnnat_train_ones(node, all, RNNAT_NET_BIAS_IH, -1);
    for (int32_t g = 0; g < 3; ++g) {
        rnnat_product *const gate =
            rnnat_train_product(node, (rnnat_product){.first = g * hidden,
                                                      .columns = g < 2 ? hidden : 2 * hidden,
                                                      .shift = g * hidden,
                                                      .rows = n});
        rnnat_train_source(gate, g == 1 ? RNNAT_FROM_F : RNNAT_FROM_I, hidden, RNNAT_NET_GH);
    }
}

static void pack(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 4 * hidden;
    const void *const gates = rnnat_net_array(net, pass, RNNAT_NET_GH);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_IH), 0, n, 0, &pass->ih);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_CH), 0, n, 0, &pass->ch);
    rnnat_train_pack_weight(net, gates, 0, hidden, 0, &pass->gi);
    rnnat_train_pack_weight(net, gates, hidden, hidden, 0, &pass->gf);
    rnnat_train_pack_weight(net, gates, 2 * hidden, 2 * hidden, 0, &pass->hh);
    rnnat_train_pack_bias(net, pass->bias, 0, rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH), NULL,
                          0, n);
}

/* Gate g of a row of gates. */
static void *gate(const rnnat_cell_rows *at, void *gates, int32_t g)
{
    return rnnat_at(at->net, gates, (ptrdiff_t)g * at->node->hidden);
}

static void forward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_net_pass *const pass = at->pass;
    const ptrdiff_t width = s->gates_stride;
    const int32_t hidden = s->hidden;
    rnnat_train_multiply(at->net, &pass->ch.forward, s->rows, s->c_prev, hidden, s->gates, width,
                         true);
    rnnat_train_multiply(at->net, &pass->gi.forward, s->rows, s->i_prev, hidden, s->gates, width,
                         true);
    rnnat_train_multiply(at->net, &pass->gf.forward, s->rows, s->f_prev, hidden,
                         gate(at, s->gates, 1), width, true);
    rnnat_train_multiply(at->net, &pass->hh.forward, s->rows, s->i_prev, hidden,
                         gate(at, s->gates, 2), width, true);               /* 1 */
    at->net->train->lstm_forward(s);          /* 2, 3 */
}

static void backward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_net_pass *const pass = at->pass;
    const ptrdiff_t width = s->dgates_stride;
    const int32_t hidden = s->hidden;
    at->net->train->lstm_backward(s);         /* B1 */
    rnnat_train_multiply(at->net, &pass->ch.back, s->rows, s->dgates, width, s->dc, hidden,
                         true);               /* B2 */
    rnnat_train_multiply(at->net, &pass->gi.back, s->rows, s->dgates, width, s->di, hidden, true);
    rnnat_train_multiply(at->net, &pass->hh.back, s->rows, gate(at, s->dgates, 2), width, s->di,
                         hidden, true);
    rnnat_train_multiply(at->net, &pass->gf.back, s->rows, gate(at, s->dgates, 1), width, s->df,
                         hidden, true);       /* B3 */
}

const rnnat_cell_training rnnat_gate_lstm_training = {.gates = 4,
                                                      .num_states = 4,
                                                      .build = take,
                                                      .pack = pack,
                                                      .forward = forward,
                                                      .backward = backward};
#endif
