/* Streams of graphs: all inputs and outputs at once, step by step or in pieces and by several threads,
 * have the bits of the sequence in one run; what is wrong is refused before anything is written. */
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "model_file.h"

enum { TIME = 40, BATCH = 3, INPUTS = 2, OUTPUTS = 4, FEATURES = 5, WORDS = 7, MOST_HIDDEN = 160 };

static const char *const metadata[][2] = {
    {"rnn_native.inputs", "2"},          {"rnn_native.input.0", "features=5"},
    {"rnn_native.input.0.name", "mel"},  {"rnn_native.input.1", "indices=7"},
    {"rnn_native.input.1.name", "word"}, {"rnn_native.outputs", "2,2:1,3,2"},
    {"rnn_native.output.0", "steps"},    {"rnn_native.output.1", "last"},
    {"rnn_native.output.2", "head"},     {"rnn_native.output.3", "again"}};

/* words = embedding(word); both = mel + words; gru = GRU(both); head = linear(last of gru). */
static rnnat_model *make(int32_t hidden, rnnat_dtype dtype)
{
    static test_model file;
    test_model_start(&file, 4);
    test_model_add(
        &file, (test_layer){.kind = TEST_EMBEDDING, .input_size = WORDS, .output_size = FEATURES});
    test_model_add(&file, (test_layer){.kind = TEST_MERGE, .output_size = FEATURES});
    test_model_add(&file, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_GRU,
                                       .input_size = FEATURES,
                                       .output_size = hidden,
                                       .num_layers = 1,
                                       .bias = true});
    test_model_add(
        &file,
        (test_layer){.kind = TEST_LINEAR, .input_size = hidden, .output_size = 2, .bias = true});
    strcpy(file.pairs[0].value, "2");
    strcat(file.pairs[2].value, " inputs=in1");
    strcpy(file.pairs[3].value, "combine mode=add inputs=in0,0");
    strcat(file.pairs[5].value, " inputs=2:1");
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; ++i) {
        test_pair *const pair = &file.pairs[file.num_pairs++];
        strcpy(pair->key, metadata[i][0]);
        strcpy(pair->value, metadata[i][1]);
    }
    rnnat_model *const model = test_model_make(&file, dtype, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

typedef struct arrays {
    double x[TIME * BATCH * FEATURES]; /* of floats, those */
    int32_t words[TIME * BATCH];
    double y[OUTPUTS][TIME * BATCH * MOST_HIDDEN];
} arrays;

static arrays in, whole, pieces;
static const void *inputs[INPUTS] = {in.x, in.words};

static void fill(rnnat_dtype dtype)
{
    uint64_t random = 9;
    for (int32_t i = 0; i < TIME * BATCH * FEATURES; ++i) {
        const float value = test_random(&random, 1);
        if (dtype == RNNAT_F32)
            memcpy((float *)(void *)in.x + i, &value, sizeof value);
        else
            in.x[i] = value;
    }
    for (int32_t i = 0; i < TIME * BATCH; ++i) in.words[i] = test_choose(&random, 0, WORDS - 1);
}

static int32_t width_of(const rnnat_model *model, int32_t output, bool *has_time)
{
    rnnat_value_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_output(model, output, &info) == RNNAT_OK);
    *has_time = info.has_time != 0;
    return info.features;
}

/* `steps` steps from the first on in one run. */
static void run(const rnnat_model *model, rnnat_dtype dtype, int32_t steps)
{
    void *outputs[OUTPUTS];
    size_t need = 0;
    for (int32_t i = 0; i < OUTPUTS; ++i) outputs[i] = whole.y[i];
    if (dtype == RNNAT_F32) {
        const rnnat_run args = {.struct_size = sizeof args,
                                .time = steps,
                                .batch = BATCH,
                                .inputs = inputs,
                                .outputs = outputs,
                                .num_threads = 1};
        CHECK(rnnat_model_run_size(model, &args, &need) == RNNAT_OK);
        void *const scratch = malloc(need);
        CHECK(rnnat_model_run(model, &args, scratch, need) == RNNAT_OK);
        free(scratch);
    } else {
        const rnnat_run_f64 args = {.struct_size = sizeof args,
                                    .time = steps,
                                    .batch = BATCH,
                                    .inputs = inputs,
                                    .outputs = outputs,
                                    .num_threads = 1};
        CHECK(rnnat_model_run_size_f64(model, &args, &need) == RNNAT_OK);
        void *const scratch = malloc(need);
        CHECK(rnnat_model_run_f64(model, &args, scratch, need) == RNNAT_OK);
        free(scratch);
    }
}

static rnnat_status step(rnnat_stream *stream, const rnnat_model *model, size_t elem, int32_t first,
                         int32_t steps)
{
    const void *from[INPUTS] = {(char *)in.x + (size_t)first * BATCH * FEATURES * elem,
                                in.words + first * BATCH};
    void *to[OUTPUTS];
    for (int32_t i = 0; i < OUTPUTS; ++i) {
        bool has_time;
        const size_t width = (size_t)width_of(model, i, &has_time);
        to[i] = (char *)pieces.y[i] + (size_t)first * BATCH * width * elem;
    }
    return rnnat_stream_run_values(stream, from, steps, to);
}

