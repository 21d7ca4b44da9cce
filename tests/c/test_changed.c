/* Indices and lengths that change between their check and their use: nothing else is read, and what
 * was taken once is used to the end. Here the run itself changes them, which lie where it writes: the
 * header forbids that, but it is a change at a known moment, where another thread's is not. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "model_file.h"

enum { TIME = 40, BATCH = 3, WIDTH = 16, KNOWN = 5, BYTES = TIME * BATCH * WIDTH * sizeof(float) };

static rnnat_model *make(bool recurrent)
{
    test_model model;
    test_model_start(&model, 31);
    test_model_add(&model,
                   (test_layer){.kind = TEST_EMBEDDING, .input_size = KNOWN, .output_size = WIDTH});
    if (recurrent)
        test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                            .cell = TEST_GRU,
                                            .input_size = WIDTH,
                                            .output_size = WIDTH,
                                            .num_layers = 1,
                                            .bias = true});
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_model_end(&model);
    return made;
}

static void run(const rnnat_model *model, rnnat_run args)
{
    size_t need = 0;
    args.struct_size = sizeof args;
    args.time = TIME;
    args.batch = BATCH;
    CHECK(rnnat_model_run_size(model, &args, &need) == RNNAT_OK);
    void *const scratch = malloc(need);
    CHECK(rnnat_model_run(model, &args, scratch, need) == RNNAT_OK);
    free(scratch);
}

/* The indices lie where y begins: all but the first are read when results are there. */
static void test_indices(const rnnat_model *model)
{
    float *const y = calloc(1, BYTES);
    int32_t *const indices = (int32_t *)(void *)y;
    for (int32_t i = 0; i < TIME * BATCH; ++i) indices[i] = i % KNOWN;
    run(model, (rnnat_run){.indices = indices, .y = y, .num_threads = 1});
    free(y);
}

static void test_stream_indices(const rnnat_model *model)
{
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(model, BATCH, TIME, &stream) == RNNAT_OK);
    float *const y = calloc(1, BYTES);
    int32_t *const indices = (int32_t *)(void *)y;
    CHECK(rnnat_stream_run_indices(stream, indices, TIME, y) == RNNAT_OK);
    free(y);
    rnnat_stream_free(stream);
}

/* The lengths lie in a state that is returned, or in y: the results are those of other lengths'. */
static void test_lengths(const rnnat_model *model, int32_t threads)
{
    static const int32_t lengths[BATCH] = {TIME - 1, 0, 17};
    int32_t indices[TIME * BATCH];
    float *const y[2] = {malloc(BYTES), malloc(BYTES)};
    float state[2][BATCH * WIDTH];
    for (int32_t i = 0; i < TIME * BATCH; ++i) indices[i] = i % KNOWN;
    for (int own = 0; own < 3; ++own) {
        float *const to = y[own > 0], *const end = state[own > 0];
        int32_t *const inside = (int32_t *)(void *)(own == 1 ? to : end);
        memcpy(inside, lengths, sizeof lengths);
        run(model, (rnnat_run){.indices = indices,
                               .y = to,
                               .num_threads = threads,
                               .lengths = own ? inside : lengths,
                               .state_out = (float *const[]){end}});
        if (!own) continue;
        CHECK(memcmp(y[0], y[1], BYTES) == 0);
        CHECK(memcmp(state[0], state[1], sizeof state[0]) == 0);
    }
    free(y[0]);
    free(y[1]);
}

int main(void)
{
    rnnat_model *const table = make(false), *const gru = make(true);
    for (int32_t threads = 1; threads < 4; ++threads) test_lengths(gru, threads);
    test_indices(table);
    test_indices(gru);
    test_stream_indices(table);
    test_stream_indices(gru);
    rnnat_model_free(table);
    rnnat_model_free(gru);
    return check_result();
}
