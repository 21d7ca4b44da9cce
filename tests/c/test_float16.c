/* float16 as numbers, all of them, and as what a model's weights are stored as. */
#include "weight_types.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "float_scope.h"
#include "run_case.h"
#include "variants.h"

/* What the bits say: (1 + f / 2^10) 2^(e - 15), or f 2^-24 where e is 0. */
static double value_of(uint32_t half)
{
    const int exponent = (int)(half >> 10 & 0x1F), fraction = (int)(half & 0x3FF);
    const double size = exponent == 0    ? ldexp(fraction, -24)
                        : exponent == 31 ? (double)INFINITY
                                         : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

static bool is_nan(uint32_t half) { return (half & 0x7FFF) > 0x7C00; }

static void test_numbers(void)
{
    const rnnat_float_mode before =
        rnnat_float_enter(); /* denormals are zero, as while a model runs */
    for (uint32_t half = 0; half < 65536; ++half) {
        const float wide = rnnat_f16_widen(half);
        if (is_nan(half)) {
            CHECK(isnan(wide) && is_nan(rnnat_f16_round((double)wide)));
            continue;
        }
        CHECK((double)wide == value_of(half) && !signbit(wide) == !(half & 0x8000));
        CHECK(rnnat_f16_round((double)wide) == half);
    }
    for (uint32_t half = 0; half < 0x7C00;
         ++half) { /* between one and the next, which is even or not */
        const double a = value_of(half), b = half == 0x7BFF ? 65536 : value_of(half + 1);
        const double middle = (a + b) / 2;
        const uint32_t even = half & 1 ? half + 1 : half;
        for (uint32_t sign = 0; sign < 2; ++sign) {
            const double s = sign ? -1 : 1;
            CHECK(rnnat_f16_round(s * middle) == (even | sign << 15));
            CHECK(rnnat_f16_round(s * nextafter(middle, 0)) == (half | sign << 15));
            CHECK(rnnat_f16_round(s * nextafter(middle, 1e9)) == ((half + 1) | sign << 15));
        }
    }
    CHECK(rnnat_f16_round(1e300) == 0x7C00 && rnnat_f16_round(-1e300) == 0xFC00);
    CHECK(rnnat_f16_round(1e-300) == 0 && rnnat_f16_round(-0x1p-1074) == 0x8000);
    rnnat_float_leave(before);
}

static rnnat_status make(const test_model *model, rnnat_model_options options, rnnat_model **out)
{
    const test_bytes file = test_model_bytes(model);
    options.struct_size = sizeof options;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, out);
    free(file.bytes);
    return status;
}

static void test_models(void)
{
    test_model model;
    rnnat_model *made = NULL;
    rnnat_model_info info = {.struct_size = sizeof info}, plain = info;
    test_model_start(&model, 1);
    test_model_add(&model, variant_layer(0, RNNAT_FORWARD, 16, 64));
    CHECK(make(&model, (rnnat_model_options){.weight_dtype = RNNAT_WEIGHT_INT8 + 1}, &made) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(make(&model, (rnnat_model_options){.weight_dtype = -1}, &made) == RNNAT_ERROR_ARGUMENT);
    const rnnat_model_options with_double = {.dtype = RNNAT_F64, .weight_dtype = RNNAT_WEIGHT_F16};
    CHECK(make(&model, with_double, &made) == RNNAT_ERROR_UNSUPPORTED);
    const rnnat_model_options blas = {.matmul = RNNAT_MATMUL_BLAS,
                                      .weight_dtype = RNNAT_WEIGHT_F16};
    CHECK(make(&model, blas, &made) == RNNAT_ERROR_UNSUPPORTED);
    CHECK(!made);
    CHECK(make(&model, (rnnat_model_options){0}, &made) == RNNAT_OK);
    CHECK(rnnat_model_describe(made, &plain) == RNNAT_OK && plain.weight_dtype == 0);
    rnnat_model_free(made);
    made = NULL;
    const rnnat_status expected = RNNAT_WITH_FLOAT16 ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
    CHECK(make(&model, (rnnat_model_options){.weight_dtype = RNNAT_WEIGHT_F16}, &made) == expected);
    if (made) {
        CHECK(rnnat_model_describe(made, &info) == RNNAT_OK);
        CHECK(info.weight_dtype == RNNAT_WEIGHT_F16 && info.memory < plain.memory);
        CHECK(info.num_parameters == plain.num_parameters);
    }
    rnnat_model_free(made);
    test_model_end(&model);
}

/* A layer whose line keeps its matrices has the bytes of a float32 one. */
static void test_kept(void)
{
    uint64_t memory[3];
    for (int32_t kept = 0; kept < 3; ++kept) { /* none of the layers, the first one, both */
        test_model model;
        rnnat_model *made = NULL;
        rnnat_model_info info = {.struct_size = sizeof info};
        test_model_start(&model, 1);
        test_model_add(&model, variant_layer(0, RNNAT_FORWARD, 16, 64));
        test_model_add(&model, variant_layer(0, RNNAT_FORWARD, 64, 64));
        for (int32_t i = 0; i < kept; ++i)
            strcat(model.pairs[2 + i].value, " weight_dtype=float32");
        CHECK(make(&model, (rnnat_model_options){.weight_dtype = RNNAT_WEIGHT_F16}, &made) ==
              (RNNAT_WITH_FLOAT16 ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
        memory[kept] = 0;
        if (made && rnnat_model_describe(made, &info) == RNNAT_OK) {
            CHECK(info.weight_dtype == RNNAT_WEIGHT_F16);
            memory[kept] = info.memory;
        }
        rnnat_model_free(made);
        made = NULL;
        CHECK(make(&model, (rnnat_model_options){0}, &made) == RNNAT_OK);
        if (made && rnnat_model_describe(made, &info) == RNNAT_OK && kept == 2)
            CHECK(memory[2] == (RNNAT_WITH_FLOAT16 ? info.memory : 0));
        rnnat_model_free(made);
        test_model_end(&model);
    }
    CHECK(!RNNAT_WITH_FLOAT16 || (memory[0] < memory[1] && memory[1] < memory[2]));
}

int main(void)
{
    test_numbers();
    test_kept();
    test_models();
    return check_result();
}
