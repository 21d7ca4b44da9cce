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
#include "../train/cell_training.h"

#if RNNAT_TRAIN
static void take(rnnat_net_builder *build, const rnnat_recurrent_options *layer,
                 rnnat_net_node *node, rnnat_net_pass *pass)
{
    const int32_t n = node->hidden;
    (void)layer;
    rnnat_train_name_weights(build, node, pass, n);
    rnnat_train_take_weight(build, node->input, n, &pass->ih);
    rnnat_train_take_weight(build, node->state, n, &pass->hh);
    pass->bias = rnnat_train_take_vector(build, n);
    rnnat_product *const b3 = rnnat_train_product(node, (rnnat_product){.columns = n, .rows = n});
    rnnat_train_source(b3, RNNAT_FROM_X, node->input, RNNAT_NET_IH);
    rnnat_train_source(b3, RNNAT_FROM_H, node->state, RNNAT_NET_HH);
    rnnat_train_ones(node, b3, RNNAT_NET_BIAS_IH, RNNAT_NET_BIAS_HH);
}

static void pack(const rnnat_net *net, const rnnat_net_node *node, const rnnat_net_pass *pass)
{
    const int32_t n = node->hidden;
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_IH), 0, n, 0, &pass->ih);
    rnnat_train_pack_weight(net, rnnat_net_array(net, pass, RNNAT_NET_HH), 0, n, 0, &pass->hh);
    rnnat_train_pack_bias(net, pass->bias, 0, rnnat_net_array(net, pass, RNNAT_NET_BIAS_IH),
                          rnnat_net_array(net, pass, RNNAT_NET_BIAS_HH), 0, n);
}

static void forward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    s->activation = at->node->activation;
    rnnat_train_multiply(at->net, &at->pass->hh.forward, s->rows, s->h_prev, s->state_stride,
                         s->gates, s->gates_stride, true);   /* 1 */
    at->net->train->rnn_forward(s);                /* 2 */
}

static void backward(rnnat_cell_rows *at)
{
    rnnat_train_step *const s = &at->step;
    s->activation = at->node->activation;
    at->net->train->rnn_backward(s);               /* B1 */
    rnnat_train_multiply(at->net, &at->pass->hh.back, s->rows, s->dgates, s->dgates_stride, s->dh,
                         s->state_stride, true); /* B2 */
}

const rnnat_cell_training rnnat_rnn_training = {.gates = 1,
                                                .num_states = 1,
                                                .gates_are_h = true,
                                                .build = take,
                                                .pack = pack,
                                                .forward = forward,
                                                .backward = backward};
#endif