/* What is made of last steps is after each step what a run up to it gives. */
static void check(const rnnat_model *model, rnnat_dtype dtype, int32_t piece, int32_t max_steps,
                  int32_t threads)
{
    const size_t elem = dtype == RNNAT_F32 ? 4 : 8;
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, BATCH, max_steps, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_set_num_threads(stream, threads) == RNNAT_OK);
    const long calls = heap_calls();
    for (int32_t first = 0; first < TIME; first += piece)
        CHECK(step(stream, model, elem, first, TIME - first < piece ? TIME - first : piece) ==
              RNNAT_OK);
    if (threads == 1) CHECK(heap_calls() == calls);
    for (int32_t steps = 1; steps <= TIME; steps += TIME - 1) {
        run(model, dtype, steps);
        for (int32_t i = 0; i < OUTPUTS; ++i) {
            bool has_time;
            const size_t bytes = (size_t)width_of(model, i, &has_time) * BATCH * elem;
            const size_t last = (size_t)(steps - 1) * bytes;
            const char *const got = (char *)pieces.y[i] + (has_time ? 0 : last);
            CHECK(memcmp(got, whole.y[i], has_time ? last + bytes : bytes) == 0);
        }
    }
    rnnat_stream_free(stream);
}

static void check_refused(const rnnat_model *model)
{
    rnnat_stream *stream = NULL;
    float one[BATCH * MOST_HIDDEN] = {0};
    void *outputs[OUTPUTS] = {pieces.y[0], pieces.y[1], pieces.y[2], pieces.y[3]};
    CHECK(rnnat_stream_create(model, BATCH, 2, &stream) == RNNAT_OK);
    memset(&pieces, 0x5A, sizeof pieces);
    CHECK(rnnat_stream_run(stream, one, 1, one) == RNNAT_ERROR_INPUT);
    CHECK(rnnat_stream_run_indices(stream, in.words, 1, one) == RNNAT_ERROR_INPUT);
    CHECK(rnnat_stream_run_values(NULL, inputs, 1, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_run_values(stream, NULL, 1, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_run_values(stream, inputs, 1, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_run_values(stream, inputs, -1, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_run_values(stream, inputs, 0, outputs) == RNNAT_OK);
    for (int32_t i = 0; i < OUTPUTS; ++i) {
        void *const kept = outputs[i];
        outputs[i] = NULL;
        CHECK(rnnat_stream_run_values(stream, inputs, 1, outputs) == RNNAT_ERROR_ARGUMENT);
        outputs[i] = kept;
    }
    for (int32_t i = 0; i < INPUTS; ++i) {
        const void *some[INPUTS] = {in.x, in.words};
        some[i] = NULL;
        CHECK(rnnat_stream_run_values(stream, some, 1, outputs) == RNNAT_ERROR_ARGUMENT);
    }
    const int32_t kept = in.words[BATCH + 1];
    in.words[BATCH + 1] = WORDS;
    CHECK(rnnat_stream_run_values(stream, inputs, 2, outputs) == RNNAT_ERROR_INDEX);
    in.words[BATCH + 1] = kept;
    bool unwritten = true;
    for (size_t i = 0; i < sizeof pieces; ++i)
        unwritten = unwritten && ((unsigned char *)&pieces)[i] == 0x5A;
    CHECK(unwritten);
    rnnat_stream_free(stream);
}

/* A model with one of each takes both kinds of calls. */
static void check_chain(void)
{
    test_model file;
    test_model_start(&file, 5);
    test_model_add(
        &file,
        (test_layer){.kind = TEST_LINEAR, .input_size = FEATURES, .output_size = 2, .bias = true});
    rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    rnnat_stream *stream = NULL;
    float y[2][TIME * 2];
    void *const to = y[1];
    CHECK(rnnat_stream_create(model, 1, 1, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_run(stream, (const float *)(const void *)in.x, TIME, y[0]) == RNNAT_OK);
    CHECK(rnnat_stream_run_values(stream, inputs, TIME, &to) == RNNAT_OK);
    CHECK(memcmp(y[0], y[1], sizeof y[0]) == 0);
    rnnat_stream_free(stream);
    rnnat_model_free(model);
    test_model_end(&file);
}

int main(void)
{
    static const int32_t sizes[] = {4, MOST_HIDDEN};
    for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
        fill((rnnat_dtype)dtype);
        for (int i = 0; i < 2; ++i) {
            rnnat_model *const model = make(sizes[i], (rnnat_dtype)dtype);
            for (int32_t piece = 1; piece <= TIME; piece = piece * 3 + 1)
                for (int32_t max_steps = 1; max_steps <= TIME; max_steps *= 9)
                    for (int32_t threads = 1; threads <= 2; ++threads)
                        check(model, (rnnat_dtype)dtype, piece, max_steps, threads);
            if (dtype == RNNAT_F32) check_refused(model);
            rnnat_model_free(model);
        }
    }
    fill(RNNAT_F32);
    check_chain();
    return check_result();
}
