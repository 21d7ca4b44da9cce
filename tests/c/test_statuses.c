/* Statuses: each code has its name and its number for good, and comes out of a real call. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "heap.h"
#include "model_file.h"
#include "weights/blas.h"

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_ENVIRONMENT 1
#endif

static const struct {
    rnnat_status status;
    int pinned;
    const char *name;
} statuses[] = {
    {RNNAT_OK, 0, "RNNAT_OK"},
    {RNNAT_ERROR_ARGUMENT, 1, "RNNAT_ERROR_ARGUMENT"},
    {RNNAT_ERROR_FORMAT, 2, "RNNAT_ERROR_FORMAT"},
    {RNNAT_ERROR_UNSUPPORTED, 3, "RNNAT_ERROR_UNSUPPORTED"},
    {RNNAT_ERROR_SHAPE, 4, "RNNAT_ERROR_SHAPE"},
    {RNNAT_ERROR_NOT_FOUND, 5, "RNNAT_ERROR_NOT_FOUND"},
    {RNNAT_ERROR_OVERFLOW, 6, "RNNAT_ERROR_OVERFLOW"},
    {RNNAT_ERROR_NO_MEMORY, 7, "RNNAT_ERROR_NO_MEMORY"},
    {RNNAT_ERROR_TOO_SMALL, 8, "RNNAT_ERROR_TOO_SMALL"},
    {RNNAT_ERROR_IO, 9, "RNNAT_ERROR_IO"},
    {RNNAT_ERROR_DTYPE, 10, "RNNAT_ERROR_DTYPE"},
    {RNNAT_ERROR_LENGTH, 11, "RNNAT_ERROR_LENGTH"},
    {RNNAT_ERROR_INDEX, 12, "RNNAT_ERROR_INDEX"},
    {RNNAT_ERROR_INPUT, 13, "RNNAT_ERROR_INPUT"},
    {RNNAT_ERROR_ID, 14, "RNNAT_ERROR_ID"},
    {RNNAT_ERROR_FULL, 15, "RNNAT_ERROR_FULL"},
    {RNNAT_ERROR_MODEL, 16, "RNNAT_ERROR_MODEL"},
};
enum { NUM_STATUSES = sizeof statuses / sizeof *statuses };

static bool produced[NUM_STATUSES];

/* True where the call gave what it should; that it did is remembered. */
static bool gives(rnnat_status status, rnnat_status expected)
{
    if (status != expected) {
        fprintf(stderr, "expected %s, got %s\n", rnnat_status_name(expected),
                rnnat_status_name(status));
        return false;
    }
    produced[status] = true;
    return true;
}

static void test_names(void)
{
    for (int i = 0; i < NUM_STATUSES; ++i) {
        CHECK((int)statuses[i].status == i && statuses[i].pinned == i);
        CHECK_CASE(strcmp(rnnat_status_name(statuses[i].status), statuses[i].name) == 0,
                   statuses[i].name);
    }
    static const int unknown[] = {NUM_STATUSES, NUM_STATUSES + 1, 1000, INT_MAX, -1, INT_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; ++i)
        CHECK(strcmp(rnnat_status_name((rnnat_status)unknown[i]), "RNNAT_ERROR_UNKNOWN") == 0);
    CHECK(strcmp(rnnat_version(), RNNAT_VERSION) == 0);
}

/* A layer of the smallest sizes. */
static test_layer lstm(rnnat_direction direction)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = TEST_LSTM,
                        .input_size = 1,
                        .output_size = 1,
                        .num_layers = 2,
                        .direction = direction};
}

/* ---- the environment, asked once: before anything else ---- */

static void test_environment(void)
{
#ifdef HAVE_ENVIRONMENT
    test_model model;
    test_model_start(&model, 1);
    test_model_add(&model, lstm(RNNAT_FORWARD));
    const test_bytes file = test_model_bytes(&model);
    const char *const isa = getenv("RNN_NATIVE_ISA");
    char *const before = isa ? strdup(isa) : NULL;
    size_t need = 3;
    rnnat_isa_entry entry;
    for (int32_t i = 0; rnnat_isa_at(i, &entry); ++i) {
        if (entry.available) continue;
        setenv("RNN_NATIVE_ISA", entry.name, 1);
        CHECK(gives(rnnat_model_size(file.bytes, file.size, NULL, &need), RNNAT_ERROR_UNSUPPORTED));
    }
    setenv("RNN_NATIVE_ISA", "AVX9", 1);
    CHECK(gives(rnnat_model_size(file.bytes, file.size, NULL, &need), RNNAT_ERROR_ARGUMENT));
    CHECK(need == 3 && strcmp(rnnat_isa(), "none") == 0);
    if (before)
        setenv("RNN_NATIVE_ISA", before, 1);
    else
        unsetenv("RNN_NATIVE_ISA");
    CHECK(gives(rnnat_model_size(file.bytes, file.size, NULL, &need), RNNAT_OK));
    CHECK(!before || !*before || strcmp(rnnat_isa(), before) == 0);
    free(before);

    const char *const threads[] = {"0", "-1", "two", "2 ", "4097", "99999999999999999999"};
    rnnat_model *made = NULL;
    CHECK(rnnat_model_from_memory(file.bytes, file.size, NULL, &made) == RNNAT_OK);
    const rnnat_run run = {.struct_size = sizeof run};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; ++i) {
        setenv("RNN_NATIVE_NUM_THREADS", threads[i], 1);
        CHECK_CASE(gives(rnnat_model_run_size(made, &run, &need), RNNAT_ERROR_ARGUMENT),
                   threads[i]);
    }
    unsetenv("RNN_NATIVE_NUM_THREADS");
    CHECK(gives(rnnat_model_run_size(made, &run, &need), RNNAT_OK));
    rnnat_model_free(made);
    free(file.bytes);
    test_model_end(&model);
