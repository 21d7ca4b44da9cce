/* Recurrent layers in steps of several positions: the bits of the same layer on the rows that these are,
 * on blocks of memory of exactly their size, on any number of threads and in any pieces, states and all;
 * lines that cannot be one. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "model_file.h"

enum { CHANNELS = 5, UNITS = 6, STEPS = 11, BATCH = 3 };

typedef struct within {
    int32_t positions;
    bool along;
    test_layer layer;
} within;

static const within all[] = {
    {4, false, {.cell = TEST_GRU, .num_layers = 2, .bias = true, .reset_after = true}},
    {4, true, {.cell = TEST_GRU, .num_layers = 1, .bias = true, .reset_after = true}},
    {7, true, {.cell = TEST_LSTM, .num_layers = 2, .direction = RNNAT_BIDIRECTIONAL}},
    {200, true, {.cell = TEST_LSTM, .num_layers = 1, .proj_size = 2, .peephole = true}},
    {1, true, {.cell = TEST_GRU, .num_layers = 1, .direction = RNNAT_REVERSE, .bias = true}},
    {3, false, {.cell = TEST_LSTM, .num_layers = 1, .gate_recurrent = true}},
    {150, false, {.cell = TEST_RNN, .num_layers = 1, .activation = RNNAT_TANH}},
    {3, false, {.cell = TEST_LSTM, .num_layers = 1, .direction = RNNAT_BIDIRECTIONAL}},
};

static bool streams(const within *of) { return of->along || of->layer.direction == RNNAT_FORWARD; }

/* A file of it, or of the plain layer; `more` is behind its line. */
static void start(test_model *file, const within *of, bool plain, const char *more)
{
    test_layer layer = of->layer;
    layer.kind = TEST_RECURRENT;
    layer.input_size = CHANNELS;
    layer.output_size = UNITS;
    test_model_start(file, 5);
    test_model_add(file, layer);
    char *const line = file->pairs[2].value;
    const size_t room = sizeof file->pairs[2].value;
    if (!plain)
        snprintf(line + strlen(line), room - strlen(line), " positions=%d%s%s", of->positions,
                 of->along ? " along=positions" : "", more);
}

static rnnat_model *make(const within *of, bool plain)
{
    test_model file;
    start(&file, of, plain, "");
    rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

static float *take(size_t count)
{
    float *const numbers = calloc(count + 1, sizeof *numbers);
    if (!numbers) abort();
    return numbers;
}

/* What a run makes, and where there is a state, what this then is. */
typedef struct outcome {
    float *y, *states[4];
} outcome;

static outcome run(const rnnat_model *model, const float *x, int32_t time, int32_t batch,
                   int32_t threads)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK);
    outcome made = {.y = take((size_t)time * (size_t)batch * (size_t)info.output_size)};
    const void *inputs[] = {x};
    void *outputs[] = {made.y};
    CHECK(info.num_states <= 4);
    for (int32_t s = 0; s < info.num_states; ++s) {
        int32_t rows = 0, features = 0;
        CHECK(rnnat_model_state(model, s, &rows, &features) == RNNAT_OK);
        made.states[s] = take((size_t)rows * (size_t)batch * (size_t)features);
    }
    const rnnat_run call = {.struct_size = sizeof call,
                            .time = time,
                            .batch = batch,
                            .inputs = inputs,
                            .outputs = outputs,
                            .state_out = made.states,
                            .num_threads = threads};
    size_t need = 0;
    CHECK(rnnat_model_run_size(model, &call, &need) == RNNAT_OK);
    void *const scratch = malloc(need);
    CHECK(rnnat_model_run(model, &call, scratch, need) == RNNAT_OK);
    free(scratch);
    return made;
}

static void end(outcome *of)
{
    free(of->y);
    for (int s = 0; s < 4; ++s) free(of->states[s]);
}

/* Element `at` of what the layer makes, [time, batch, positions, width], in what the plain one makes. */
static size_t in_rows(const within *of, size_t at, size_t width)
{
    const size_t positions = (size_t)of->positions, i = at % width, p = at / width % positions;
    const size_t row = at / width / positions % BATCH, t = at / width / positions / BATCH;
    return of->along ? ((p * STEPS + t) * BATCH + row) * width + i
                     : ((t * BATCH + row) * positions + p) * width + i;
}

