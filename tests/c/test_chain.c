/* Chains with more than layers of steps: directions merged, and a last state alone with what stands
 * behind it, checked as test_run.c checks single layers; and what cannot be such a chain. */
#include "fake_blas.h"
#include "run_check.h"

static test_layer linear(int32_t input, int32_t output, rnnat_activation activation)
{
    return (test_layer){.kind = TEST_LINEAR,
                        .input_size = input,
                        .output_size = output,
                        .bias = true,
                        .activation = activation};
}

static test_layer merge(int32_t features, rnnat_merge mode)
{
    return (test_layer){
        .kind = TEST_MERGE, .input_size = 2 * features, .output_size = features, .merge = mode};
}

static test_layer recurrent(test_cell cell, rnnat_direction direction, int32_t input,
                            int32_t hidden, bool last_only)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = cell,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = 1,
                        .direction = direction,
                        .bias = true,
                        .activation = cell == TEST_RNN ? RNNAT_TANH : RNNAT_IDENTITY,
                        .last_only = last_only};
}

/* Width of what the chain gives so far. */
static int32_t width_of(const test_model *model)
{
    return test_layer_output(&model->layers[model->num_layers - 1]);
}

/* [Embedding,] recurrent, [merge, recurrent,] [merge,] [linear, [merge]]: sizes on both sides of
 * whole vectors, everything else by chance. */
static void test_chance(uint64_t seed)
{
    static const int32_t sizes[] = {2, 4, 6, 8, 10, 14, 16, 18, 30, 32, 34};
    uint64_t random = seed;
    test_model model;
    test_model_start(&model, seed);
    int32_t width = sizes[test_choose(&random, 0, 10)];
    if (test_choose(&random, 0, 3) == 0)
        test_model_add(&model, (test_layer){.kind = TEST_EMBEDDING,
                                            .input_size = test_choose(&random, 1, 9),
                                            .output_size = width});
    for (int32_t more = test_choose(&random, 0, 1); more >= 0 && model.num_layers < 3; --more) {
        test_layer layer = recurrent(
            (test_cell)test_choose(&random, 0, 2), (rnnat_direction)test_choose(&random, 0, 2),
            width, sizes[test_choose(&random, 0, 10)], more == 0 && test_choose(&random, 0, 2));
        layer.num_layers = test_choose(&random, 1, 2);
        if (layer.cell == TEST_LSTM && test_choose(&random, 0, 2) == 0)
            layer.proj_size = layer.output_size / 2;
        layer.gate_recurrent =
            layer.cell != TEST_RNN && !layer.proj_size && test_choose(&random, 0, 3) == 0;
        test_model_add(&model, layer);
        width = width_of(&model);
        if (width % 2 == 0 && test_choose(&random, 0, 2)) {
            test_model_add(&model, merge(width / 2, (rnnat_merge)test_choose(&random, 0, 2)));
            width /= 2;
        }
    }
    if (model.num_layers < MAX_LAYERS && test_choose(&random, 0, 1))
        test_model_add(&model, linear(width, 1 + test_choose(&random, 0, 20),
                                      (rnnat_activation)test_choose(&random, RNNAT_IDENTITY,
                                                                    RNNAT_LOG_SOFTMAX)));
    width = width_of(&model);
    if (model.num_layers < MAX_LAYERS && width % 2 == 0)
        test_model_add(&model, merge(width / 2, (rnnat_merge)test_choose(&random, 0, 2)));
    test_inputs in =
        test_inputs_make(&model, &random, test_choose(&random, 0, 9), test_choose(&random, 0, 9),
                         test_choose(&random, 0, 1) == 0, test_choose(&random, 0, 1) == 0);
    check_case(&model, &in, 1);
    test_inputs_end(&in);
    test_model_end(&model);
}

/* A last state alone behind enough work that threads share a row, share the rows or are stages. */
static void test_threads(rnnat_direction direction, int32_t hidden, int32_t layers, int32_t time,
                         int32_t batch)
{
    uint64_t random = 5;
    test_model model;
    test_model_start(&model, random);
    test_layer layer = recurrent(TEST_GRU, direction, 9, hidden, true);
    layer.num_layers = layers;
    test_model_add(&model, layer);
    test_model_add(&model, merge(width_of(&model) / 2, RNNAT_MERGE_AVE));
    test_model_add(&model, linear(width_of(&model), 37, RNNAT_SOFTMAX));
    for (int lengths = 0; lengths < 2; ++lengths) {
        test_inputs in = test_inputs_make(&model, &random, time, batch, lengths, true);
        check_case(&model, &in, 1);
        test_inputs_end(&in);
    }
    test_model_end(&model);
}

