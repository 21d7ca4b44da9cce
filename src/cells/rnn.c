/* Elman network (Elman 1990; torch.nn.RNN):
 *   1. a  = (W_ih x + b_ih) + W_hh h + b_hh      the first part is the schedule's projection
 *   2. h' = tanh(a)  or  max(0, a)
 */
#include "cell.h"

#if RNNAT_WITH_RNN
#if RNNAT_READER
const rnnat_word rnnat_nonlinearity_words[] = {
    {"tanh", RNNAT_TANH}, {"relu", RNNAT_RELU}, {"sigmoid", RNNAT_SIGMOID}, {NULL, 0}};
static const rnnat_key rnn_keys[] = {
    RNNAT_OPEN_KEY(rnnat_rnn_options, nonlinearity, rnnat_nonlinearity_words),
    {.name = "output_layer",
     .type = RNNAT_KEY_SIZE,
     .least = 1,
     .optional = true,
     .at = offsetof(rnnat_rnn_options, output_layer)},
    {.name = "output_nonlinearity",
     .words = rnnat_activation_words,
     .open = true,
     .beside = "output_layer",
     .at = offsetof(rnnat_rnn_options, output_nonlinearity)},
};

static rnnat_status form_rnn(rnnat_recurrent_options *layer)
{
    const rnnat_rnn_options *const own = rnnat_own_options(layer);
    layer->form.activation = (rnnat_activation)own->nonlinearity;
    layer->form.output_layer = own->output_layer;
    layer->form.output_activation = (rnnat_activation)own->output_nonlinearity;
    return RNNAT_OK;
}

rnnat_status rnnat_build_rnn(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                             rnnat_cell_weights *weights)
{
    const rnnat_gates h = {1, 0, layer->hidden_size};
    rnnat_status status =
        rnnat_build_matrix(b, "weight_ih", 1, h, input, RNNAT_GEMM_PANEL, &weights->w_ih);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 1, h, layer->hidden_size,
                                    rnnat_recurrent_panel(layer, 1), &weights->w_hh);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(b, h);
    weights->bias = bias;
    status = rnnat_build_add(b, "bias_ih", 1, h, 1, bias);
    return status == RNNAT_OK ? rnnat_build_add(b, "bias_hh", 1, h, 1, bias) : status;
}
#endif

static void step_rnn(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                     const rnnat_member *member, rnnat_step *s)
{
    (void)member;
    rnnat_cell_product(&weights->w_hh, kernels, s, s->h_prev, s->h_prev_stride); /* 1 */
    kernels->of[s->type].rnn(s); /* 1, 2 */
}

const rnnat_cell rnnat_cell_rnn = {.name = "rnnat_cell_rnn",
                                   .parts = {"RNNAT_WITH_RNN"},
                                   .gates = 1,
                                   .products = 1,
                                   .num_states = 1,
                                   .states = "h",
                                   .keys = RNNAT_CELL_KEYS(rnn_keys, rnnat_rnn_options),
                                   .form = RNNAT_CELL_BUILD(form_rnn),
                                   .training = RNNAT_IF_TRAIN(&rnnat_rnn_training),
                                   .build = RNNAT_CELL_BUILD(rnnat_build_rnn),
                                   .step = step_rnn};
#endif