/* Steps that come in pieces, and their state, are those of the whole. */
static void check_stream(const rnnat_model *model, const float *x, const outcome *whole,
                         size_t features, size_t width, const char *label)
{
    rnnat_stream *stream = NULL;
    float *const y = take(STEPS * BATCH * width), *const state = take(BATCH * 2 * features * UNITS);
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK);
    CHECK_CASE(rnnat_stream_create(model, BATCH, 3, &stream) == RNNAT_OK, label);
    for (int32_t first = 0, piece = 1; first < STEPS; first += piece, piece = piece % 3 + 1) {
        if (piece > STEPS - first) piece = STEPS - first;
        CHECK_CASE(rnnat_stream_run(stream, x + (size_t)first * BATCH * features, piece,
                                    y + (size_t)first * BATCH * width) == RNNAT_OK,
                   label);
    }
    CHECK_CASE(memcmp(y, whole->y, STEPS * BATCH * width * sizeof *y) == 0, label);
    for (int32_t s = 0; s < info.num_states; ++s) {
        int32_t rows = 0, size = 0;
        CHECK(rnnat_model_state(model, s, &rows, &size) == RNNAT_OK);
        CHECK_CASE(rnnat_stream_get_state(stream, s, state) == RNNAT_OK, label);
        CHECK_CASE(memcmp(state, whole->states[s],
                          (size_t)rows * BATCH * (size_t)size * sizeof *state) == 0,
                   label);
    }
    rnnat_stream_free(stream);
    free(state);
    free(y);
}

static void check_within(const within *of, const char *label)
{
    rnnat_model *const model = make(of, false), *const plain = make(of, true);
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(plain, &info) == RNNAT_OK);
    const int32_t states = info.num_states;
    const size_t width = (size_t)info.output_size, positions = (size_t)of->positions;
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK);
    CHECK_CASE((size_t)info.output_size == positions * width, label);
    CHECK_CASE(info.input_size == of->positions * CHANNELS, label);
    CHECK_CASE(info.streamable == streams(of), label);
    CHECK_CASE(info.num_states == (of->along ? 0 : states), label);
    const size_t count = STEPS * BATCH * positions;
    float *const x = take(count * CHANNELS), *const rows = take(count * CHANNELS);
    uint64_t random = 9;
    for (size_t i = 0; i < count * CHANNELS; ++i) x[i] = test_random(&random, 1);
    for (size_t i = 0; i < count * CHANNELS; ++i) rows[in_rows(of, i, CHANNELS)] = x[i];
    outcome whole = run(model, x, STEPS, BATCH, 1);
    outcome want = of->along ? run(plain, rows, of->positions, STEPS * BATCH, 1)
                             : run(plain, rows, STEPS, BATCH * of->positions, 1);
    for (size_t i = 0; i < count * width; ++i)
        CHECK_CASE(memcmp(&whole.y[i], &want.y[in_rows(of, i, width)], sizeof *x) == 0, label);
    for (int32_t s = 0; s < info.num_states; ++s) {
        int32_t depth = 0, size = 0;
        CHECK(rnnat_model_state(model, s, &depth, &size) == RNNAT_OK);
        CHECK_CASE(memcmp(whole.states[s], want.states[s],
                          (size_t)depth * BATCH * (size_t)size * sizeof *x) == 0,
                   label);
    }
    for (int32_t threads = 2; threads <= 3; ++threads) {
        outcome other = run(model, x, STEPS, BATCH, threads);
        CHECK_CASE(memcmp(other.y, whole.y, count * width * sizeof *x) == 0, label);
        end(&other);
    }
    if (streams(of)) check_stream(model, x, &whole, positions * CHANNELS, positions * width, label);
    end(&want);
    end(&whole);
    free(rows);
    free(x);
    rnnat_model_free(plain);
    rnnat_model_free(model);
}

/* ---- what cannot be one ---- */

static rnnat_status load(const within *of, const char *more)
{
    test_model file;
    start(&file, of, false, more);
    const rnnat_model_options options = {.struct_size = sizeof options};
    const test_bytes bytes = test_model_bytes(&file);
    rnnat_model *model = NULL;
    const rnnat_status status = rnnat_model_from_memory(bytes.bytes, bytes.size, &options, &model);
    rnnat_model_free(model);
    free(bytes.bytes);
    test_model_end(&file);
    return status;
}

static void check_wrong(void)
{
    within of = all[0];
    CHECK(load(&of, "") == (RNNAT_WITH_WINDOWS ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
    CHECK(load(&of, " along=frequency") == RNNAT_ERROR_FORMAT);
    CHECK(load(&of, " positions=4") == RNNAT_ERROR_FORMAT); /* twice */
    of.positions = 1 << 24;
    CHECK(load(&of, "") == RNNAT_ERROR_UNSUPPORTED);
    of.positions = 0;
    CHECK(load(&of, "") == RNNAT_ERROR_FORMAT);
    const within output = {
        2, false, {.cell = TEST_RNN, .num_layers = 1, .output_layer = 2, .activation = RNNAT_TANH}};
    CHECK(load(&output, "") == (RNNAT_WITH_WINDOWS ? RNNAT_ERROR_FORMAT : RNNAT_ERROR_UNSUPPORTED));
}

int main(void)
{
    check_wrong();
    for (size_t i = 0; RNNAT_WITH_WINDOWS && i < sizeof all / sizeof *all; ++i) {
        char label[40];
        snprintf(label, sizeof label, "case %d", (int)i);
        check_within(&all[i], label);
    }
    return check_result();
}
