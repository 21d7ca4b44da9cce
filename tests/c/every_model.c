/* Makes small models that together have every cell, option and kind of layer. */
#include "every_model.h"

#include "variants.h"

enum { FORWARD_STACK, BOTH_MERGED, LAST_ALONE, REVERSE_LAST, NUM_SHAPES };
enum { NUM_PLAIN = 3, NUM_STACKS = NUM_VARIANTS * NUM_SHAPES };

static test_layer linear(int32_t input, int32_t output, rnnat_activation activation)
{
    return (test_layer){.kind = TEST_LINEAR,
                        .input_size = input,
                        .output_size = output,
                        .bias = output != 3,
                        .activation = activation};
}

static void add_embedding(test_model *model, int32_t features)
{
    test_model_add(model,
                   (test_layer){.kind = TEST_EMBEDDING, .input_size = 7, .output_size = features});
}

static int32_t width_of(const test_model *model)
{
    return test_layer_output(&model->layers[model->num_layers - 1]);
}

/* The variant's layer; 9 units are more than a vector of floats and no whole number of them. */
static test_layer recurrent(int32_t variant, int32_t shape)
{
    static const rnnat_direction directions[] = {RNNAT_FORWARD, RNNAT_BIDIRECTIONAL, RNNAT_FORWARD,
                                                 RNNAT_REVERSE};
    test_layer layer = variant_layer(variant, directions[shape], 5, 9);
    layer.num_layers = shape == FORWARD_STACK ? 2 : 1;
    layer.bias = shape != LAST_ALONE;
    layer.last_only = shape >= LAST_ALONE && !layer.output_layer;
    layer.initial_state = (variant + shape) % 3 == 0;
    return layer;
}

static void start_stack(int32_t variant, int32_t shape, test_model *model)
{
    const test_layer layer = recurrent(variant, shape);
    if ((variant + shape) % 2) add_embedding(model, layer.input_size);
    test_model_add(model, layer);
    if (shape == BOTH_MERGED && !layer.output_layer)
        test_model_add(model, (test_layer){.kind = TEST_MERGE,
                                           .input_size = width_of(model),
                                           .output_size = width_of(model) / 2,
                                           .merge = (rnnat_merge)(variant % 3)});
    if (shape != REVERSE_LAST)
        test_model_add(model, linear(width_of(model), 3 + variant % 2,
                                     (rnnat_activation)((variant + shape) % 6)));
}

bool every_model_start(int32_t index, test_model *model, const char **name)
{
    static const char *const plain[] = {"linear", "embedding", "embedding, linear, merge"};
    if (index < 0 || index >= NUM_STACKS + NUM_PLAIN) return false;
    test_model_start(model, 100 + (uint64_t)index);
    if (index < NUM_STACKS) {
        *name = variants[index % NUM_VARIANTS].name;
        start_stack(index % NUM_VARIANTS, index / NUM_VARIANTS, model);
        return true;
    }
    *name = plain[index - NUM_STACKS];
    if (index > NUM_STACKS) add_embedding(model, 6);
    if (index != NUM_STACKS + 1) test_model_add(model, linear(6, 8, RNNAT_SOFTMAX));
    if (index == NUM_STACKS + 2)
        test_model_add(model, (test_layer){.kind = TEST_MERGE,
                                           .input_size = 8,
                                           .output_size = 4,
                                           .merge = RNNAT_MERGE_AVE});
    return true;
}
