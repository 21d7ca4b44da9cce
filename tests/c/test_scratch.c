/* The scratch of a run does not grow with the length of the sequence, except where one layer hands
 * a whole sequence to the next. Only where stacked small layers are a wavefront does a short
 * sequence, whose chunks are shorter, need less. */
#include "check.h"
#include "model_file.h"

static size_t scratch(const rnnat_model *model, int32_t time, int32_t batch, int32_t threads)
{
    static const float x[1];
    static float y[1]; /* asked for, not run */
    const rnnat_run run = {.struct_size = sizeof run,
                           .time = time,
                           .batch = batch,
                           .x = x,
                           .y = y,
                           .num_threads = threads};
    size_t need = 0;
    CHECK(rnnat_model_run_size(model, &run, &need) == RNNAT_OK);
    return need;
}

static rnnat_model *stack(test_cell cell, int32_t hidden, rnnat_direction direction,
                          int32_t num_layers, bool last_only)
{
    static test_model model;
    test_model_start(&model, 5);
    test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                        .cell = cell,
                                        .input_size = 64,
                                        .output_size = hidden,
                                        .num_layers = num_layers,
                                        .direction = direction,
                                        .bias = true,
                                        .reset_after = cell == TEST_GRU,
                                        .activation = cell == TEST_RNN ? RNNAT_TANH : 0,
                                        .last_only = last_only});
    if (last_only)
        test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                            .input_size = test_layer_output(&model.layers[0]),
                                            .output_size = 7});
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_model_end(&model);
    return made;
}

int main(void)
{
    enum { long_time = 100000 };
    static const test_cell cells[] = {TEST_RNN, TEST_GRU, TEST_LSTM};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; ++i) {
        for (int32_t layers = 1; layers <= 2; ++layers) {
            rnnat_model *const model = stack(cells[i], 256, RNNAT_FORWARD, layers, false);
            for (int32_t threads = 1; threads <= 2; ++threads)
                CHECK(scratch(model, 100, 1, threads) == scratch(model, long_time, 1, threads));
            rnnat_model_free(model);
        }
        rnnat_model *const one = stack(cells[i], 256, RNNAT_BIDIRECTIONAL, 1, false);
        CHECK(scratch(one, 100, 1, 1) == scratch(one, long_time, 1, 1));
        rnnat_model_free(one);
        rnnat_model *const small = stack(cells[i], 48, RNNAT_FORWARD, 2, false);
        CHECK(scratch(small, 2000, 1, 2) == scratch(small, long_time, 1, 2));
        rnnat_model_free(small);
        /* A last state alone is no sequence to hand on. */
        rnnat_model *const last = stack(cells[i], 256, RNNAT_BIDIRECTIONAL, 1, true);
        CHECK(scratch(last, 100, 1, 1) == scratch(last, long_time, 1, 1));
        rnnat_model_free(last);
        /* Here the test itself is tested: the lower layer's output is kept whole. */
        rnnat_model *const two = stack(cells[i], 256, RNNAT_BIDIRECTIONAL, 2, false);
        CHECK(scratch(two, 100, 1, 1) < scratch(two, long_time, 1, 1));
        rnnat_model_free(two);
    }
    return check_result();
}
