/* One model and one set of inputs, checked on every instruction set this CPU has, in both precisions,
 * packed and through a BLAS: against the equations within the bound of naive.h, and with packed
 * weights bit for bit in any layout, batch, number of threads and cutting into runs. For programs
 * that have called fake_blas_use. */
#ifndef RNNAT_TEST_RUN_CHECK_H
#define RNNAT_TEST_RUN_CHECK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "run_case.h"

static char case_name[1300]; /* of the case at hand, for messages */

static void name_case(const char *isa, int kind, const test_model *model, const test_inputs *in)
{
    snprintf(case_name, sizeof case_name, "%s, %s, %s, time %d, batch %d%s%s: %s; %s", isa,
             kind % 2 ? "double" : "float", kind / 2 ? "blas" : "packed", in->time, in->batch,
             in->lengths ? ", lengths" : "", in->num_states && in->states[0] ? ", states" : "",
             model->pairs[2].value, model->num_layers > 1 ? model->pairs[3].value : "");
}

/* ---- one model, one set of inputs ---- */

typedef struct expected {
    naive_number *y;
    naive_number *finals[MAX_STATES];
} expected;

static naive_number *take_numbers(int32_t count)
{
    naive_number *const numbers = calloc((size_t)count + 1, sizeof *numbers);
    if (!numbers) abort();
    return numbers;
}

/* A float result may be 2^28 times as far off as a double one (naive.h), which is held to 1e-12. */
static double largest(const naive_number *numbers, int32_t count)
{
    double most = 0;
    for (int32_t i = 0; i < count; ++i) most = fmax(most, numbers[i].error);
    return most;
}

static expected expect(const test_model *model, const test_inputs *in)
{
    const int32_t width = test_layer_output(&model->layers[model->num_layers - 1]);
    const int32_t y_count = (test_model_last_only(model) ? 1 : in->time) * in->batch * width;
    expected e = {.y = take_numbers(y_count)};
    for (int32_t s = 0; s < in->num_states; ++s)
        e.finals[s] = take_numbers(in->rows[s] * in->batch * in->features[s]);
    naive_run(model, in, e.y, e.finals);
    name_case("naive", 1, model, in);
    double most = largest(e.y, y_count);
    for (int32_t s = 0; s < in->num_states; ++s)
        most = fmax(most, largest(e.finals[s], in->rows[s] * in->batch * in->features[s]));
    CHECK_CASE(most * 0x1p-28 < 1e-12, case_name);
    return e;
}

/* Every row alone, with its length and cut off at its length, has the bits it has among others. */
static void check_rows(const rnnat_model *model, const test_inputs *in, const test_outcome *all,
                       int32_t width)
{
    for (int32_t row = 0; row < in->batch; row += in->batch > 6 ? 5 : 1) {
        for (int32_t cut = 0; cut <= (in->lengths != NULL); ++cut) {
            const int32_t steps = cut ? in->lengths[row] : in->time;
            test_inputs one = test_inputs_part(in, 0, steps, row, 1, !cut);
            test_outcome alone = test_run(model, &one, LAYOUT_DENSE, LAYOUT_DENSE, 1);
            CHECK_CASE(alone.status == RNNAT_OK && alone.guarded, case_name);
            CHECK_CASE(test_outcome_row_same(&alone, all, row, in->batch, steps, width, in),
                       case_name);
            test_outcome_end(&alone);
            test_inputs_end(&one);
        }
    }
}

/* Two runs, the second from the first's states, give the bits of one. Floats: states as inputs
 * are. */
static void check_cut(const rnnat_model *model, const test_inputs *in, const test_outcome *all)
{
    const int32_t steps = in->time / 3 + 1;
    if (steps >= in->time || in->lengths || all->dtype != RNNAT_F32) return;
    test_inputs begin = test_inputs_part(in, 0, steps, 0, in->batch, true);
    test_outcome first = test_run(model, &begin, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_inputs rest = test_inputs_part(in, steps, in->time - steps, 0, in->batch, true);
    for (int32_t s = 0; s < in->num_states; ++s) {
        free(rest.states[s]);
        rest.states[s] = first.states[s];
        first.states[s] = NULL;
    }
    test_outcome last = test_run(model, &rest, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK_CASE(first.status == RNNAT_OK && last.status == RNNAT_OK, case_name);
    const size_t before = all->last_only ? 0 : first.y_bytes; /* y of the first part stays */
    bool same = before + last.y_bytes == all->y_bytes && memcmp(first.y, all->y, before) == 0 &&
                memcmp(last.y, (const char *)all->y + before, last.y_bytes) == 0;
    for (int32_t s = 0; s < in->num_states; ++s)
        same = same && memcmp(last.states[s], all->states[s], all->state_bytes[s]) == 0;
    CHECK_CASE(same, case_name);
    test_outcome_end(&first);
    test_outcome_end(&last);
    test_inputs_end(&begin);
    test_inputs_end(&rest);
}

/* On at most 3 * `scale` threads. */
static void check_runs(const rnnat_model *model, const test_inputs *in, const expected *e,
                       int32_t scale)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(model, &info) == RNNAT_OK);
    const bool packed = info.matmul == RNNAT_MATMUL_PACKED;
    test_outcome base = test_run(model, in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK_CASE(base.status == RNNAT_OK && base.guarded, case_name);
    CHECK_CASE(test_outcome_worst(&base, e->y, e->finals) <= 1, case_name);
    for (int i = 0; i < NUM_LAYOUTS; ++i) {
        test_outcome other =
            test_run(model, in, (test_layout)i, (test_layout)((2 * i + 1) % NUM_LAYOUTS),
                     (1 + (i + 1) % 3) * scale);
        CHECK_CASE(other.status == RNNAT_OK && other.guarded, case_name);
        CHECK_CASE(packed ? test_outcome_same(&other, &base)
                          : test_outcome_worst(&other, e->y, e->finals) <= 1,
                   case_name);
        test_outcome_end(&other);
    }
    if (packed) check_rows(model, in, &base, info.output_size);
    if (packed && info.streamable) check_cut(model, in, &base);
    test_outcome_end(&base);
}

static void check_case(const test_model *model, const test_inputs *in, int32_t scale)
{
    expected e = expect(model, in);
    rnnat_isa_entry isa;
    for (int32_t i = 0; rnnat_isa_at(i, &isa); ++i) {
        if (!isa.available) continue;
        for (int kind = 0; kind < 4; ++kind) {
            name_case(isa.name, kind, model, in);
            CHECK(rnnat_isa_use(isa.name) == RNNAT_OK);
            rnnat_model *const made =
                test_model_make(model, kind % 2 ? RNNAT_F64 : RNNAT_F32,
                                kind / 2 ? RNNAT_MATMUL_BLAS : RNNAT_MATMUL_PACKED);
            check_runs(made, in, &e, scale);
            rnnat_model_free(made);
        }
    }
    free(e.y);
    for (int32_t s = 0; s < in->num_states; ++s) free(e.finals[s]);
}

#endif
