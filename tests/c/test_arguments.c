/* Arguments: whatever is wrong with one, the call says so and writes nothing. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "model_file.h"
#include "weights/blas.h"

/* True where the call gave what it should. */
static bool gives(rnnat_status status, rnnat_status expected)
{
    if (status == expected) return true;
    fprintf(stderr, "expected %s, got %s\n", rnnat_status_name(expected),
            rnnat_status_name(status));
    return false;
}

/* ---- what the rest works with ---- */

enum { INPUT = 3, HIDDEN = 4, TIME = 2, BATCH = 2 };

static test_model model, embedded, wide;
static test_bytes file;
static rnnat_model *of_features, *of_indices, *of_double, *whole; /* whole: needs all of time */

static test_layer lstm(rnnat_direction direction, int32_t layers)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = TEST_LSTM,
                        .input_size = INPUT,
                        .output_size = HIDDEN,
                        .num_layers = layers,
                        .direction = direction,
                        .bias = true};
}

static void set_up(void)
{
    test_model_start(&model, 1);
    test_model_add(&model, lstm(RNNAT_FORWARD, 1));
    test_model_start(&embedded, 2);
    test_model_add(&embedded,
                   (test_layer){.kind = TEST_EMBEDDING, .input_size = 5, .output_size = INPUT});
    test_model_add(&embedded, lstm(RNNAT_FORWARD, 1));
    test_model_start(&wide, 3);
    test_model_add(&wide, lstm(RNNAT_BIDIRECTIONAL, 2));
    file = test_model_bytes(&model);
    of_features = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_AUTO);
    of_double = test_model_make(&model, RNNAT_F64, RNNAT_MATMUL_AUTO);
    of_indices = test_model_make(&embedded, RNNAT_F32, RNNAT_MATMUL_AUTO);
    whole = test_model_make(&wide, RNNAT_F32, RNNAT_MATMUL_AUTO);
}

static void tear_down(void)
{
    rnnat_model_free(of_features);
    rnnat_model_free(of_double);
    rnnat_model_free(of_indices);
    rnnat_model_free(whole);
    free(file.bytes);
    test_model_end(&model);
    test_model_end(&embedded);
    test_model_end(&wide);
}

/* ---- making models ---- */