/* Of one step no stride of time is looked at: y is dense without one of the batch. */
static void test_stride_of_time(void)
{
    enum { ROWS = 3, HIDDEN = 4 };
    uint64_t random = 6;
    test_model model;
    test_model_start(&model, random);
    test_model_add(&model, recurrent(TEST_GRU, RNNAT_FORWARD, 2, HIDDEN, true));
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_inputs in = test_inputs_make(&model, &random, 5, ROWS, false, false);
    float y[2][ROWS * HIDDEN] = {{0}};
    for (int stride = 0; stride < 2; ++stride) {
        const rnnat_run args = {.struct_size = sizeof args,
                                .time = 5,
                                .batch = ROWS,
                                .x = in.x,
                                .y = y[stride],
                                .y_stride_time = stride * ROWS * HIDDEN,
                                .num_threads = 1};
        size_t need = 0;
        CHECK(rnnat_model_run_size(made, &args, &need) == RNNAT_OK);
        void *const scratch = malloc(need);
        CHECK(rnnat_model_run(made, &args, scratch, need) == RNNAT_OK);
        free(scratch);
    }
    CHECK(memcmp(y[0], y[1], sizeof y[0]) == 0 && y[0][ROWS * HIDDEN - 1] != 0);
    test_inputs_end(&in);
    rnnat_model_free(made);
    test_model_end(&model);
}

static rnnat_status build(const test_layer *layers, int32_t count)
{
    test_model model;
    test_model_start(&model, 1);
    for (int32_t i = 0; i < count; ++i) test_model_add(&model, layers[i]);
    const test_bytes file = test_model_bytes(&model);
    size_t need = 0;
    const rnnat_status status = rnnat_model_size(file.bytes, file.size, NULL, &need);
    free(file.bytes);
    test_model_end(&model);
    return status;
}

static void test_refusals(void)
{
    const test_layer last = recurrent(TEST_GRU, RNNAT_FORWARD, 3, 4, true);
    const test_layer first = merge(2, RNNAT_MERGE_SUM);
    CHECK(build(&first, 1) == RNNAT_ERROR_UNSUPPORTED);
    CHECK(build((test_layer[]){last, merge(2, RNNAT_MERGE_SUM)}, 2) == RNNAT_OK);
    CHECK(build((test_layer[]){last, merge(3, RNNAT_MERGE_SUM)}, 2) == RNNAT_ERROR_SHAPE);
    for (int again = 0; again < 2; ++again) {
        const test_layer more = recurrent(TEST_LSTM, RNNAT_FORWARD, 4, 5, again);
        CHECK(build((test_layer[]){last, more}, 2) == RNNAT_ERROR_SHAPE);
        CHECK(build((test_layer[]){last, linear(4, 4, RNNAT_TANH), more}, 3) == RNNAT_ERROR_SHAPE);
    }
}

/* What a caller is told, and what y has to be: there even without steps. */
static void test_info(void)
{
    for (int last_only = 0; last_only < 2; ++last_only) {
        test_model model;
        test_model_start(&model, 2);
        test_model_add(&model, recurrent(TEST_RNN, RNNAT_FORWARD, 3, 4, last_only));
        test_model_add(&model, merge(2, RNNAT_MERGE_MUL));
        rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
        rnnat_model_info info = {.struct_size = sizeof info};
        CHECK(rnnat_model_describe(made, &info) == RNNAT_OK);
        CHECK(info.return_sequences == !last_only && info.output_size == 2 && info.num_layers == 2);
        CHECK(info.streamable == 1 && info.num_parameters == 4 * (3 + 4 + 2));
        const rnnat_run run = {.struct_size = sizeof run, .time = 0, .batch = 2};
        size_t need = 0;
        CHECK(rnnat_model_run_size(made, &run, &need) ==
              (last_only ? RNNAT_ERROR_ARGUMENT : RNNAT_OK));
        rnnat_model_free(made);
        test_model_end(&model);
    }
}

/* A file that tells what padding looks like, or how it is called, is read: every step counts, and
 * axes and type are the caller's. */
static void test_strings_of_others(void)
{
    test_model model;
    test_model_start(&model, 3);
    test_model_add(&model, recurrent(TEST_GRU, RNNAT_FORWARD, 3, 4, false));
    rnnat_model *const without = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    model.pairs[model.num_pairs++] = (test_pair){"rnn_native.mask_value", "0.0"};
    model.pairs[model.num_pairs++] = (test_pair){"rnn_native.batch_first", "true"};
    model.pairs[model.num_pairs++] = (test_pair){"rnn_native.dtype", "float64"};
    rnnat_model *const with = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    uint64_t random = 4;
    test_inputs in = test_inputs_make(&model, &random, 3, 2, false, false);
    for (int32_t i = 0; i < 6; ++i) in.x[12 + i] = 0; /* the last step */
    test_outcome a = test_run(without, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_outcome b = test_run(with, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK(a.status == RNNAT_OK && test_outcome_same(&a, &b));
    test_outcome_end(&a);
    test_outcome_end(&b);
    test_inputs_end(&in);
    rnnat_model_free(without);
    rnnat_model_free(with);
    test_model_end(&model);
}

int main(void)
{
    CHECK(fake_blas_use());
    for (uint64_t seed = 1; seed <= (is_brief ? 8 : 40); ++seed) test_chance(seed);
    if (!is_brief) {
        test_threads(RNNAT_BIDIRECTIONAL, 226, 1, 13, 1);
        test_threads(RNNAT_FORWARD, 226, 1, 13, 2);
        test_threads(RNNAT_REVERSE, 38, 2, 42, 40);
        test_threads(RNNAT_FORWARD, 44, 2, 230, 1);
    }
    test_stride_of_time();
    test_refusals();
    test_info();
    test_strings_of_others();
    CHECK(fake_blas_is_content());
    return check_result();
}
