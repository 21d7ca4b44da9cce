/* A file whose matrices are int8 with scales is the model of the floats that they stand for, bit for bit:
 * y and states, in both types computed in, with every type of weights. */
#include <stdlib.h>

#include "check.h"
#include "config.h"
#include "int8_model.h"
#include "rich_model.h"
#include "run_case.h"

static rnnat_status make(const test_model *model, int32_t dtype, int32_t weights, rnnat_model **out)
{
    const rnnat_model_options options = {
        .struct_size = sizeof options, .dtype = dtype, .weight_dtype = weights};
    const test_bytes file = test_model_bytes(model);
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, out);
    free(file.bytes);
    return status;
}

static void check_same(test_model *model)
{
    static const struct {
        int32_t dtype, weights;
        bool here;
    } ways[] = {{RNNAT_F32, RNNAT_WEIGHT_AS_DTYPE, true},
                {RNNAT_F32, RNNAT_WEIGHT_F16, RNNAT_WITH_FLOAT16},
                {RNNAT_F32, RNNAT_WEIGHT_BF16, RNNAT_WITH_BFLOAT16},
                {RNNAT_F32, RNNAT_WEIGHT_INT8, RNNAT_WITH_INT8},
                {RNNAT_F64, RNNAT_WEIGHT_AS_DTYPE, RNNAT_FLOAT64}};
    enum { WAYS = sizeof ways / sizeof *ways };
    uint64_t random = 8;
    test_inputs in = test_inputs_make(model, &random, 5, 3, true, true);
    rnnat_model *made[2][WAYS] = {{NULL}};
    test_model_quantise(model);
    for (int form = 0; form < 2; ++form) {
        for (int way = 0; way < WAYS; ++way) {
            const rnnat_status expected = ways[way].here ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
            CHECK(make(model, ways[way].dtype, ways[way].weights, &made[form][way]) == expected);
        }
        if (form == 0) test_model_dequantise(model);
    }
    for (int way = 0; way < WAYS; ++way) {
        if (!made[0][way] || !made[1][way]) continue;
        test_outcome of[2];
        for (int form = 0; form < 2; ++form)
            of[form] = test_run(made[form][way], &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
        CHECK(of[0].status == RNNAT_OK && test_outcome_same(&of[0], &of[1]));
        for (int form = 0; form < 2; ++form) {
            test_outcome_end(&of[form]);
            rnnat_model_free(made[form][way]);
        }
    }
    test_inputs_end(&in);
}

int main(void)
{
    test_model model;
    test_model_start_rich(&model);
    check_same(&model);
    test_model_end(&model);

    test_layer layer = {.kind = TEST_RECURRENT,
                        .cell = TEST_RNN,
                        .input_size = 6,
                        .output_size = 40,
                        .num_layers = 2,
                        .direction = RNNAT_BIDIRECTIONAL,
                        .bias = true,
                        .activation = RNNAT_SIGMOID,
                        .output_layer = 3,
                        .output_activation = RNNAT_SOFTMAX};
    test_model_start(&model, 6);
    test_model_add(&model, layer);
    layer = (test_layer){.kind = TEST_RECURRENT,
                         .cell = TEST_GRU,
                         .input_size = 3,
                         .output_size = 33,
                         .num_layers = 1,
                         .gate_recurrent = true};
    test_model_add(&model, layer);
    layer.cell = TEST_LSTM;
    layer.input_size = 33;
    test_model_add(&model, layer);
    check_same(&model);
    test_model_end(&model);

    test_model_start(&model, 7);
    layer = (test_layer){.kind = TEST_RECURRENT,
                         .cell = TEST_GRU, /* the reset gate before the product */
                         .input_size = 35,
                         .output_size = 20,
                         .num_layers = 1,
                         .bias = true};
    test_model_add(&model, layer);
    check_same(&model);
    test_model_end(&model);
    return check_result();
}