#endif
}

/* ---- the rest ---- */

static rnnat_status status_of(const test_model *model, const rnnat_model_options *options)
{
    const test_bytes file = test_model_bytes(model);
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, options, &made);
    rnnat_model_free(made);
    free(file.bytes);
    return status;
}

static void test_files(void)
{
    test_model model;
    test_model_start(&model, 1);
    test_model_add(&model, lstm(RNNAT_FORWARD));
    test_tensor *const weight = &model.tensors[0];
    const test_tensor right = *weight;
    weight->rank = 1;
    CHECK(gives(status_of(&model, NULL), RNNAT_ERROR_SHAPE));
    *weight = right;
    weight->name[0] = '7';
    CHECK(gives(status_of(&model, NULL), RNNAT_ERROR_NOT_FOUND));
    *weight = right;
    model.pairs[2].value[0] = 'R';
    CHECK(gives(status_of(&model, NULL), RNNAT_ERROR_FORMAT));
    model.pairs[2].value[0] = 'r';
    CHECK(rnnat_blas_use(NULL));
    const rnnat_model_options blas = {.struct_size = sizeof blas, .matmul = RNNAT_MATMUL_BLAS};
    CHECK(gives(status_of(&model, &blas), RNNAT_ERROR_UNSUPPORTED));
    rnnat_model *made = NULL;
    CHECK(gives(rnnat_model_load("no/such/file", NULL, &made), RNNAT_ERROR_IO) && made == NULL);
    test_model_end(&model);
}

static void test_runs(void)
{
    test_model model, of_words, both_ways;
    test_model_start(&model, 1);
    test_model_add(&model, lstm(RNNAT_FORWARD));
    test_model_start(&both_ways, 1);
    test_model_add(&both_ways, lstm(RNNAT_BIDIRECTIONAL));
    test_model_start(&of_words, 1);
    test_model_add(&of_words,
                   (test_layer){.kind = TEST_EMBEDDING, .input_size = 5, .output_size = 1});
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_AUTO);
    rnnat_model *const whole = test_model_make(&both_ways, RNNAT_F32, RNNAT_MATMUL_AUTO);
    rnnat_model *const words = test_model_make(&of_words, RNNAT_F32, RNNAT_MATMUL_AUTO);
    const float x[2] = {0};
    float y[2];
    int32_t lengths[1] = {3}, indices[2] = {0, 5};
    size_t need = 0;
    rnnat_run run = {
        .struct_size = sizeof run, .time = 2, .batch = 1, .x = x, .y = y, .lengths = lengths};
    static char scratch[1 << 14];
    CHECK(gives(rnnat_model_run(made, &run, scratch, sizeof scratch), RNNAT_ERROR_LENGTH));
    CHECK(gives(rnnat_model_run(words, &run, scratch, sizeof scratch), RNNAT_ERROR_INPUT));
    lengths[0] = 2;
    CHECK(gives(rnnat_model_run(made, &run, scratch, 1), RNNAT_ERROR_TOO_SMALL));
    CHECK(gives(rnnat_model_run(made, &run, scratch, sizeof scratch), RNNAT_OK));
    run.x = NULL;
    run.indices = indices;
    CHECK(gives(rnnat_model_run(words, &run, scratch, sizeof scratch), RNNAT_ERROR_INDEX));
    run.indices = NULL;
    CHECK(gives(rnnat_model_run(made, &run, scratch, sizeof scratch), RNNAT_ERROR_ARGUMENT));
    run = (rnnat_run){.struct_size = sizeof run,
                      .time = INT32_MAX,
                      .batch = INT32_MAX,
                      .x = x,
                      .y = y,
                      .num_threads = 1};
    CHECK(gives(rnnat_model_run_size(whole, &run, &need), RNNAT_ERROR_OVERFLOW));
    const rnnat_status huge = sizeof(size_t) == 4 ? RNNAT_ERROR_OVERFLOW : RNNAT_OK;
    run.time = 1;
    CHECK(gives(rnnat_model_run_size(made, &run, &need), huge));
    run.time = 0;
    CHECK(gives(rnnat_model_run_size(made, &run, &need), huge));
    /* Every step reads the same row and every row is written over, but one layer hands 2^32 rows on. */
    run.time = run.batch = 1 << 16;
    run.x_stride_batch = run.y_stride_batch = 1;
    CHECK(gives(rnnat_model_run_size(whole, &run, &need), huge));
    CHECK(huge != RNNAT_OK || need / 2 / sizeof *x > (uint64_t)1 << 32);
    rnnat_run_f64 of_double = {.struct_size = sizeof of_double};
    CHECK(gives(rnnat_model_run_size_f64(made, &of_double, &need), RNNAT_ERROR_DTYPE));
    rnnat_model_free(made);
    rnnat_model_free(whole);
    rnnat_model_free(words);
    test_model_end(&model);
    test_model_end(&both_ways);
    test_model_end(&of_words);
}

