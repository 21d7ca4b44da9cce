/* The cells with any of ONNX's activations (https://onnx.ai/onnx/operators/), bounds of their
 * inputs, and coupled gates. Of one direction, clip(x) being x within [-clip, clip], and f, g, h
 * applied to clip of what stands in brackets:
 *
 *   RNN    1. h' = f(W_ih x + b_ih + W_hh h + b_hh)
 *
 *   GRU    1. r  = f(W_ir x + b_ir + W_hr h + b_hr)
 *          2. z  = f(W_iz x + b_iz + W_hz h + b_hz)
 *          3. n  = g(W_in x + b_in + r (W_hn h + b_hn))     reset after the product
 *             n  = g(W_in x + b_in + W_hn (r h) + b_hn)     reset before it
 *          4. h' = (1 - z) n + z h
 *
 *   LSTM   1. i  = f(W_ii x + b_ii + W_hi h + b_hi + w_ci c)
 *          2. f  = f(W_if x + b_if + W_hf h + b_hf + w_cf c)   or 1 - i, input_forget
 *          3. g  = g(W_ig x + b_ig + W_hg h + b_hg)
 *          4. c' = f c + i g
 *          5. o  = f(W_io x + b_io + W_ho h + b_ho + w_co c')
 *          6. h' = o h(c'), and with a projection W_hr times that
 *
 * The weights are built as those of the standard cells are, but for the panels, which are any
 * matrix's: the products go to memory, and the gates take them from there. */
#include "cell.h"

#if RNNAT_WITH_GENERAL
/* s->gh = h matrix, whole once it returns. */
static void multiply(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                     const rnnat_member *member, const rnnat_step *s, const void *h,
                     ptrdiff_t h_stride)
{
    const rnnat_rows from = {h, 1, 0, h_stride}, to = {s->gh, 1, 0, s->gh_stride};
    rnnat_gemm(matrix, kernels, member, s->rows, matrix->n, from, to, NULL);
    rnnat_meet(member);
}

#if RNNAT_WITH_RNN
static void step_general_rnn(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                             const rnnat_member *member, rnnat_step *s)
{
    multiply(&weights->w_hh, kernels, member, s, s->h_prev, s->h_prev_stride); /* W_hh h of 1 */
    kernels->general_rnn(s);                                              /* 1 */
}

const rnnat_cell rnnat_cell_general_rnn = {.name = "rnnat_cell_general_rnn",
                                           .parts = {"RNNAT_WITH_RNN", "RNNAT_WITH_GENERAL"},
                                           .gates = 1,
                                           .products = 1,
                                           .num_states = 1,
                                           .build = RNNAT_CELL_BUILD(rnnat_build_rnn),
                                           .step = step_general_rnn};
#endif

#if RNNAT_WITH_GRU
static void step_general_gru(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                             const rnnat_member *member, rnnat_step *s)
{
    multiply(&weights->w_hh, kernels, member, s, s->h_prev, s->h_prev_stride); /* W_h. h of 1-3 */
    kernels->general_gru(s);                                              /* 1-4 */
}

static void step_general_gru_before(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                                    const rnnat_member *member, rnnat_step *s)
{
    multiply(&weights->w_hh, kernels, member, s, s->h_prev, s->h_prev_stride); /* W_h. h of 1, 2 */
    kernels->general_gru_gates(s); /* 1, 2; r h */
    rnnat_meet(member);
    multiply(&weights->w_hn, kernels, member, s, s->rh, s->pad_stride); /* W_hn (r h) of 3 */
    kernels->general_gru_new(s); /* 3, 4 */
}

const rnnat_cell rnnat_cell_general_gru = {.name = "rnnat_cell_general_gru",
                                           .parts = {"RNNAT_WITH_GRU", "RNNAT_WITH_GENERAL"},
                                           .gates = 3,
                                           .products = 3,
                                           .num_states = 1,
                                           .build = RNNAT_CELL_BUILD(rnnat_build_gru),
                                           .step = step_general_gru};
const rnnat_cell rnnat_cell_general_gru_before = {.name = "rnnat_cell_general_gru_before",
                                                  .parts = {"RNNAT_WITH_GRU", "RNNAT_WITH_GENERAL"},
                                                  .gates = 3,
                                                  .products = 3,
                                                  .num_states = 1,
                                                  .build = RNNAT_CELL_BUILD(rnnat_build_gru_before),
                                                  .step = step_general_gru_before};
#endif

#if RNNAT_WITH_LSTM
static void step_general_lstm(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                              const rnnat_member *member, rnnat_step *s)
{
    multiply(&weights->w_hh, kernels, member, s, s->h_prev, s->h_prev_stride); /* W_h. h of 1-5 */
    rnnat_lstm_project(weights, kernels, member, s, kernels->general_lstm); /* 1-6 */
}

const rnnat_cell rnnat_cell_general_lstm = {.name = "rnnat_cell_general_lstm",
                                            .parts = {"RNNAT_WITH_LSTM", "RNNAT_WITH_GENERAL"},
                                            .gates = 4,
                                            .products = 4,
                                            .num_states = 2,
                                            .in_place = true,
                                            .build = RNNAT_CELL_BUILD(rnnat_build_lstm),
                                            .step = step_general_lstm};
#endif
#endif
