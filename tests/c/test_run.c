/* Runs over whole sequences: every cell and option, on every instruction set this CPU has, in both
 * precisions, packed and through a BLAS, agrees with the equations within the bound of naive.h,
 * whatever the layout of x and y; and with packed weights a row has the same bits in any layout,
 * batch, number of threads and cutting into runs. */
#include <math.h>
#include <stdlib.h>

#include "fake_blas.h"
#include "run/run.h"
#include "run_check.h"
#include "threads/threads.h"
#include "variants.h"

enum { NUM_DIRECTIONS = 3 };
/* Of each variant and direction. */
enum { SMALL_CASES = is_brief ? 1 : is_sanitized ? 4 : 10, LARGE_CASES = is_brief ? 0 : 1 };

/* ---- which cases ---- */

static test_layer recurrent(int variant, rnnat_direction direction, int32_t input, int32_t hidden,
                            int32_t layers, bool bias)
{
    if (variants[variant].layer.proj_size && hidden < 2) hidden = 2;
    test_layer layer = variant_layer(variant, direction, input, hidden);
    layer.num_layers = layers;
    layer.bias = bias;
    return layer;
}

/* Sizes on both sides of whole vectors, and everything else by chance. */
static void test_small(int variant, rnnat_direction direction, uint64_t seed)
{
    static const int32_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40};
    static const int32_t counts[] = {1, 1, 2, 3, 4, 5, 6, 7, 9, 13};
    uint64_t random = seed;
    test_model model;
    test_model_start(&model, seed);
    int32_t width = sizes[test_choose(&random, 0, 15)];
    const int32_t hidden = sizes[test_choose(&random, 0, 15)];
    if (test_choose(&random, 0, 3) == 0)
        test_model_add(&model, (test_layer){.kind = TEST_EMBEDDING,
                                            .input_size = test_choose(&random, 1, 9),
                                            .output_size = width});
    test_model_add(&model, recurrent(variant, direction, width, hidden, test_choose(&random, 1, 3),
                                     test_choose(&random, 0, 3) > 0));
    width = test_layer_output(&model.layers[model.num_layers - 1]);
    if (test_choose(&random, 0, 1)) {
        const test_layer linear = {.kind = TEST_LINEAR,
                                   .input_size = width,
                                   .output_size = sizes[test_choose(&random, 0, 15)],
                                   .bias = test_choose(&random, 0, 3) > 0,
                                   .activation = (rnnat_activation)test_choose(
                                       &random, RNNAT_IDENTITY, RNNAT_LOG_SOFTMAX)};
        test_model_add(&model, linear);
        if (test_choose(&random, 0, 2) == 0) /* and one more layer with states of its own */
            test_model_add(&model, recurrent(test_choose(&random, 0, NUM_VARIANTS - 1),
                                             (rnnat_direction)test_choose(&random, 0, 2),
                                             linear.output_size, 6, 1, true));
    }
    test_inputs in = test_inputs_make(
        &model, &random, counts[test_choose(&random, 0, 9)], counts[test_choose(&random, 0, 9)],
        test_choose(&random, 0, 1) == 0, test_choose(&random, 0, 1) == 0);
    check_case(&model, &in, 1);
    test_inputs_end(&in);
    test_model_end(&model);
}

/* How threads divide a run: workspaces of rows, and threads that share a workspace. */
static rnnat_job plan_of(const test_model *model, const test_inputs *in, int32_t threads)
{
    rnnat_model *const made = test_model_make(model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    const rnnat_run_args args = {.dtype = RNNAT_F32,
                                 .time = in->time,
                                 .batch = in->batch,
                                 .x = in->x,
                                 .y = in->x,
                                 .num_threads = threads};
    rnnat_job job = {0};
    CHECK(rnnat_run_plan(made, &args, &job) == RNNAT_OK);
    rnnat_model_free(made);
    return job;
}

/* Enough work that rows are divided among threads, and enough steps for a few chunks. */
static void test_long(int variant, rnnat_direction direction, uint64_t seed)
{
    uint64_t random = seed;
    test_model model;
    test_model_start(&model, seed);
    test_model_add(&model, recurrent(variant, direction, 38, 39, 1 + variant % 2, true));
    const int32_t batch = variant % 4 ? 7 : 40;
    test_inputs in =
        test_inputs_make(&model, &random, 40 + 80 / batch, batch, seed % 2 == 0, seed % 4 < 2);
    CHECK(plan_of(&model, &in, 3).workspaces == 3 || !rnnat_threads_compiled());
    check_case(&model, &in, 1);
    test_inputs_end(&in);
    test_model_end(&model);
}

/* Few rows and wide layers: threads share each step, or have a direction each. */
static void test_wide(int variant, rnnat_direction direction, uint64_t seed)
{
    static const int32_t hidden[] = {391, 225, 197}; /* by cell */
    uint64_t random = seed;
    const test_layer *const layer = &variants[variant].layer;
    test_model model;
    test_model_start(&model, seed);
    test_model_add(&model, recurrent(variant, direction, 9,
                                     hidden[layer->cell] + (layer->proj_size ? 45 : 0), 1, true));
    if (variant % 2)
        test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                            .input_size = test_layer_output(&model.layers[0]),
                                            .output_size = 70,
                                            .bias = true,
                                            .activation = RNNAT_SOFTMAX});
    const int32_t batch = 1 + variant / 2 % 2;
    test_inputs in = test_inputs_make(&model, &random, 13, batch, seed % 2 == 0, seed % 4 < 2);
    CHECK(plan_of(&model, &in, 3 * batch).team_size == 3 || !rnnat_threads_compiled());
    check_case(&model, &in, batch);
    test_inputs_end(&in);
    test_model_end(&model);
}

