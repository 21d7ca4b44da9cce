/* Runs by threads, in each way that they share one: rows, the units of a layer, directions, stages of
 * a wavefront, and several of these at once; in chains of unequal layers of every cell, so that what
 * threads have in common lies elsewhere in each layer. The bits are those of one thread; the thread
 * sanitizer sees here that what one writes and another reads has a meeting in between. */
#include "check.h"
#include "run/run.h"
#include "run_case.h"
#include "threads/threads.h"
#include "variants.h"

typedef enum shape { UNITS, DIRECTIONS, LAST, STAGES, NUM_SHAPES } shape;

static const char *const shapes[] = {"units", "directions", "last", "stages"};
static const int32_t times[] = {21, 19, 17, 170};

/* How often runs shared something. */
static int shared_rows, shared_units, shared_stages, shared_rows_and_units;

static test_layer linear(int32_t input, int32_t output, rnnat_activation activation)
{
    return (test_layer){.kind = TEST_LINEAR,
                        .input_size = input,
                        .output_size = output,
                        .bias = true,
                        .activation = activation};
}

static test_layer gru(rnnat_direction direction, int32_t input, int32_t hidden)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = TEST_GRU,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = 1,
                        .direction = direction,
                        .bias = true,
                        .reset_after = true};
}

static int32_t width_of(const test_model *model)
{
    return test_layer_output(&model->layers[model->num_layers - 1]);
}

/* Layers large enough to be divided, of steps too few for stages; or small ones of many steps. */
static void start(test_model *model, shape of, int32_t variant)
{
    static const rnnat_direction directions[] = {RNNAT_FORWARD, RNNAT_BIDIRECTIONAL, RNNAT_REVERSE,
                                                 RNNAT_FORWARD};
    const int32_t hidden = of == STAGES ? 31 : 115;
    test_layer layer = variant_layer(variant, directions[of], 6, hidden);
    layer.num_layers = of == STAGES ? 3 : of == LAST ? 1 : 2;
    layer.last_only = of == LAST && !layer.output_layer;
    test_model_start(model, (uint64_t)variant * NUM_SHAPES + of);
    if (variant % 2)
        test_model_add(model,
                       (test_layer){.kind = TEST_EMBEDDING, .input_size = 9, .output_size = 6});
    test_model_add(model, layer);
    if (of == DIRECTIONS && !layer.output_layer)
        test_model_add(model, (test_layer){.kind = TEST_MERGE,
                                           .input_size = width_of(model),
                                           .output_size = width_of(model) / 2,
                                           .merge = RNNAT_MERGE_SUM});
    if (of == UNITS) test_model_add(model, gru(RNNAT_FORWARD, width_of(model), 78));
    if (of == DIRECTIONS) test_model_add(model, gru(RNNAT_BIDIRECTIONAL, width_of(model), 63));
    if (of == LAST) test_model_add(model, linear(width_of(model), 51, RNNAT_TANH));
    test_model_add(model, linear(width_of(model), 13, RNNAT_SOFTMAX));
}

static void count(const rnnat_model *made, const test_inputs *in, int32_t threads)
{
    static float y[1];
    const rnnat_run_args args = {.dtype = RNNAT_F32,
                                 .time = in->time,
                                 .batch = in->batch,
                                 .x = in->x,
                                 .indices = in->indices,
                                 .y = y,
                                 .num_threads = threads};
    rnnat_job job;
    CHECK(rnnat_run_plan(made, &args, &job) == RNNAT_OK);
    shared_rows += job.workspaces > 1;
    shared_units += job.team_size > 1 && !job.wavefront;
    shared_stages += job.team_size > 1 && job.wavefront;
    shared_rows_and_units += job.workspaces > 1 && job.team_size > 1;
}

static void test_threads(shape of, int32_t variant)
{
    static const int32_t counts[] = {2, 7};
    test_model model;
    start(&model, of, variant);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    uint64_t random = 5;
    for (int32_t batch = 1; batch <= 3; batch += is_brief ? 2 : 1) {
        test_inputs in = test_inputs_make(&model, &random, times[of], batch, batch > 1, true);
        test_outcome one = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i) {
            test_outcome got = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, counts[i]);
            CHECK_CASE(got.guarded && test_outcome_same(&got, &one), shapes[of]);
            count(made, &in, counts[i]);
            test_outcome_end(&got);
        }
        test_outcome_end(&one);
        test_inputs_end(&in);
    }
    rnnat_model_free(made);
    test_model_end(&model);
}

int main(void)
{
    for (int of = 0; of < NUM_SHAPES; ++of)
        for (int32_t variant = 0; variant < NUM_VARIANTS; ++variant)
            test_threads((shape)of, variant);
    if (rnnat_threads_compiled()) {
        CHECK(shared_rows > 0 && shared_units > 0);
        CHECK(shared_stages > 0 && shared_rows_and_units > 0);
    }
    return check_result();
}
