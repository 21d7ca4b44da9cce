/* Streams: step by step or in pieces, the bits are those of the sequence in one run; nothing is
 * written but y and the stream's own memory; and running makes no call of the heap. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "run_case.h"

static test_layer gru(int32_t input, int32_t hidden)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = TEST_GRU,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = 1,
                        .bias = true};
}

/* One of each cell, one of them projected, and an activation behind them. */
static void start_chain(test_model *model, bool indices)
{
    test_model_start(model, 21);
    if (indices)
        test_model_add(model,
                       (test_layer){.kind = TEST_EMBEDDING, .input_size = 9, .output_size = 6});
    test_model_add(model, gru(6, 17));
    test_model_add(model, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_LSTM,
                                       .input_size = 17,
                                       .output_size = 12,
                                       .num_layers = 2,
                                       .proj_size = 7,
                                       .peephole = true});
    test_model_add(model, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_RNN,
                                       .input_size = 7,
                                       .output_size = 5,
                                       .num_layers = 1,
                                       .bias = true,
                                       .activation = RNNAT_TANH});
    test_model_add(model, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = 5,
                                       .output_size = 11,
                                       .bias = true,
                                       .activation = RNNAT_LOG_SOFTMAX});
}

/* The cells whose gates recur on gates, between two networks with an output layer. */
static void start_gates(test_model *model)
{
    test_layer rnn = {.kind = TEST_RECURRENT,
                      .cell = TEST_RNN,
                      .input_size = 6,
                      .output_size = 9,
                      .num_layers = 2,
                      .bias = true,
                      .activation = RNNAT_SIGMOID,
                      .output_layer = 5,
                      .output_activation = RNNAT_TANH};
    test_layer gates = {.kind = TEST_RECURRENT,
                        .cell = TEST_GRU,
                        .input_size = 5,
                        .output_size = 17,
                        .num_layers = 1,
                        .bias = true,
                        .gate_recurrent = true,
                        .initial_state = true};
    test_model_start(model, 22);
    test_model_add(model, rnn);
    test_model_add(model, gates);
    gates.cell = TEST_LSTM;
    gates.input_size = 17;
    gates.output_size = 12;
    gates.num_layers = 2;
    test_model_add(model, gates);
    rnn.input_size = 12;
    rnn.num_layers = 1;
    rnn.output_activation = RNNAT_IDENTITY;
    test_model_add(model, rnn);
}

enum { OF_FEATURES, OF_INDICES, OF_GATES, NUM_CHAINS };

/* `steps` steps from step `first` of in; y [steps, batch, output]. */
static rnnat_status step(rnnat_stream *stream, rnnat_dtype dtype, const test_inputs *in,
                         int32_t first, int32_t steps, void *y)
{
    const ptrdiff_t from = (ptrdiff_t)first * in->batch * in->width;
    const int32_t count = steps * in->batch * in->width;
    if (in->indices)
        return dtype == RNNAT_F32
                   ? rnnat_stream_run_indices(stream, in->indices + from, steps, y)
                   : rnnat_stream_run_indices_f64(stream, in->indices + from, steps, y);
    if (dtype == RNNAT_F32) return rnnat_stream_run(stream, in->x + from, steps, y);
    double wide[2048];
    if (count > 2048) abort();
    for (int32_t i = 0; i < count; ++i) wide[i] = in->x[from + i];
    return rnnat_stream_run_f64(stream, wide, steps, y);
}

static rnnat_dtype dtype_of(const rnnat_model *model, int32_t *output)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK && info.streamable == 1);
    *output = info.output_size;
    return (rnnat_dtype)info.dtype;
}

static bool states_are(const rnnat_stream *stream, const test_outcome *expected, bool zero)
{
    bool same = true;
    for (int32_t s = 0; s < expected->num_states; ++s) {
        guarded values = guard_make(expected->state_bytes[s], 0);
        same = same && rnnat_stream_get_state(stream, s, values.body) == RNNAT_OK;
        if (zero) memset(expected->states[s], 0, values.size);
        same = same && memcmp(values.body, expected->states[s], values.size) == 0;
        same = same && guard_intact(&values);
        guard_end(&values);
    }
    return same;
}

