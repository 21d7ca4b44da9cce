/* Inputs without time: a run and a stream have the bits of a model that reads a sequence which repeats
 * them; and steps that are made of what is there behind the last one. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "heap.h"
#include "model_file.h"

enum { TIME = 120, BATCH = 3, FEATURES = 5, WORDS = 7, HIDDEN = 9 };

typedef struct graph_text {
    const char *word, *lines[4], *outputs;
} graph_text;

/* both = mel + embedding(word), which is expanded or has steps; gru = GRU(both). */
static const graph_text of_static = {
    "indices=7 time=false",
    {NULL, "expand inputs=0", "combine mode=add inputs=in0,1", NULL},
    "3,3:1"};
static const graph_text of_steps = {
    "indices=7",
    {NULL, "combine mode=max inputs=0,0", "combine mode=add inputs=in0,1", NULL},
    "3,3:1"};
/* The last state of the GRU at every step, beside that of the embedding. */
static const graph_text of_last = {"indices=7 time=false",
                                   {NULL, "expand inputs=0", "combine mode=add inputs=in0,1", NULL},
                                   "4,3:1"};

static void add(test_model *file, const char *key, const char *value)
{
    test_pair *const pair = &file->pairs[file->num_pairs++];
    strcpy(pair->key, key);
    strcpy(pair->value, value);
}

static rnnat_model *make(const graph_text *text, rnnat_dtype dtype, bool waits)
{
    static test_model file;
    test_model_start(&file, 4);
    const test_layer plain = {.kind = TEST_MERGE, .output_size = FEATURES};
    test_model_add(
        &file, (test_layer){.kind = TEST_EMBEDDING, .input_size = WORDS, .output_size = FEATURES});
    test_model_add(&file, plain);
    test_model_add(&file, plain);
    test_model_add(&file, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_GRU,
                                       .input_size = FEATURES,
                                       .output_size = HIDDEN,
                                       .num_layers = 1,
                                       .bias = true});
    if (waits) test_model_add(&file, plain);
    strcpy(file.pairs[0].value, "2");
    strcat(file.pairs[2].value, " inputs=in1");
    for (int i = 1; i < 3; ++i) strcpy(file.pairs[2 + i].value, text->lines[i]);
    if (waits) strcpy(file.pairs[6].value, "expand inputs=3:1");
    add(&file, "rnn_native.inputs", "2");
    add(&file, "rnn_native.input.0", "features=5");
    add(&file, "rnn_native.input.0.name", "mel");
    add(&file, "rnn_native.input.1", text->word);
    add(&file, "rnn_native.input.1.name", "word");
    add(&file, "rnn_native.outputs", text->outputs);
    add(&file, "rnn_native.output.0", "steps");
    add(&file, "rnn_native.output.1", "last");
    rnnat_model *const model = test_model_make(&file, dtype, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

typedef struct arrays {
    float x[TIME * BATCH * FEATURES];
    int32_t words[BATCH], repeated[TIME * BATCH];
    float steps[2][TIME * BATCH * HIDDEN], last[2][TIME * BATCH * HIDDEN];
} arrays;

static arrays in;

static rnnat_status run(const rnnat_model *model, const int32_t *words, const int32_t *lengths,
                        int32_t time, int which, int32_t threads)
{
    const void *const inputs[] = {in.x, words};
    void *const outputs[] = {in.steps[which], in.last[which]};
    const rnnat_run args = {.struct_size = sizeof args,
                            .time = time,
                            .batch = BATCH,
                            .inputs = inputs,
                            .outputs = outputs,
                            .lengths = lengths,
                            .num_threads = threads};
    size_t need = 0;
    rnnat_status status = rnnat_model_run_size(model, &args, &need);
    if (status != RNNAT_OK) return status;
    void *const scratch = malloc(need);
    const long calls = heap_calls();
    status = rnnat_model_run(model, &args, scratch, need);
    if (threads == 1) CHECK(heap_calls() == calls);
    free(scratch);
    return status;
}

static bool have_same_bits(void)
{
    return memcmp(in.steps[0], in.steps[1], sizeof in.steps[0]) == 0 &&
           memcmp(in.last[0], in.last[1], sizeof(float) * BATCH * HIDDEN) == 0;
}

static void check_stream(const rnnat_model *model, int32_t piece, int32_t max_steps,
                         int32_t threads)
{
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, BATCH, max_steps, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_set_num_threads(stream, threads) == RNNAT_OK);
    memset(in.steps[1], 0, sizeof in.steps[1]);
    const long calls = heap_calls();
    for (int32_t first = 0; first < TIME; first += piece) {
        const int32_t steps = TIME - first < piece ? TIME - first : piece;
        const size_t at = (size_t)first * BATCH;
        const void *const inputs[] = {in.x + at * FEATURES, in.words};
        void *const outputs[] = {in.steps[1] + at * HIDDEN, in.last[1] + at * HIDDEN};
        CHECK(rnnat_stream_run_values(stream, inputs, steps, outputs) == RNNAT_OK);
    }
    if (threads == 1) CHECK(heap_calls() == calls);
    const float *const end = in.last[1] + (size_t)(TIME - 1) * BATCH * HIDDEN;
    memmove(in.last[1], end, sizeof(float) * BATCH * HIDDEN);
    CHECK(have_same_bits());
    rnnat_stream_free(stream);
}

