/* Runs and streams of all inputs and outputs, with options out of a fuzz input, and judges what comes of
 * them. */
#include "run_calls.h"
#include "values.h"

enum { MOST_TIME = 7, MOST_BATCH = 7, MOST_STEPS = 6, MOST_MEMORY = 1 << 22 };

/* One call: what it is told, and what has to come of it. */
typedef struct value_call {
    rnnat_run run;
    int32_t dtype;
    fuzz_values values;
    fuzz_block lengths, in[MOST_VALUE_STATES];
    void *state_in[MOST_VALUE_STATES], *state_out[MOST_VALUE_STATES];
    void *inputs[MOST_VALUES], *outputs[MOST_VALUES];
    bool size_ok, run_ok;
} value_call;

/* Makes an index one that is none; returns whether some step counts that has it. */
static bool spoil_index(fuzz_input *in, const fuzz_model *model, const fuzz_values *v,
                        const int32_t *lengths)
{
    const int32_t index = fuzz_choose(in, 0, model->info.num_inputs - 1);
    const int32_t known = fuzz_input_of(model, index).indices;
    const int32_t wrong[] = {-1, known, INT32_MAX, INT32_MIN};
    if (!known || !v->in[index].size) return false;
    const size_t at = fuzz_byte(in) % (v->in[index].size / sizeof *wrong);
    memcpy(v->in[index].body + at * sizeof *wrong, wrong + fuzz_byte(in) % 4, sizeof *wrong);
    const size_t batch = (size_t)v->batch;
    return !lengths || (int32_t)(at / batch) < lengths[at % batch];
}

static void choose_row_lengths(fuzz_input *in, value_call *c)
{
    const size_t batch = (size_t)c->run.batch;
    c->lengths = fuzz_take(batch * sizeof(int32_t), 0);
    for (size_t b = 0; b < batch; ++b) {
        const int32_t length =
            fuzz_rarely(in) ? fuzz_count(in, 9) : fuzz_choose(in, 0, c->run.time);
        memcpy(c->lengths.body + b * sizeof length, &length, sizeof length);
        if (length < 0 || length > c->run.time) c->run_ok = false;
    }
    c->run.lengths = (const int32_t *)(const void *)c->lengths.body;
}

static void choose_state_arrays(fuzz_input *in, const fuzz_model *model, value_call *c)
{
    const bool gives = fuzz_byte(in) % 2, wants = fuzz_byte(in) % 4 != 3;
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        const size_t count = fuzz_state_count(model, s, c->run.batch);
        c->in[s] = fuzz_take(count * model->elem, 0);
        fuzz_numbers(in, c->in[s].body, count, model->elem);
        c->state_in[s] = fuzz_rarely(in) ? NULL : c->in[s].body;
        c->state_out[s] = fuzz_rarely(in) ? NULL : c->values.finals[s];
        if (c->run.batch && ((gives && !c->state_in[s]) || (wants && !c->state_out[s])))
            c->run_ok = false;
    }
    if (gives) c->run.state_in = (const float *const *)c->state_in;
    if (wants) c->run.state_out = (float *const *)c->state_out;
}

/* Pointers to all inputs and outputs, rarely one that is NULL, and what goes with none of them. */
static void choose_pointers(fuzz_input *in, const fuzz_model *model, value_call *c)
{
    const rnnat_model_info *const info = &model->info;
    const bool empty = c->run.time == 0 || c->run.batch == 0;
    for (int32_t i = 0; i < info->num_inputs; ++i) {
        c->inputs[i] = fuzz_rarely(in) ? NULL : c->values.inputs[i];
        if (!c->inputs[i] && !empty) c->size_ok = false;
    }
    for (int32_t i = 0; i < info->num_outputs; ++i) {
        const bool written = c->run.batch && (c->run.time || !fuzz_output_of(model, i).has_time);
        c->outputs[i] = fuzz_rarely(in) ? NULL : c->values.outputs[i];
        if (!c->outputs[i] && written) c->size_ok = false;
    }
    c->run.inputs = (const void *const *)c->inputs;
    c->run.outputs = c->outputs;
    if (!fuzz_rarely(in)) return;
    const bool ok = c->size_ok;
    c->size_ok = false;
    switch (fuzz_byte(in) % 6) {
    case 0: c->run.x = (const float *)(const void *)c->values.in[0].body; break;
    case 1: c->run.indices = (const int32_t *)(const void *)c->values.in[0].body; break;
    case 2: c->run.y = (float *)(void *)c->values.out[0].body; break;
    case 3: c->run.x_stride_time = 1; break;
    case 4: c->run.y_stride_batch = 1; break;
    default: /* x is NULL, too */
        c->run.inputs = NULL;
        c->size_ok = ok && info->num_inputs == 1 && empty;
    }
}

