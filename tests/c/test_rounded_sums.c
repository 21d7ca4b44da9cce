/* A Linear layer whose products round what they multiply has the bits that docs/numerics.md states: of
 * integers, those of exact sums, whatever multiplies them; of bfloat16, those of the instruction set's products.
 * Arguments name the products beyond the instruction set's that the CPU has to have: quads and tiles of integers, bfloat16, or none. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "build_model.h"
#include "check.h"
#include "config.h"
#include "dispatch.h"
#include "float16.h"
#include "int8_model.h"
#include "run_case.h"
#include "weight_types.h"
#include "weights/stored.h"

/* ---- integers ---- */

static float product_of_integers(const float *x, const float *weights, float scale, int32_t k,
                                 float bias)
{
    float most = 0;
    for (int32_t i = 0; i < k; ++i) most = fmaxf(most, fabsf(x[i]));
    const float times = most > 0 ? 127 / most : 0;
    int32_t sum = 0;
    for (int32_t i = 0; i < k; ++i) {
        const float scaled = x[i] * times;
        sum += (int32_t)rintf(scaled) * (int32_t)weights[i];
    }
    const float scales = most / 127 * scale;
    const float product = (float)sum * scales;
    return bias + product;
}

/* ---- bfloat16 ---- */

/* The exact a + b, of which `near` is a float next to it: that, or towards zero and made odd. */
static float rounded_to_odd(double a, double b)
{
    const double sum = a + b, part = sum - a, rest = (a - (sum - part)) + (b - part);
    float near = (float)sum;
    const double beyond = (sum - (double)near) + rest;
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    if (beyond != 0) {
        if ((beyond > 0) != (near > 0)) --bits;
        bits |= 1;
    }
    memcpy(&near, &bits, sizeof near);
    return near;
}

static float bfloat16_of(float x) { return rnnat_bf16_widen(rnnat_bf16_round((double)x)); }

static float product_of_bfloat16(const float *x, const float *weights, int32_t k, float bias,
                                 bool arm)
{
    float sum = bias;
    for (int32_t i = 0; i < k; i += 2) {
        const bool pair = i + 1 < k;
        const float x0 = bfloat16_of(x[i]), w0 = bfloat16_of(weights[i]);
        const float x1 = pair ? bfloat16_of(x[i + 1]) : 0;
        const float w1 = pair ? bfloat16_of(weights[i + 1]) : 0;
        if (arm) {
            const float both = rounded_to_odd((double)x0 * (double)w0, (double)x1 * (double)w1);
            sum = rounded_to_odd((double)sum, (double)both);
        } else {
            sum = fmaf(x0, w0, fmaf(x1, w1, sum));
        }
    }
    return sum;
}

/* ---- both ---- */

/* Numbers of many sizes, of which no sum is a denormal; now and then the largest one again, or a zero. */
static void fill(float *x, int32_t count, uint64_t *random, int32_t octaves)
{
    for (int32_t i = 0; i < count; ++i) {
        const int32_t kind = test_choose(random, 0, 9);
        x[i] = ldexpf(test_random(random, 1), test_choose(random, -octaves, octaves));
        if (kind < 2) x[i] = ldexpf(kind ? 1.0f : -1.0f, octaves);
        if (kind == 2) x[i] = 0;
    }
}

static void test_case(int32_t k, int32_t n, int32_t batch, bool integers)
{
    test_model model;
    uint64_t random = (uint64_t)(k * 1000 + n * 10 + batch);
    test_model_start(&model, random);
    test_model_add(
        &model, (test_layer){.kind = TEST_LINEAR, .input_size = k, .output_size = n, .bias = true});
    const test_tensor *const weight = test_model_tensor(&model, 0, "weight", -1, false);
    const test_tensor *const bias = test_model_tensor(&model, 0, "bias", -1, false);
    if (integers)
        test_model_quantise(&model);
    else
        fill(weight->values, n * k, &random, 8);
    rnnat_model *const made =
        integers ? test_model_rounded(&model, RNNAT_WEIGHT_INT8, RNNAT_COMPUTE_AS_DTYPE)
                 : test_model_rounded(&model, RNNAT_WEIGHT_AS_DTYPE, RNNAT_COMPUTE_BF16);
    if (made) {
        test_inputs in = test_inputs_make(&model, &random, 1, batch, false, false);
        fill(in.x, batch * k, &random, integers ? 1 : 8);
        test_outcome got = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
        CHECK(got.status == RNNAT_OK && got.guarded);
        const bool arm = strcmp(rnnat_isa(), "neon") == 0;
        for (int32_t at = 0; at < batch * n; ++at) {
            const float *const x = in.x + at / n * k, *const w = weight->values + at % n * k;
            const float b = bias->values[at % n];
            const float want =
                integers ? product_of_integers(
                               x, w, test_model_scales(&model, weight)->values[at % n], k, b)
                         : product_of_bfloat16(x, w, k, b, arm);
            CHECK(!memcmp((const float *)got.y + at, &want, sizeof want));
        }
        test_outcome_end(&got);
        test_inputs_end(&in);
        rnnat_model_free(made);
    }
    test_model_end(&model);
}

static bool is_named(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; ++i)
        if (strcmp(argv[i], name) == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    static const int32_t sizes[] = {21, 64, 131};
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    const bool pairs = rnnat_stored_runs(kernels, RNNAT_STORED_BF16_DOT);
    if (argc > 1) {
        CHECK(rnnat_stored_runs(kernels, RNNAT_STORED_INT8_DOT) == is_named(argc, argv, "quads"));
        CHECK(rnnat_stored_runs(kernels, RNNAT_STORED_INT8_TILES) == is_named(argc, argv, "tiles"));
        CHECK(pairs == is_named(argc, argv, "bfloat16"));
    }
    for (int i = 0; i < 9; ++i)
        for (int32_t batch = 1; batch < 20; batch += 6) {
            if (RNNAT_WITH_INT8) test_case(sizes[i % 3], sizes[i / 3] - 2, batch, true);
            if (pairs) test_case(sizes[i % 3], sizes[i / 3] - 2, batch, false);
        }
    if (!pairs) printf("skipped: bfloat16, of which this CPU or build has no products\n");
    return check_result();
}