static void test_model_calls(void)
{
    char memory[64];
    rnnat_model *made = NULL;
    size_t need = 3;
    rnnat_model_options wrong[] = {
        {.struct_size = 0},
        {.struct_size = sizeof *wrong - 1},
        {.struct_size = sizeof *wrong + 8},
        {.struct_size = sizeof *wrong, .dtype = 2},
        {.struct_size = sizeof *wrong, .dtype = -1},
        {.struct_size = sizeof *wrong, .matmul = 3},
        {.struct_size = sizeof *wrong, .matmul = -1},
    };
    const rnnat_status argument = RNNAT_ERROR_ARGUMENT;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        CHECK(gives(rnnat_model_from_memory(file.bytes, file.size, &wrong[i], &made), argument));
        CHECK(gives(rnnat_model_size(file.bytes, file.size, &wrong[i], &need), argument));
        CHECK(
            gives(rnnat_model_init(memory, sizeof memory, file.bytes, file.size, &wrong[i], &made),
                  argument));
    }
    CHECK(gives(rnnat_model_from_memory(NULL, file.size, NULL, &made), argument));
    CHECK(gives(rnnat_model_from_memory(file.bytes, file.size, NULL, NULL), argument));
    CHECK(gives(rnnat_model_size(NULL, file.size, NULL, &need), argument));
    CHECK(gives(rnnat_model_size(file.bytes, file.size, NULL, NULL), argument));
    CHECK(gives(rnnat_model_init(NULL, 0, file.bytes, file.size, NULL, &made), argument));
    CHECK(gives(rnnat_model_init(memory, 64, NULL, file.size, NULL, &made), argument));
    CHECK(gives(rnnat_model_init(memory, 64, file.bytes, file.size, NULL, NULL), argument));
    CHECK(gives(rnnat_model_init(memory, 64, file.bytes, file.size, NULL, &made),
                RNNAT_ERROR_TOO_SMALL));
    CHECK(gives(rnnat_model_from_memory(file.bytes, 7, NULL, &made), RNNAT_ERROR_FORMAT));
    CHECK(gives(rnnat_model_load(NULL, NULL, &made), argument));
    CHECK(gives(rnnat_model_load("a", NULL, NULL), argument));
    CHECK(gives(rnnat_model_load("no/such/file", NULL, &made), RNNAT_ERROR_IO));
    CHECK(gives(rnnat_model_load(".", NULL, &made), RNNAT_ERROR_IO)); /* a directory */
    CHECK(rnnat_blas_use(NULL));
    const rnnat_model_options blas = {.struct_size = sizeof blas, .matmul = RNNAT_MATMUL_BLAS};
    CHECK(gives(rnnat_model_from_memory(file.bytes, file.size, &blas, &made),
                RNNAT_ERROR_UNSUPPORTED));
    CHECK(made == NULL && need == 3);

    rnnat_model_info info = {.struct_size = sizeof info - 1};
    int32_t rows = 5, features = 6;
    CHECK(gives(rnnat_model_describe(of_features, &info), argument));
    CHECK(gives(rnnat_model_describe(NULL, &info), argument));
    CHECK(gives(rnnat_model_describe(of_features, NULL), argument));
    CHECK(gives(rnnat_model_state(NULL, 0, &rows, &features), argument));
    CHECK(gives(rnnat_model_state(of_features, 0, NULL, &features), argument));
    CHECK(gives(rnnat_model_state(of_features, 0, &rows, NULL), argument));
    CHECK(gives(rnnat_model_state(of_features, -1, &rows, &features), argument));
    CHECK(gives(rnnat_model_state(of_features, 2, &rows, &features), argument)); /* h and c */
    CHECK(rows == 5 && features == 6);
}

/* ---- runs ---- */

/* Both calls give `expected`; the scratch is as large as a right run needs. Nothing is written. */
static bool refuses(const rnnat_model *m, const rnnat_run *run, rnnat_status size_status,
                    rnnat_status run_status)
{
    guarded scratch = guard_make(1 << 16, 0);
    size_t need = 3;
    bool right = gives(rnnat_model_run_size(m, run, &need), size_status);
    right = right && (size_status == RNNAT_OK || need == 3);
    right = gives(rnnat_model_run(m, run, scratch.body, scratch.size), run_status) && right;
    right = guard_unwritten(&scratch) && right;
    guard_end(&scratch);
    return right;
}

