/* Simple recurrent network (Elman 1990) and its gradient; f is tanh, relu or sigmoid.
 *
 *   (1)   a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
 *   (2)   h_t = f(a_t)
 *
 * Backward, with dh_t from the output and from step t + 1 (Werbos 1990):
 *
 *   (B1)  da_t = dh_t f'(a_t), where f' is 1 - h_t^2, 1 where h_t > 0, or h_t (1 - h_t)
 *   (B2)  dh_{t-1} = W_hh^T da_t
 *   (B3)  dW_ih = sum da_t x_t^T, dW_hh = sum da_t h_{t-1}^T, db = sum da_t
 */
#include "../cell.h"

static void build(rnnat_arena *arena, const rnnat_net *net, rnnat_net_op *op,
                  rnnat_net_direction *d)
{
    const int32_t n = op->hidden;
    rnnat_train_take_both(arena, net, op->input, n, &d->ih, &d->back_ih);
    rnnat_train_take_both(arena, net, op->state, n, &d->hh, &d->back_hh);
    d->bias = rnnat_train_take_vector(arena, net, n);
    op->num_products = 0;
    rnnat_product *const b3 = rnnat_train_product(op, (rnnat_product){.columns = n, .rows = n});
    rnnat_train_source(b3, RNNAT_FROM_X, op->input, RNNAT_NET_IH);
    rnnat_train_source(b3, RNNAT_FROM_H, op->state, RNNAT_NET_HH);
    rnnat_train_ones(op, b3, RNNAT_NET_BIAS_IH, RNNAT_NET_BIAS_HH);
}

static void pack(const rnnat_net *net, const rnnat_net_op *op, const rnnat_net_direction *d)
{
    const int32_t n = op->hidden;
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_IH), 0, n, 0, &d->ih, &d->back_ih);
    rnnat_train_pack_both(net, rnnat_net_array(net, d, RNNAT_NET_HH), 0, n, 0, &d->hh, &d->back_hh);
    rnnat_train_pack_bias(net, d->bias, 0, rnnat_net_array(net, d, RNNAT_NET_BIAS_IH),
                          rnnat_net_array(net, d, RNNAT_NET_BIAS_HH), 0, n);
}

static void forward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    s->activation = at->op->activation;
    rnnat_train_multiply(at->net, &at->direction->hh, s->rows, s->h_prev, s->state_stride, s->gates,
                         s->gates_stride, true);   /* 1 */
    at->net->train->rnn_forward(s);                /* 2 */
}

static void backward(rnnat_train_at *at)
{
    rnnat_train_step *const s = &at->step;
    s->activation = at->op->activation;
    at->net->train->rnn_backward(s);               /* B1 */
    rnnat_train_multiply(at->net, &at->direction->back_hh, s->rows, s->dgates, s->dgates_stride,
                         s->dh, s->state_stride, true); /* B2 */
}

const rnnat_train_cell rnnat_train_rnn = {.gates = 1,
                                          .num_states = 1,
                                          .gates_are_h = true,
                                          .build = build,
                                          .pack = pack,
                                          .forward = forward,
                                          .backward = backward};
