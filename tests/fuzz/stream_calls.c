/* Takes steps of a stream in pieces of any size, and beside it each one alone. */
#include "run_calls.h"

enum { MOST_STEPS = 6, MOST_BATCH = 1000, MOST_MEMORY = 1 << 22 };

/* A stream, and beside it one of the same rows that takes every step alone. */
typedef struct pair {
    const fuzz_model *model;
    rnnat_stream *one, *other;
    int32_t batch;
} pair;

static fuzz_block get_state(const pair *p, const rnnat_stream *stream, int32_t index)
{
    fuzz_block values = fuzz_take(fuzz_state_count(p->model, index, p->batch) * p->model->elem, 0);
    REQUIRE(rnnat_stream_get_state(stream, index, values.body) == RNNAT_OK);
    return values;
}

static void compare_states(const pair *p)
{
    for (int32_t s = 0; s < p->model->info.num_states; ++s) {
        fuzz_block a = get_state(p, p->one, s), b = get_state(p, p->other, s);
        REQUIRE(fuzz_same(a.body, b.body, a.size / p->model->elem, p->model->elem));
        free(a.heap);
        free(b.heap);
    }
}

static void choose_x(fuzz_input *in, const fuzz_model *model, fuzz_block *x)
{
    const size_t count = x->size / model->x_elem;
    if (!model->info.takes_indices) {
        fuzz_numbers(in, x->body, count, model->elem);
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        const int32_t index = (int32_t)(i * 3 + count) % model->info.input_size;
        memcpy(x->body + i * sizeof index, &index, sizeof index);
    }
}

/* A run of some steps; or a wrong one, after which all is as before. */
static void run(fuzz_input *in, const pair *p)
{
    const fuzz_model *const model = p->model;
    const bool indices = model->info.takes_indices;
    const int32_t steps = fuzz_choose(in, 0, MOST_STEPS), batch = p->batch;
    const size_t x_step = (size_t)batch * (size_t)model->x_width * model->x_elem;
    const size_t y_step = (size_t)batch * (size_t)model->info.output_size * model->elem;
    fuzz_block x = fuzz_take((size_t)steps * x_step, 0), y = fuzz_take((size_t)steps * y_step, 0);
    choose_x(in, model, &x);
    const int32_t dtype = model->info.dtype;
    const bool empty = steps == 0;
    if (fuzz_rarely(in)) {
        bool right = false; /* what does not stop an empty run */
        rnnat_status status = RNNAT_OK;
        const int32_t wrong = model->info.input_size;
        switch (fuzz_byte(in) % 7) {
        case 0: status = fuzz_stream_run(p->one, 1 - dtype, indices, x.body, steps, y.body); break;
        case 1: status = fuzz_stream_run(p->one, dtype, !indices, x.body, steps, y.body); break;
        case 2: status = fuzz_stream_run(p->one, dtype, indices, x.body, -1, y.body); break;
        case 3: status = fuzz_stream_run(NULL, dtype, indices, x.body, steps, y.body); break;
        case 4:
            status = fuzz_stream_run(p->one, dtype, indices, NULL, steps, y.body);
            right = empty;
            break;
        case 5:
            status = fuzz_stream_run(p->one, dtype, indices, x.body, steps, NULL);
            right = empty;
            break;
        default:
            if (indices && !empty) memcpy(x.body + x.size - sizeof wrong, &wrong, sizeof wrong);
            if (indices) status = fuzz_stream_run(p->one, dtype, true, x.body, steps, y.body);
            right = !indices || empty;
        }
        REQUIRE((status == RNNAT_OK) == right && fuzz_unwritten(&y));
    } else {
        REQUIRE(fuzz_stream_run(p->one, dtype, indices, x.body, steps, y.body) == RNNAT_OK);
        for (int32_t t = 0; t < steps; ++t) {
            fuzz_block alone = fuzz_take(y_step, 0);
            REQUIRE(fuzz_stream_run(p->other, dtype, indices, x.body + (size_t)t * x_step, 1,
                                    alone.body) == RNNAT_OK);
            REQUIRE(fuzz_same(alone.body, y.body + (size_t)t * y_step, y_step / model->elem,
                              model->elem));
            free(alone.heap);
        }
    }
    compare_states(p);
    free(x.heap);
    free(y.heap);
}

