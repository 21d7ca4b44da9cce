/* What every cell and option gives, in both precisions, as one line of bits each: whoever compiles
 * the library for the same instruction set prints the same lines. */
#include <stdio.h>

#include "run_case.h"
#include "variants.h"

/* FNV-1a. */
static uint64_t hash(uint64_t sum, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; ++i)
        sum = (sum ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* Whether it ran. */
static bool print_outcome(const char *name, const test_model *model, const test_inputs *in,
                          rnnat_dtype dtype)
{
    rnnat_model *const made = test_model_make(model, dtype, RNNAT_MATMUL_PACKED);
    test_outcome outcome = test_run(made, in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    uint64_t sum = hash(UINT64_C(0xcbf29ce484222325), outcome.y, outcome.y_bytes);
    for (int32_t s = 0; s < outcome.num_states; ++s)
        sum = hash(sum, outcome.states[s], outcome.state_bytes[s]);
    const rnnat_status status = outcome.status;
    printf("%s %s %d %s %016llx\n", rnnat_isa(), name, (int)dtype, rnnat_status_name(status),
           (unsigned long long)sum);
    test_outcome_end(&outcome);
    rnnat_model_free(made);
    return status == RNNAT_OK;
}

int main(void)
{
    enum { INPUT = 13, HIDDEN = 21, OUTPUT = 10, TIME = 9, BATCH = 5 };
    bool right = true;
    for (int variant = 0; variant < NUM_VARIANTS; ++variant) {
        uint64_t random = 1 + (uint64_t)variant;
        test_layer layer = variant_layer(variant, RNNAT_BIDIRECTIONAL, INPUT, HIDDEN);
        layer.num_layers = 2;
        test_model model;
        test_model_start(&model, random);
        if (variant % 2)
            test_model_add(
                &model,
                (test_layer){.kind = TEST_EMBEDDING, .input_size = 7, .output_size = INPUT});
        test_model_add(&model, layer);
        test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                            .input_size = test_layer_output(&layer),
                                            .output_size = OUTPUT,
                                            .bias = true,
                                            .activation = variant % 6});
        test_inputs in = test_inputs_make(&model, &random, TIME, BATCH, true, true);
        const char *const name = variants[variant].name;
        right = print_outcome(name, &model, &in, RNNAT_F32) && right;
        right = print_outcome(name, &model, &in, RNNAT_F64) && right;
        test_inputs_end(&in);
        test_model_end(&model);
    }
    return !right;
}
