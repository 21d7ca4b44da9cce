/* Takes steps of a stream by x and y. */
#include "stream_pair.h"

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

void fuzz_steps_of_arrays(fuzz_input *in, const fuzz_stream_pair *p)
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
    free(x.heap);
    free(y.heap);
}
