/* A library without some parts: a file that needs one is RNNAT_ERROR_UNSUPPORTED, so is every
 * function of double where there is none, and the cells that are there are right. Compiled with the
 * options of the library that it is linked with. */
#include <stdlib.h>

#include "check.h"
#include "config.h"
#include "run_case.h"
#include "variants.h"

static bool is_there(const test_layer *layer)
{
    const bool kind = layer->cell == TEST_RNN   ? RNNAT_WITH_RNN
                      : layer->cell == TEST_GRU ? RNNAT_WITH_GRU
                                                : RNNAT_WITH_LSTM;
    return kind && (RNNAT_WITH_GATE || !layer->gate_recurrent) &&
           (RNNAT_WITH_GENERAL || !layer->general);
}

static rnnat_status load(const test_model *model, rnnat_dtype dtype, rnnat_model **out)
{
    const rnnat_model_options options = {.struct_size = sizeof options, .dtype = (int32_t)dtype};
    const test_bytes file = test_model_bytes(model);
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, out);
    free(file.bytes);
    return status;
}

static naive_number *take(int32_t count)
{
    naive_number *const numbers = calloc((size_t)count, sizeof *numbers);
    if (!numbers) abort();
    return numbers;
}

/* With weights as float16, where there are any. */
static void check_float16(const test_model *model, rnnat_dtype dtype, bool there, const char *name)
{
    rnnat_model *made = NULL;
    const rnnat_model_options options = {
        .struct_size = sizeof options, .dtype = (int32_t)dtype, .weight_dtype = RNNAT_WEIGHT_F16};
    const test_bytes file = test_model_bytes(model);
    const bool can = there && RNNAT_WITH_FLOAT16 && dtype == RNNAT_F32;
    CHECK_CASE(rnnat_model_from_memory(file.bytes, file.size, &options, &made) ==
                   (can ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED),
               name);
    rnnat_model_free(made);
    free(file.bytes);
}

/* Against the equations. */
static void check_run(const test_model *model, const rnnat_model *made, uint64_t seed,
                      const char *name)
{
    test_inputs in = test_inputs_make(model, &seed, 4, 3, true, true);
    naive_number *const y =
        take(in.time * in.batch * test_layer_output(&model->layers[model->num_layers - 1]));
    naive_number *finals[MAX_STATES];
    for (int32_t s = 0; s < in.num_states; ++s)
        finals[s] = take(in.rows[s] * in.batch * in.features[s]);
    naive_run(model, &in, y, finals);
    test_outcome outcome = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK_CASE(outcome.status == RNNAT_OK && outcome.guarded, name);
    CHECK_CASE(test_outcome_worst(&outcome, y, finals) <= 1, name);
    test_outcome_end(&outcome);
    for (int32_t s = 0; s < in.num_states; ++s) free(finals[s]);
    free(y);
    test_inputs_end(&in);
}

/* Every function of double, on a model and a stream of float. */
static void check_double(const rnnat_model *model, bool indices)
{
    enum { most = 1 << 16 };
    static char scratch[most], memory[most];
    const rnnat_status expected = RNNAT_FLOAT64 ? RNNAT_ERROR_DTYPE : RNNAT_ERROR_UNSUPPORTED;
    const int32_t index = 0;
    double x[64] = {0}, y[64];
    size_t need = 0;
    rnnat_stream *stream = NULL;
    const rnnat_run_f64 run = {.struct_size = sizeof run,
                               .time = 1,
                               .batch = 1,
                               .x = indices ? NULL : x,
                               .indices = indices ? &index : NULL,
                               .y = y};
    CHECK(rnnat_model_run_size_f64(model, &run, &need) == expected);
    CHECK(rnnat_model_run_f64(model, &run, scratch, sizeof scratch) == expected);
    CHECK(rnnat_stream_init(memory, sizeof memory, model, 1, 1, &stream) == RNNAT_OK);
    if (!stream) return;
    CHECK(rnnat_stream_run_f64(stream, x, 1, y) == expected);
    CHECK(rnnat_stream_run_indices_f64(stream, &index, 1, y) == expected);
}

/* A layer that a build may lack, behind a linear one. */
static void check_layer(test_kind kind, bool there)
{
    test_model model;
    rnnat_model *made = NULL;
    test_model_start(&model, 7);
    test_model_add(&model, (test_layer){.kind = TEST_LINEAR, .input_size = 3, .output_size = 5});
    test_model_add(&model, (test_layer){.kind = kind, .input_size = 5, .output_size = 5});
    CHECK(load(&model, RNNAT_F32, &made) == (there ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
    rnnat_model_free(made);
    test_model_end(&model);
}

/* A gate with a function that comes with elementwise layers. */
static void check_shared_functions(void)
{
    int variant = 0;
    while (variant < NUM_VARIANTS && !variant_layer(variant, RNNAT_FORWARD, 6, 11).general)
        ++variant;
    test_layer layer = variant_layer(variant, RNNAT_FORWARD, 6, 11);
    const bool there = RNNAT_WITH_ELEMENTWISE && is_there(&layer);
    CHECK(layer.general);
    layer.functions[0].of[0] = (rnnat_function){RNNAT_GATE_SILU, 1, 0};
    test_model model;
    rnnat_model *made = NULL;
    test_model_start(&model, 7);
    test_model_add(&model, layer);
    CHECK(load(&model, RNNAT_F32, &made) == (there ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
    rnnat_model_free(made);
    test_model_end(&model);
}

int main(void)
{
    check_layer(TEST_ELEMENTWISE, RNNAT_WITH_ELEMENTWISE);
    check_layer(TEST_POOL, RNNAT_WITH_WINDOWS);
    check_layer(TEST_CONV, RNNAT_WITH_WINDOWS);
    check_layer(TEST_STRIDED, RNNAT_WITH_WINDOWS);
    check_layer(TEST_INSTANCE_NORM, RNNAT_WITH_WINDOWS);
    check_shared_functions();
    for (int variant = 0; variant < NUM_VARIANTS; ++variant) {
        const char *const name = variants[variant].name;
        const test_layer layer = variant_layer(variant, RNNAT_FORWARD, 6, 11);
        test_model model;
        test_model_start(&model, (uint64_t)variant);
        if (variant % 2)
            test_model_add(&model, (test_layer){.kind = TEST_EMBEDDING,
                                                .input_size = 3,
                                                .output_size = layer.input_size});
        test_model_add(&model, layer);
        rnnat_model *made = NULL;
        const bool there = is_there(&layer);
        check_float16(&model, RNNAT_F32, there, name);
        check_float16(&model, RNNAT_F64, there, name);
        CHECK_CASE(load(&model, RNNAT_F32, &made) == (there ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED),
                   name);
        if (made) {
            check_run(&model, made, (uint64_t)variant, name);
            check_double(made, variant % 2);
            rnnat_model_free(made);
        }
        made = NULL;
        CHECK_CASE(load(&model, RNNAT_F64, &made) ==
                       (there && RNNAT_FLOAT64 ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED),
                   name);
        if (made) {
            check_run(&model, made, (uint64_t)variant, name);
            rnnat_model_free(made);
        }
        test_model_end(&model);
    }
    return check_result();
}
