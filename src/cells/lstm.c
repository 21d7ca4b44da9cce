/* Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
 * 2000; torch.nn.LSTM), w_c.: diagonal peepholes (Gers and Schmidhuber 2000), where there are:
 *   1. i  = sigmoid(W_ii x + b_ii + W_hi h + b_hi + w_ci c)
 *   2. f  = sigmoid(W_if x + b_if + W_hf h + b_hf + w_cf c)
 *   3. g  = tanh(W_ig x + b_ig + W_hg h + b_hg)
 *   4. c' = f c + i g
 *   5. o  = sigmoid(W_io x + b_io + W_ho h + b_ho + w_co c')
 *   6. h' = o tanh(c')
 *   7. h' = W_hr h'                                 with a projection (Sak et al. 2014)
 */
#include <string.h>

#include "cell.h"

#if RNNAT_WITH_LSTM
#if RNNAT_READER
static const rnnat_key lstm_keys[] = {
    {.name = "proj_size", .type = RNNAT_KEY_SIZE, .at = offsetof(rnnat_lstm_options, proj_size)},
    RNNAT_WORD_KEY(rnnat_lstm_options, peephole, rnnat_flags),
};

rnnat_status rnnat_form_lstm(rnnat_recurrent_options *layer)
{
    const rnnat_lstm_options *const own = rnnat_own_options(layer);
    if (own->proj_size >= layer->hidden_size) return RNNAT_ERROR_FORMAT;
    if (own->proj_size) layer->form.state = own->proj_size;
    return RNNAT_OK;
}

static rnnat_status build_peepholes(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                    rnnat_cell_weights *weights)
{
    static const char *const names[] = {"weight_ci", "weight_cf", "weight_co"};
    const rnnat_gates one = {1, 0, layer->hidden_size};
    const size_t pad = (size_t)rnnat_pad(b->kernels, layer->hidden_size);
    char *const all = rnnat_build_zeros(b, (rnnat_gates){3, 0, layer->hidden_size});
    weights->peephole = all;
    for (size_t i = 0; i < 3; ++i) {
        char *const diagonal = all ? all + i * pad * (size_t)b->kernels->elem : NULL;
        const rnnat_status status = rnnat_build_add(b, names[i], 1, one, 1, diagonal);
        if (status != RNNAT_OK) return status;
    }
    return RNNAT_OK;
}

rnnat_status rnnat_build_lstm(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                              rnnat_cell_weights *weights)
{
    const rnnat_gates ifgo = {4, 0, layer->hidden_size};
    const rnnat_lstm_options *const own = rnnat_own_options(layer);
    rnnat_status status =
        rnnat_build_matrix(b, "weight_ih", 4, ifgo, input, RNNAT_GEMM_PANEL, &weights->w_ih);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 4, ifgo, layer->form.state,
                                    rnnat_recurrent_panel(layer, 4), &weights->w_hh);
    if (status == RNNAT_OK && own->proj_size)
        status = rnnat_build_matrix(b, "weight_hr", 1, (rnnat_gates){1, 0, own->proj_size},
                                    layer->hidden_size, RNNAT_GEMM_PANEL, &weights->w_hr);
    if (status == RNNAT_OK && own->peephole) status = build_peepholes(b, layer, weights);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(b, ifgo);
    weights->bias = bias;
    status = rnnat_build_add(b, "bias_ih", 4, ifgo, 4, bias);
    return status == RNNAT_OK ? rnnat_build_add(b, "bias_hh", 4, ifgo, 4, bias) : status;
}
#endif

void rnnat_lstm_project(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                        const rnnat_member *member, rnnat_step *s,
                        void (*kernel)(const rnnat_step *step))
{
    if (!weights->w_hr.data) {
        kernel(s); /* 1-6 */
        return;
    }
    rnnat_step inner = *s;
    inner.h_next = s->unprojected;
    inner.h_next_stride = s->pad_stride;
    inner.out = NULL;
    kernel(&inner); /* 1-6 */
    rnnat_meet(member);
    const rnnat_rows from = {s->unprojected, 1, 0, s->pad_stride};
    const rnnat_rows to = {s->h_next, 1, 0, s->h_next_stride};
    rnnat_gemm(&weights->w_hr, kernels, member, s->operands, s->rows, weights->w_hr.n, from, to,
               NULL); /* 7 */
    rnnat_meet(member);
    const ptrdiff_t elem = kernels->elem;
    for (int32_t r = 0; s->out && member->index == 0 && r < s->rows; ++r)
        memcpy((char *)s->out + r * s->out_stride * elem,
               (char *)s->h_next + r * s->h_next_stride * elem, (size_t)s->k * (size_t)elem);
}

static void step_lstm(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                      const rnnat_member *member, rnnat_step *s)
{
    rnnat_cell_product(&weights->w_hh, kernels, s, s->h_prev, s->h_prev_stride); /* W_h. h of 1-5 */
    rnnat_lstm_project(weights, kernels, member, s, kernels->of[s->type].lstm); /* 1-7 */
}

const rnnat_cell rnnat_cell_lstm = {.name = "rnnat_cell_lstm",
                                    .parts = {"RNNAT_WITH_LSTM"},
                                    .gates = 4,
                                    .products = 4,
                                    .num_states = 2,
                                    .states = "hc",
                                    .in_place = true,
                                    .keys = RNNAT_CELL_KEYS(lstm_keys, rnnat_lstm_options),
                                    .form = RNNAT_CELL_BUILD(rnnat_form_lstm),
                                    .training = RNNAT_IF_TRAIN(&rnnat_lstm_training),
                                    .build = RNNAT_CELL_BUILD(rnnat_build_lstm),
                                    .step = step_lstm};
#endif
