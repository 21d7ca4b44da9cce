/* Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000) and its
 * gradient. Gates in the order i, f, g, o; s is the sigmoid; in brackets peepholes and projection.
 *
 *   (1)   a = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh   [a_i += w_ci c_{t-1}, a_f += w_cf c_{t-1}]
 *   (2)   i = s(a_i), f = s(a_f), g = tanh(a_g)
 *   (3)   c_t = f c_{t-1} + i g                       [a_o += w_co c_t]
 *   (4)   o = s(a_o), u_t = o tanh(c_t)
 *   (5)   h_t = u_t                                   [W_hr u_t]
 *
 * Backward, with dh_t and dc_t from the output and from step t + 1:
 *
 *   (B1)  du_t = dh_t                                 [W_hr^T dh_t]
 *   (B2)  da_o = du tanh(c_t) o (1 - o)
 *         dc = dc_t + du o (1 - tanh(c_t)^2)          [+ w_co da_o]
 *         da_i = dc g i (1 - i), da_f = dc c_{t-1} f (1 - f), da_g = dc i (1 - g^2)
 *         dc_{t-1} = dc f                             [+ w_ci da_i + w_cf da_f]
 *   (B3)  dh_{t-1} = W_hh^T da
 *   (B4)  dW_ih = sum da x_t^T, dW_hh = sum da h_{t-1}^T, db = sum da
 *         [dW_hr = sum dh_t u_t^T]
 *         [dw_ci = sum da_i c_{t-1}, dw_cf = sum da_f c_{t-1}, dw_co = sum da_o c_t]
 */
#include "../train/cell_training.h"

#if RNNAT_TRAIN
static bool is_projected(const rnnat_net_node *node) { return node->state != node->hidden; }

static void take(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                 rnnat_net_node *node, rnnat_net_pass *pass)
{
    const rnnat_lstm_options *const own = rnnat_own_options(layer);
    const int32_t n = 4 * node->hidden;
    rnnat_train_name_weights(build, node, pass, n);
    rnnat_train_take_weight(build, node->input, n, &pass->ih);
    rnnat_train_take_weight(build, node->state, n, &pass->hh);
    pass->bias = rnnat_train_take_vector(build, n);
    rnnat_product *const b4 = rnnat_train_product(node, (rnnat_product){.columns = n, .rows = n});
    rnnat_train_source(b4, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    rnnat_train_source(b4, RNNAT_FROM_H, node->state, RNNAT_NET_HH);
    rnnat_train_ones(node, b4, RNNAT_NET_BIAS_IH, RNNAT_NET_BIAS_HH);
    if (is_projected(node)) {
        rnnat_net_add_weight(build, pass, RNNAT_NET_HR, node->state, node->hidden);
        rnnat_train_take_weight(build, node->hidden, node->state, &pass->hr);
        rnnat_product *const hr = rnnat_train_product(
            node,
            (rnnat_product){.of_projection = true, .columns = node->state, .rows = node->state});
        rnnat_train_source(hr, RNNAT_FROM_AUX, node->hidden, RNNAT_NET_HR);
    }
    node->peephole = own->peephole;
    if (!node->peephole) return;
    for (int32_t w = RNNAT_NET_CI; w <= RNNAT_NET_CO; ++w)
        rnnat_net_add_weight(build, pass, (rnnat_net_weight)w, node->hidden, 1);
    pass->peephole = rnnat_train_take_vector(build, 3 * node->hidden);
}

static void pack(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass)
{
    const int32_t hidden = node->hidden, n = 4 * hidden;
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_IH), 0, n, 0, &pass->ih);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HH), 0, n, 0, &pass->hh);
    rnnat_train_pack_bias(net, pass->bias, 0, rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH),
                          rnnat_net_array(net, pass, RNNAT_NET_BIAS_HH), 0, n);
    if (is_projected(node))
        rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HR), 0, node->state, 0,
                                &pass->hr);
    for (int32_t g = 0; node->peephole && g < 3; ++g)
        rnnat_train_pack_bias(net, pass->peephole, g * hidden,
                              rnnat_net_array(net, pass, (rnnat_net_weight)(RNNAT_NET_CI + g)),
                              NULL, 0, hidden);
}

static void forward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_train_kernels *const train = at->net->train;
    s->peephole = at->pass->peephole;
    rnnat_train_multiply(at->net, &at->pass->hh.forward, s->rows, s->h_prev, s->state_stride,
                         s->gates, s->gates_stride, true); /* 1 */
    train->lstm_forward(s);                      /* 2, 3, 4 */
    if (!is_projected(at->node)) return;
    rnnat_train_multiply(at->net, &at->pass->hr.forward, s->rows, s->aux, s->hidden, s->h_next,
                         s->state_stride, false); /* 5 */
    rnnat_train_step keep = *s;
    keep.hidden = at->node->state;
    train->keep(&keep);
}

static void backward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_train_kernels *const train = at->net->train;
    s->peephole = at->pass->peephole;
    rnnat_train_step gates = *s;
    if (is_projected(at->node)) {
        rnnat_train_step gather = *s;
        gather.hidden = at->node->state;
        gather.dgates = at->dstate;
        gather.dgates_stride = at->node->state;
        train->gather(&gather);
        rnnat_train_multiply(at->net, &at->pass->hr.back, s->rows, at->dstate, at->node->state,
                             at->between, s->hidden, false); /* B1 */
        gates.dy = NULL;
        gates.dh = at->between;
        gates.state_stride = s->hidden;
    }
    train->lstm_backward(&gates); /* B2 */
    rnnat_train_multiply(at->net, &at->pass->hh.back, s->rows, s->dgates, s->dgates_stride, s->dh,
                         s->state_stride, true); /* B3 */
}

const rnnat_cell_training rnnat_lstm_training = {.gates = 4,
                                                 .num_states = 2,
                                                 .aux_if_projected = true,
                                                 .build = take,
                                                 .pack = pack,
                                                 .forward = forward,
                                                 .backward = backward};
#endif
