/* Makes small graphs: branches, several inputs and outputs, last states beside outputs, nodes that
 * need all of time, one with more reads than a node of the core has, and a value that is several
 * outputs. */
#include "graph_models.h"

#include <stdio.h>
#include <string.h>

#define LINEAR(from, to) {.kind = TEST_LINEAR, .input_size = from, .output_size = to, .bias = true}
#define CELL(name, from, to, ...)                                                                  \
    {.kind = TEST_RECURRENT,                                                                       \
     .cell = name,                                                                                 \
     .input_size = from,                                                                           \
     .output_size = to,                                                                            \
     .num_layers = 1,                                                                              \
     __VA_ARGS__}
#define CONV(from, to)                                                                             \
    {.kind = TEST_CONV, .input_size = from, .output_size = to, .bias = true} /* 3 from columns */
#define WORDS(count, to) {.kind = TEST_EMBEDDING, .input_size = count, .output_size = to}
#define COMBINE                                                                                    \
    {.kind = TEST_MERGE, .output_size = 1} /* a layer without arrays, whose line is told */

/* A layer. `combine`: the line in the place of its own; `reads`: what it reads, if not the one
 * before. */
typedef struct graph_part {
    test_layer layer;
    const char *combine, *reads;
} graph_part;

enum { MOST_INPUTS = 3 };

/* Its layers, its inputs, and what its outputs are, with commas between. */
typedef struct graph {
    graph_part parts[MAX_LAYERS];
    const char *inputs[MOST_INPUTS], *outputs;
} graph;

static const graph graphs[GRAPH_MODELS] = {
    /* features beside indices, an initial state, a head behind the last state */
    {.parts = {{.layer = WORDS(7, 5), .reads = "in1"},
               {.layer = COMBINE, .combine = "combine mode=add", .reads = "in0,0"},
               {.layer = CELL(TEST_GRU, 5, 9, .bias = true, .initial_state = true)},
               {.layer = LINEAR(9, 2), .reads = "2:1"}},
     .inputs = {"features=5", "indices=7"},
     .outputs = "2,2:1,3,2"},
    /* one input and output, and between them values that are read again later */
    {.parts = {{.layer = CELL(TEST_GRU, 4, 4, .bias = true, .reset_after = true), .reads = "in0"},
               {.layer = COMBINE, .combine = "combine mode=mul", .reads = "0,in0"},
               {.layer = CELL(TEST_LSTM, 4, 9, .bias = true)},
               {.layer = COMBINE, .combine = "combine mode=concat", .reads = "2,0,in0"},
               {.layer = LINEAR(17, 3)}},
     .inputs = {"features=4"},
     .outputs = "4"},
    /* values that are kept for all of time */
    {.parts = {{.layer = LINEAR(3, 6), .reads = "in0"},
               {.layer = CELL(TEST_GRU, 6, 6, .bias = true, .direction = RNNAT_REVERSE)},
               {.layer = COMBINE, .combine = "combine mode=sub", .reads = "1,0"},
               {.layer = CELL(TEST_RNN, 6, 6, .bias = true, .activation = RNNAT_TANH)},
               {.layer = COMBINE, .combine = "combine mode=add", .reads = "3,2,0"}},
     .inputs = {"features=3"},
     .outputs = "4"},
    /* both directions at every step, and at the last one, with and without time as outputs */
    {.parts = {{.layer = CELL(TEST_LSTM, 3, 5, .bias = true, .direction = RNNAT_BIDIRECTIONAL),
                .reads = "in0"},
               {.layer = LINEAR(10, 4), .reads = "0"},
               {.layer = LINEAR(10, 4), .reads = "0:1"},
               {.layer = COMBINE, .combine = "combine mode=mul", .reads = "2,2"},
               {.layer = COMBINE,
                .combine = "norm features=4 groups=2 epsilon=0x1p-2 subtract_mean=true "
                           "weight=false bias=false",
                .reads = "1"},
               {.layer = COMBINE,
                .combine = "instance_norm channels=4 positions=1 groups=2 epsilon=0x1p-2 "
                           "weight=false bias=false",
                .reads = "4"}},
     .inputs = {"features=3"},
     .outputs = "5,3,0:1"},
    /* no output has time */
    {.parts = {{.layer = CELL(TEST_GRU, 2, 9, .bias = true, .last_only = true), .reads = "in0"},
               {.layer =
                    CELL(TEST_LSTM, 3, 5, .bias = true, .initial_state = true, .last_only = true),
                .reads = "in1"},
               {.layer = COMBINE, .combine = "combine mode=concat", .reads = "1,0"},
               {.layer = LINEAR(14, 2)},
               {.layer = COMBINE, .combine = "reduce mode=mean", .reads = "in1"},
               {.layer = COMBINE, .combine = "softmax groups=1 log=false", .reads = "in0"},
               {.layer = COMBINE, .combine = "attention_pool heads=2", .reads = "in0,5"}},
     .inputs = {"features=2", "features=3"},
     .outputs = "3,0,4,6"},
    /* 19 reads */
    {.parts = {{.layer = LINEAR(2, 2), .reads = "in0"},
               {.layer = COMBINE,
                .combine = "combine mode=concat",
                .reads = "0,in0,0,in1,0,in2,0,0,in0,0,in1,0,in2,0,in0,0,in0,0,in1"},
               {.layer = LINEAR(38, 5)}},
     .inputs = {"features=2", "features=2", "features=2"},
     .outputs = "2"},
    /* one input of indices, which two tables read */
    {.parts = {{.layer = WORDS(11, 4), .reads = "in0"},
               {.layer = WORDS(11, 3), .reads = "in0"},
               {.layer = CELL(TEST_GRU, 4, 3, .bias = true, .gate_recurrent = true), .reads = "0"},
               {.layer = COMBINE, .combine = "combine mode=sub", .reads = "2,1"}},
     .inputs = {"indices=11"},
     .outputs = "3,2:1"},
    /* convolutions over time, causal, and over the picture of a step */
    {.parts = {{.layer = CONV(4, 6), .reads = "in0"},
               {.layer = CONV(2, 3),
                .combine = "conv in_channels=2 out_channels=3 groups=1 kernel_time=1 stride_time=1 "
                           "dilation_time=1 before=0 after=0 positions=1 kernel_size=1 stride=1 "
                           "dilation=1 left=0 right=0 padding_mode=reflect bias=true "
                           "activation=tanh height=3 kernel_height=3 top=1 bottom=1"},
               {.layer = CELL(TEST_LSTM, 9, 5, .bias = true)}},
     .inputs = {"features=4"},
     .outputs = "2,1"},
    /* a group for each channel, of steps and of rows */
    {.parts = {{.layer = CONV(1, 6),
                .combine = "conv in_channels=6 out_channels=6 groups=6 kernel_time=3 stride_time=1 "
                           "dilation_time=2 before=4 after=0 positions=2 kernel_size=1 stride=1 "
                           "dilation=1 left=0 right=1 padding_mode=replicate bias=true "
                           "activation=relu",
                .reads = "in0"},
               {.layer = CONV(1, 4),
                .combine = "conv in_channels=2 out_channels=4 groups=2 kernel_time=1 stride_time=1 "
                           "dilation_time=1 before=0 after=0 positions=3 kernel_size=1 stride=2 "
                           "dilation=1 left=0 right=0 padding_mode=zeros bias=true "
                           "activation=softmax height=3 kernel_height=3 stride_height=2 bottom=2"},
               {.layer = COMBINE, .combine = "combine mode=mul", .reads = "1,1"}},
     .inputs = {"features=12"},
     .outputs = "0,2"},
};

