/* Makes a model with every kind of layer and most of what has tensors of its own. */
#include "rich_model.h"

void test_model_start_rich(test_model *model)
{
    test_model_start(model, 5);
    test_model_add(model, (test_layer){.kind = TEST_EMBEDDING, .input_size = 7, .output_size = 6});
    test_model_add(model, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_LSTM,
                                       .input_size = 6,
                                       .output_size = 9,
                                       .num_layers = 2,
                                       .proj_size = 5,
                                       .direction = RNNAT_BIDIRECTIONAL,
                                       .bias = true,
                                       .peephole = true});
    test_model_add(model, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = 10,
                                       .output_size = 4,
                                       .bias = true,
                                       .activation = RNNAT_SOFTMAX});
    test_model_add(model, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_GRU,
                                       .input_size = 4,
                                       .output_size = 3,
                                       .num_layers = 1,
                                       .bias = true,
                                       .reset_after = true,
                                       .initial_state = true});
    test_model_add(model, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = TEST_RNN,
                                       .input_size = 3,
                                       .output_size = 8,
                                       .num_layers = 1,
                                       .direction = RNNAT_REVERSE,
                                       .bias = true,
                                       .activation = RNNAT_RELU});
}
