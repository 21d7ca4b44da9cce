/* Calls the public functions of either precision with untyped arrays. */
#include "call.h"

_Static_assert(sizeof(rnnat_run) == sizeof(rnnat_run_f64), "they differ in their pointers' types");

fuzz_model fuzz_describe(rnnat_model *made)
{
    fuzz_model model = {.made = made, .info = {.struct_size = sizeof model.info}};
    REQUIRE(rnnat_model_describe(made, &model.info) == RNNAT_OK);
    model.elem = model.info.dtype == RNNAT_F32 ? sizeof(float) : sizeof(double);
    model.x_width = model.info.takes_indices ? 1 : model.info.input_size;
    model.x_elem = model.info.takes_indices ? sizeof(int32_t) : model.elem;
    return model;
}

size_t fuzz_state_count(const fuzz_model *model, int32_t index, int32_t batch)
{
    int32_t rows, features;
    REQUIRE(rnnat_model_state(model->made, index, &rows, &features) == RNNAT_OK);
    return (size_t)rows * (size_t)features * (size_t)batch;
}

void *fuzz_state_row(const fuzz_model *model, int32_t index, const fuzz_block *all, int32_t b,
                     int32_t batch)
{
    int32_t rows, features;
    REQUIRE(rnnat_model_state(model->made, index, &rows, &features) == RNNAT_OK);
    const size_t bytes = (size_t)features * model->elem;
    unsigned char *const row = malloc((size_t)rows * bytes);
    REQUIRE(row);
    for (int32_t r = 0; r < rows; ++r)
        memcpy(row + (size_t)r * bytes, all->body + (size_t)(r * batch + b) * bytes, bytes);
    return row;
}

static rnnat_run_f64 widen(const rnnat_run *run)
{
    rnnat_run_f64 wide;
    memcpy(&wide, run, sizeof wide);
    return wide;
}

rnnat_status fuzz_run_size(const rnnat_model *model, int32_t dtype, const rnnat_run *run,
                           size_t *need)
{
    if (dtype == RNNAT_F32) return rnnat_model_run_size(model, run, need);
    if (!run) return rnnat_model_run_size_f64(model, NULL, need);
    const rnnat_run_f64 wide = widen(run);
    return rnnat_model_run_size_f64(model, &wide, need);
}

rnnat_status fuzz_run(const rnnat_model *model, int32_t dtype, const rnnat_run *run, void *scratch,
                      size_t scratch_size)
{
    if (dtype == RNNAT_F32) return rnnat_model_run(model, run, scratch, scratch_size);
    if (!run) return rnnat_model_run_f64(model, NULL, scratch, scratch_size);
    const rnnat_run_f64 wide = widen(run);
    return rnnat_model_run_f64(model, &wide, scratch, scratch_size);
}

int32_t fuzz_run_steps(const fuzz_model *model, int32_t time)
{
    const rnnat_run all = {.struct_size = sizeof all, .time = time, .batch = 1};
    const rnnat_run_f64 wide = widen(&all);
    int32_t steps = -1;
    REQUIRE((model->info.dtype == RNNAT_F32
                 ? rnnat_model_run_steps(model->made, &all, 0, &steps)
                 : rnnat_model_run_steps_f64(model->made, &wide, 0, &steps)) == RNNAT_OK);
    return steps;
}

rnnat_status fuzz_stream_run(rnnat_stream *stream, int32_t dtype, bool indices, const void *x,
                             int32_t steps, void *y)
{
    if (dtype == RNNAT_F32)
        return indices ? rnnat_stream_run_indices(stream, x, steps, y)
                       : rnnat_stream_run(stream, x, steps, y);
    return indices ? rnnat_stream_run_indices_f64(stream, x, steps, y)
                   : rnnat_stream_run_f64(stream, x, steps, y);
}

static void stream_row(const fuzz_model *model, const fuzz_row *row, int32_t piece)
{
    const size_t x_step = (size_t)model->x_width * model->x_elem;
    const size_t y_step = (size_t)model->info.output_size * model->elem;
    size_t need = 0;
    rnnat_stream *stream = NULL;
    REQUIRE(rnnat_stream_size(model->made, 1, piece, &need) == RNNAT_OK);
    fuzz_block memory = fuzz_take(need, 3);
    REQUIRE(rnnat_stream_init(memory.body, need, model->made, 1, piece, &stream) == RNNAT_OK);
    for (int32_t s = 0; row->state_in && s < model->info.num_states; ++s)
        REQUIRE(rnnat_stream_set_state(stream, s, row->state_in[s]) == RNNAT_OK);
    for (int32_t first = 0; first < row->time; first += piece) {
        const int32_t steps = row->time - first < piece ? row->time - first : piece;
        fuzz_block y = fuzz_take((size_t)steps * y_step, 0);
        REQUIRE(fuzz_stream_run(stream, model->info.dtype, model->info.takes_indices,
                                (char *)row->x + (size_t)first * x_step, steps,
                                y.body) == RNNAT_OK);
        if (model->info.return_sequences)
            memcpy((char *)row->y + (size_t)first * y_step, y.body, y.size);
        else
            memcpy(row->y, y.body + y.size - y_step, y_step);
        free(y.heap);
    }
    for (int32_t s = 0; s < model->info.num_states; ++s)
        REQUIRE(rnnat_stream_get_state(stream, s, row->state_out[s]) == RNNAT_OK);
    free(memory.heap);
}

void fuzz_run_row(const fuzz_model *model, const fuzz_row *row, int32_t piece)
{
    if (piece) {
        stream_row(model, row, piece);
        return;
    }
    const bool indices = model->info.takes_indices;
    const rnnat_run run = {.struct_size = sizeof run,
                           .time = row->time,
                           .batch = 1,
                           .x = indices ? NULL : row->x,
                           .indices = indices ? row->x : NULL,
                           .y = row->y,
                           .state_in = (const float *const *)row->state_in,
                           .state_out = (float *const *)row->state_out,
                           .num_threads = 1};
    size_t need = 0;
    REQUIRE(fuzz_run_size(model->made, model->info.dtype, &run, &need) == RNNAT_OK);
    fuzz_block scratch = fuzz_take(need, 0);
    REQUIRE(fuzz_run(model->made, model->info.dtype, &run, scratch.body, need) == RNNAT_OK);
    free(scratch.heap);
}
