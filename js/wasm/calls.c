/* What JavaScript calls: the library's functions, with numbers and arrays in the place of structs. */
#include <rnn_native.h>
#include <stdlib.h>

/* The struct of a run over whole sequences; inputs, outputs and states are arrays of addresses. */
static rnnat_run run_of(int32_t time, int32_t batch, const void *const *inputs,
                        void *const *outputs, const int32_t *lengths, const float *const *state_in,
                        float *const *state_out)
{
    return (rnnat_run){.struct_size = sizeof(rnnat_run),
                       .time = time,
                       .batch = batch,
                       .lengths = lengths,
                       .state_in = state_in,
                       .state_out = state_out,
                       .num_threads = 1,
                       .inputs = inputs,
                       .outputs = outputs};
}

rnnat_status rnnat_js_model(const void *bytes, size_t size, int32_t weight_dtype,
                            rnnat_model **model, char *message, size_t message_size)
{
    const rnnat_model_options options = {.struct_size = sizeof options,
                                         .weight_dtype = weight_dtype,
                                         .message = message,
                                         .message_size = message_size};
    return rnnat_model_from_memory(bytes, size, &options, model);
}

/* Inputs, outputs, states, layers, whether it streams, the weights' type, bytes, parameters. */
void rnnat_js_describe(const rnnat_model *model, double about[8])
{
    rnnat_model_info info = {.struct_size = sizeof info};
    rnnat_model_describe(model, &info);
    about[0] = info.num_inputs;
    about[1] = info.num_outputs;
    about[2] = info.num_states;
    about[3] = info.num_layers;
    about[4] = info.streamable;
    about[5] = info.weight_dtype;
    about[6] = (double)info.memory;
    about[7] = (double)info.num_parameters;
}

/* Features, indices, whether it has time, repeat, stride, latency; returns the name. */
const char *rnnat_js_value(const rnnat_model *model, int32_t is_output, int32_t index,
                           int32_t about[6])
{
    rnnat_value_info info = {.struct_size = sizeof info};
    if (is_output)
        rnnat_model_output(model, index, &info);
    else
        rnnat_model_input(model, index, &info);
    about[0] = info.features;
    about[1] = info.indices;
    about[2] = info.has_time;
    about[3] = info.repeat;
    about[4] = info.stride;
    about[5] = info.latency;
    return info.name;
}

/* steps[i] = how many steps output i of a run has. */
rnnat_status rnnat_js_steps(const rnnat_model *model, int32_t num_outputs, int32_t time,
                            int32_t batch, const int32_t *lengths, const float *const *state_in,
                            int32_t *steps)
{
    const rnnat_run run = run_of(time, batch, NULL, NULL, lengths, state_in, NULL);
    for (int32_t i = 0; i < num_outputs; ++i) {
        const rnnat_status status = rnnat_model_run_steps(model, &run, i, &steps[i]);
        if (status != RNNAT_OK) return status;
    }
    return RNNAT_OK;
}

rnnat_status rnnat_js_run(const rnnat_model *model, int32_t time, int32_t batch,
                          const void *const *inputs, void *const *outputs, const int32_t *lengths,
                          const float *const *state_in, float *const *state_out)
{
    const rnnat_run run = run_of(time, batch, inputs, outputs, lengths, state_in, state_out);
    size_t need;
    rnnat_status status = rnnat_model_run_size(model, &run, &need);
    if (status != RNNAT_OK) return status;
    void *const scratch = malloc(need ? need : 1);
    if (!scratch) return RNNAT_ERROR_NO_MEMORY;
    status = rnnat_model_run(model, &run, scratch, need);
    free(scratch);
    return status;
}