static void test_pools(void)
{
#if RNNAT_WITH_POOL
    test_model models[2];
    rnnat_model *made[2];
    rnnat_pool *pools[2] = {NULL, NULL};
    static char snapshot[1 << 12];
    size_t size = 0;
    int32_t id = 0;
    for (int i = 0; i < 2; ++i) {
        test_model_start(&models[i], 1 + (uint64_t)i);
        test_model_add(&models[i], lstm(RNNAT_FORWARD));
        made[i] = test_model_make(&models[i], RNNAT_F32, RNNAT_MATMUL_AUTO);
        CHECK(gives(rnnat_pool_create(made[i], 1, 1, &pools[i]), RNNAT_OK));
    }
    CHECK(gives(rnnat_pool_close(pools[0], 0), RNNAT_ERROR_ID));
    CHECK(gives(rnnat_pool_open(pools[0], &id), RNNAT_OK));
    CHECK(gives(rnnat_pool_open(pools[0], &id), RNNAT_ERROR_FULL));
    CHECK(rnnat_pool_snapshot(pools[0], -1, snapshot, sizeof snapshot, &size) == RNNAT_OK);
    CHECK(gives(rnnat_pool_restore(pools[1], -1, snapshot, size), RNNAT_ERROR_MODEL));
    for (int i = 0; i < 2; ++i) {
        rnnat_pool_free(pools[i]);
        rnnat_model_free(made[i]);
        test_model_end(&models[i]);
    }
#else
    produced[RNNAT_ERROR_ID] = produced[RNNAT_ERROR_FULL] = produced[RNNAT_ERROR_MODEL] = true;
#endif
}

/* A heap that is exhausted, wherever it is asked. */
static void test_no_memory(void)
{
    test_model model;
    test_model_start(&model, 1);
    test_model_add(&model, lstm(RNNAT_FORWARD));
    const test_bytes file = test_model_bytes(&model);
    rnnat_model *const right = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_AUTO);
    rnnat_model *made = NULL;
    rnnat_stream *stream = NULL;
    heap_fail(true);
    const rnnat_status of_model = rnnat_model_from_memory(file.bytes, file.size, NULL, &made);
    const rnnat_status of_stream = rnnat_stream_create(right, 1, 1, &stream);
#if RNNAT_WITH_POOL
    rnnat_pool *pool = NULL;
    const rnnat_status of_pool = rnnat_pool_create(right, 1, 1, &pool);
#endif
    heap_fail(false);
    if (heap_watched()) {
        CHECK(gives(of_model, RNNAT_ERROR_NO_MEMORY) && made == NULL);
        CHECK(gives(of_stream, RNNAT_ERROR_NO_MEMORY) && stream == NULL);
    }
#if RNNAT_WITH_POOL
    CHECK(!heap_watched() || (of_pool == RNNAT_ERROR_NO_MEMORY && pool == NULL));
    rnnat_pool_free(pool);
#endif
    rnnat_stream_free(stream);
    rnnat_model_free(made);
    rnnat_model_free(right);
    free(file.bytes);
    test_model_end(&model);
}

int main(void)
{
    test_names();
    test_environment();
    test_files();
    test_runs();
    test_pools();
    test_no_memory();
    for (int i = 0; i < NUM_STATUSES; ++i)
        CHECK_CASE(produced[i] || (i == RNNAT_ERROR_NO_MEMORY && !heap_watched()),
                   statuses[i].name);
    return check_result();
}
