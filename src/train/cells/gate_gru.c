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
#include "../cell.h"

static void build(rnnat_arena *arena, const rnnat_net *net, rnnat_net_op *op,
                  rnnat_net_direction *d)
{
    const int32_t hidden = op->hidden, n = 3 * hidden;
    rnnat_train_take_both(arena, net, op->input, n, &d->ih, &d->back_ih);
    rnnat_train_take_both(arena, net, hidden, 2 * hidden, &d->gi, &d->back_gi);
    rnnat_train_take_both(arena, net, hidden, hidden, &d->hh, &d->back_hh);
    d->bias = rnnat_train_take_vector(arena, net, n);
    op->num_products = 0;
    rnnat_product *const input =
        rnnat_train_product(op, (rnnat_product){.columns = n, .shift = 2 * hidden, .rows = n});
    rnnat_train_source(input, RNNAT_FROM_X, op->input, RNNAT_NET_IH);
    rnnat_train_ones(op, input, RNNAT_NET_BIAS_IH, -1);
    rnnat_product *const gates = rnnat_train_product(
        op, (rnnat_product){.first = hidden, .columns = 2 * hidden, .rows = 2 * hidden});
    rnnat_train_source(gates, RNNAT_FROM_C, hidden, RNNAT_NET_GH);
    rnnat_product *const new =
        rnnat_train_product(op, (rnnat_product){.columns = hidden, .rows = hidden});
    rnnat_train_source(new, RNNAT_FROM_AUX, hidden, RNNAT_NET_HH);
}

static void pack(const rnnat_net *net, const rnnat_net_op *op, const rnnat_net_direction *d)
{
    const int32_t hidden = op->hidden;
    const void *const weight = rnnat_net_array(net, d, RNNAT_NET_IH);
    const void *const bias = rnnat_net_array(net, d, RNNAT_NET_BIAS_IH);
    rnnat_train_pack_both(net, weight, 2 * hidden, hidden, 0, &d->ih, &d->back_ih);
    rnnat_train_pack_both(net, weight, 0, 2 * hidden, hidden, &d->ih, &d->back_ih);
    rnnat_train_pack_bias(net, d->bias, 0, bias, NULL, 2 * hidden, hidden);
    rnnat_train_pack_bias(net, d->bias, hidden, bias, NULL, 0, 2 * hidden);
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_GH), 0, 2 * hidden, 0, &d->gi,
                          &d->back_gi);
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_HH), 0, hidden, 0, &d->hh,
                          &d->back_hh);
}

static void forward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    rnnat_train_multiply(at->net, &at->direction->gi, s->rows, s->c_prev, s->hidden,
                         rnnat_at(at->net, s->gates, s->hidden), s->gates_stride, true);
    at->net->train->gru_gates_forward(s); /* 2 */
    rnnat_train_multiply(at->net, &at->direction->hh, s->rows, s->aux, s->hidden, s->gates,
                         s->gates_stride, true);
    at->net->train->gate_gru_new_forward(s); /* 3, 4 */
}

static void backward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    at->net->train->gate_gru_new_backward(s); /* B1 */
    rnnat_train_multiply(at->net, &at->direction->back_hh, s->rows, s->dgates, s->dgates_stride,
                         at->part, s->hidden, false);
    s->daux = at->part;
    at->net->train->gru_gates_backward(s); /* B2 */
    rnnat_train_multiply(at->net, &at->direction->back_gi, s->rows,
                         rnnat_at(at->net, s->dgates, s->hidden), s->dgates_stride, s->dc,
                         s->hidden, true); /* B3 */
}

const rnnat_train_cell rnnat_train_gate_gru = {.gates = 3,
                                               .num_states = 2,
                                               .has_aux = true,
                                               .build = build,
                                               .pack = pack,
                                               .forward = forward,
                                               .backward = backward};