static void check_told(const rnnat_model *model)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_input(model, 0, &info) == RNNAT_OK && info.has_time == 1);
    CHECK(rnnat_model_input(model, 1, &info) == RNNAT_OK && info.has_time == 0);
    CHECK(info.indices == WORDS);
}

static void check_refused(const rnnat_model *model)
{
    const int32_t kept = in.words[BATCH - 1];
    CHECK(run(model, NULL, NULL, TIME, 1, 1) == RNNAT_ERROR_ARGUMENT);
    CHECK(run(model, NULL, NULL, 0, 1, 1) == RNNAT_ERROR_ARGUMENT);
    in.words[BATCH - 1] = WORDS;
    CHECK(run(model, in.words, (const int32_t[BATCH]){0}, TIME, 1, 1) == RNNAT_ERROR_INDEX);
    in.words[BATCH - 1] = kept;
    CHECK(run(model, in.words, NULL, 0, 1, 1) == RNNAT_OK);
}

/* What is given at every step is what is given behind the last one. */
static void check_waiting(void)
{
    const int32_t lengths[BATCH] = {TIME, 0, 31};
    rnnat_model *const model = make(&of_last, RNNAT_F32, true);
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, 1, 1, &stream) == RNNAT_ERROR_UNSUPPORTED);
    for (int32_t threads = 1; threads < 4; ++threads) {
        CHECK(run(model, in.words, lengths, TIME, 0, threads) == RNNAT_OK);
        static const float zeros[HIDDEN];
        for (int32_t i = 0; i < TIME * BATCH; ++i) {
            const bool counts = i / BATCH < lengths[i % BATCH];
            const float *const want = counts ? in.last[0] + i % BATCH * HIDDEN : zeros;
            CHECK(memcmp(in.steps[0] + i * HIDDEN, want, sizeof zeros) == 0);
        }
    }
    rnnat_model_free(model);
}

int main(void)
{
    if (!RNNAT_WITH_WINDOWS) return 77;
    uint64_t random = 9;
    for (int32_t i = 0; i < TIME * BATCH * FEATURES; ++i) in.x[i] = test_random(&random, 1);
    for (int32_t i = 0; i < BATCH; ++i) in.words[i] = test_choose(&random, 0, WORDS - 1);
    for (int32_t i = 0; i < TIME * BATCH; ++i) in.repeated[i] = in.words[i % BATCH];
    rnnat_model *const model = make(&of_static, RNNAT_F32, false);
    rnnat_model *const other = make(&of_steps, RNNAT_F32, false);
    const int32_t lengths[BATCH] = {TIME, 1, 77};
    check_told(model);
    for (int32_t threads = 1; threads < 4; ++threads) {
        CHECK(run(other, in.repeated, lengths, TIME, 0, threads) == RNNAT_OK);
        CHECK(run(model, in.words, lengths, TIME, 1, threads) == RNNAT_OK);
        CHECK(have_same_bits());
    }
    CHECK(run(other, in.repeated, NULL, TIME, 0, 1) == RNNAT_OK);
    check_stream(model, 1, 1, 1);
    check_stream(model, 1, 8, 2);
    check_stream(model, 7, 4, 1);
    check_stream(model, TIME, TIME, 2);
    check_refused(model);
    rnnat_model_free(model);
    rnnat_model_free(other);
    check_waiting();
    return check_result();
}