/* False where batch or time is no size of arrays. */
static bool choose_values(fuzz_input *in, const fuzz_model *model, value_call *c)
{
    static const int32_t threads[] = {1, 1, 2, 3, 0, 7, 64, INT32_MAX};
    *c = (value_call){.run = {.struct_size = sizeof c->run}, .dtype = model->info.dtype};
    rnnat_run *const run = &c->run;
    run->time = fuzz_count(in, MOST_TIME);
    run->batch = fuzz_count(in, MOST_BATCH);
    run->num_threads = fuzz_rarely(in) ? -1 - fuzz_byte(in) : threads[fuzz_byte(in) % 8];
    if (fuzz_rarely(in)) run->struct_size = fuzz_byte(in);
    if (fuzz_rarely(in)) c->dtype = 1 - c->dtype;
    c->size_ok = run->struct_size == sizeof *run && c->dtype == model->info.dtype &&
                 run->time >= 0 && run->batch >= 0 && run->num_threads >= 0;
    c->run_ok = true;
    return run->time >= 0 && run->batch >= 0 && run->time <= MOST_TIME && run->batch <= MOST_BATCH;
}

static void end_values(const fuzz_model *model, value_call *c)
{
    for (int32_t s = 0; s < model->info.num_states; ++s) free(c->in[s].heap);
    free(c->lengths.heap);
    fuzz_values_end(model, &c->values);
}

/* Each row is what it is alone, as a run or a stream. */
static void check_values(fuzz_input *in, const fuzz_model *model, const value_call *c)
{
    const int32_t piece = model->info.streamable ? fuzz_choose(in, 0, 4) : 0;
    for (int32_t b = 0; b < c->run.batch; ++b) {
        const int32_t time = c->run.lengths ? c->run.lengths[b] : c->run.time;
        fuzz_values alone = fuzz_values_row(model, &c->values, b, time);
        void *state[MOST_VALUE_STATES];
        for (int32_t s = 0; s < model->info.num_states; ++s)
            state[s] = fuzz_state_row(model, s, &c->in[s], b, c->run.batch);
        void *const *const given = c->run.state_in ? state : NULL;
        if (piece && time)
            fuzz_values_stream(model, &alone, given, piece);
        else
            fuzz_values_run(model, &alone, given, NULL, 1);
        fuzz_values_compare(model, &c->values, b, &alone, c->run.state_out != NULL);
        for (int32_t s = 0; s < model->info.num_states; ++s) free(state[s]);
        fuzz_values_end(model, &alone);
    }
}

static void require_unwritten(const fuzz_model *model, const fuzz_values *v)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i) REQUIRE(fuzz_unwritten(&v->out[i]));
    for (int32_t s = 0; s < model->info.num_states; ++s) REQUIRE(fuzz_unwritten(&v->states[s]));
}

void fuzz_calls_of_values(fuzz_input *in, const fuzz_model *model)
{
    value_call c;
    size_t need = 77;
    REQUIRE(fuzz_values_fit(model));
    if (!choose_values(in, model, &c)) {
        char nothing = 0; /* that nobody reads or writes */
        for (int32_t i = 0; i < MOST_VALUES; ++i) c.inputs[i] = c.outputs[i] = &nothing;
        c.run.inputs = (const void *const *)c.inputs;
        c.run.outputs = c.outputs;
        const rnnat_status status = fuzz_run_size(model->made, c.dtype, &c.run, &need);
        REQUIRE(c.size_ok ? status == RNNAT_OK || status == RNNAT_ERROR_OVERFLOW
                          : status != RNNAT_OK);
        return;
    }
    c.values = fuzz_values_take(model, c.run.time, c.run.batch, false);
    fuzz_values_choose(in, model, &c.values);
    choose_pointers(in, model, &c);
    if (fuzz_byte(in) % 2) choose_row_lengths(in, &c);
    choose_state_arrays(in, model, &c);
    if (c.run_ok && fuzz_rarely(in) && spoil_index(in, model, &c.values, c.run.lengths))
        c.run_ok = false;
    const rnnat_status sized = fuzz_run_size(model->made, c.dtype, &c.run, &need);
    REQUIRE((sized == RNNAT_OK) == c.size_ok && (need == 77) == (sized != RNNAT_OK));
    const bool lacks = fuzz_rarely(in);
    fuzz_block scratch = fuzz_take(lacks ? need - 1 : need, fuzz_byte(in) % 64);
    const rnnat_status status = fuzz_run(model->made, c.dtype, &c.run, scratch.body, scratch.size);
    REQUIRE((status == RNNAT_OK) == (c.size_ok && c.run_ok && !lacks));
    if (status == RNNAT_OK) {
        if (!c.run.state_out)
            for (int32_t s = 0; s < model->info.num_states; ++s)
                REQUIRE(fuzz_unwritten(&c.values.states[s]));
        check_values(in, model, &c);
    } else {
        require_unwritten(model, &c.values);
        REQUIRE(fuzz_unwritten(&scratch));
    }
    free(scratch.heap);
    end_values(model, &c);
}

/* ---- streams ---- */

/* A stream, and beside it one of the same rows that takes every step alone. */
typedef struct stream_pair {
    rnnat_stream *one, *other;
    int32_t batch;
} stream_pair;

