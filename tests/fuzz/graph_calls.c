/* Runs of models with several inputs or outputs: rows of different lengths at once are each row alone
 * and, where there is one, its stream, in outputs and states. */
#include "graph_calls.h"

enum { MOST_VALUES = 16, MOST_STATES = 64, TIME = 5, BATCH = 2, PIECE = 2 };

/* Arrays of every input and output, [time, batch, features]. */
typedef struct values {
    int32_t time, batch;
    fuzz_block in[MOST_VALUES], out[MOST_VALUES], states[MOST_STATES];
    void *inputs[MOST_VALUES], *outputs[MOST_VALUES], *finals[MOST_STATES];
} values;

static rnnat_value_info input_of(const fuzz_model *model, int32_t index)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    REQUIRE(rnnat_model_input(model->made, index, &info) == RNNAT_OK);
    REQUIRE(info.name && info.has_time && info.features > 0 && info.indices >= 0);
    return info;
}

static rnnat_value_info output_of(const fuzz_model *model, int32_t index)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    REQUIRE(rnnat_model_output(model->made, index, &info) == RNNAT_OK);
    REQUIRE(info.name && info.features > 0 && info.indices == 0);
    return info;
}

/* Bytes of a step of a row of an input, and of an output. */
static size_t input_step(const fuzz_model *model, int32_t index)
{
    const rnnat_value_info info = input_of(model, index);
    return info.indices ? sizeof(int32_t) : (size_t)info.features * model->elem;
}
static size_t output_step(const fuzz_model *model, int32_t index)
{
    return (size_t)output_of(model, index).features * model->elem;
}

static values take(const fuzz_model *model, int32_t time, int32_t batch)
{
    values v = {.time = time, .batch = batch};
    const size_t steps = (size_t)time * (size_t)batch;
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        v.in[i] = fuzz_take(steps * input_step(model, i), 0);
        v.inputs[i] = v.in[i].body;
    }
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const bool has_time = output_of(model, i).has_time;
        v.out[i] = fuzz_take((has_time ? steps : (size_t)batch) * output_step(model, i), 0);
        v.outputs[i] = v.out[i].body;
    }
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        v.states[s] = fuzz_take(fuzz_state_count(model, s, batch) * model->elem, 0);
        v.finals[s] = v.states[s].body;
    }
    return v;
}

static void end(const fuzz_model *model, values *v)
{
    for (int32_t i = 0; i < model->info.num_inputs; ++i) free(v->in[i].heap);
    for (int32_t i = 0; i < model->info.num_outputs; ++i) free(v->out[i].heap);
    for (int32_t s = 0; s < model->info.num_states; ++s) free(v->states[s].heap);
}

static void choose(const fuzz_model *model, values *v)
{
    fuzz_input none = {NULL, NULL};
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const int32_t known = input_of(model, i).indices;
        if (!known) fuzz_numbers(&none, v->in[i].body, v->in[i].size / model->elem, model->elem);
        for (size_t k = 0; known && k < v->in[i].size / sizeof known; ++k)
            memcpy(v->in[i].body + k * sizeof known, &(int32_t){(int32_t)k * 7 % known},
                   sizeof known);
    }
}

static void run(const fuzz_model *model, values *v, const int32_t *lengths)
{
    const rnnat_run args = {.struct_size = sizeof args,
                            .time = v->time,
                            .batch = v->batch,
                            .inputs = (const void *const *)v->inputs,
                            .outputs = v->outputs,
                            .lengths = lengths,
                            .state_out = (float *const *)v->finals,
                            .num_threads = 2};
    size_t need = 0;
    REQUIRE(fuzz_run_size(model->made, model->info.dtype, &args, &need) == RNNAT_OK);
    fuzz_block scratch = fuzz_take(need, 5);
    REQUIRE(fuzz_run(model->made, model->info.dtype, &args, scratch.body, need) == RNNAT_OK);
    free(scratch.heap);
}

/* The same of one row as a stream, which gives what is made of last steps after each one. */
static void stream(const fuzz_model *model, values *v)
{
    size_t need = 0;
    rnnat_stream *made = NULL;
    REQUIRE(rnnat_stream_size(model->made, 1, PIECE, &need) == RNNAT_OK);
    fuzz_block memory = fuzz_take(need, 3);
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, 1, PIECE, &made) == RNNAT_OK);
    for (int32_t t = 0; t < v->time; ++t) {
        void *inputs[MOST_VALUES], *outputs[MOST_VALUES];
        for (int32_t i = 0; i < model->info.num_inputs; ++i)
            inputs[i] = v->in[i].body + (size_t)t * input_step(model, i);
        for (int32_t i = 0; i < model->info.num_outputs; ++i)
            outputs[i] = v->out[i].body +
                         (output_of(model, i).has_time ? (size_t)t * output_step(model, i) : 0);
        REQUIRE(rnnat_stream_run_values(made, (const void *const *)inputs, 1, outputs) == RNNAT_OK);
    }
    for (int32_t s = 0; s < model->info.num_states; ++s)
        REQUIRE(rnnat_stream_get_state(made, s, v->finals[s]) == RNNAT_OK);
    free(memory.heap);
}

/* Row b of `all` is `alone`, and zero past its end. */
static void compare(const fuzz_model *model, const values *all, int32_t b, const values *alone)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const rnnat_value_info info = output_of(model, i);
        const size_t bytes = output_step(model, i);
        for (int32_t t = 0; t < (info.has_time ? TIME : 1); ++t) {
            const unsigned char *const at = all->out[i].body + (size_t)(t * all->batch + b) * bytes;
            if (!info.has_time || t < alone->time)
                REQUIRE(fuzz_same(at, alone->out[i].body + (size_t)t * bytes, (size_t)info.features,
                                  model->elem));
            else
                for (size_t k = 0; k < bytes; ++k) REQUIRE(at[k] == 0);
        }
    }
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        void *const among = fuzz_state_row(model, s, &all->states[s], b, all->batch);
        REQUIRE(fuzz_same(among, alone->finals[s], fuzz_state_count(model, s, 1), model->elem));
        free(among);
    }
}

void fuzz_run_graph(const fuzz_model *model)
{
    const rnnat_model_info *const info = &model->info;
    const int32_t lengths[BATCH] = {TIME, TIME - 2};
    if (info->num_inputs > MOST_VALUES || info->num_outputs > MOST_VALUES) return;
    if (info->num_states > MOST_STATES) return;
    values all = take(model, TIME, BATCH);
    choose(model, &all);
    run(model, &all, lengths);
    for (int32_t b = 0; b < BATCH; ++b) {
        values alone = take(model, lengths[b], 1);
        for (int32_t i = 0; i < info->num_inputs; ++i) {
            const size_t bytes = input_step(model, i);
            for (int32_t t = 0; t < lengths[b]; ++t)
                memcpy(alone.in[i].body + (size_t)t * bytes,
                       all.in[i].body + (size_t)(t * BATCH + b) * bytes, bytes);
        }
        run(model, &alone, NULL);
        compare(model, &all, b, &alone);
        if (info->streamable) stream(model, &alone);
        compare(model, &all, b, &alone);
        end(model, &alone);
    }
    end(model, &all);
}
