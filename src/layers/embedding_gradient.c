/* An embedding that learns: the rows of its table by index, and the sum of their gradients. */
#include "../train/layer_training.h"
#include "../train/rows.h"
#include "layers.h"

#if RNNAT_TRAIN
static rnnat_status add_embedding(rnnat_net_builder *build, const void *options)
{
    const rnnat_embedding_options *const line = options;
    rnnat_net_node node =
        rnnat_net_node_of(&rnnat_embedding_training, line->num_embeddings, line->embedding_dim);
    rnnat_net_add_weight(build, &node.pass[0], RNNAT_NET_IH, node.input, node.output);
    build->net->takes_indices = true;
    rnnat_net_add(build, &node);
    return RNNAT_OK;
}

static void embedding_forward(const rnnat_forward_rows *own, int32_t i)
{
    const rnnat_net *const net = own->net;
    const rnnat_tape *const tape = own->tape;
    const int32_t n = net->nodes[i].output;
    const void *const table = rnnat_net_array(net, &net->nodes[i].pass[0], RNNAT_NET_IH);
    for (int32_t step = 0; step < tape->time; ++step)
        for (int32_t r = own->first; r < own->first + own->count; ++r) {
            const ptrdiff_t row = rnnat_tape_row(tape, step, r);
            const void *const from = rnnat_tape_is_valid(tape, step, r)
                                         ? rnnat_at(net, table, (ptrdiff_t)tape->indices[row] * n)
                                         : NULL;
            rnnat_net_copy(net, rnnat_at(net, tape->nodes[i].out, row * n), from, n);
        }
}

/* Threads divide the features: each row of the table sums its steps in their order. All rows of dy
 * are there: what wrote them has met since. */
static void embedding_backward(const rnnat_backward_rows *own, int32_t i, const void *dy)
{
    const rnnat_net *const net = own->net;
    const rnnat_tape *const tape = own->tape;
    const rnnat_net_node *const node = &net->nodes[i];
    const rnnat_member *const member = &own->member;
    const int32_t n = node->output, from = rnnat_first(member, member->index, n);
    const int32_t count = rnnat_first(member, member->index + 1, n) - from;
    void *const table = own->args->grads[node->pass[0].index[RNNAT_NET_IH]];
    for (int32_t row = 0; row < node->input; ++row)
        rnnat_net_copy(net, rnnat_at(net, table, (ptrdiff_t)row * n + from), NULL, count);
    for (int32_t step = 0; step < tape->time && !rnnat_backward_stops(own, count); ++step)
        for (int32_t b = 0; b < tape->batch; ++b) {
            if (!rnnat_tape_is_valid(tape, step, b)) continue;
            const ptrdiff_t row = rnnat_tape_row(tape, step, b);
            net->train->add_row(rnnat_at(net, table, (ptrdiff_t)tape->indices[row] * n + from),
                                rnnat_at(net, dy, row * n + from), count);
        }
}

const rnnat_layer_training rnnat_embedding_training = {
    .build = add_embedding, .forward = embedding_forward, .backward = embedding_backward};
#endif
