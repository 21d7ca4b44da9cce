/* The gate-recurrent LSTM of the article's section 3.3: gates recur on gates in the place of h, and
 * full-matrix peepholes W_c. see c in all four, the output gate included. W_ii, W_if, W_ig and W_io
 * are weight_gh, W_c. weight_ch:
 *   1. i' = sigmoid(W_ii i + W_xi x + W_ci c + b_i)
 *   2. f' = sigmoid(W_if f + W_xf x + W_cf c + b_f)
 *   3. g  = tanh(W_ig i + W_xg x + W_cg c + b_g)
 *   4. o  = sigmoid(W_io i + W_xo x + W_co c + b_o)
 *   5. c' = f' c + i' g
 *   6. h' = o tanh(c')
 * h itself is not read. The states are h, c, i, f.
 */
#include "cell.h"

#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
#if RNNAT_READER
static const rnnat_key gate_lstm_keys[] = {{.name = "gate_recurrent", .words = rnnat_only_true}};

static rnnat_status build_gate_lstm(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                    int32_t input, rnnat_cell_weights *weights)
{
    const int32_t units = layer->hidden_size;
    const rnnat_gates ifgo = {4, 0, units}, i = {1, 0, units}, f = {1, 1, units};
    const rnnat_gates go = {2, 2, units};
    rnnat_status status =
        rnnat_build_matrix(b, "weight_ih", 4, ifgo, input, RNNAT_GEMM_PANEL, &weights->w_ih);
    if (status == RNNAT_OK)
        status =
            rnnat_build_matrix(b, "weight_gh", 4, b->blas ? i : ifgo, units, 4, &weights->w_gh);
    if (status == RNNAT_OK && b->blas)
        status = rnnat_build_matrix(b, "weight_gh", 4, f, units, 1, &weights->w_gf);
    if (status == RNNAT_OK && b->blas)
        status = rnnat_build_matrix(b, "weight_gh", 4, go, units, 2, &weights->w_go);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_ch", 4, ifgo, units, 4, &weights->w_ch);
    const size_t three = 3 * rnnat_operand_bytes(b->kernels, b->type, units); /* c, i and f */
    if (three > b->operands) b->operands = three;
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(b, ifgo);
    weights->bias = bias;
    return rnnat_build_add(b, "bias_ih", 4, ifgo, 4, bias);
}
#endif

/* One of the products: its packed weights; with a BLAS the product itself, from column
 * `first` of s->gh on, and NULL. */
static const void *panels_or_product(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                                     rnnat_step *s, const void *a, int32_t first)
{
    if (!rnnat_matrix_is_blas(matrix)) {
        s->type = matrix->type;
        return matrix->data;
    }
    const rnnat_rows from = {a, 1, 0, s->pad_stride};
    const rnnat_rows to = {(char *)s->gh + first * (ptrdiff_t)kernels->elem, 1, 0, s->gh_stride};
    const rnnat_member alone = {0, 1, NULL};
    rnnat_gemm(matrix, kernels, &alone, s->operands, s->rows, matrix->n, from, to, NULL);
    return NULL;
}

static void step_gate_lstm(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                           const rnnat_member *member, rnnat_step *s)
{
    const int32_t pad = (int32_t)s->pad_stride;
    (void)member;
    s->gh_stride = 8 * s->pad_stride;
    s->w = panels_or_product(&weights->w_gh, kernels, s, s->prev[1], 0); /* W_i. i of 1, 3, 4 */
    if (!s->w) {
        panels_or_product(&weights->w_gf, kernels, s, s->prev[2], pad); /* W_if f of 2 */
        panels_or_product(&weights->w_go, kernels, s, s->prev[1], 2 * pad);
    }
    s->w_c = panels_or_product(&weights->w_ch, kernels, s, s->prev[0], 4 * pad); /* W_c. c of 1-4 */
    kernels->of[s->type].gate_lstm(s); /* 1-6 */
}

const rnnat_cell rnnat_cell_gate_lstm = {.name = "rnnat_cell_gate_lstm",
                                         .parts = {"RNNAT_WITH_LSTM", "RNNAT_WITH_GATE"},
                                         .gates = 4,
                                         .products = 8,
                                         .num_states = 4,
                                         .states = "hcif",
                                         .keys = RNNAT_CELL_KEYS(gate_lstm_keys, int32_t),
                                         .training = RNNAT_IF_TRAIN(&rnnat_gate_lstm_training),
                                         .build = RNNAT_CELL_BUILD(build_gate_lstm),
                                         .step = step_gate_lstm};
#endif
