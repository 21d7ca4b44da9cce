/* Streams whose steps are shared by threads, of every kind of layer: the bits are those of one
 * thread, however the steps come, and where the model has them those of the sequence in one run. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "heap.h"
#include "run/run.h"
#include "run/stream.h"
#include "run_case.h"
#include "threads/threads.h"

enum { TIME = 12, BATCH = 2, WIDTH = 21 };

static test_layer recurrent(test_cell cell, int32_t input, int32_t hidden)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = cell,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = 1,
                        .bias = true};
}

static void add_head(test_model *model, int32_t input)
{
    test_model_add(model, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = input,
                                       .output_size = WIDTH,
                                       .bias = true,
                                       .activation = RNNAT_LOG_SOFTMAX});
}

/* Two cells, one of them projected, and an activation behind them. */
static void start_plain(test_model *model)
{
    test_layer lstm = recurrent(TEST_LSTM, 170, 90);
    lstm.proj_size = 41;
    test_model_add(model, recurrent(TEST_GRU, 6, 170));
    test_model_add(model, lstm);
    add_head(model, 41);
}

/* Indices, activations of one's own, and halves that are merged. */
static void start_general(test_model *model)
{
    test_layer gru = recurrent(TEST_GRU, 6, 170);
    gru.reset_after = true;
    gru.general = true;
    gru.functions[0] = (rnnat_functions){
        .of = {{RNNAT_GATE_HARD_SIGMOID, 0.25, 0.5}, {RNNAT_GATE_SOFTSIGN, 0, 0}}, .clip = 1.5};
    test_layer lstm = recurrent(TEST_LSTM, 85, 90);
    lstm.general = true;
    lstm.functions[0] = (rnnat_functions){
        .of = {{RNNAT_GATE_SIGMOID, 0, 0}, {RNNAT_GATE_TANH, 0, 0}, {RNNAT_GATE_ELU, 0.5, 0}},
        .input_forget = true};
    test_model_add(model, (test_layer){.kind = TEST_EMBEDDING, .input_size = 9, .output_size = 6});
    test_model_add(model, gru);
    test_model_add(model, (test_layer){.kind = TEST_MERGE,
                                       .input_size = 170,
                                       .output_size = 85,
                                       .merge = RNNAT_MERGE_MUL});
    test_model_add(model, lstm);
    add_head(model, 90);
}

/* A last state, of which a stream has one after every step. */
static void start_last(test_model *model, bool last_only)
{
    test_layer gru = recurrent(TEST_GRU, 6, 170);
    gru.last_only = last_only;
    test_model_add(model, gru);
    add_head(model, 170);
}

static rnnat_status run(rnnat_stream *stream, const test_inputs *in, int32_t first, int32_t steps,
                        float *y)
{
    const ptrdiff_t from = (ptrdiff_t)first * in->batch * in->width;
    if (in->indices) return rnnat_stream_run_indices(stream, in->indices + from, steps, y);
    return rnnat_stream_run(stream, in->x + from, steps, y);
}

/* `expected`: y [TIME, BATCH, WIDTH]. */
static void check_teams(const rnnat_model *made, const test_inputs *in, const float *expected)
{
    float y[TIME * BATCH * WIDTH];
    for (int32_t threads = 1; threads < 5; ++threads) {
        rnnat_stream *stream = NULL;
        CHECK(rnnat_stream_create(made, BATCH, 3, &stream) == RNNAT_OK);
        CHECK(rnnat_stream_set_num_threads(stream, threads) == RNNAT_OK);
        CHECK(stream->team_size == threads || !rnnat_threads_compiled());
        for (int32_t piece = 1; piece < 8; piece += 3) { /* the first makes the threads */
            const long calls = heap_calls();
            CHECK(rnnat_stream_reset(stream) == RNNAT_OK);
            memset(y, 0, sizeof y);
            for (int32_t t = 0; t < TIME; t += piece) {
                const int32_t steps = TIME - t < piece ? TIME - t : piece;
                CHECK(run(stream, in, t, steps, y + (ptrdiff_t)t * BATCH * WIDTH) == RNNAT_OK);
            }
            CHECK(heap_calls() == calls);
            CHECK(memcmp(y, expected, sizeof y) == 0);
        }
        rnnat_stream_free(stream);
    }
}