static void compare_pair(const fuzz_model *model, const stream_pair *p)
{
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        const size_t count = fuzz_state_count(model, s, p->batch);
        fuzz_block a = fuzz_take(count * model->elem, 0), b = fuzz_take(count * model->elem, 0);
        REQUIRE(rnnat_stream_get_state(p->one, s, a.body) == RNNAT_OK);
        REQUIRE(rnnat_stream_get_state(p->other, s, b.body) == RNNAT_OK);
        REQUIRE(fuzz_same(a.body, b.body, count, model->elem));
        free(a.heap);
        free(b.heap);
    }
}

/* A call that has to be refused, unless there is nothing to do; it has written nothing. */
static void call_wrongly(fuzz_input *in, const fuzz_model *model, const stream_pair *p,
                         fuzz_values *v)
{
    const int kind = fuzz_byte(in) % 7;
    const int32_t steps = kind == 0 ? -1 : v->time;
    const bool empty = steps == 0;
    bool right = false;
    void **const array = kind == 1 ? v->inputs : v->outputs;
    if (kind == 1 || kind == 2) {
        array[fuzz_byte(in) % (kind == 1 ? model->info.num_inputs : model->info.num_outputs)] =
            NULL;
        right = empty;
    }
    if (kind == 3) right = !spoil_index(in, model, v, NULL);
    if (right && !empty) return;
    const rnnat_status status = rnnat_stream_run_values(
        kind == 4 ? NULL : p->one, kind == 5 ? NULL : (const void *const *)v->inputs, steps,
        kind == 6 ? NULL : v->outputs);
    REQUIRE((status == RNNAT_OK) == right);
    for (int32_t i = 0; i < model->info.num_outputs; ++i) REQUIRE(fuzz_unwritten(&v->out[i]));
}

static void run_steps(fuzz_input *in, const fuzz_model *model, const stream_pair *p)
{
    const int32_t steps = fuzz_choose(in, 0, MOST_STEPS);
    fuzz_values v = fuzz_values_take(model, steps, p->batch, true);
    fuzz_values_choose(in, model, &v);
    if (fuzz_rarely(in)) {
        call_wrongly(in, model, p, &v);
        fuzz_values_end(model, &v);
        return;
    }
    REQUIRE(fuzz_values_step(model, p->one, &v, 0, steps) == RNNAT_OK);
    fuzz_values each = fuzz_values_take(model, steps, p->batch, true);
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        if (v.in[i].size) memcpy(each.in[i].body, v.in[i].body, v.in[i].size);
    for (int32_t t = 0; t < steps; ++t)
        REQUIRE(fuzz_values_step(model, p->other, &each, t, 1) == RNNAT_OK);
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        REQUIRE(
            fuzz_same(v.out[i].body, each.out[i].body, v.out[i].size / model->elem, model->elem));
    fuzz_values_end(model, &v);
    fuzz_values_end(model, &each);
}

static void set_states(fuzz_input *in, const fuzz_model *model, const stream_pair *p)
{
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        const size_t count = fuzz_state_count(model, s, p->batch);
        fuzz_block values = fuzz_take(count * model->elem, 0);
        fuzz_numbers(in, values.body, count, model->elem);
        REQUIRE(rnnat_stream_set_state(p->one, s, values.body) == RNNAT_OK);
        REQUIRE(rnnat_stream_set_state(p->other, s, values.body) == RNNAT_OK);
        free(values.heap);
    }
}

void fuzz_calls_of_value_stream(fuzz_input *in, const fuzz_model *model)
{
    stream_pair p = {.batch = fuzz_choose(in, 1, MOST_BATCH)};
    const int32_t max_steps = fuzz_choose(in, 1, MOST_STEPS);
    size_t need = 0, small = 0;
    REQUIRE(fuzz_values_fit(model));
    const rnnat_status status = rnnat_stream_size(model->made, p.batch, max_steps, &need);
    REQUIRE((status == RNNAT_OK) == (model->info.streamable != 0));
    if (status != RNNAT_OK || need > MOST_MEMORY) return;
    REQUIRE(rnnat_stream_size(model->made, p.batch, 1, &small) == RNNAT_OK);
    fuzz_block memory = fuzz_take(need, fuzz_byte(in) % 64), beside = fuzz_take(small, 0);
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, p.batch, max_steps, &p.one) ==
            RNNAT_OK);
    REQUIRE(rnnat_stream_init(beside.body, small, model->made, p.batch, 1, &p.other) == RNNAT_OK);
    for (int32_t calls = fuzz_choose(in, 1, 8); calls > 0; --calls) {
        switch (fuzz_byte(in) % 8) {
        case 5: set_states(in, model, &p); break;
        case 6:
            REQUIRE(rnnat_stream_set_num_threads(p.one, fuzz_choose(in, 1, 4)) == RNNAT_OK);
            break;
        case 7:
            REQUIRE(rnnat_stream_reset(p.one) == RNNAT_OK);
            REQUIRE(rnnat_stream_reset(p.other) == RNNAT_OK);
            break;
        default: run_steps(in, model, &p);
        }
        compare_pair(model, &p);
    }
    free(memory.heap);
    free(beside.heap);
}
