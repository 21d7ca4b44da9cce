/* An initial state that is the model's own: runs and streams that are given no state begin with it,
 * every row alike, and have the bits of those that are given just that. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "run_case.h"
#include "variants.h"

/* A stack of two with 9 units, no whole number of vectors, in front of a linear layer. */
static void start(test_model *model, int32_t variant, rnnat_direction direction)
{
    test_layer layer = variant_layer(variant, direction, 5, 9);
    layer.num_layers = 2;
    layer.initial_state = true;
    test_model_start(model, 300 + (uint64_t)variant);
    test_model_add(model, layer);
    test_model_add(model, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = test_layer_output(&layer),
                                       .output_size = 3});
}

/* The same inputs with a state that says what the model begins with. */
static test_inputs stated(const test_model *model, const test_inputs *in)
{
    test_inputs given = test_inputs_part(in, 0, in->time, 0, in->batch, true);
    for (int32_t s = 0; s < given.num_states; ++s) {
        const int32_t count = given.rows[s] * given.batch * given.features[s];
        given.states[s] = malloc((size_t)count * sizeof(float) + 1);
        if (!given.states[s]) abort();
        for (int32_t i = 0; i < count; ++i)
            given.states[s][i] = test_model_initial(model, s, given.batch, i);
    }
    return given;
}

static void test_runs(int32_t variant, rnnat_direction direction, rnnat_dtype dtype)
{
    test_model model;
    start(&model, variant, direction);
    rnnat_model *const made = test_model_make(&model, dtype, RNNAT_MATMUL_PACKED);
    for (int32_t batch = 1; batch <= 6; batch += 5) {
        for (int32_t time = 0; time <= 4; time += 4) {
            uint64_t random = (uint64_t)(batch + time);
            test_inputs in = test_inputs_make(&model, &random, time, batch, time > 0, false);
            test_inputs given = stated(&model, &in);
            for (int32_t threads = 1; threads <= 3; ++threads) {
                test_outcome own = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, threads);
                test_outcome same = test_run(made, &given, LAYOUT_DENSE, LAYOUT_DENSE, threads);
                CHECK_CASE(own.status == RNNAT_OK && test_outcome_same(&own, &same),
                           variants[variant].name);
                test_outcome_end(&own);
                test_outcome_end(&same);
            }
            test_inputs_end(&given);
            test_inputs_end(&in);
        }
    }
    rnnat_model_free(made);
    test_model_end(&model);
}

/* Whether the stream's states are those that the model begins with. */
static bool begins(const rnnat_stream *stream, const test_model *model, rnnat_dtype dtype,
                   int32_t batch)
{
    int32_t rows[MAX_STATES], features[MAX_STATES];
    const int32_t count = test_model_states(model, rows, features);
    bool same = true;
    for (int32_t s = 0; s < count; ++s) {
        double values[2048];
        const int32_t numbers = rows[s] * batch * features[s];
        if (numbers > 2048) abort();
        same = same && rnnat_stream_get_state(stream, s, values) == RNNAT_OK;
        for (int32_t i = 0; i < numbers; ++i) {
            const double value = dtype == RNNAT_F64 ? values[i] : ((float *)values)[i];
            same = same && value == test_model_initial(model, s, batch, i);
        }
    }
    return same;
}

static void test_streams(int32_t variant, rnnat_dtype dtype)
{
    enum { BATCH = 3 };
    test_model model;
    start(&model, variant, RNNAT_FORWARD);
    rnnat_model *const made = test_model_make(&model, dtype, RNNAT_MATMUL_PACKED);
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_create(made, BATCH, 2, &stream) == RNNAT_OK);
    const long calls = heap_calls();
    for (int round = 0; round < 2; ++round) {
        const double x[2 * BATCH * 5] = {0.5};
        double y[2 * BATCH * 3];
        CHECK_CASE(begins(stream, &model, dtype, BATCH), variants[variant].name);
        CHECK((dtype == RNNAT_F64
                   ? rnnat_stream_run_f64(stream, x, 2, y)
                   : rnnat_stream_run(stream, (const float *)x, 2, (float *)y)) == RNNAT_OK);
        CHECK(!begins(stream, &model, dtype, BATCH));
        CHECK(rnnat_stream_reset(stream) == RNNAT_OK);
    }
    CHECK(heap_calls() == calls);
    rnnat_stream_free(stream);
    rnnat_model_free(made);
    test_model_end(&model);
}

static rnnat_status open(const test_model *model)
{
    const test_bytes file = test_model_bytes(model);
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, NULL, &made);
    rnnat_model_free(made);
    free(file.bytes);
    return status;
}

/* The arrays are those that the line calls for; a file whose line does not may have others. */
static void test_wrong_arrays(void)
{
    test_model model;
    for (int which = 0; which < 2; ++which) {
        start(&model, 6, RNNAT_BIDIRECTIONAL);
        test_tensor *const tensor = test_model_tensor(&model, 0, which ? "c_0" : "h_0", -1, false);
        CHECK(tensor && open(&model) == RNNAT_OK);
        if (!tensor) return;
        --tensor->dims[0];
        CHECK(open(&model) == RNNAT_ERROR_SHAPE);
        ++tensor->dims[0];
        --tensor->dims[1];
        CHECK(open(&model) == RNNAT_ERROR_SHAPE);
        ++tensor->dims[1];
        tensor->name[2] = 'q';
        CHECK(open(&model) == RNNAT_ERROR_NOT_FOUND);
        test_model_end(&model);
    }
}

/* A file of version 2 without inputs is a chain, as is one of version 1. */
static void test_versions(void)
{
    test_model model;
    start(&model, 4, RNNAT_FORWARD);
    CHECK(strcmp(model.pairs[0].value, "2") == 0 && open(&model) == RNNAT_OK);
    strcpy(model.pairs[0].value, "3");
    CHECK(open(&model) == RNNAT_ERROR_UNSUPPORTED);
    test_model_end(&model);
}

int main(void)
{
    for (int32_t variant = 0; variant < NUM_VARIANTS; ++variant) {
        for (int direction = RNNAT_FORWARD; direction <= RNNAT_BIDIRECTIONAL; ++direction)
            for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype)
                test_runs(variant, (rnnat_direction)direction, (rnnat_dtype)dtype);
        test_streams(variant, RNNAT_F32);
        test_streams(variant, RNNAT_F64);
    }
    test_wrong_arrays();
    test_versions();
    return check_result();
}
