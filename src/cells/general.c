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
 *          4. c' = f c + i g                               or that within the cell_clip
 *          5. o  = f(W_io x + b_io + W_ho h + b_ho + w_co c')
 *          6. h' = o h(c'), and with a projection W_hr times that
 *
 * The weights are built as those of the standard cells are, but for the panels, which are any
 * matrix's: the products go to memory, and the gates take them from there. */
#include "cell.h"

#if RNNAT_WITH_GENERAL
#if RNNAT_READER
typedef struct general_options {
    rnnat_lstm_options lstm;
    int32_t reset_after;
    int32_t nonlinearity; /* RNN: where the activation is not stated */
    int32_t input_forget;
    double clip;
    double cell_clip;
    rnnat_function_list activations;
} general_options;

#define ACTIVATIONS                                                                                \
    {.name = "activations",                                                                        \
     .type = RNNAT_KEY_FUNCTIONS,                                                                  \
     .optional = true,                                                                             \
     .at = offsetof(general_options, activations)}
#define CLIP                                                                                       \
    {.name = "clip",                                                                               \
     .type = RNNAT_KEY_NUMBER,                                                                     \
     .optional = true,                                                                             \
     .at = offsetof(general_options, clip)}

/* The activations of both directions: a line states those of one, which both have, or of each;
 * where it states none, these are the standard ones. */
static rnnat_status form_general(rnnat_recurrent_options *layer, const rnnat_function *standard,
                                 int32_t count)
{
    const general_options *const own = rnnat_own_options(layer);
    const int32_t stated = own->activations.count;
    const int32_t directions = layer->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    if (stated && stated != count && stated != count * directions) return RNNAT_ERROR_FORMAT;
    for (int32_t d = 0; d < directions; ++d) {
        rnnat_functions *const functions = &layer->form.functions[d];
        functions->clip = own->clip;
        functions->input_forget = own->input_forget != 0;
        functions->cell_clip = own->cell_clip;
        for (int32_t i = 0; i < count; ++i)
            functions->of[i] =
                stated ? own->activations.of[(stated > count ? d * count : 0) + i] : standard[i];
    }
    return RNNAT_OK;
}

static const rnnat_function sigmoid_and_tanhs[] = {
    {.kind = RNNAT_GATE_SIGMOID}, {.kind = RNNAT_GATE_TANH}, {.kind = RNNAT_GATE_TANH}};
#endif

/* s->gh = h matrix, whole once it returns. */
static void multiply(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                     const rnnat_member *member, const rnnat_step *s, const void *h,
                     ptrdiff_t h_stride)
{
    const rnnat_rows from = {h, 1, 0, h_stride}, to = {s->gh, 1, 0, s->gh_stride};
    rnnat_gemm(matrix, kernels, member, s->operands, s->rows, matrix->n, from, to, NULL);
    rnnat_meet(member);
}

#if RNNAT_WITH_RNN
#if RNNAT_READER
static const rnnat_key general_rnn_keys[] = {
    {.name = "nonlinearity",
     .words = rnnat_nonlinearity_words,
     .open = true,
     .unless = "activations",
     .at = offsetof(general_options, nonlinearity)},
    ACTIVATIONS,
    CLIP,
};

static rnnat_status form_general_rnn(rnnat_recurrent_options *layer)
{
    const general_options *const own = rnnat_own_options(layer);
    const rnnat_function standard = {.kind = own->nonlinearity == RNNAT_RELU ? RNNAT_GATE_RELU
                                             : own->nonlinearity == RNNAT_SIGMOID
                                                 ? RNNAT_GATE_SIGMOID
                                                 : RNNAT_GATE_TANH};
    return form_general(layer, &standard, 1);
}
#endif

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
                                           .states = "h",
                                           .to_memory = true,
                                           .keys =
                                               RNNAT_CELL_KEYS(general_rnn_keys, general_options),
                                           .form = RNNAT_CELL_BUILD(form_general_rnn),
                                           .build = RNNAT_CELL_BUILD(rnnat_build_rnn),
                                           .step = step_general_rnn};
#endif

#if RNNAT_WITH_GRU
#if RNNAT_READER
static const rnnat_key general_gru_keys[] = {
    RNNAT_WORD_KEY(general_options, reset_after, rnnat_only_true), ACTIVATIONS, CLIP};
static const rnnat_key general_gru_before_keys[] = {
    RNNAT_WORD_KEY(general_options, reset_after, rnnat_only_false), ACTIVATIONS, CLIP};

static rnnat_status form_general_gru(rnnat_recurrent_options *layer)
{
    return form_general(layer, sigmoid_and_tanhs, 2);
}
#endif

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
                                           .states = "h",
                                           .to_memory = true,
                                           .keys =
                                               RNNAT_CELL_KEYS(general_gru_keys, general_options),
                                           .form = RNNAT_CELL_BUILD(form_general_gru),
                                           .build = RNNAT_CELL_BUILD(rnnat_build_gru),
                                           .step = step_general_gru};
const rnnat_cell rnnat_cell_general_gru_before = {
    .name = "rnnat_cell_general_gru_before",
    .parts = {"RNNAT_WITH_GRU", "RNNAT_WITH_GENERAL"},
    .gates = 3,
    .products = 3,
    .num_states = 1,
    .states = "h",
    .to_memory = true,
    .keys = RNNAT_CELL_KEYS(general_gru_before_keys, general_options),
    .form = RNNAT_CELL_BUILD(form_general_gru),
    .build = RNNAT_CELL_BUILD(rnnat_build_gru_before),
    .step = step_general_gru_before};
#endif

#if RNNAT_WITH_LSTM
#if RNNAT_READER
static const rnnat_key general_lstm_keys[] = {
    {.name = "proj_size", .type = RNNAT_KEY_SIZE, .at = offsetof(general_options, lstm.proj_size)},
    {.name = "peephole", .words = rnnat_flags, .at = offsetof(general_options, lstm.peephole)},
    ACTIVATIONS,
    CLIP,
    {.name = "input_forget",
     .words = rnnat_only_true,
     .optional = true,
     .at = offsetof(general_options, input_forget)},
    {.name = "cell_clip",
     .type = RNNAT_KEY_NUMBER,
     .optional = true,
     .at = offsetof(general_options, cell_clip)},
};

static rnnat_status form_general_lstm(rnnat_recurrent_options *layer)
{
    const rnnat_status status = form_general(layer, sigmoid_and_tanhs, 3);
    return status == RNNAT_OK ? rnnat_form_lstm(layer) : status;
}
#endif

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
                                            .states = "hc",
                                            .in_place = true,
                                            .to_memory = true,
                                            .keys =
                                                RNNAT_CELL_KEYS(general_lstm_keys, general_options),
                                            .form = RNNAT_CELL_BUILD(form_general_lstm),
                                            .build = RNNAT_CELL_BUILD(rnnat_build_lstm),
                                            .step = step_general_lstm};
#endif
#endif