static void test_sequence(void (*start)(test_model *model))
{
    test_model model;
    test_model_start(&model, 23);
    start(&model);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    uint64_t random = 3;
    test_inputs in = test_inputs_make(&model, &random, TIME, BATCH, false, false);
    test_outcome expected = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK(expected.y_bytes == sizeof(float) * TIME * BATCH * WIDTH);
    check_teams(made, &in, expected.y);
    test_outcome_end(&expected);
    test_inputs_end(&in);
    rnnat_model_free(made);
    test_model_end(&model);
}

static void test_last(void)
{
    rnnat_model *made[2]; /* all states, the last one alone: the same weights */
    test_model model[2];
    uint64_t random = 3;
    for (int last = 0; last < 2; ++last) {
        test_model_start(&model[last], 24);
        start_last(&model[last], last);
        made[last] = test_model_make(&model[last], RNNAT_F32, RNNAT_MATMUL_PACKED);
    }
    test_inputs in = test_inputs_make(&model[0], &random, TIME, BATCH, false, false);
    test_outcome all = test_run(made[0], &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_outcome one = test_run(made[1], &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    check_teams(made[1], &in, all.y);
    CHECK(one.y_bytes == all.y_bytes / TIME);
    CHECK(memcmp(one.y, (char *)all.y + (TIME - 1) * one.y_bytes, one.y_bytes) == 0);
    test_outcome_end(&all);
    test_outcome_end(&one);
    test_inputs_end(&in);
    for (int last = 0; last < 2; ++last) {
        rnnat_model_free(made[last]);
        test_model_end(&model[last]);
    }
}

static void test_refusals(void)
{
    test_model model;
    test_model_start(&model, 25);
    start_last(&model, false);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(made, 1, 1, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_set_num_threads(stream, 0) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_set_num_threads(stream, -1) == RNNAT_ERROR_ARGUMENT);
    rnnat_stream_free(stream);
    rnnat_model_free(made);
    CHECK(rnnat_stream_set_num_threads(NULL, 2) == RNNAT_ERROR_ARGUMENT);
    test_model_end(&model);
}

#if RNNAT_THREADS
/* A barrier that has been met as often as an unsigned can count goes on. */
static void meet_twice(void *arg, int32_t thread, int32_t count)
{
    const rnnat_member part = {thread, count, arg};
    rnnat_meet(&part);
    rnnat_meet(&part);
}

static void test_barrier_wraps(void)
{
    static rnnat_barrier barrier;
    atomic_init(&barrier.generation, UINT32_MAX);
    rnnat_parallel(2, NULL, meet_twice, &barrier);
    CHECK(atomic_load(&barrier.generation) <= 1);
}
#else
static void test_barrier_wraps(void) {}
#endif

/* One row of a layer so wide that the product of its panels and their groups passes int32_t: it has
 * the bits of that row beside another one. */
static void test_wide(void)
{
    test_layer lstm = recurrent(TEST_LSTM, 1, 1100000);
    lstm.proj_size = 1;
    test_model model;
    test_model_start(&model, 26);
    test_model_add(&model, lstm);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    const float x[] = {0.5f, -0.25f};
    float y[3];
    for (int32_t rows = 1; rows < 3; ++rows) {
        rnnat_stream *stream = NULL;
        CHECK(rnnat_stream_create(made, rows, 1, &stream) == RNNAT_OK);
        CHECK(rnnat_stream_run(stream, x, 1, y + rows - 1) == RNNAT_OK);
        rnnat_stream_free(stream);
    }
    CHECK(memcmp(&y[0], &y[1], sizeof y[0]) == 0);
    rnnat_model_free(made);
    test_model_end(&model);
}

int main(void)
{
    test_sequence(start_plain);
    test_sequence(start_general);
    test_last();
    test_refusals();
    test_barrier_wraps();
    test_wide();
    return check_result();
}
