/* Takes, fills, runs and compares arrays of all inputs, outputs and states of a model. */
#include "values.h"

bool fuzz_values_fit(const fuzz_model *model)
{
    const rnnat_model_info *const info = &model->info;
    return info->num_inputs <= MOST_VALUES && info->num_outputs <= MOST_VALUES &&
           info->num_states <= MOST_VALUE_STATES;
}

rnnat_value_info fuzz_input_of(const fuzz_model *model, int32_t index)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    REQUIRE(rnnat_model_input(model->made, index, &info) == RNNAT_OK);
    REQUIRE(info.name && info.features > 0 && info.indices >= 0);
    return info;
}

rnnat_value_info fuzz_output_of(const fuzz_model *model, int32_t index)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    REQUIRE(rnnat_model_output(model->made, index, &info) == RNNAT_OK);
    REQUIRE(info.name && info.features > 0 && info.indices == 0);
    return info;
}

size_t fuzz_input_step(const fuzz_model *model, int32_t index)
{
    const rnnat_value_info info = fuzz_input_of(model, index);
    return info.indices ? sizeof(int32_t) : (size_t)info.features * model->elem;
}

size_t fuzz_output_step(const fuzz_model *model, int32_t index)
{
    return (size_t)fuzz_output_of(model, index).features * model->elem;
}

fuzz_values fuzz_values_take(const fuzz_model *model, int32_t time, int32_t batch, bool stream)
{
    fuzz_values v = {.time = time, .batch = batch};
    const size_t steps = (size_t)time * (size_t)batch;
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const bool has_time = fuzz_input_of(model, i).has_time;
        v.in[i] = fuzz_take((has_time ? steps : (size_t)batch) * fuzz_input_step(model, i), 0);
        v.inputs[i] = v.in[i].body;
    }
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const bool has_time = stream || fuzz_output_of(model, i).has_time;
        v.out[i] = fuzz_take((has_time ? steps : (size_t)batch) * fuzz_output_step(model, i), 0);
        v.outputs[i] = v.out[i].body;
    }
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        v.states[s] = fuzz_take(fuzz_state_count(model, s, batch) * model->elem, 0);
        v.finals[s] = v.states[s].body;
    }
    return v;
}

void fuzz_values_end(const fuzz_model *model, fuzz_values *v)
{
    for (int32_t i = 0; i < model->info.num_inputs; ++i) free(v->in[i].heap);
    for (int32_t i = 0; i < model->info.num_outputs; ++i) free(v->out[i].heap);
    for (int32_t s = 0; s < model->info.num_states; ++s) free(v->states[s].heap);
}

bool fuzz_values_unwritten(const fuzz_model *model, const fuzz_values *v)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (!fuzz_unwritten(&v->out[i])) return false;
    for (int32_t s = 0; s < model->info.num_states; ++s)
        if (!fuzz_unwritten(&v->states[s])) return false;
    return true;
}

void fuzz_values_choose(fuzz_input *in, const fuzz_model *model, fuzz_values *v)
{
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const int32_t known = fuzz_input_of(model, i).indices;
        if (!known) fuzz_numbers(in, v->in[i].body, v->in[i].size / model->elem, model->elem);
        for (size_t k = 0; known && k < v->in[i].size / sizeof known; ++k)
            memcpy(v->in[i].body + k * sizeof known, &(int32_t){(int32_t)k * 7 % known},
                   sizeof known);
    }
}

bool fuzz_values_spoil(fuzz_input *in, const fuzz_model *model, fuzz_values *v,
                       const int32_t *lengths)
{
    const int32_t index = fuzz_choose(in, 0, model->info.num_inputs - 1);
    const int32_t known = fuzz_input_of(model, index).indices;
    const int32_t wrong[] = {-1, known, INT32_MAX, INT32_MIN};
    if (!known || !v->in[index].size) return false;
    const size_t at = fuzz_byte(in) % (v->in[index].size / sizeof *wrong);
    memcpy(v->in[index].body + at * sizeof *wrong, wrong + fuzz_byte(in) % 4, sizeof *wrong);
    const size_t batch = (size_t)v->batch;
    return !lengths || !fuzz_input_of(model, index).has_time ||
           (int32_t)(at / batch) < lengths[at % batch];
}

