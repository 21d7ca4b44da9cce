/* Chooses what every run is told out of a fuzz input, and says what has to come of it. */
#include "call_options.h"

fuzz_call fuzz_call_start(fuzz_input *in, const fuzz_model *model)
{
    static const int32_t threads[] = {1, 1, 2, 3, 0, 7, 64, INT32_MAX};
    fuzz_call c = {.run = {.struct_size = sizeof c.run}, .dtype = model->info.dtype};
    rnnat_run *const run = &c.run;
    run->time = fuzz_count(in, MOST_TIME);
    run->batch = fuzz_count(in, MOST_BATCH);
    run->num_threads = fuzz_rarely(in) ? -1 - fuzz_byte(in) : threads[fuzz_byte(in) % 8];
    if (fuzz_rarely(in)) run->struct_size = fuzz_byte(in);
    if (fuzz_rarely(in)) c.dtype = 1 - c.dtype;
    c.size_ok = run->struct_size == sizeof *run && c.dtype == model->info.dtype && run->time >= 0 &&
                run->batch >= 0 && run->num_threads >= 0;
    c.run_ok = true;
    return c;
}

void fuzz_call_choose_lengths(fuzz_input *in, fuzz_call *c)
{
    if (fuzz_byte(in) % 2 == 0) return;
    const int32_t batch = c->run.batch > 0 ? c->run.batch : 0;
    c->lengths = fuzz_take((size_t)batch * sizeof(int32_t), 0);
    for (int32_t b = 0; b < batch; ++b) {
        int32_t length = fuzz_choose(in, 0, c->run.time > 0 ? c->run.time : 0);
        if (fuzz_rarely(in)) length = fuzz_count(in, 9);
        memcpy(c->lengths.body + (size_t)b * sizeof length, &length, sizeof length);
        if (length < 0 || length > c->run.time) c->run_ok = false;
    }
    c->run.lengths = (const int32_t *)(const void *)c->lengths.body;
}

void fuzz_call_choose_states(fuzz_input *in, const fuzz_model *model, fuzz_call *c)
{
    const int32_t batch = c->run.batch > 0 ? c->run.batch : 0;
    const bool gives = fuzz_byte(in) % 2, wants = fuzz_byte(in) % 4 != 3;
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        const size_t count = fuzz_state_count(model, s, batch);
        c->in[s] = fuzz_take(count * model->elem, 0);
        c->out[s] = fuzz_take(count * model->elem, 0);
        fuzz_numbers(in, c->in[s].body, count, model->elem);
        c->state_in[s] = fuzz_rarely(in) ? NULL : c->in[s].body;
        c->state_out[s] = fuzz_rarely(in) ? NULL : c->out[s].body;
        if (batch && ((gives && !c->state_in[s]) || (wants && !c->state_out[s]))) c->run_ok = false;
    }
    if (gives) c->run.state_in = (const float *const *)c->state_in;
    if (wants) c->run.state_out = (float *const *)c->state_out;
}

void fuzz_call_end(const fuzz_model *model, fuzz_call *c)
{
    free(c->lengths.heap);
    for (int32_t s = 0; s < model->info.num_states; ++s) {
        free(c->in[s].heap);
        free(c->out[s].heap);
    }
}

int32_t fuzz_call_length(const fuzz_call *c, int32_t b)
{
    return c->run.lengths ? c->run.lengths[b] : c->run.time;
}

bool fuzz_call_states_unwritten(const fuzz_model *model, const fuzz_call *c)
{
    for (int32_t s = 0; s < model->info.num_states; ++s)
        if (!fuzz_unwritten(&c->out[s])) return false;
    return true;
}
