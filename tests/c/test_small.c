/* A model has the same bits with the baseline's kernels in any build: in blocks of many shapes or of
 * few (RNNAT_SMALL), with vectors or in plain C11 (RNNAT_SCALAR); with weights of every type. A softmax adds in as many parts as
 * a vector has elements: its bits are the same where these are as many. */
#include "build_model.h"
#include "check.h"
#include "dispatch.h"
#include "other_kernels.h"
#include "run_case.h"
#include "variants.h"

/* `steps` of `batch` rows; a linear layer behind, with any activation but, for kernels of another
 * number of lanes, softmax. */
static void test_case(int variant, rnnat_direction direction, int32_t hidden, int32_t batch,
                      const rnnat_kernels *other, int dtype)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    const bool alike = other[dtype].lanes == kernels[dtype].lanes;
    test_model model;
    uint64_t random = (uint64_t)(variant * 100 + hidden * 10 + batch);
    test_model_start(&model, random);
    test_layer layer = variant_layer(variant, direction, 7, hidden);
    layer.num_layers = 2;
    test_model_add(&model, layer);
    test_model_add(
        &model, (test_layer){.kind = TEST_LINEAR,
                             .input_size = test_layer_output(&model.layers[0]),
                             .output_size = hidden + 3,
                             .bias = batch % 2,
                             .activation = (rnnat_activation)test_choose(
                                 &random, RNNAT_IDENTITY, alike ? RNNAT_LOG_SOFTMAX : RNNAT_RELU)});
    rnnat_stored type = RNNAT_STORED_OWN;
    if (RNNAT_WITH_FLOAT16 && dtype == RNNAT_F32 && (variant + batch) % 3 == 1)
        type = RNNAT_STORED_F16;
    if (RNNAT_WITH_INT8 && dtype == RNNAT_F32 && (variant + batch) % 3 == 2)
        type = RNNAT_STORED_INT8;
    rnnat_model *const made = test_model_build(&model, &kernels[dtype], type);
    rnnat_model *const twin = test_model_build(&model, &other[dtype], type);
    const test_inputs in = test_inputs_make(&model, &random, 5, batch, batch > 1, true);
    test_outcome a = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_outcome b = test_run(twin, &in, LAYOUT_BATCH_MAJOR, LAYOUT_PADDED, 1);
    CHECK_CASE(a.status == RNNAT_OK && b.status == RNNAT_OK && b.guarded, variants[variant].name);
    CHECK_CASE(test_outcome_same(&a, &b), variants[variant].name);
    test_outcome_end(&a);
    test_outcome_end(&b);
    test_inputs end = in;
    test_inputs_end(&end);
    rnnat_model_free(made);
    rnnat_model_free(twin);
    test_model_end(&model);
}

int main(void)
{
    static const int32_t sizes[] = {2, 5, 16, 33, 70}, batches[] = {1, 2, 5, 9};
    static const rnnat_kernels *const others[] = {test_kernels_small, test_kernels_scalar};
    if (rnnat_isa_use("baseline") != RNNAT_OK) return 77;
    for (int variant = 0; variant < NUM_VARIANTS; ++variant)
        for (size_t h = 0; h < sizeof sizes / sizeof *sizes; ++h)
            for (size_t b = is_brief ? h % 4 : 0; b < sizeof batches / sizeof *batches;
                 b += is_brief ? 4 : 1)
                for (size_t k = 0; k < sizeof others / sizeof *others; ++k)
                    test_case(variant, (h + b) % 2 ? RNNAT_FORWARD : RNNAT_BIDIRECTIONAL, sizes[h],
                              batches[b], others[k], (int)((h + k) % 2));
    return check_result();
}
