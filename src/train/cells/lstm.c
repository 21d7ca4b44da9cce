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
#include "../cell.h"

static bool is_projected(const rnnat_net_op *op) { return op->state != op->hidden; }

static void build(rnnat_arena *arena, const rnnat_net *net, rnnat_net_op *op,
                  rnnat_net_direction *d)
{
    const int32_t n = 4 * op->hidden;
    rnnat_train_take_both(arena, net, op->input, n, &d->ih, &d->back_ih);
    rnnat_train_take_both(arena, net, op->state, n, &d->hh, &d->back_hh);
    d->bias = rnnat_train_take_vector(arena, net, n);
    op->num_products = 0;
    rnnat_product *const b4 = rnnat_train_product(op, (rnnat_product){.columns = n, .rows = n});
    rnnat_train_source(b4, RNNAT_FROM_X, op->input, RNNAT_NET_IH);
    rnnat_train_source(b4, RNNAT_FROM_H, op->state, RNNAT_NET_HH);
    rnnat_train_ones(op, b4, RNNAT_NET_BIAS_IH, RNNAT_NET_BIAS_HH);
    if (is_projected(op)) {
        rnnat_train_take_both(arena, net, op->hidden, op->state, &d->hr, &d->back_hr);
        rnnat_product *const hr = rnnat_train_product(
            op, (rnnat_product){.of_projection = true, .columns = op->state, .rows = op->state});
        rnnat_train_source(hr, RNNAT_FROM_AUX, op->hidden, RNNAT_NET_HR);
    }
    if (op->peephole) d->peephole = rnnat_train_take_vector(arena, net, 3 * op->hidden);
}

static void pack(const rnnat_net *net, const rnnat_net_op *op, const rnnat_net_direction *d)
{
    const int32_t hidden = op->hidden, n = 4 * hidden;
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_IH), 0, n, 0, &d->ih, &d->back_ih);
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_HH), 0, n, 0, &d->hh, &d->back_hh);
    rnnat_train_pack_bias(net, d->bias, 0, rnnat_net_array(net, d, RNNAT_NET_BIAS_IH),
                          rnnat_net_array(net, d, RNNAT_NET_BIAS_HH), 0, n);
    if (is_projected(op))
        rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_HR), 0, op->state, 0, &d->hr,
                              &d->back_hr);
    for (int32_t g = 0; op->peephole && g < 3; ++g)
        rnnat_train_pack_bias(net, d->peephole, g * hidden,
                              rnnat_net_array(net, d, (rnnat_net_weight)(RNNAT_NET_CI + g)), NULL,
                              0, hidden);
}

static void forward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_train_kernels *const train = at->net->train;
    s->peephole = at->direction->peephole;
    rnnat_train_multiply(at->net, &at->direction->hh, s->rows, s->h_prev, s->state_stride, s->gates,
                         s->gates_stride, true); /* 1 */
    train->lstm_forward(s);                      /* 2, 3, 4 */
    if (!is_projected(at->op)) return;
    rnnat_train_multiply(at->net, &at->direction->hr, s->rows, s->aux, s->hidden, s->h_next,
                         s->state_stride, false); /* 5 */
    rnnat_train_step keep = *s;
    keep.hidden = at->op->state;
    train->keep(&keep);
}

static void backward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    const rnnat_train_kernels *const train = at->net->train;
    s->peephole = at->direction->peephole;
    rnnat_train_step gates = *s;
    if (is_projected(at->op)) {
        rnnat_train_step gather = *s;
        gather.hidden = at->op->state;
        gather.dgates = at->dstate;
        gather.dgates_stride = at->op->state;
        train->gather(&gather);
        rnnat_train_multiply(at->net, &at->direction->back_hr, s->rows, at->dstate, at->op->state,
                             at->part, s->hidden, false); /* B1 */
        gates.dy = NULL;
        gates.dh = at->part;
        gates.state_stride = s->hidden;
    }
    train->lstm_backward(&gates); /* B2 */
    rnnat_train_multiply(at->net, &at->direction->back_hh, s->rows, s->dgates, s->dgates_stride,
                         s->dh, s->state_stride, true); /* B3 */
}

const rnnat_train_cell rnnat_train_lstm = {.gates = 4,
                                           .num_states = 2,
                                           .aux_if_projected = true,
                                           .build = build,
                                           .pack = pack,
                                           .forward = forward,
                                           .backward = backward};
