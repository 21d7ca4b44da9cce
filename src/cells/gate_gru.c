/* The gate-recurrent unit of the article's section 3.2: both gates recur on the update gate in the
 * place of h, and h is mixed the other way round from gru.c. W_g. is weight_gh, W_xh, W_hh, b_h are
 * those of the candidate n, the article's h~:
 *   1. r  = sigmoid(W_rr z + W_xr x + b_r)
 *   2. z' = sigmoid(W_zz z + W_xz x + b_z)
 *   3. n  = tanh(W_hh (r h) + W_xh x + b_h)
 *   4. h' = (1 - z') h + z' n
 */
#include "cell.h"

#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
#if RNNAT_READER
static const rnnat_key gate_gru_keys[] = {{.name = "gate_recurrent", .words = rnnat_only_true}};

static rnnat_status build_gate_gru(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                   int32_t input, rnnat_cell_weights *weights)
{
    const int32_t units = layer->hidden_size;
    const rnnat_gates rzn = {3, 0, units}, rz = {2, 0, units}, n = {1, 0, units};
    rnnat_status status =
        rnnat_build_matrix(b, "weight_ih", 3, rzn, input, RNNAT_GEMM_PANEL, &weights->w_ih);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_gh", 2, rz, units, 2, &weights->w_gh);
    if (status == RNNAT_OK)
        status = rnnat_build_matrix(b, "weight_hh", 1, n, units, 1, &weights->w_hh);
    if (status != RNNAT_OK || !layer->bias) return status;
    void *const bias = rnnat_build_zeros(b, rzn);
    weights->bias = bias;
    return rnnat_build_add(b, "bias_ih", 3, rzn, 3, bias);
}
#endif

static void step_gate_gru(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                          const rnnat_member *member, rnnat_step *s)
{
    rnnat_cell_product(&weights->w_gh, kernels, s, s->prev[0], s->pad_stride); /* W_g. z of 1, 2 */
    kernels->of[s->type].gate_gru_gates(s); /* 1, 2; r h */
    rnnat_meet(member);
    rnnat_cell_product(&weights->w_hh, kernels, s, s->rh, s->pad_stride); /* W_hh (r h) */
    kernels->of[s->type].gate_gru_new(s); /* 3, 4 */
}

const rnnat_cell rnnat_cell_gate_gru = {.name = "rnnat_cell_gate_gru",
                                        .parts = {"RNNAT_WITH_GRU", "RNNAT_WITH_GATE"},
                                        .gates = 3,
                                        .products = 3,
                                        .num_states = 2,
                                        .states = "hz",
                                        .keys = RNNAT_CELL_KEYS(gate_gru_keys, int32_t),
                                        .training = RNNAT_IF_TRAIN(&rnnat_gate_gru_training),
                                        .build = RNNAT_CELL_BUILD(build_gate_gru),
                                        .step = step_gate_gru};
#endif