/* ---- a stream is the sequence ---- */

/* The whole of `in` in pieces of `piece` steps; states set where `in` has some. */
static void check_pieces(rnnat_stream *stream, const rnnat_model *model, const test_inputs *in,
                         int32_t piece, const test_outcome *expected)
{
    int32_t output;
    const rnnat_dtype dtype = dtype_of(model, &output);
    const size_t elem = dtype == RNNAT_F32 ? 4 : 8;
    guarded y = guard_make(expected->y_bytes, 0);
    const long calls = heap_calls();
    CHECK(rnnat_stream_reset(stream) == RNNAT_OK);
    for (int32_t s = 0; in->states[0] && s < in->num_states; ++s) {
        double wide[1024];
        const int32_t count = in->rows[s] * in->batch * in->features[s];
        for (int32_t i = 0; i < count; ++i) wide[i] = in->states[s][i];
        CHECK(rnnat_stream_set_state(
                  stream, s, dtype == RNNAT_F32 ? (const void *)in->states[s] : wide) == RNNAT_OK);
    }
    for (int32_t first = 0; first < in->time; first += piece) {
        const int32_t steps = in->time - first < piece ? in->time - first : piece;
        unsigned char *const to = y.body + (size_t)(first * in->batch * output) * elem;
        CHECK(step(stream, dtype, in, first, steps, to) == RNNAT_OK);
        CHECK(guard_untouched(to + (size_t)(steps * in->batch * output) * elem,
                              y.block + y.block_size));
    }
    CHECK(heap_calls() == calls);
    CHECK(memcmp(y.body, expected->y, expected->y_bytes) == 0);
    CHECK(guard_intact(&y));
    CHECK(states_are(stream, expected, false));
    guard_end(&y);
}

static void check_stream(const rnnat_model *model, const test_inputs *in, int32_t max_steps,
                         const test_outcome *expected)
{
    size_t need = 0;
    CHECK(rnnat_stream_size(model, in->batch, max_steps, &need) == RNNAT_OK);
    for (size_t shift = 0; shift < 64; shift += is_brief ? 42 : 21) {
        guarded memory = guard_make(need, shift);
        rnnat_stream *stream = NULL;
        const long calls = heap_calls();
        CHECK(rnnat_stream_init(memory.body, need - 1, model, in->batch, max_steps, &stream) ==
              RNNAT_ERROR_TOO_SMALL);
        CHECK(stream == NULL && guard_unwritten(&memory));
        CHECK(rnnat_stream_init(memory.body, need, model, in->batch, max_steps, &stream) ==
              RNNAT_OK);
        CHECK(heap_calls() == calls);
        for (int32_t piece = 1; piece <= in->time; piece += piece / 2 + 1)
            check_pieces(stream, model, in, piece, expected);
        check_pieces(stream, model, in, in->time, expected); /* more than max_steps */
        CHECK(guard_intact(&memory));
        rnnat_stream_free(stream); /* harmless */
        guard_end(&memory);
    }
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, in->batch, max_steps, &stream) == RNNAT_OK);
    check_pieces(stream, model, in, 2, expected);
    rnnat_stream_free(stream);
}

static void test_sequence(int chain, rnnat_dtype dtype, bool states)
{
    test_model model;
    if (chain == OF_GATES)
        start_gates(&model);
    else
        start_chain(&model, chain == OF_INDICES);
    rnnat_model *const made = test_model_make(&model, dtype, RNNAT_MATMUL_PACKED);
    for (int32_t batch = 1; batch <= 7; batch += is_brief ? 6 : 3) {
        uint64_t random = (uint64_t)batch;
        test_inputs in = test_inputs_make(&model, &random, 23, batch, false, states);
        test_outcome expected = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
        for (int32_t max_steps = 1; max_steps < 40; max_steps = max_steps * (is_brief ? 8 : 3) + 1)
            check_stream(made, &in, max_steps, &expected);
        test_outcome_end(&expected);
        test_inputs_end(&in);
    }
    rnnat_model_free(made);
    test_model_end(&model);
}

