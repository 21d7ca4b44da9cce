/* Takes steps of a stream by arrays of all inputs and outputs. */
#include "stream_pair.h"
#include "values.h"

/* A call that has to be refused, unless there is nothing to do; it has written nothing. */
static void call_wrongly(fuzz_input *in, const fuzz_stream_pair *p, fuzz_values *v)
{
    const fuzz_model *const model = p->model;
    const int kind = fuzz_byte(in) % 7;
    const int32_t steps = kind == 0 ? -1 : v->time;
    const bool empty = steps == 0;
    bool right = false;
    if (kind == 1) v->inputs[fuzz_choose(in, 0, model->info.num_inputs - 1)] = NULL;
    if (kind == 2) v->outputs[fuzz_choose(in, 0, model->info.num_outputs - 1)] = NULL;
    if (kind == 1 || kind == 2) right = empty;
    if (kind == 3) right = !fuzz_values_spoil(in, model, v, NULL) || empty;
    if (right && !empty) return; /* no input is of indices */
    const rnnat_status status = rnnat_stream_run_values(
        kind == 4 ? NULL : p->one, kind == 5 ? NULL : (const void *const *)v->inputs, steps,
        kind == 6 ? NULL : v->outputs);
    REQUIRE((status == RNNAT_OK) == right && fuzz_values_unwritten(model, v));
}

void fuzz_steps_of_values(fuzz_input *in, const fuzz_stream_pair *p)
{
    const fuzz_model *const model = p->model;
    const int32_t steps = fuzz_choose(in, 0, MOST_STEPS);
    REQUIRE(fuzz_values_fit(model));
    fuzz_values v = fuzz_values_take(model, steps, p->batch, true);
    fuzz_values_choose(in, model, &v);
    if (fuzz_rarely(in)) {
        call_wrongly(in, p, &v);
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
