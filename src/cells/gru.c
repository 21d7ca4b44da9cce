/* Gated recurrent unit (Cho et al. 2014), in its two forms:
 *   1. r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
 *   2. z  = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
 *   3. n  = tanh(W_in x + b_in + r (W_hn h + b_hn))     reset after the product (torch.nn.GRU)
 *      n  = tanh(W_in x + b_in + W_hn (r h) + b_hn)     reset before it (Cho et al.; ONNX default)
 *   4. h' = (1 - z) n + z h
 */
#include "cell.h"

#if RNNAT_WITH_GRU
#if RNNAT_READER
static const rnnat_key gru_keys[] = {{.name = "reset_after", .words = rnnat_only_true}};
static const rnnat_key gru_before_keys[] = {{.name = "reset_after", .words = rnnat_only_false}};

/* What both forms share: the projection with b_ih, and b_hh of its first `joined` gates. */
static rnnat_status build_input(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                int32_t input, int32_t joined, rnnat_cell_weights *weights)
{
    const rnnat_gates rzn = {3, 0, layer->hidden_size};
    rnnat_status status =
        rnnat_build_matrix(b, "weight_ih", 3, rzn, input, RNNAT_GEMM_PANEL, &weights->w_ih);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(b, rzn);
    weights->bias = bias;
    status = rnnat_build_add(b, "bias_ih", 3, rzn, 3, bias);
    return status == RNNAT_OK ? rnnat_build_add(b, "bias_hh", 3, rzn, joined, bias) : status;
}

rnnat_status rnnat_build_gru(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                             rnnat_cell_weights *weights)
{
    const rnnat_gates rzn = {3, 0, layer->hidden_size}, n = {1, 2, layer->hidden_size};
    rnnat_status status = build_input(b, layer, input, 2, weights);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 3, rzn, layer->hidden_size,
                                    rnnat_recurrent_panel(layer, 3), &weights->w_hh);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias_hn = rnnat_build_zeros(b, n); /* stays inside the reset */
    weights->bias_hn = bias_hn;
    return rnnat_build_add(b, "bias_hh", 3, n, 1, bias_hn);
}

rnnat_status rnnat_build_gru_before(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                    int32_t input, rnnat_cell_weights *weights)
{
    const rnnat_gates rz = {2, 0, layer->hidden_size}, n = {1, 2, layer->hidden_size};
    rnnat_status status = build_input(b, layer, input, 3, weights);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 3, rz, layer->hidden_size,
                                    rnnat_recurrent_panel(layer, 2), &weights->w_hh);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 3, n, layer->hidden_size,
                                    rnnat_recurrent_panel(layer, 1), &weights->w_hn);
    return status;
}
#endif

static void step_after(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                       const rnnat_member *member, rnnat_step *s)
{
    (void)member;
    rnnat_cell_product(&weights->w_hh, kernels, s, s->h_prev, s->h_prev_stride); /* W_h. h of 1-3 */
    kernels->of[s->type].gru(s); /* 1-4 */
}

static void step_before(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                        const rnnat_member *member, rnnat_step *s)
{
    rnnat_cell_product(&weights->w_hh, kernels, s, s->h_prev,
                       s->h_prev_stride); /* W_h. h of 1, 2 */
    kernels->of[s->type].gru_gates(s); /* 1, 2; r h */
    rnnat_meet(member);
    rnnat_cell_product(&weights->w_hn, kernels, s, s->rh, s->pad_stride); /* W_hn (r h) */
    kernels->of[s->type].gru_new(s); /* 3, 4 */
}

const rnnat_cell rnnat_cell_gru = {.name = "rnnat_cell_gru",
                                   .parts = {"RNNAT_WITH_GRU"},
                                   .gates = 3,
                                   .products = 3,
                                   .num_states = 1,
                                   .states = "h",
                                   .keys = RNNAT_CELL_KEYS(gru_keys, int32_t),
                                   .training = RNNAT_IF_TRAIN(&rnnat_gru_training),
                                   .build = RNNAT_CELL_BUILD(rnnat_build_gru),
                                   .step = step_after};
const rnnat_cell rnnat_cell_gru_before = {.name = "rnnat_cell_gru_before",
                                          .parts = {"RNNAT_WITH_GRU"},
                                          .gates = 3,
                                          .products = 3,
                                          .num_states = 1,
                                          .states = "h",
                                          .keys = RNNAT_CELL_KEYS(gru_before_keys, int32_t),
                                          .training = RNNAT_IF_TRAIN(&rnnat_gru_before_training),
                                          .build = RNNAT_CELL_BUILD(rnnat_build_gru_before),
                                          .step = step_before};
#endif
