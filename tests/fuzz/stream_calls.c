/* Makes a stream and calls it as a fuzz input says: steps in pieces of any size, and between them
 * states, threads and new beginnings. */
#include "run_calls.h"
#include "stream_pair.h"

enum { MOST_ROWS = 1000, MOST_MEMORY = 1 << 22 };

static fuzz_block get_state(const fuzz_stream_pair *p, const rnnat_stream *stream, int32_t index)
{
    fuzz_block values = fuzz_take(fuzz_state_count(p->model, index, p->batch) * p->model->elem, 0);
    REQUIRE(rnnat_stream_get_state(stream, index, values.body) == RNNAT_OK);
    return values;
}

static void compare_states(const fuzz_stream_pair *p)
{
    for (int32_t s = 0; s < p->model->info.num_states; ++s) {
        fuzz_block a = get_state(p, p->one, s), b = get_state(p, p->other, s);
        REQUIRE(fuzz_same(a.body, b.body, a.size / p->model->elem, p->model->elem));
        free(a.heap);
        free(b.heap);
    }
}

static void set_state(fuzz_input *in, const fuzz_stream_pair *p)
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

static void set_threads(fuzz_input *in, const fuzz_stream_pair *p)
{
    const int32_t threads = fuzz_count(in, 4);
    REQUIRE((rnnat_stream_set_num_threads(p->one, threads) == RNNAT_OK) == (threads >= 1));
}

static void reset(const fuzz_stream_pair *p)
{
    REQUIRE(rnnat_stream_reset(p->one) == RNNAT_OK && rnnat_stream_reset(p->other) == RNNAT_OK);
}

void fuzz_calls_of_stream(fuzz_input *in, const fuzz_model *model, bool by_values)
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
    if (need > MOST_MEMORY || batch > MOST_ROWS) return;
    fuzz_block memory = fuzz_take(need, fuzz_byte(in) % 64);
    REQUIRE(rnnat_stream_init(memory.body, need - 1, model->made, batch, max_steps, &stream) ==
            RNNAT_ERROR_TOO_SMALL);
    REQUIRE(!stream && fuzz_unwritten(&memory));
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, batch, max_steps, &stream) ==
            RNNAT_OK);
    REQUIRE(rnnat_stream_size(model->made, batch, 1, &small) == RNNAT_OK);
    fuzz_block beside = fuzz_take(small, 0);
    fuzz_stream_pair p = {.model = model, .one = stream, .batch = batch};
    REQUIRE(rnnat_stream_init(beside.body, small, model->made, batch, 1, &p.other) == RNNAT_OK);
    for (int32_t calls = fuzz_choose(in, 1, 8); calls > 0; --calls) {
        switch (fuzz_byte(in) % 8) {
        case 5: set_state(in, &p); break;
        case 6: set_threads(in, &p); break;
        case 7: reset(&p); break;
        default: (by_values ? fuzz_steps_of_values : fuzz_steps_of_arrays)(in, &p);
        }
        compare_states(&p);
    }
    free(memory.heap);
    free(beside.heap);
}