fuzz_values fuzz_values_row(const fuzz_model *model, const fuzz_values *all, int32_t b,
                            int32_t time)
{
    fuzz_values alone = fuzz_values_take(model, time, 1, false);
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const size_t bytes = fuzz_input_step(model, i);
        const int32_t steps = fuzz_input_of(model, i).has_time ? time : 1;
        for (int32_t t = 0; t < steps; ++t)
            memcpy(alone.in[i].body + (size_t)t * bytes,
                   all->in[i].body + (size_t)(t * all->batch + b) * bytes, bytes);
    }
    return alone;
}

void fuzz_values_run(const fuzz_model *model, fuzz_values *v, void *const *state_in,
                     const int32_t *lengths, int32_t threads)
{
    const rnnat_run args = {.struct_size = sizeof args,
                            .time = v->time,
                            .batch = v->batch,
                            .inputs = (const void *const *)v->inputs,
                            .outputs = v->outputs,
                            .lengths = lengths,
                            .state_in = (const float *const *)state_in,
                            .state_out = (float *const *)v->finals,
                            .num_threads = threads};
    size_t need = 0;
    REQUIRE(fuzz_run_size(model->made, model->info.dtype, &args, &need) == RNNAT_OK);
    fuzz_block scratch = fuzz_take(need, 5);
    REQUIRE(fuzz_run(model->made, model->info.dtype, &args, scratch.body, need) == RNNAT_OK);
    free(scratch.heap);
}

rnnat_status fuzz_values_step(const fuzz_model *model, rnnat_stream *stream, const fuzz_values *v,
                              int32_t first, int32_t steps)
{
    const size_t rows = (size_t)first * (size_t)v->batch;
    const void *inputs[MOST_VALUES];
    void *outputs[MOST_VALUES];
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        inputs[i] = v->in[i].body +
                    (fuzz_input_of(model, i).has_time ? rows * fuzz_input_step(model, i) : 0);
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        outputs[i] = v->out[i].body + rows * fuzz_output_step(model, i);
    return rnnat_stream_run_values(stream, inputs, steps, outputs);
}

void fuzz_values_stream(const fuzz_model *model, fuzz_values *v, void *const *state_in,
                        int32_t piece)
{
    size_t need = 0;
    rnnat_stream *made = NULL;
    fuzz_values all = fuzz_values_take(model, v->time, v->batch, true);
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        if (all.in[i].size) memcpy(all.in[i].body, v->in[i].body, all.in[i].size);
    REQUIRE(rnnat_stream_size(model->made, v->batch, piece, &need) == RNNAT_OK);
    fuzz_block memory = fuzz_take(need, 3);
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, v->batch, piece, &made) == RNNAT_OK);
    for (int32_t s = 0; state_in && s < model->info.num_states; ++s)
        REQUIRE(rnnat_stream_set_state(made, s, state_in[s]) == RNNAT_OK);
    for (int32_t t = 0; t < v->time; t += piece)
        REQUIRE(fuzz_values_step(model, made, &all, t, v->time - t < piece ? v->time - t : piece) ==
                RNNAT_OK);
    for (int32_t i = 0; v->time && i < model->info.num_outputs; ++i) /* all steps, or the last */
        memcpy(v->out[i].body, all.out[i].body + all.out[i].size - v->out[i].size, v->out[i].size);
    for (int32_t s = 0; s < model->info.num_states; ++s)
        REQUIRE(rnnat_stream_get_state(made, s, v->finals[s]) == RNNAT_OK);
    free(memory.heap);
    fuzz_values_end(model, &all);
}

void fuzz_values_compare(const fuzz_model *model, const fuzz_values *all, int32_t b,
                         const fuzz_values *alone, const fuzz_block *states)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const rnnat_value_info info = fuzz_output_of(model, i);
        const size_t bytes = fuzz_output_step(model, i);
        for (int32_t t = 0; t < (info.has_time ? all->time : 1); ++t) {
            const unsigned char *const at = all->out[i].body + (size_t)(t * all->batch + b) * bytes;
            if (!info.has_time || t < alone->time)
                REQUIRE(fuzz_same(at, alone->out[i].body + (size_t)t * bytes, (size_t)info.features,
                                  model->elem));
            else
                for (size_t k = 0; k < bytes; ++k) REQUIRE(at[k] == 0);
        }
    }
    for (int32_t s = 0; states && s < model->info.num_states; ++s) {
        void *const among = fuzz_state_row(model, s, &states[s], b, all->batch);
        REQUIRE(fuzz_same(among, alone->finals[s], fuzz_state_count(model, s, 1), model->elem));
        free(among);
    }
}
