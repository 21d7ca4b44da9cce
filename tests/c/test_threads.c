/* One model, many threads at once: each gets the bits that it gets alone, from runs that have
 * threads of their own and from a stream, while others make models and throw them away. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "run_case.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>

enum { THREADS = 8, ROUNDS = 3, TIME = 30, BATCH = 5, INPUT = 20, HIDDEN = 40, OUTPUT = 11 };

static test_model model;
static test_inputs in;
static rnnat_model *shared;
static float expected[TIME * BATCH * OUTPUT];

static rnnat_status run_shared(const rnnat_model *made, int32_t threads, float *y)
{
    rnnat_run run = {.struct_size = sizeof run,
                     .time = TIME,
                     .batch = BATCH,
                     .x = in.x,
                     .y = y,
                     .num_threads = threads};
    size_t need = 0;
    rnnat_status status = rnnat_model_run_size(made, &run, &need);
    void *const scratch = malloc(need);
    if (!scratch) abort();
    if (status == RNNAT_OK) status = rnnat_model_run(made, &run, scratch, need);
    free(scratch);
    return status;
}

static bool is_expected(rnnat_status status, float *y)
{
    const bool same = status == RNNAT_OK && memcmp(y, expected, sizeof expected) == 0;
    memset(y, 0xFF, sizeof expected);
    return same;
}

/* Returns its argument where all was as expected, NULL otherwise. */
static void *work(void *arg)
{
    float *const y = malloc(sizeof expected);
    if (!y) abort();
    bool all = true;
    for (int32_t round = 0; round < ROUNDS; ++round) {
        for (int32_t threads = 1; threads <= 3; ++threads)
            all = is_expected(run_shared(shared, threads, y), y) && all;

        rnnat_stream *stream = NULL;
        rnnat_status status = rnnat_stream_create(shared, BATCH, 7, &stream);
        if (status == RNNAT_OK) status = rnnat_stream_run(stream, in.x, TIME, y);
        all = is_expected(status, y) && all;
        rnnat_stream_free(stream);
    }
    free(y);
    return all ? arg : NULL;
}

/* The bytes of the file are shared as well. */
static void *make_and_free(void *arg)
{
    const test_bytes *const file = arg;
    float *const y = malloc(sizeof expected);
    if (!y) abort();
    bool all = true;
    for (int32_t round = 0; round < ROUNDS; ++round) {
        rnnat_model *made = NULL;
        rnnat_status status = rnnat_model_from_memory(file->bytes, file->size, NULL, &made);
        if (status == RNNAT_OK) status = run_shared(made, 1, y);
        all = is_expected(status, y) && all;
        rnnat_model_free(made);
    }
    free(y);
    return all ? arg : NULL;
}

int main(void)
{
    uint64_t random = 8;
    test_model_start(&model, 8);
    test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                        .cell = TEST_LSTM,
                                        .input_size = INPUT,
                                        .output_size = HIDDEN,
                                        .num_layers = 1,
                                        .bias = true});
    test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                        .input_size = HIDDEN,
                                        .output_size = OUTPUT,
                                        .activation = RNNAT_SOFTMAX});
    in = test_inputs_make(&model, &random, TIME, BATCH, false, false);
    test_bytes file = test_model_bytes(&model);
    pthread_t threads[THREADS];

    CHECK(rnnat_model_from_memory(file.bytes, file.size, NULL, &shared) == RNNAT_OK);
    CHECK(run_shared(shared, 1, expected) == RNNAT_OK);
    for (int i = 0; i < THREADS; ++i)
        CHECK(pthread_create(&threads[i], NULL, i % 4 == 3 ? make_and_free : work, &file) == 0);
    for (int i = 0; i < THREADS; ++i) {
        void *result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0 && result == &file);
    }
    free(file.bytes);
    rnnat_model_free(shared);
    test_inputs_end(&in);
    test_model_end(&model);
    return check_result();
}
#else
int main(void) { return 77; }
#endif