static void set_state(fuzz_input *in, const pair *p)
{
    const int32_t count = p->model->info.num_states, index = fuzz_count(in, count);
    const bool right = index >= 0 && index < count;
    const size_t numbers = right ? fuzz_state_count(p->model, index, p->batch) : 0;
    fuzz_block values = fuzz_take(numbers * p->model->elem, 0);
    fuzz_numbers(in, values.body, numbers, p->model->elem);
    REQUIRE((rnnat_stream_set_state(p->one, index, values.body) == RNNAT_OK) == right);
    REQUIRE((rnnat_stream_set_state(p->other, index, values.body) == RNNAT_OK) == right);
    REQUIRE(right || rnnat_stream_get_state(p->one, index, values.body) != RNNAT_OK);
    REQUIRE(rnnat_stream_set_state(p->one, index, NULL) != RNNAT_OK);
    REQUIRE(rnnat_stream_set_state(NULL, index, values.body) != RNNAT_OK);
    free(values.heap);
}

static void set_threads(fuzz_input *in, const pair *p)
{
    const int32_t threads = fuzz_count(in, 4);
    REQUIRE((rnnat_stream_set_num_threads(p->one, threads) == RNNAT_OK) == (threads >= 1));
}

static void reset(const pair *p)
{
    REQUIRE(rnnat_stream_reset(p->one) == RNNAT_OK && rnnat_stream_reset(p->other) == RNNAT_OK);
    compare_states(p);
}

void fuzz_calls_of_stream(fuzz_input *in, const fuzz_model *model)
{
    const int32_t batch = fuzz_count(in, 6), max_steps = 1 + fuzz_count(in, 5) % INT32_MAX;
    size_t need = 77, small = 0;
    rnnat_stream *stream = NULL;
    rnnat_status status = rnnat_stream_size(model->made, batch, max_steps, &need);
    REQUIRE((status == RNNAT_OK) == (model->info.streamable && batch >= 1 && max_steps >= 1) ||
            status == RNNAT_ERROR_OVERFLOW);
    if (status != RNNAT_OK) {
        unsigned char byte = FUZZ_FILL;
        REQUIRE(need == 77);
        REQUIRE(rnnat_stream_init(&byte, 1, model->made, batch, max_steps, &stream) == status);
        REQUIRE(rnnat_stream_create(model->made, batch, max_steps, &stream) == status);
        REQUIRE(byte == FUZZ_FILL && !stream);
        return;
    }
    if (need > MOST_MEMORY || batch > MOST_BATCH) return;
    fuzz_block memory = fuzz_take(need, fuzz_byte(in) % 64);
    REQUIRE(rnnat_stream_init(memory.body, need - 1, model->made, batch, max_steps, &stream) ==
            RNNAT_ERROR_TOO_SMALL);
    REQUIRE(!stream && fuzz_unwritten(&memory));
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, batch, max_steps, &stream) ==
            RNNAT_OK);
    REQUIRE(rnnat_stream_size(model->made, batch, 1, &small) == RNNAT_OK);
    fuzz_block beside = fuzz_take(small, 0);
    pair p = {.model = model, .one = stream, .batch = batch};
    REQUIRE(rnnat_stream_init(beside.body, small, model->made, batch, 1, &p.other) == RNNAT_OK);
    for (int32_t calls = fuzz_choose(in, 1, 8); calls > 0; --calls) {
        switch (fuzz_byte(in) % 8) {
        case 5: set_state(in, &p); break;
        case 6: set_threads(in, &p); break;
        case 7: reset(&p); break;
        default: run(in, &p);
        }
    }
    free(memory.heap);
    free(beside.heap);
}