static void test_run_calls(void)
{
    const rnnat_status argument = RNNAT_ERROR_ARGUMENT, overflow = RNNAT_ERROR_OVERFLOW;
    float x[TIME * BATCH * INPUT] = {0}, states[2][BATCH * HIDDEN] = {{0}};
    const float *state_in[2] = {states[0], states[1]};
    guarded out = guard_make(3 * sizeof states[0], 0);
    float *const y = (float *)(void *)out.body;
    float *state_out[2] = {y + BATCH * HIDDEN, y + 2 * BATCH * HIDDEN};
    int32_t lengths[BATCH] = {TIME, 0}, indices[TIME * BATCH] = {0, 4, 0, 4};
    const rnnat_run right = {.struct_size = sizeof right,
                             .time = TIME,
                             .batch = BATCH,
                             .x = x,
                             .y = y,
                             .lengths = lengths,
                             .state_in = state_in,
                             .state_out = state_out,
                             .num_threads = 1};
    rnnat_run run = right;
#define REFUSES(FIELD, VALUE, SIZE_STATUS, RUN_STATUS)                                             \
    run = right;                                                                                   \
    run.FIELD = VALUE;                                                                             \
    CHECK(refuses(of_features, &run, SIZE_STATUS, RUN_STATUS))
    REFUSES(struct_size, 0, argument, argument);
    REFUSES(struct_size, sizeof run - 8, argument, argument);
    REFUSES(time, -1, argument, argument);
    REFUSES(batch, -1, argument, argument);
    REFUSES(num_threads, -1, argument, argument);
    REFUSES(x, NULL, argument, argument);
    REFUSES(y, NULL, argument, argument);
    REFUSES(indices, indices, RNNAT_ERROR_INPUT, RNNAT_ERROR_INPUT);
    REFUSES(x_stride_time, PTRDIFF_MAX / 4, overflow, overflow);
    REFUSES(x_stride_time, PTRDIFF_MIN, overflow, overflow);
    REFUSES(x_stride_batch, PTRDIFF_MIN, overflow, overflow);
    REFUSES(y_stride_time, PTRDIFF_MIN, overflow, overflow);
    REFUSES(y_stride_batch, PTRDIFF_MAX, overflow, overflow);
    lengths[1] = TIME + 1;
    CHECK(refuses(of_features, &right, RNNAT_OK, RNNAT_ERROR_LENGTH));
    lengths[1] = -1;
    CHECK(refuses(of_features, &right, RNNAT_OK, RNNAT_ERROR_LENGTH));
    lengths[1] = 0;
    state_in[1] = NULL;
    CHECK(refuses(of_features, &right, RNNAT_OK, argument));
    state_in[1] = states[1];
    state_out[0] = NULL;
    CHECK(refuses(of_features, &right, RNNAT_OK, argument));
    state_out[0] = y + BATCH * HIDDEN;
    CHECK(refuses(NULL, &right, argument, argument));
    CHECK(refuses(of_features, NULL, argument, argument));
    CHECK(refuses(of_double, &right, RNNAT_ERROR_DTYPE, RNNAT_ERROR_DTYPE));
    CHECK(refuses(of_indices, &right, RNNAT_ERROR_INPUT, RNNAT_ERROR_INPUT));
    CHECK(gives(rnnat_model_run_size(of_features, &right, NULL), argument));

    run = right;
    run.x = NULL;
    CHECK(refuses(of_indices, &run, argument, argument));
    run.indices = indices;
    for (int32_t wrong = -1; wrong <= 5; wrong += 6) { /* of 5 embeddings */
        indices[2] = wrong;
        CHECK(refuses(of_indices, &run, RNNAT_OK, RNNAT_ERROR_INDEX));
    }

    run = (rnnat_run){.struct_size = sizeof run,
                      .time = INT32_MAX,
                      .batch = INT32_MAX,
                      .x = x,
                      .y = y,
                      .num_threads = 1};
    CHECK(refuses(whole, &run, overflow, overflow)); /* dense */
    run.x_stride_time = run.x_stride_batch = run.y_stride_time = run.y_stride_batch = 1;
    CHECK(refuses(whole, &run, overflow, overflow)); /* its scratch */
    CHECK(guard_unwritten(&out));

    size_t need = 0;
    CHECK(gives(rnnat_model_run_size(of_features, &right, &need), RNNAT_OK));
    guarded scratch = guard_make(need, 1);
    CHECK(
        gives(rnnat_model_run(of_features, &right, scratch.body, need - 1), RNNAT_ERROR_TOO_SMALL));
    CHECK(gives(rnnat_model_run(of_features, &right, NULL, 0), RNNAT_ERROR_TOO_SMALL));
    CHECK(rnnat_model_run(of_features, &right, NULL, need) != RNNAT_OK);
    CHECK(guard_unwritten(&out) && guard_unwritten(&scratch));
    CHECK(gives(rnnat_model_run(of_features, &right, scratch.body, need), RNNAT_OK));
    CHECK(guard_intact(&out) && guard_intact(&scratch));
    guard_end(&scratch);
    guard_end(&out);

    rnnat_run_f64 of_64 = {.struct_size = sizeof of_64, .time = 1, .batch = 1};
    double one[INPUT] = {0}, other[HIDDEN];
    of_64.x = one;
    of_64.y = other;
    CHECK(gives(rnnat_model_run_size_f64(of_features, &of_64, &need), RNNAT_ERROR_DTYPE));
    CHECK(gives(rnnat_model_run_f64(of_features, &of_64, one, 8), RNNAT_ERROR_DTYPE));
    CHECK(gives(rnnat_model_run_f64(of_double, &of_64, one, 8), RNNAT_ERROR_TOO_SMALL));
    of_64.struct_size = 8;
    CHECK(gives(rnnat_model_run_size_f64(of_double, &of_64, &need), argument));
    CHECK(gives(rnnat_model_run_f64(of_double, &of_64, one, 8), argument));
    CHECK(gives(rnnat_model_run_f64(NULL, &of_64, one, 8), argument));
    CHECK(gives(rnnat_model_run_f64(of_double, NULL, one, 8), argument));
}

