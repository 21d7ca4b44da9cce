/* Steps pushed into streams of models with strides: those that come have the bits of one run, however
 * they are cut; room is asked for before anything happens. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "heap.h"
#include "model_file.h"

enum {
    TIME = 61,
    BATCH = 2,
    FEATURES = 5,
    HIDDEN = 160,
    OUTPUTS = 2,
    MOST = TIME * BATCH * HIDDEN
};

static const char *const metadata[][2] = {
    {"rnn_native.inputs", "1"},       {"rnn_native.input.0", "features=5"},
    {"rnn_native.input.0.name", "x"}, {"rnn_native.outputs", "2,0"},
    {"rnn_native.output.0", "half"},  {"rnn_native.output.1", "whole"}};

/* whole = linear(x); half = GRU(mean of 4 steps of it, every second one). */
static rnnat_model *make(rnnat_dtype dtype, bool is_graph)
{
    static test_model file;
    test_model_start(&file, 11);
    test_model_add(&file, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = FEATURES,
                                       .output_size = HIDDEN,
                                       .bias = true});
    test_model_add(&file, (test_layer){.kind = TEST_POOL, .output_size = HIDDEN});
    test_model_add(&file, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_GRU,
                                       .input_size = HIDDEN,
                                       .output_size = HIDDEN,
                                       .num_layers = 1,
                                       .bias = true});
    if (is_graph) {
        strcpy(file.pairs[0].value, "2");
        strcat(file.pairs[2].value, " inputs=in0");
        strcat(file.pairs[3].value, " inputs=0");
        strcat(file.pairs[4].value, " inputs=1");
        for (size_t i = 0; i < sizeof metadata / sizeof *metadata; ++i) {
            test_pair *const pair = &file.pairs[file.num_pairs++];
            strcpy(pair->key, metadata[i][0]);
            strcpy(pair->value, metadata[i][1]);
        }
    }
    rnnat_model *const model = test_model_make(&file, dtype, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

static double x[TIME * BATCH * FEATURES]; /* of floats, those */
static double whole[OUTPUTS][MOST], pieces[OUTPUTS][MOST];
static double states[3][3 * BATCH * HIDDEN]; /* the pool's steps, its phase, the GRU's h */

static void fill(rnnat_dtype dtype)
{
    uint64_t random = 3;
    for (int32_t i = 0; i < TIME * BATCH * FEATURES; ++i) {
        const float value = test_random(&random, 1);
        if (dtype == RNNAT_F32)
            memcpy((float *)(void *)x + i, &value, sizeof value);
        else
            x[i] = value;
    }
}

/* Steps of the mean: its first window begins one step before the first, and has four. */
static int32_t half_of(int32_t steps) { return steps < 3 ? 0 : (steps - 3) / 2 + 1; }

/* All steps in one run, of layers so wide that two threads divide their units; returns how many the
 * first output has. */
static int32_t run(const rnnat_model *model, rnnat_dtype dtype, int32_t steps, int32_t threads)
{
    double *const out64[] = {states[0], states[1], states[2]};
    float *const out32[] = {(float *)(void *)states[0], (float *)(void *)states[1],
                            (float *)(void *)states[2]};
    const void *inputs[] = {x};
    void *outputs[] = {whole[0], whole[1]};
    size_t need = 0;
    int32_t made = -1, kept = -1;
    const rnnat_run of32 = {.struct_size = sizeof of32,
                            .time = steps,
                            .batch = BATCH,
                            .inputs = inputs,
                            .outputs = outputs,
                            .state_out = out32,
                            .num_threads = threads};
    const rnnat_run_f64 of64 = {.struct_size = sizeof of64,
                                .time = steps,
                                .batch = BATCH,
                                .inputs = inputs,
                                .outputs = outputs,
                                .state_out = out64,
                                .num_threads = threads};
    void *scratch;
    if (dtype == RNNAT_F32) {
        CHECK(rnnat_model_run_size(model, &of32, &need) == RNNAT_OK);
        scratch = malloc(need);
        CHECK(rnnat_model_run_steps(model, &of32, 0, &made) == RNNAT_OK);
        CHECK(rnnat_model_run_steps(model, &of32, 1, &kept) == RNNAT_OK);
        CHECK(rnnat_model_run_steps(model, &of32, 2, &kept) == RNNAT_ERROR_ARGUMENT);
        CHECK(rnnat_model_run(model, &of32, scratch, need) == RNNAT_OK);
    } else {
        CHECK(rnnat_model_run_size_f64(model, &of64, &need) == RNNAT_OK);
        scratch = malloc(need);
        CHECK(rnnat_model_run_steps_f64(model, &of64, 0, &made) == RNNAT_OK);
        CHECK(rnnat_model_run_steps_f64(model, &of64, 1, &kept) == RNNAT_OK);
        CHECK(rnnat_model_run_f64(model, &of64, scratch, need) == RNNAT_OK);
    }
    free(scratch);
    CHECK(made == half_of(steps) && kept == steps);
    return made;
}

/* What is pushed piece by piece, with room for exactly what comes. */
static void check(const rnnat_model *model, rnnat_dtype dtype, int32_t piece, int32_t max_steps,
                  int32_t threads)
{
    const size_t elem = dtype == RNNAT_F32 ? 4 : 8;
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, BATCH, max_steps, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_set_num_threads(stream, threads) == RNNAT_OK);
    int32_t done[OUTPUTS] = {0, 0};
    const long calls = heap_calls();
    for (int32_t first = 0; first < TIME; first += piece) {
        const int32_t steps = TIME - first < piece ? TIME - first : piece;
        const void *from[] = {(char *)x + (size_t)first * BATCH * FEATURES * elem};
        void *to[OUTPUTS];
        int32_t got[OUTPUTS], room[OUTPUTS] = {half_of(first + steps) - done[0], steps};
        for (int32_t i = 0; i < OUTPUTS; ++i)
            to[i] = (char *)pieces[i] + (size_t)done[i] * BATCH * HIDDEN * elem;
        for (int32_t i = 0; i < OUTPUTS; ++i) {
            if (room[i] == 0) continue;
            --room[i];
            CHECK(rnnat_stream_push_values(stream, from, steps, to, room, got) ==
                  RNNAT_ERROR_TOO_SMALL);
            ++room[i];
            CHECK(got[0] == room[0] && got[1] == room[1]);
        }
        CHECK(rnnat_stream_push_values(stream, from, steps, to, room, got) == RNNAT_OK);
        for (int32_t i = 0; i < OUTPUTS; ++i) {
            CHECK(got[i] == room[i]);
            done[i] += got[i];
        }
    }
    if (threads == 1) CHECK(heap_calls() == calls);
    const int32_t made[OUTPUTS] = {run(model, dtype, TIME, threads), TIME};
    for (int32_t i = 0; i < OUTPUTS; ++i) {
        CHECK(done[i] == made[i]);
        CHECK(memcmp(pieces[i], whole[i], (size_t)made[i] * BATCH * HIDDEN * elem) == 0);
    }
    for (int32_t i = 0; i < 3; ++i) {
        static double own[3 * BATCH * HIDDEN];
        const size_t numbers = i == 0 ? 3 * BATCH * HIDDEN : i == 1 ? BATCH : BATCH * HIDDEN;
        CHECK(rnnat_stream_get_state(stream, i, own) == RNNAT_OK);
        CHECK(memcmp(own, states[i], numbers * elem) == 0);
    }
    rnnat_stream_free(stream);
}

