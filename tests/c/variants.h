/* Every cell with every option that changes what is calculated, once. */
#ifndef RNNAT_TEST_VARIANTS_H
#define RNNAT_TEST_VARIANTS_H

#include "test_layer.h"

static const struct {
    const char *name;
    test_layer layer;
} variants[] = {
    {"tanh", {.cell = TEST_RNN, .activation = RNNAT_TANH}},
    {"relu", {.cell = TEST_RNN, .activation = RNNAT_RELU}},
    {"output 9", {.cell = TEST_RNN, .activation = RNNAT_SIGMOID, .output_layer = 9}},
    {"output 19", {.cell = TEST_RNN, .activation = RNNAT_TANH, .output_layer = 19}},
    {"gru after", {.cell = TEST_GRU, .reset_after = true}},
    {"gru before", {.cell = TEST_GRU}},
    {"lstm", {.cell = TEST_LSTM}},
    {"lstm peephole", {.cell = TEST_LSTM, .peephole = true}},
    {"lstm projection", {.cell = TEST_LSTM, .proj_size = 1}},
    {"lstm both", {.cell = TEST_LSTM, .proj_size = 1, .peephole = true}},
    {"gate gru", {.cell = TEST_GRU, .gate_recurrent = true}},
    {"gate lstm", {.cell = TEST_LSTM, .gate_recurrent = true}},
    /* What saturates does so in these too, within 2. */
    {"general rnn",
     {.cell = TEST_RNN,
      .general = true,
      .functions = {{.of = {{RNNAT_GATE_SOFTSIGN, 0, 0}}, .clip = 1.5},
                    {.of = {{RNNAT_GATE_ELU, 0.5, 0}}, .clip = 1.5}}}},
    {"general gru after",
     {.cell = TEST_GRU,
      .reset_after = true,
      .general = true,
      .functions = {{.of = {{RNNAT_GATE_HARD_SIGMOID, 0.25, 0.5}, {RNNAT_GATE_SOFTSIGN, 0, 0}}},
                    {.of = {{RNNAT_GATE_SIGMOID, 0, 0}, {RNNAT_GATE_TANH, 0, 0}}}}}},
    {"general gru before",
     {.cell = TEST_GRU,
      .general = true,
      .functions = {{.of = {{RNNAT_GATE_HARD_SIGMOID, 0.25, 0.5}, {RNNAT_GATE_AFFINE, 0.5, 0.125}},
                     .clip = 1.25},
                    {.of = {{RNNAT_GATE_SIGMOID, 0, 0}, {RNNAT_GATE_AFFINE, 0.5, -0.125}},
                     .clip = 1.25}}}},
    {"general lstm",
     {.cell = TEST_LSTM,
      .proj_size = 1,
      .peephole = true,
      .general = true,
      .functions = {{.of = {{RNNAT_GATE_HARD_SIGMOID, 0.25, 0.5},
                            {RNNAT_GATE_SCALED_TANH, 1.25, 0.75},
                            {RNNAT_GATE_SOFTPLUS, 0, 0}},
                     .input_forget = true,
                     .cell_clip = 0.5},
                    {.of = {{RNNAT_GATE_SIGMOID, 0, 0},
                            {RNNAT_GATE_TANH, 0, 0},
                            {RNNAT_GATE_IDENTITY, 0, 0}},
                     .input_forget = true,
                     .cell_clip = 0.5}}}},
};
enum { NUM_VARIANTS = sizeof variants / sizeof *variants };

/* The variant's layer, one deep, with biases, and of h about two thirds where it is projected. */
static inline test_layer variant_layer(int32_t variant, rnnat_direction direction, int32_t input,
                                       int32_t hidden)
{
    test_layer layer = variants[variant].layer;
    layer.kind = TEST_RECURRENT;
    layer.input_size = input;
    layer.output_size = hidden;
    layer.num_layers = 1;
    layer.direction = direction;
    layer.bias = true;
    layer.output_activation = layer.output_layer ? layer.activation : RNNAT_IDENTITY;
    if (layer.proj_size) layer.proj_size = hidden - 1 - hidden / 3;
    if (direction != RNNAT_BIDIRECTIONAL) layer.functions[1] = (rnnat_functions){.clip = 0};
    return layer;
}

#endif
