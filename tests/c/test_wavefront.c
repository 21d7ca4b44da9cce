/* Which models are run as a wavefront, and in how many stages. That its results have the bits of one
 * thread is shown by tests/python/test_wavefront.py. */
#include "check.h"
#include "model_file.h"
#include "run/run.h"
#include "run/wavefront.h"

static test_model file;

static test_layer lstm(int32_t input, int32_t hidden, int32_t layers)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = TEST_LSTM,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = layers,
                        .bias = true};
}

static test_layer linear(int32_t input, int32_t output)
{
    return (test_layer){.kind = TEST_LINEAR, .input_size = input, .output_size = output};
}

static rnnat_model *chain(const test_layer *layers, int32_t count)
{
    test_model_start(&file, 3);
    for (int32_t i = 0; i < count; ++i) test_model_add(&file, layers[i]);
    rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

static int32_t stages_of(const test_layer *layers, int32_t count, int32_t most)
{
    rnnat_model *const model = chain(layers, count);
    const int32_t stages = rnnat_wavefront_stages(model, most);
    rnnat_model_free(model);
    return stages;
}

static rnnat_job plan(const test_layer *layers, int32_t count, int32_t time, int32_t batch,
                      int32_t threads)
{
    static const float x[1];
    static float y[1];
    const rnnat_run_args args = {
        .dtype = RNNAT_F32, .time = time, .batch = batch, .x = x, .y = y, .num_threads = threads};
    rnnat_job job;
    rnnat_model *const model = chain(layers, count);
    CHECK(rnnat_run_plan(model, &args, &job) == RNNAT_OK);
    rnnat_model_free(model);
    return job;
}

int main(void)
{
    /* Stages share the work, or there are fewer. */
    const test_layer two = lstm(48, 48, 2), four = lstm(48, 48, 4);
    CHECK(stages_of(&two, 1, 8) == 2);
    CHECK(stages_of(&four, 1, 8) == 4);
    CHECK(stages_of(&four, 1, 2) == 2);
    CHECK(stages_of(&two, 1, 1) == 1);
    const test_layer with_head[] = {lstm(48, 48, 1), linear(48, 1)};
    CHECK(stages_of(with_head, 2, 2) == 1);
    const test_layer with_wide_head[] = {lstm(16, 16, 1), linear(16, 128)};
    CHECK(stages_of(with_wide_head, 2, 2) == 2);
    /* What follows the last state runs once a row, and takes no part. */
    test_layer last_only = four;
    last_only.last_only = true;
    const test_layer classifier[] = {last_only, linear(48, 3), linear(3, 2)};
    CHECK(stages_of(classifier, 1, 8) == 4);
    CHECK(stages_of(classifier, 2, 8) == 4);
    CHECK(stages_of(classifier, 3, 8) == 4);
    /* A direction that runs backwards needs all of time. */
    test_layer both = two;
    both.direction = RNNAT_BIDIRECTIONAL;
    CHECK(stages_of(&both, 1, 8) == 1);
    /* An output layer reads what the stack's first layer reads. */
    const test_layer skipping = {.kind = TEST_RECURRENT,
                                 .cell = TEST_RNN,
                                 .input_size = 48,
                                 .output_size = 48,
                                 .num_layers = 2,
                                 .bias = true,
                                 .activation = RNNAT_TANH,
                                 .output_layer = 48,
                                 .output_activation = RNNAT_SIGMOID};
    CHECK(stages_of(&skipping, 1, 8) == 1);

    if (!rnnat_threads_compiled()) return check_result();
    /* For one row of small stacked layers, and long enough. */
    const rnnat_job wave = plan(&two, 1, 400, 1, 2);
    CHECK(wave.wavefront && wave.workspaces == 1 && wave.team_size == 2);
    CHECK(plan(classifier, 2, 400, 1, 4).wavefront);
    CHECK(!plan(&two, 1, 20, 1, 2).wavefront);
    CHECK(!plan(&two, 1, 400, 1, 1).wavefront);
    CHECK(!plan(&two, 1, 400, 2, 2).wavefront);
    CHECK(!plan(with_head, 2, 400, 1, 2).wavefront);
    /* Larger layers are divided. */
    const test_layer large = lstm(200, 200, 2);
    const rnnat_job divided = plan(&large, 1, 400, 1, 2);
    CHECK(!divided.wavefront && divided.workspaces == 1 && divided.team_size == 2);
    return check_result();
}