/* Two streams of one model, taking turns, do not know of each other. */
static void test_two_streams(void)
{
    test_model model;
    start_chain(&model, false);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    uint64_t random = 2;
    test_inputs in[2];
    test_outcome expected[2];
    rnnat_stream *streams[2];
    for (int k = 0; k < 2; ++k) {
        in[k] = test_inputs_make(&model, &random, 12, 1 + k, false, false);
        expected[k] = test_run(made, &in[k], LAYOUT_DENSE, LAYOUT_DENSE, 1);
        CHECK(rnnat_stream_create(made, 1 + k, 1, &streams[k]) == RNNAT_OK);
    }
    for (int32_t t = 0; t < 12; ++t) {
        for (int k = 0; k < 2; ++k) {
            float y[2 * 11];
            const size_t bytes = (size_t)(1 + k) * 11 * sizeof *y;
            CHECK(step(streams[k], RNNAT_F32, &in[k], t, 1, y) == RNNAT_OK);
            CHECK(memcmp(y, (char *)expected[k].y + (size_t)t * bytes, bytes) == 0);
        }
    }
    for (int k = 0; k < 2; ++k) {
        CHECK(states_are(streams[k], &expected[k], false));
        CHECK(rnnat_stream_reset(streams[k]) == RNNAT_OK);
        CHECK(states_are(streams[k], &expected[k], true));
        rnnat_stream_free(streams[k]);
        test_outcome_end(&expected[k]);
        test_inputs_end(&in[k]);
    }
    rnnat_model_free(made);
    test_model_end(&model);
}

/* ---- what is refused, before anything is written ---- */

