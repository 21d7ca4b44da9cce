/* The table of an embedding, as every type of weights stores it: what a run gives is each row's numbers
 * rounded once, to the bit, with every instruction set; as much memory as they take. */
#include "weights/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "float16.h"
#include "model_file.h"

enum { KNOWN = 9, MOST_WIDTH = 130 };

typedef struct way {
    int32_t weights;
    int32_t bytes; /* of an element */
    bool here;
} way;
static const way ways[] = {{RNNAT_WEIGHT_AS_DTYPE, 4, true},
                           {RNNAT_WEIGHT_F16, 2, RNNAT_WITH_FLOAT16},
                           {RNNAT_WEIGHT_BF16, 2, RNNAT_WITH_BFLOAT16},
                           {RNNAT_WEIGHT_INT8, 1, RNNAT_WITH_INT8}};
enum { WAYS = sizeof ways / sizeof *ways };

static rnnat_status make(const test_model *model, int32_t weights, rnnat_model **out)
{
    const rnnat_model_options options = {.struct_size = sizeof options, .weight_dtype = weights};
    const test_bytes file = test_model_bytes(model);
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, out);
    free(file.bytes);
    return status;
}

static uint64_t memory_of(const rnnat_model *model)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK);
    return info.memory;
}

/* y [KNOWN, width], of every index once. */
static void look_up(const rnnat_model *model, float *y)
{
    int32_t indices[KNOWN];
    size_t need = 0;
    for (int32_t i = 0; i < KNOWN; ++i) indices[i] = i;
    const rnnat_run run = {.struct_size = sizeof run,
                           .time = KNOWN,
                           .batch = 1,
                           .indices = indices,
                           .y = y,
                           .num_threads = 1};
    CHECK(rnnat_model_run_size(model, &run, &need) == RNNAT_OK);
    void *const scratch = malloc(need);
    CHECK(rnnat_model_run(model, &run, scratch, need) == RNNAT_OK);
    free(scratch);
}

/* A table of any numbers, or one whose rows are multiples of a scale, 127 times it among them: their
 * integers are kept, and so are those of a row of one number. */
static test_tensor *fill(test_model *model, int32_t width, bool has_integers)
{
    test_model_add(model,
                   (test_layer){.kind = TEST_EMBEDDING, .input_size = KNOWN, .output_size = width});
    test_tensor *const table = test_model_tensor(model, 0, "weight", -1, false);
    for (int32_t i = 0; has_integers && i < KNOWN * width; ++i) {
        const float scale = ldexpf(1 + (float)(i / width) / 16, i / width * 2 - 12);
        const int32_t integer = test_choose(&model->random, -127, 127);
        table->values[i] = scale * (float)(i % width ? integer : 127);
    }
    return table;
}

static float expected(int32_t weights, float value, bool has_integers, float largest)
{
    if (weights == RNNAT_WEIGHT_F16) return rnnat_f16_widen(rnnat_f16_round((double)value));
    if (weights == RNNAT_WEIGHT_BF16) return rnnat_bf16_widen(rnnat_bf16_round((double)value));
    if (weights == RNNAT_WEIGHT_AS_DTYPE || has_integers) return value;
    const float scale = (float)((double)largest / 127);
    const double integer = nearbyint((double)value / (double)scale) + 0; /* which has no -0 */
    return (float)(integer * (double)scale);
}

static void test_rows(int32_t width, bool has_integers)
{
    test_model model;
    test_model_start(&model, (uint64_t)width);
    const test_tensor *const table = fill(&model, width, has_integers);
    float *const y = malloc(sizeof *y * KNOWN * MOST_WIDTH);
    uint64_t plain = 0;
    for (int32_t i = 0; i < WAYS; ++i) {
        rnnat_model *made = NULL;
        CHECK(make(&model, ways[i].weights, &made) ==
              (ways[i].here ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
        if (!made) continue;
        if (i == 0) plain = memory_of(made);
        const int64_t scales = ways[i].bytes == 1 ? KNOWN * 4 : 0;
        const int64_t less = (int64_t)(plain - memory_of(made));
        const int64_t saved = (4 - ways[i].bytes) * KNOWN * width - scales;
        CHECK(llabs(less - saved) <= 2 * 64); /* arrays begin at a multiple */
        look_up(made, y);
        for (int32_t row = 0; row < KNOWN; ++row) {
            const float *const from = table->values + row * width;
            float largest = 0;
            for (int32_t k = 0; k < width; ++k) largest = fmaxf(largest, fabsf(from[k]));
            for (int32_t k = 0; k < width; ++k) {
                const float right = expected(ways[i].weights, from[k], has_integers, largest);
                CHECK(memcmp(&y[row * width + k], &right, sizeof right) == 0);
            }
        }
        rnnat_model_free(made);
    }
    free(y);
    test_model_end(&model);
}

/* What a type has no room for is refused, and a line that keeps its table has it as it is. */
static void test_range(void)
{
    static const struct {
        float value;
        bool fits[WAYS];
    } of[] = {{65519, {true, true, true, true}},
              {65520, {true, false, true, true}},
              {3.4e38f, {true, false, false, true}},
              {INFINITY, {true, true, true, false}},
              {NAN, {true, true, true, false}}};
    for (size_t k = 0; k < sizeof of / sizeof *of; ++k)
        for (int32_t i = 0; i < WAYS; ++i)
            for (int32_t kept = 0; kept < 2; ++kept) {
                test_model model;
                rnnat_model *made = NULL;
                test_model_start(&model, 3);
                fill(&model, 5, false)->values[7] = of[k].value;
                if (kept) strcat(model.pairs[2].value, " weight_dtype=float32");
                const bool right = ways[i].here && (kept || of[k].fits[i]);
                CHECK(make(&model, ways[i].weights, &made) ==
                      (right ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
                if (made && kept) {
                    float y[KNOWN * 5];
                    look_up(made, y);
                    CHECK(memcmp(&y[7], &of[k].value, sizeof *y) == 0);
                }
                rnnat_model_free(made);
                test_model_end(&model);
            }
}

int main(void)
{
    static const int32_t widths[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 63, 64, 65, 127, MOST_WIDTH};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) {
        if (widths[i] > 1) test_rows(widths[i], false);
        test_rows(widths[i], true);
    }
    test_range();
    return check_result();
}
