/* A line as the core reads it, in the words of tests. */
#include "layers/layers.h"
#include "test_layer.h"

static test_layer recurrent_of(const rnnat_recurrent_options *line)
{
    const rnnat_cell *const cell = line->cell;
    const bool rnn = cell == &rnnat_cell_rnn || cell == &rnnat_cell_general_rnn;
    const bool lstm = cell == &rnnat_cell_lstm || cell == &rnnat_cell_general_lstm;
    const rnnat_lstm_options *const own = rnnat_own_options(line);
    test_layer layer = {
        .kind = TEST_RECURRENT,
        .cell = rnn                                     ? TEST_RNN
                : lstm || cell == &rnnat_cell_gate_lstm ? TEST_LSTM
                                                        : TEST_GRU,
        .input_size = line->input_size,
        .output_size = line->hidden_size,
        .num_layers = line->num_layers,
        .proj_size = line->form.state < line->hidden_size ? line->form.state : 0,
        .direction = (rnnat_direction)line->direction,
        .activation = line->form.activation,
        .bias = line->bias,
        .reset_after = cell == &rnnat_cell_gru || cell == &rnnat_cell_general_gru,
        .peephole = lstm && own->peephole,
        .gate_recurrent = cell == &rnnat_cell_gate_gru || cell == &rnnat_cell_gate_lstm,
        .output_layer = line->form.output_layer,
        .output_activation = line->form.output_activation,
        .general = cell->to_memory,
        .last_only = line->last_only,
        .initial_state = line->initial_state,
    };
    for (int d = 0; d < 2; ++d) layer.functions[d] = line->form.functions[d];
    return layer;
}

rnnat_status test_layer_read(const char *line, test_layer *layer)
{
    const rnnat_layer *kind;
    rnnat_layer_options options;
    const void *const read = &options;
    const rnnat_status status = rnnat_layer_read(line, &kind, &options, NULL);
    if (status != RNNAT_OK) return status;
    if (kind == &rnnat_layer_embedding) {
        const rnnat_embedding_options *const of = read;
        *layer = (test_layer){.kind = TEST_EMBEDDING, .output_size = of->embedding_dim};
    } else if (kind == &rnnat_layer_linear) {
        const rnnat_linear_options *const of = read;
        *layer = (test_layer){.kind = TEST_LINEAR,
                              .output_size = of->out_features,
                              .bias = of->bias,
                              .activation = (rnnat_activation)of->activation};
    } else if (kind == &rnnat_layer_merge) {
        const rnnat_merge_options *const of = read;
        *layer = (test_layer){
            .kind = TEST_MERGE, .output_size = of->features, .merge = (rnnat_merge)of->mode};
    } else if (kind == &rnnat_layer_combine) {
        const rnnat_combine_options *const of = read;
        *layer = (test_layer){.kind = TEST_COMBINE, .combine = (rnnat_combine)of->mode};
    } else if (kind == &rnnat_layer_expand) {
        *layer = (test_layer){.kind = TEST_EXPAND};
    } else if (kind == &rnnat_layer_elementwise) {
        const rnnat_elementwise_options *const of = read;
        *layer = (test_layer){.kind = TEST_ELEMENTWISE, .function = of->function.of[0]};
    } else if (kind == &rnnat_layer_pool) {
        *layer = (test_layer){.kind = TEST_POOL};
    } else if (kind == &rnnat_layer_pool_within) {
        const rnnat_pool_within_options *const of = read;
        *layer = (test_layer){.kind = TEST_POOL_WITHIN, .output_size = of->channels};
    } else if (kind == &rnnat_layer_scale) {
        const rnnat_scale_options *const of = read;
        *layer = (test_layer){.kind = TEST_SCALE, .output_size = of->features};
    } else if (kind == &rnnat_layer_prelu) {
        const rnnat_prelu_options *const of = read;
        *layer = (test_layer){.kind = TEST_PRELU, .output_size = of->features};
    } else if (kind == &rnnat_layer_conv) {
        const rnnat_conv_options *const of = read;
        *layer = (test_layer){.kind = TEST_CONV,
                              .output_size = of->out_channels,
                              .bias = of->bias,
                              .activation = (rnnat_activation)of->activation};
    } else if (kind == &rnnat_layer_strided) {
        const rnnat_strided_options *const of = read;
        *layer = (test_layer){.kind = TEST_STRIDED, .output_size = of->size[3]}; /* a factor */
    } else if (kind == &rnnat_layer_norm) {
        const rnnat_norm_options *const of = read;
        *layer =
            (test_layer){.kind = TEST_NORM, .output_size = of->features, .bias = of->bias != 0};
    } else if (kind == &rnnat_layer_instance_norm) {
        const rnnat_instance_norm_options *const of = read;
        *layer = (test_layer){
            .kind = TEST_INSTANCE_NORM, .output_size = of->channels, .bias = of->bias != 0};
    } else if (kind == &rnnat_layer_upsample) {
        const rnnat_upsample_options *const of = read;
        *layer = (test_layer){
            .kind = TEST_UPSAMPLE, .input_size = of->factor, .output_size = 1 + of->cut};
    } else if (kind == &rnnat_layer_pad) {
        const rnnat_pad_options *const of = read;
        *layer = (test_layer){.kind = TEST_PAD, .output_size = of->features};
    } else if (kind == &rnnat_layer_softmax) {
        const rnnat_softmax_options *const of = read;
        *layer =
            (test_layer){.kind = TEST_SOFTMAX, .output_size = of->groups, .bias = of->log != 0};
    } else if (kind == &rnnat_layer_softmax_over_time) {
        *layer = (test_layer){.kind = TEST_SOFTMAX_OVER_TIME};
    } else if (kind == &rnnat_layer_attention_pool) {
        const rnnat_attention_pool_options *const of = read;
        *layer = (test_layer){.kind = TEST_ATTENTION_POOL, .output_size = of->heads};
    } else if (kind == &rnnat_layer_attention) {
        const rnnat_attention_options *const of = read;
        *layer =
            (test_layer){.kind = TEST_ATTENTION, .output_size = of->heads, .bias = of->causal != 0};
    } else if (kind == &rnnat_layer_reduce) {
        *layer = (test_layer){.kind = TEST_REDUCE};
    } else {
        *layer = recurrent_of(read);
    }
    if (kind->takes) layer->input_size = kind->takes(read);
    return RNNAT_OK;
}