/* A chain of one input and one output, with the functions for these. */
static void check_chain(void)
{
    rnnat_model *const model = make(RNNAT_F32, false);
    rnnat_stream *stream = NULL;
    const float *const from = (const float *)(const void *)x;
    float *const to = (float *)(void *)pieces[0];
    int32_t got = 0, done = 0;
    CHECK(rnnat_stream_create(model, BATCH, 4, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_run(stream, from, 1, to) == RNNAT_ERROR_UNSUPPORTED);
    CHECK(rnnat_stream_push(NULL, from, 1, to, 9, &got) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_push(stream, from, 1, to, 9, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_push(stream, from, -1, to, 9, &got) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_push(stream, NULL, 1, to, 9, &got) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_push(stream, from, 9, NULL, 9, &got) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_push(stream, from, 9, to, 3, &got) == RNNAT_ERROR_TOO_SMALL && got == 4);
    CHECK(rnnat_stream_push(stream, from, 0, NULL, 0, &got) == RNNAT_OK && got == 0);
    CHECK(rnnat_stream_push(stream, from, 1, NULL, 0, &got) == RNNAT_OK && got == 0);
    CHECK(rnnat_stream_push_indices(stream, NULL, 1, to, 9, &got) == RNNAT_ERROR_INPUT);
    CHECK(rnnat_stream_push_f64(stream, x, 1, whole[0], 9, &got) == RNNAT_ERROR_DTYPE);
    CHECK(rnnat_stream_reset(stream) == RNNAT_OK);
    for (int32_t first = 0; first < TIME; first += 7) {
        const int32_t steps = TIME - first < 7 ? TIME - first : 7;
        CHECK(rnnat_stream_push(stream, from + first * BATCH * FEATURES, steps,
                                to + done * BATCH * HIDDEN, TIME, &got) == RNNAT_OK);
        done += got;
    }
    rnnat_model *const graph = make(RNNAT_F32, true);
    CHECK(done == run(graph, RNNAT_F32, TIME, 1));
    CHECK(memcmp(pieces[0], whole[0], (size_t)done * BATCH * HIDDEN * sizeof(float)) == 0);
    rnnat_model_free(graph);
    rnnat_stream_free(stream);
    rnnat_model_free(model);
}

/* The phase is a state array, whose rows are at one step of the stride. */
static void check_phase(void)
{
    rnnat_model *const model = make(RNNAT_F32, false);
    rnnat_value_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_output(model, 0, &info) == RNNAT_OK);
    CHECK(info.repeat == 1 && info.stride == 2 && info.latency == 2);
    const rnnat_run bare = {.struct_size = sizeof bare, .time = TIME, .batch = BATCH};
    const rnnat_run_f64 wide = {.struct_size = sizeof wide, .time = TIME, .batch = BATCH};
    int32_t made = 0;
    CHECK(rnnat_model_run_steps(model, &bare, 0, &made) == RNNAT_OK && made == half_of(TIME));
    CHECK(rnnat_model_run_steps_f64(model, &wide, 0, &made) == RNNAT_ERROR_DTYPE);
    CHECK(rnnat_model_run_steps(NULL, &bare, 0, &made) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_run_steps(model, &bare, 0, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_input(model, 0, &info) == RNNAT_OK);
    CHECK(info.repeat == 1 && info.stride == 1 && info.latency == 0);
    rnnat_stream *stream = NULL;
    float phase[BATCH], kept[BATCH];
    CHECK(rnnat_stream_create(model, BATCH, 1, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_get_state(stream, 1, phase) == RNNAT_OK);
    CHECK(phase[0] == 1 && phase[1] == 1);
    static const float wrong[][BATCH] = {{1, 2}, {0.5F, 0.5F}, {4, 4}, {-1, -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        CHECK(rnnat_stream_set_state(stream, 1, wrong[i]) == RNNAT_ERROR_LENGTH);
    CHECK(rnnat_stream_get_state(stream, 1, kept) == RNNAT_OK);
    CHECK(memcmp(phase, kept, sizeof phase) == 0);
    phase[0] = phase[1] = 3; /* so that the next step ends a window */
    CHECK(rnnat_stream_set_state(stream, 1, phase) == RNNAT_OK);
    int32_t got = 0;
    CHECK(rnnat_stream_push(stream, (const float *)(const void *)x, 1, (float *)(void *)pieces[0],
                            1, &got) == RNNAT_OK);
    CHECK(got == 1);
    rnnat_stream_free(stream);
    rnnat_model_free(model);
}

int main(void)
{
    for (int dtype = RNNAT_F32; RNNAT_WITH_WINDOWS && dtype <= RNNAT_F64; ++dtype) {
        fill((rnnat_dtype)dtype);
        rnnat_model *const model = make((rnnat_dtype)dtype, true);
        for (int32_t piece = 1; piece <= TIME; piece = piece * 3 + 1)
            for (int32_t max_steps = 1; max_steps <= TIME; max_steps *= 9)
                for (int32_t threads = 1; threads <= 2; ++threads)
                    check(model, (rnnat_dtype)dtype, piece, max_steps, threads);
        rnnat_model_free(model);
    }
    fill(RNNAT_F32);
    if (RNNAT_WITH_WINDOWS) check_chain();
    if (RNNAT_WITH_WINDOWS) check_phase();
    return RNNAT_WITH_WINDOWS ? check_result() : 77;
}