/* Every activation behind a linear layer alone, which has no states. */
static void test_linear(rnnat_activation activation)
{
    for (int32_t width = 1; width <= 40; width += 3) {
        uint64_t random = 100 + (uint64_t)width;
        test_model model;
        test_model_start(&model, random);
        test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                            .input_size = 41 - width,
                                            .output_size = width,
                                            .bias = width % 2 == 0,
                                            .activation = activation});
        test_inputs in = test_inputs_make(&model, &random, 3, 4, width % 4 < 2, false);
        check_case(&model, &in, 1);
        test_inputs_end(&in);
        test_model_end(&model);
    }
}

/* No steps, no rows, only rows without steps: the final state is the initial one. */
static void test_empty(int variant)
{
    uint64_t random = 7;
    test_model model;
    test_model_start(&model, random);
    test_model_add(&model, recurrent(variant, RNNAT_BIDIRECTIONAL, 3, 5, 2, true));
    for (int kind = 0; kind < 6; ++kind) {
        const int32_t time = kind / 2 == 0 ? 0 : 4, batch = kind / 2 == 1 ? 0 : 3;
        test_inputs in = test_inputs_make(&model, &random, time, batch, true, kind % 2 == 0);
        for (int32_t b = 0; b < batch; ++b) in.lengths[b] = 0;
        check_case(&model, &in, 1);
        test_inputs_end(&in);
    }
    test_model_end(&model);
}

/* Sums that saturate a gate, infinities and NaN, one to a row: what comes of them is what the
 * equations say, NaN where they do, in that row alone. 1e-5: values of at most about 2, a few
 * steps, far from where rounding adds up; relu, which has no such limit, gets what is not finite. */
static void test_extremes(int variant)
{
    static const float extremes[] = {INFINITY, -INFINITY, NAN, 50, -50, 1e4f, -1e4f, 1e30f, -1e30f};
    uint64_t random = 12;
    test_model model;
    test_model_start(&model, random);
    test_model_add(&model, recurrent(variant, RNNAT_BIDIRECTIONAL, 3, 9, 1, true));
    const int32_t rows = model.layers[0].activation == RNNAT_RELU ? 3 : 9, steps = 4;
    const int32_t width = test_layer_output(&model.layers[0]);
    test_inputs in = test_inputs_make(&model, &random, steps, rows, false, true);
    for (int32_t b = 0; b < rows; ++b) in.x[(rows + b) * in.width] = extremes[b];
    naive_number *const y = take_numbers(steps * rows * width), *finals[MAX_STATES] = {0};
    for (int32_t s = 0; s < in.num_states; ++s)
        finals[s] = take_numbers(in.rows[s] * rows * in.features[s]);
    naive_run(&model, &in, y, finals);
    rnnat_isa_entry isa;
    for (int32_t i = 0; rnnat_isa_at(i, &isa); ++i) {
        if (!isa.available) continue;
        CHECK(rnnat_isa_use(isa.name) == RNNAT_OK);
        for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
            name_case(isa.name, dtype, &model, &in);
            rnnat_model *const made =
                test_model_make(&model, (rnnat_dtype)dtype, RNNAT_MATMUL_PACKED);
            test_outcome outcome = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
            bool right = outcome.status == RNNAT_OK;
            for (int32_t k = 0; k < steps * rows * width; ++k) {
                const double got = dtype == RNNAT_F32 ? (double)((const float *)outcome.y)[k]
                                                      : ((const double *)outcome.y)[k];
                right = right &&
                        (isnan(y[k].value) ? isnan(got)
                                           : got == y[k].value || fabs(got - y[k].value) < 1e-5);
            }
            CHECK_CASE(right, case_name);
            test_outcome_end(&outcome);
            rnnat_model_free(made);
        }
    }
    free(y);
    for (int32_t s = 0; s < in.num_states; ++s) free(finals[s]);
    test_inputs_end(&in);
    test_model_end(&model);
}

/* test_run [DIRECTION]: of layers that run so alone; those of no direction go with the first. */
int main(int argc, char **argv)
{
    const int first = argc > 1 ? atoi(argv[1]) : 0, last = argc > 1 ? first : NUM_DIRECTIONS - 1;
    CHECK(fake_blas_use());
    for (int variant = 0; variant < NUM_VARIANTS; ++variant) {
        for (int direction = first; direction <= last; ++direction) {
            const int seed = variant * NUM_DIRECTIONS + direction;
            for (int i = 0; i < SMALL_CASES; ++i)
                test_small(variant, (rnnat_direction)direction, (uint64_t)(seed * 1000 + i));
            for (int i = 0; i < LARGE_CASES; ++i) {
                test_long(variant, (rnnat_direction)direction, (uint64_t)(seed + i));
                test_wide(variant, (rnnat_direction)direction, (uint64_t)(seed + i));
            }
        }
        if (first == 0) {
            test_empty(variant);
            test_extremes(variant);
        }
    }
    for (int a = RNNAT_IDENTITY; first == 0 && a <= RNNAT_LOG_SOFTMAX; ++a)
        test_linear((rnnat_activation)a);
    CHECK(fake_blas_is_content());
    return check_result();
}