/* ---- streams ---- */

static void test_stream_calls(void)
{
    const rnnat_status argument = RNNAT_ERROR_ARGUMENT;
    static char memory[1 << 14];
    float values[BATCH * HIDDEN] = {0};
    rnnat_stream *stream = NULL;
    size_t need = 3;
    CHECK(gives(rnnat_stream_size(NULL, 1, 1, &need), argument));
    CHECK(gives(rnnat_stream_size(of_features, 1, 1, NULL), argument));
    CHECK(gives(rnnat_stream_size(of_features, -1, 1, &need), argument));
    CHECK(gives(rnnat_stream_size(of_features, 0, 1, &need), argument));
    CHECK(gives(rnnat_stream_size(of_features, 1, 0, &need), argument));
    CHECK(gives(rnnat_stream_size(of_features, 1, -1, &need), argument));
    CHECK(gives(rnnat_stream_size(whole, 1, 1, &need), RNNAT_ERROR_UNSUPPORTED));
    CHECK(gives(rnnat_stream_create(NULL, 1, 1, &stream), argument));
    CHECK(gives(rnnat_stream_create(of_features, 1, 1, NULL), argument));
    CHECK(gives(rnnat_stream_create(of_features, -1, 1, &stream), argument));
    CHECK(gives(rnnat_stream_init(NULL, 0, of_features, 1, 1, &stream), argument));
    CHECK(gives(rnnat_stream_init(memory, sizeof memory, NULL, 1, 1, &stream), argument));
    CHECK(gives(rnnat_stream_init(memory, sizeof memory, of_features, 1, 1, NULL), argument));
    CHECK(gives(rnnat_stream_init(memory, sizeof memory, of_features, 1, 0, &stream), argument));
    CHECK(gives(rnnat_stream_init(memory, 1, of_features, 1, 1, &stream), RNNAT_ERROR_TOO_SMALL));
    CHECK(stream == NULL && need == 3);
    CHECK(
        gives(rnnat_stream_init(memory, sizeof memory, of_features, BATCH, 1, &stream), RNNAT_OK));
    for (int32_t index = -1; index <= 2; index += 3) {
        CHECK(gives(rnnat_stream_get_state(stream, index, values), argument));
        CHECK(gives(rnnat_stream_set_state(stream, index, values), argument));
    }
    CHECK(gives(rnnat_stream_get_state(NULL, 0, values), argument));
    CHECK(gives(rnnat_stream_set_state(NULL, 0, values), argument));
    CHECK(gives(rnnat_stream_get_state(stream, 0, NULL), argument));
    CHECK(gives(rnnat_stream_set_state(stream, 0, NULL), argument));
    CHECK(gives(rnnat_stream_reset(NULL), argument));
}

int main(void)
{
    set_up();
    test_model_calls();
    test_run_calls();
    test_stream_calls();
    tear_down();
    return check_result();
}