static void check_refusals(rnnat_dtype dtype, bool indices)
{
    test_model model;
    start_chain(&model, indices);
    rnnat_model *const made = test_model_make(&model, dtype, RNNAT_MATMUL_PACKED);
    uint64_t random = 4;
    test_inputs in = test_inputs_make(&model, &random, 2, 2, false, true);
    test_outcome expected = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    guarded y = guard_make(expected.y_bytes, 0);
    float *const narrow = (float *)(void *)y.body;
    double *const wide = (double *)(void *)y.body;
    const double x[64] = {0};
    const int32_t zeros[4] = {0};
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(made, 2, 2, &stream) == RNNAT_OK);
    check_pieces(stream, made, &in, 2, &expected);

    const bool is_float = dtype == RNNAT_F32;
    const rnnat_status right = RNNAT_OK, input = RNNAT_ERROR_INPUT;
    const rnnat_status of_float = is_float ? right : RNNAT_ERROR_DTYPE;
    const rnnat_status of_double = is_float ? RNNAT_ERROR_DTYPE : right;
    const rnnat_status features = indices ? input : right, of_indices = indices ? right : input;
    CHECK(rnnat_stream_run(stream, (const float *)x, 0, narrow) ==
          (of_float ? of_float : features));
    CHECK(rnnat_stream_run_f64(stream, x, 0, wide) == (of_double ? of_double : features));
    CHECK(rnnat_stream_run_indices(stream, zeros, 0, narrow) == (of_float ? of_float : of_indices));
    CHECK(rnnat_stream_run_indices_f64(stream, zeros, 0, wide) ==
          (of_double ? of_double : of_indices));
    CHECK(step(stream, dtype, &in, 0, -1, y.body) == RNNAT_ERROR_ARGUMENT);
    CHECK(step(stream, dtype, &in, 0, 1, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(step(NULL, dtype, &in, 0, 1, y.body) == RNNAT_ERROR_ARGUMENT);
    for (int32_t wrong = -1; indices && wrong <= 9; wrong += 10) { /* of 9 embeddings */
        const int32_t before = in.indices[3];
        in.indices[3] = wrong;
        CHECK(step(stream, dtype, &in, 0, 2, y.body) == RNNAT_ERROR_INDEX);
        in.indices[3] = before;
    }
    CHECK(guard_unwritten(&y));
    CHECK(states_are(stream, &expected, false)); /* nor has the state moved */
    guard_end(&y);
    rnnat_stream_free(stream);
    test_outcome_end(&expected);
    test_inputs_end(&in);
    rnnat_model_free(made);
    test_model_end(&model);
}

/* A stream cannot know the future. */
static void test_not_streamable(void)
{
    for (int direction = RNNAT_REVERSE; direction <= RNNAT_BIDIRECTIONAL; ++direction) {
        test_model model;
        test_layer layer = gru(3, 4);
        layer.direction = (rnnat_direction)direction;
        test_model_start(&model, 1);
        test_model_add(&model, layer);
        rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
        rnnat_model_info info = {.struct_size = sizeof info};
        CHECK(rnnat_model_describe(made, &info) == RNNAT_OK && info.streamable == 0);
        guarded memory = guard_make(1 << 16, 0);
        rnnat_stream *stream = NULL;
        size_t need = 77;
        CHECK(rnnat_stream_size(made, 1, 1, &need) == RNNAT_ERROR_UNSUPPORTED && need == 77);
        CHECK(rnnat_stream_create(made, 1, 1, &stream) == RNNAT_ERROR_UNSUPPORTED);
        CHECK(rnnat_stream_init(memory.body, memory.size, made, 1, 1, &stream) ==
              RNNAT_ERROR_UNSUPPORTED);
        CHECK(stream == NULL && guard_unwritten(&memory));
        guard_end(&memory);
        rnnat_model_free(made);
        test_model_end(&model);
    }
}

/* A stream has at least one row, whose state it keeps; without any, nothing is made or written. */
static void test_no_rows(void)
{
    test_model model;
    start_chain(&model, false);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    guarded memory = guard_make(1 << 16, 0);
    for (int32_t rows = 0; rows >= -1; --rows) {
        rnnat_stream *stream = NULL;
        size_t need = 77;
        CHECK(rnnat_stream_size(made, rows, 3, &need) == RNNAT_ERROR_ARGUMENT && need == 77);
        CHECK(rnnat_stream_create(made, rows, 3, &stream) == RNNAT_ERROR_ARGUMENT);
        CHECK(rnnat_stream_init(memory.body, memory.size, made, rows, 3, &stream) ==
              RNNAT_ERROR_ARGUMENT);
        CHECK(stream == NULL && guard_unwritten(&memory));
    }
    guard_end(&memory);
    rnnat_model_free(made);
    test_model_end(&model);
}

/* ---- what running leaves as it was ---- */

/* The heap, and how this thread treats denormal numbers. */
static void test_running_leaves_no_trace(void)
{
    test_model model;
    start_chain(&model, false);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    enum { TIME = 60, BATCH = 40 };
    uint64_t random = 6;
    test_inputs in = test_inputs_make(&model, &random, TIME, BATCH, false, false);
    float *const y = malloc(TIME * BATCH * 11 * sizeof *y);
    rnnat_run run = {.struct_size = sizeof run, .time = TIME, .batch = BATCH, .x = in.x, .y = y};
    volatile float least = FLT_MIN;
    for (run.num_threads = 0; run.num_threads <= 3; ++run.num_threads) {
        size_t need = 0;
        CHECK(rnnat_model_run_size(made, &run, &need) == RNNAT_OK);
        void *const scratch = malloc(need);
        const long calls = heap_calls();
        CHECK(rnnat_model_run(made, &run, scratch, need) == RNNAT_OK);
        CHECK(heap_calls() == calls);
        CHECK(least / 2 > 0);
        free(scratch);
    }
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(made, BATCH, 5, &stream) == RNNAT_OK);
    const long calls = heap_calls();
    CHECK(rnnat_stream_run(stream, in.x, TIME, y) == RNNAT_OK);
    CHECK(heap_calls() == calls);
    CHECK(least / 2 > 0);
    rnnat_stream_free(stream);
    free(y);
    CHECK(!heap_watched() || heap_calls() > calls); /* the watch itself works */
    test_inputs_end(&in);
    rnnat_model_free(made);
    test_model_end(&model);
}

int main(void)
{
    for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
        for (int chain = 0; chain < NUM_CHAINS; ++chain)
            test_sequence(chain, (rnnat_dtype)dtype, (chain + dtype) % 2 == 0);
        for (int indices = 0; indices < 2; ++indices) check_refusals((rnnat_dtype)dtype, indices);
    }
    test_two_streams();
    test_not_streamable();
    test_no_rows();
    test_running_leaves_no_trace();
    rnnat_stream_free(NULL);
    return check_result();
}
