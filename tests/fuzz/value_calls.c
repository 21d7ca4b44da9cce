/* Runs all inputs and outputs of a model, with options out of a fuzz input, and judges what comes
 * of them. */
#include "call_options.h"
#include "run_calls.h"
#include "values.h"

/* One call: what it is told, and its arrays. */
typedef struct value_call {
    fuzz_call of;
    fuzz_values values;
    void *inputs[MOST_VALUES], *outputs[MOST_VALUES];
} value_call;

/* Pointers to all inputs and outputs, rarely one that is NULL, and what goes with none of them. */
static void choose_pointers(fuzz_input *in, const fuzz_model *model, value_call *c)
{
    const rnnat_model_info *const info = &model->info;
    rnnat_run *const run = &c->of.run;
    const bool empty = run->time == 0 || run->batch == 0;
    for (int32_t i = 0; i < info->num_inputs; ++i) {
        const bool read = fuzz_input_of(model, i).has_time ? !empty : run->batch > 0;
        c->inputs[i] = fuzz_rarely(in) ? NULL : c->values.inputs[i];
        if (!c->inputs[i] && read) c->of.size_ok = false;
    }
    for (int32_t i = 0; i < info->num_outputs; ++i) {
        const bool written = run->batch && (run->time || !fuzz_output_of(model, i).has_time);
        c->outputs[i] = fuzz_rarely(in) ? NULL : c->values.outputs[i];
        if (!c->outputs[i] && written) c->of.size_ok = false;
    }
    run->inputs = (const void *const *)c->inputs;
    run->outputs = c->outputs;
    if (!fuzz_rarely(in)) return;
    const bool ok = c->of.size_ok;
    c->of.size_ok = false;
    switch (fuzz_byte(in) % 6) {
    case 0: run->x = (const float *)(const void *)c->values.in[0].body; break;
    case 1: run->indices = (const int32_t *)(const void *)c->values.in[0].body; break;
    case 2: run->y = (float *)(void *)c->values.out[0].body; break;
    case 3: run->x_stride_time = 1; break;
    case 4: run->y_stride_batch = 1; break;
    default: /* x is NULL, too */
        run->inputs = NULL;
        c->of.size_ok = ok && info->num_inputs == 1 && empty;
    }
}

/* Each row is what it is alone, as a run or a stream. */
static void check_values(fuzz_input *in, const fuzz_model *model, const value_call *c)
{
    const fuzz_call *const of = &c->of;
    const int32_t piece = model->info.streamable ? fuzz_choose(in, 0, 4) : 0;
    for (int32_t b = 0; b < of->run.batch; ++b) {
        const int32_t time = fuzz_call_length(of, b);
        fuzz_values alone = fuzz_values_row(model, &c->values, b, time);
        void *state[MOST_VALUE_STATES];
        for (int32_t s = 0; s < model->info.num_states; ++s)
            state[s] = fuzz_state_row(model, s, &of->in[s], b, of->run.batch);
        void *const *const given = of->run.state_in ? state : NULL;
        if (piece && time)
            fuzz_values_stream(model, &alone, given, piece);
        else
            fuzz_values_run(model, &alone, given, NULL, 1);
        fuzz_values_compare(model, &c->values, b, &alone, of->run.state_out ? of->out : NULL);
        for (int32_t s = 0; s < model->info.num_states; ++s) free(state[s]);
        fuzz_values_end(model, &alone);
    }
}

/* A call whose arrays would be too large has only its scalar part. */
static void size_alone(const fuzz_model *model, value_call *c)
{
    size_t need = 77;
    char nothing = 0; /* that nobody reads or writes */
    for (int32_t i = 0; i < MOST_VALUES; ++i) c->inputs[i] = c->outputs[i] = &nothing;
    c->of.run.inputs = (const void *const *)c->inputs;
    c->of.run.outputs = c->outputs;
    const rnnat_status status = fuzz_run_size(model->made, c->of.dtype, &c->of.run, &need);
    REQUIRE((need == 77) == (status != RNNAT_OK));
    REQUIRE(c->of.size_ok ? status == RNNAT_OK || status == RNNAT_ERROR_OVERFLOW
                          : status != RNNAT_OK);
}

void fuzz_calls_of_values(fuzz_input *in, const fuzz_model *model)
{
    value_call c = {.of = fuzz_call_start(in, model)};
    const int32_t time = c.of.run.time, batch = c.of.run.batch;
    size_t need = 77;
    REQUIRE(fuzz_values_fit(model));
    if (time < 0 || time > MOST_TIME || batch < 0 || batch > MOST_BATCH) {
        size_alone(model, &c);
        return;
    }
    c.values = fuzz_values_take(model, time, batch, false);
    fuzz_values_choose(in, model, &c.values);
    choose_pointers(in, model, &c);
    fuzz_call_choose_lengths(in, &c.of);
    fuzz_call_choose_states(in, model, &c.of);
    if (c.of.run_ok && fuzz_rarely(in) && fuzz_values_spoil(in, model, &c.values, c.of.run.lengths))
        c.of.run_ok = false;
    const rnnat_status sized = fuzz_run_size(model->made, c.of.dtype, &c.of.run, &need);
    REQUIRE((sized == RNNAT_OK) == c.of.size_ok && (need == 77) == (sized != RNNAT_OK));
    const bool lacks = fuzz_rarely(in);
    fuzz_block scratch = fuzz_take(lacks ? need - 1 : need, fuzz_byte(in) % 64);
    const rnnat_status status =
        fuzz_run(model->made, c.of.dtype, &c.of.run, scratch.body, scratch.size);
    REQUIRE((status == RNNAT_OK) == (c.of.size_ok && c.of.run_ok && !lacks));
    if (status == RNNAT_OK) {
        REQUIRE(c.of.run.state_out || fuzz_call_states_unwritten(model, &c.of));
        check_values(in, model, &c);
    } else {
        REQUIRE(fuzz_values_unwritten(model, &c.values) && fuzz_unwritten(&scratch));
        REQUIRE(fuzz_call_states_unwritten(model, &c.of));
    }
    free(scratch.heap);
    fuzz_call_end(model, &c.of);
    fuzz_values_end(model, &c.values);
}