static void add_pair(test_model *model, const char *key, const char *value)
{
    test_pair *const pair = &model->pairs[model->num_pairs++];
    snprintf(pair->key, sizeof pair->key, "rnn_native.%s", key);
    snprintf(pair->value, sizeof pair->value, "%s", value);
}

/* A graph's input or output: what it is, and its name. */
static void add_value(test_model *model, const char *kind, int32_t index, const char *is)
{
    char key[24], name[24];
    snprintf(key, sizeof key, "%s.%d", kind, index);
    snprintf(name, sizeof name, "%s %d", kind, index);
    if (!is) {
        add_pair(model, key, name);
        return;
    }
    add_pair(model, key, is);
    strcat(key, ".name");
    add_pair(model, key, name);
}

void graph_model_start(int32_t index, test_model *model)
{
    const graph *const of = &graphs[index];
    int32_t inputs = 0, outputs = 1;
    test_model_start(model, 400 + (uint64_t)index);
    strcpy(model->pairs[0].value, "2"); /* the version */
    for (int32_t i = 0; i < MAX_LAYERS && of->parts[i].layer.output_size; ++i) {
        const graph_part *const part = &of->parts[i];
        test_model_add(model, part->layer);
        test_pair *const line = &model->pairs[model->num_pairs - 1];
        if (part->combine) strcpy(line->value, part->combine);
        if (!part->reads) continue;
        strcat(line->value, " inputs=");
        strcat(line->value, part->reads);
    }
    while (inputs < MOST_INPUTS && of->inputs[inputs]) ++inputs;
    for (const char *at = of->outputs; *at; ++at) outputs += *at == ',';
    char count[12];
    snprintf(count, sizeof count, "%d", inputs);
    add_pair(model, "inputs", count);
    for (int32_t i = 0; i < inputs; ++i) add_value(model, "input", i, of->inputs[i]);
    add_pair(model, "outputs", of->outputs);
    for (int32_t i = 0; i < outputs; ++i) add_value(model, "output", i, NULL);
}
