/* Products that round rows before they multiply: int8 weights, and bfloat16 on both sides. A row has the same
 * bits in any batch, on any threads and as a stream, nothing is written but where there is room, and integers
 * are multiplied as pairs and as quads to the same bits. */
#include <stdlib.h>
#include <string.h>

#include "build_model.h"
#include "check.h"
#include "dispatch.h"
#include "run_case.h"
#include "variants.h"
#include "weight_types.h"

/* The same of a stream, in memory of exactly the need, some steps at a time. */
static void test_stream(const rnnat_model *made, const test_inputs *in, const test_outcome *all,
                        int32_t output, int32_t threads)
{
    const int32_t most = 3;
    size_t need = 0;
    rnnat_stream *stream = NULL;
    CHECK(rnnat_stream_size(made, in->batch, most, &need) == RNNAT_OK);
    char *const mem = malloc(need);
    float *const y = malloc((size_t)most * (size_t)in->batch * (size_t)output * sizeof *y);
    if (!mem || !y) abort();
    CHECK(rnnat_stream_init(mem, need, made, in->batch, most, &stream) == RNNAT_OK);
    CHECK(rnnat_stream_set_num_threads(stream, threads) == RNNAT_OK);
    for (int32_t s = 0; s < in->num_states; ++s)
        CHECK(rnnat_stream_set_state(stream, s, in->states[s]) == RNNAT_OK);
    for (int32_t t = 0, steps; t < in->time; t += steps) {
        steps = in->time - t < most ? in->time - t : most;
        const size_t row = (size_t)in->batch * (size_t)output;
        CHECK(rnnat_stream_run(stream, in->x + (ptrdiff_t)t * in->batch * in->width, steps, y) ==
              RNNAT_OK);
        CHECK(!memcmp(y, (const float *)all->y + (size_t)t * row, (size_t)steps * row * sizeof *y));
    }
    rnnat_stream_free(stream);
    free(y);
    free(mem);
}

/* With pairs, which run on every CPU, it has the bits of whatever this one takes. */
static void test_pairs(const test_model *model, uint64_t *random, int32_t batch, const char *name)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    rnnat_model *const best = test_model_rounded(model, RNNAT_WEIGHT_INT8, RNNAT_COMPUTE_AS_DTYPE);
    rnnat_model *const pairs = test_model_build(model, kernels, RNNAT_STORED_INT8);
    test_inputs in = test_inputs_make(model, random, 5, batch, true, true);
    test_outcome a = test_run(best, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_outcome b = test_run(pairs, &in, LAYOUT_DENSE, LAYOUT_PADDED, 2);
    CHECK_CASE(a.guarded && b.guarded && test_outcome_same(&a, &b), name);
    test_outcome_end(&a);
    test_outcome_end(&b);
    test_inputs_end(&in);
    rnnat_model_free(best);
    rnnat_model_free(pairs);
}

static void test_case(int variant, rnnat_direction direction, int32_t hidden, int32_t batch,
                      int32_t weights, int32_t compute)
{
    test_model model;
    uint64_t random = (uint64_t)(variant * 100 + hidden * 10 + batch);
    test_model_start(&model, random);
    test_layer layer = variant_layer(variant, direction, 21, hidden);
    layer.num_layers = 2;
    test_model_add(&model, layer);
    test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                        .input_size = test_layer_output(&model.layers[0]),
                                        .output_size = hidden + 3,
                                        .bias = batch % 2});
    rnnat_model *const made = test_model_rounded(&model, weights, compute);
    const char *const name = variants[variant].name;
    if (made) {
        test_inputs in = test_inputs_make(&model, &random, 7, batch, false, true);
        test_outcome all = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
        CHECK_CASE(all.status == RNNAT_OK && all.guarded, name);
        for (int32_t threads = 2; threads < 5; threads += 2) {
            test_outcome many = test_run(made, &in, LAYOUT_PADDED, LAYOUT_BATCH_MAJOR, threads);
            CHECK_CASE(many.guarded && test_outcome_same(&all, &many), name);
            test_outcome_end(&many);
        }
        for (int32_t row = 0; row < batch; row += 1 + batch / 3) {
            test_inputs one = test_inputs_part(&in, 0, in.time, row, 1, false);
            test_outcome alone = test_run(made, &one, LAYOUT_DENSE, LAYOUT_DENSE, 2);
            CHECK_CASE(alone.guarded && test_outcome_row_same(&alone, &all, row, batch, in.time,
                                                              hidden + 3, &in),
                       name);
            test_outcome_end(&alone);
            test_inputs_end(&one);
        }
        if (direction == RNNAT_FORWARD)
            for (int32_t threads = 1; threads < 10; threads += 4)
                test_stream(made, &in, &all, hidden + 3, threads);
        test_outcome_end(&all);
        test_inputs_end(&in);
        rnnat_model_free(made);
    }
    if (made && weights == RNNAT_WEIGHT_INT8) test_pairs(&model, &random, batch, name);
    test_model_end(&model);
}

int main(void)
{
    static const int32_t sizes[] = {3, 16, 37, 130}, batches[] = {1, 2, 13, 50};
    for (int variant = 0; variant < NUM_VARIANTS; ++variant)
        for (int k = is_brief ? variant % 4 : 0; k < 8; k += is_brief ? 4 : 1)
            test_case(variant, k % 3 ? RNNAT_FORWARD : RNNAT_BIDIRECTIONAL,
                      sizes[(k + variant) % 4], batches[k % 4],
                      k / 4 ? RNNAT_WEIGHT_AS_DTYPE : RNNAT_WEIGHT_INT8,
                      k / 4 ? RNNAT_COMPUTE_BF16 : RNNAT_COMPUTE_AS_DTYPE);
    return check_result();
}
