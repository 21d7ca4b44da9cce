/* A linear layer, with an activation. */
#include "layers.h"

#if RNNAT_READER
rnnat_status rnnat_linear_add(rnnat_graph *graph, const rnnat_linear_names *names, int32_t input,
                              int32_t in_features, rnnat_linear data, int32_t *output)
{
    rnnat_builder *const build = graph->build;
    const rnnat_gates out = {1, 0, data.features};
    rnnat_status status = rnnat_build_matrix(build, names->weight, 1, out, in_features,
                                             RNNAT_GEMM_PANEL, &data.weight);
    if (status == RNNAT_OK && names->bias) {
        void *const bias = rnnat_build_zeros(build, out);
        data.bias = bias;
        status = rnnat_build_add(build, names->bias, 1, out, 1, bias);
    }
    if (status != RNNAT_OK) return status;
    const rnnat_node node = {.layer = &rnnat_layer_linear,
                             .data = rnnat_graph_keep(graph, &data, sizeof data),
                             .inputs = {input},
                             .num_inputs = 1,
                             .num_passes = 1,
                             .work = (double)in_features * data.features *
                                     rnnat_stored_cost(data.weight.type)};
    *output = rnnat_graph_add(graph, &node, data.features);
    return RNNAT_OK;
}

static const rnnat_key linear_keys[] = {
    RNNAT_SIZE_KEY(rnnat_linear_options, in_features),
    RNNAT_SIZE_KEY(rnnat_linear_options, out_features),
    RNNAT_WORD_KEY(rnnat_linear_options, bias, rnnat_flags),
    RNNAT_OPEN_KEY(rnnat_linear_options, activation, rnnat_activation_words),
};

static int32_t takes_linear(const void *options)
{
    const rnnat_linear_options *const line = options;
    return line->in_features;
}

static rnnat_status build_linear(rnnat_graph *graph, const void *options)
{
    const rnnat_linear_options *const line = options;
    const rnnat_linear_names names = {"weight", line->bias ? "bias" : NULL};
    const rnnat_linear data = {.features = line->out_features,
                               .activation = (rnnat_activation)line->activation};
    int32_t output;
    const rnnat_status status =
        rnnat_linear_add(graph, &names, graph->inputs[0], line->in_features, data, &output);
    if (status == RNNAT_OK) rnnat_graph_result(graph, output, data.features, graph->has_time);
    return status;
}
#endif

static void prepare_linear(rnnat_task *task, int32_t steps)
{
    const rnnat_linear *const linear = task->node->data;
    (void)steps;
    task->product = rnnat_multiply_prepare(task, &linear->weight, linear->features, linear->bias,
                                           *task->in, *task->out);
}

void rnnat_activate_steps(const rnnat_task *task, const rnnat_chunk *chunk,
                          rnnat_activation activation, int32_t features)
{
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    rnnat_view out = *chunk->out;
    out.base = rnnat_view_at(task->kernels, out, own.first, 0);
    task->kernels->activate(activation, rnnat_rows_of(out, task->rows), own.steps * task->rows,
                            features);
}

static bool run_linear(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_linear *const linear = task->node->data;
    rnnat_multiply(task, chunk, &linear->weight, &task->product, chunk->in[0]->base,
                   chunk->out->base);
    if (linear->activation == RNNAT_IDENTITY) return true;
    rnnat_meet(&task->member);
    rnnat_activate_steps(task, chunk, linear->activation, linear->features);
    return true;
}

static void step_linear(rnnat_task *task, const char *in, char *out)
{
    const rnnat_linear *const linear = task->node->data;
    rnnat_multiply_step(task, in, out);
    if (linear->activation != RNNAT_IDENTITY)
        task->kernels->activate(linear->activation, task->product.c, task->rows, linear->features);
}

#if RNNAT_INSPECT
static rnnat_status unpack_linear(const rnnat_node *node, const rnnat_kernels *kernels,
                                  int32_t pass, const char *name, void *rows)
{
    const rnnat_linear *const linear = node->data;
    (void)pass;
    if (!rnnat_text_is(name, rnnat_text_size(name), "weight")) return RNNAT_ERROR_ARGUMENT;
    rnnat_matrix_unpack(&linear->weight, kernels, (rnnat_gates){1, 0, linear->features}, rows);
    return RNNAT_OK;
}

static void tell_linear(const rnnat_node *node, const rnnat_kernels *kernels,
                        const rnnat_teller *teller)
{
    const rnnat_linear *const linear = node->data;
    teller->type(teller->arg, "rnnat_linear");
    teller->number(teller->arg, "features", linear->features);
    rnnat_tell_matrix(teller, "weight", &linear->weight, kernels, 1);
    rnnat_tell_array(teller, "bias", linear->bias, (size_t)linear->weight.n);
    teller->number(teller->arg, "activation", (int64_t)linear->activation);
}
#endif

const rnnat_layer rnnat_layer_linear = {.name = "rnnat_layer_linear",
                                        .keys = RNNAT_LAYER_KEYS(linear_keys, rnnat_linear_options),
                                        .takes = RNNAT_IF_READER(takes_linear),
                                        .count = RNNAT_IF_READER(rnnat_count_one),
                                        .build = RNNAT_IF_READER(build_linear),
                                        .prepare = prepare_linear,
                                        .run = run_linear,
                                        .step = step_linear,
                                        .training = RNNAT_IF_TRAIN(&rnnat_linear_training),
                                        .unpack = RNNAT_IF_INSPECT(unpack_linear),
                                        .tell = RNNAT_IF_INSPECT(tell_linear)};
