/* Makes inputs up, runs a model in any layout of x and y, and compares its outputs. */
#include "run_case.h"

#include <math.h>

#include "guard.h"

static void *take(size_t bytes)
{
    void *const block = malloc(bytes ? bytes : 1);
    if (!block) abort();
    return block;
}

/* ---- inputs ---- */

static size_t state_count(const test_inputs *in, int32_t state)
{
    return (size_t)in->rows[state] * (size_t)in->batch * (size_t)in->features[state];
}

test_inputs test_inputs_make(const test_model *model, uint64_t *random, int32_t time, int32_t batch,
                             bool lengths, bool states)
{
    const test_layer *const first = &model->layers[0];
    const bool indices = first->kind == TEST_EMBEDDING;
    test_inputs in = {.time = time, .batch = batch, .width = indices ? 1 : first->input_size};
    const size_t count = (size_t)(time * batch * in.width);
    if (lengths) in.lengths = take((size_t)batch * sizeof *in.lengths);
    for (int32_t b = 0; lengths && b < batch; ++b) in.lengths[b] = test_choose(random, 0, time);
    if (indices) in.indices = take(count * sizeof *in.indices);
    if (!indices) in.x = take(count * sizeof *in.x);
    for (int32_t i = 0; i < (int32_t)count; ++i) {
        const int32_t step = i / in.width;
        const bool past = lengths && step / batch >= in.lengths[step % batch];
        if (indices)
            in.indices[i] = past ? -7 : test_choose(random, 0, first->input_size - 1);
        else
            in.x[i] = past ? NAN : test_random(random, 2);
    }
    in.num_states = test_model_states(model, in.rows, in.features);
    for (int32_t s = 0; states && s < in.num_states; ++s) {
        in.states[s] = take(state_count(&in, s) * sizeof(float));
        for (size_t i = 0; i < state_count(&in, s); ++i) in.states[s][i] = test_random(random, 1);
    }
    return in;
}

test_inputs test_inputs_part(const test_inputs *in, int32_t first, int32_t steps, int32_t row,
                             int32_t rows, bool lengths)
{
    test_inputs part = *in;
    part.time = steps;
    part.batch = rows;
    const size_t count = (size_t)(steps * rows * in->width);
    if (in->x) part.x = take(count * sizeof *part.x);
    if (in->indices) part.indices = take(count * sizeof *part.indices);
    for (int32_t t = 0; t < steps; ++t) {
        const ptrdiff_t from = ((first + t) * in->batch + row) * in->width;
        const size_t n = (size_t)(rows * in->width);
        if (in->x) memcpy(part.x + t * rows * in->width, in->x + from, n * sizeof *in->x);
        if (in->indices)
            memcpy(part.indices + t * rows, in->indices + from, n * sizeof *in->indices);
    }
    part.lengths = NULL;
    if (lengths && in->lengths) {
        part.lengths = take((size_t)rows * sizeof *part.lengths);
        memcpy(part.lengths, in->lengths + row, (size_t)rows * sizeof *part.lengths);
    }
    for (int32_t s = 0; s < in->num_states; ++s) {
        if (!in->states[s]) continue;
        const size_t bytes = (size_t)(rows * in->features[s]) * sizeof(float);
        part.states[s] = take(state_count(&part, s) * sizeof(float));
        for (int32_t r = 0; r < in->rows[s]; ++r)
            memcpy(part.states[s] + r * rows * in->features[s],
                   in->states[s] + (r * in->batch + row) * in->features[s], bytes);
    }
    return part;
}

void test_inputs_end(test_inputs *in)
{
    free(in->x);
    free(in->indices);
    free(in->lengths);
    for (int32_t s = 0; s < in->num_states; ++s) free(in->states[s]);
}

/* ---- layouts ---- */

typedef struct extent {
    ptrdiff_t time, row;        /* strides; not given where dense */
    ptrdiff_t first, elements;  /* element [0, 0, 0], of so many */
    ptrdiff_t given_time, given_row;
} extent;

static extent lay_out(test_layout layout, int32_t time, int32_t batch, int32_t width)
{
    extent e = {.time = (ptrdiff_t)batch * width, .row = width};
    if (layout == LAYOUT_BATCH_MAJOR) e = (extent){.time = width, .row = (ptrdiff_t)time * width};
    if (layout == LAYOUT_PADDED) {
        e.row = width + 3;
        e.time = batch * e.row + 5;
    }
    const ptrdiff_t last_step = (time - 1) * e.time, last_row = (batch - 1) * e.row;
    if (time > 0 && batch > 0) e.elements = last_step + last_row + width;
    if (layout == LAYOUT_TIME_REVERSED) {
        e.first = e.elements ? last_step : 0;
        e.time = -e.time;
    }
    if (layout == LAYOUT_BATCH_REVERSED) {
        e.first = e.elements ? last_row : 0;
        e.row = -e.row;
    }
    if (layout != LAYOUT_DENSE) {
        e.given_time = e.time;
        e.given_row = e.row;
    }
    return e;
}

static void put(void *base, ptrdiff_t at, rnnat_dtype dtype, float value)
{
    if (dtype == RNNAT_F32)
        ((float *)base)[at] = value;
    else
        ((double *)base)[at] = value;
}

static double get(const void *base, size_t at, rnnat_dtype dtype)
{
    return dtype == RNNAT_F32 ? (double)((const float *)base)[at] : ((const double *)base)[at];
}

/* x as the layout has it, NaN wherever it has nothing. */
static void *place_x(const test_inputs *in, const extent *e, rnnat_dtype dtype)
{
    const size_t elem = in->indices || dtype == RNNAT_F32 ? 4 : 8;
    void *const x = take((size_t)e->elements * elem);
    for (ptrdiff_t i = 0; i < e->elements; ++i) {
        if (in->indices)
            ((int32_t *)x)[i] = -9;
        else
            put(x, i, dtype, NAN);
    }
    for (int32_t i = 0; i < in->time * in->batch * in->width; ++i) {
        const int32_t step = i / in->width / in->batch, row = i / in->width % in->batch;
        const ptrdiff_t at = e->first + step * e->time + row * e->row + i % in->width;
        if (in->indices)
            ((int32_t *)x)[at] = in->indices[i];
        else
            put(x, at, dtype, in->x[i]);
    }
    return x;
}

/* ---- runs ---- */

#define RUN(STRUCT, REAL, SIZE, GO)                                                                \
    {                                                                                              \
        const STRUCT run = {.struct_size = sizeof run,                                             \
                            .time = in->time,                                                      \
                            .batch = in->batch,                                                    \
                            .x = in->indices ? NULL : (const REAL *)x + x_extent.first,            \
                            .indices = in->indices ? (const int32_t *)x + x_extent.first : NULL,   \
                            .x_stride_time = x_extent.given_time,                                  \
                            .x_stride_batch = x_extent.given_row,                                  \
                            .y = (REAL *)(void *)y.body + y_extent.first,                          \
                            .y_stride_time = y_extent.given_time,                                  \
                            .y_stride_batch = y_extent.given_row,                                  \
                            .lengths = in->lengths,                                                \
                            .state_in = has_states ? (const REAL *const *)state_in : NULL,         \
                            .state_out = (REAL *const *)state_out,                                 \
                            .num_threads = threads};                                               \
        size_t need = 0;                                                                           \
        outcome.status = SIZE(model, &run, &need);                                                 \
        guarded scratch = guard_make(need, 5);                                                     \
        if (outcome.status == RNNAT_OK)                                                            \
            outcome.status = GO(model, &run, scratch.body, scratch.size);                          \
        outcome.guarded = guard_intact(&scratch);                                                  \
        guard_end(&scratch);                                                                       \
    }

test_outcome test_run(const rnnat_model *model, const test_inputs *in, test_layout x_layout,
                      test_layout y_layout, int32_t threads)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    if (rnnat_model_describe(model, &info) != RNNAT_OK) abort();
    const rnnat_dtype dtype = (rnnat_dtype)info.dtype;
    const size_t elem = dtype == RNNAT_F32 ? 4 : 8, width = (size_t)info.output_size;
    const int32_t y_time = info.return_sequences ? in->time : 1;
    test_outcome outcome = {
        .dtype = dtype, .last_only = !info.return_sequences, .num_states = in->num_states};
    const extent x_extent = lay_out(x_layout, in->time, in->batch, in->width);
    const extent y_extent = lay_out(y_layout, y_time, in->batch, info.output_size);
    void *const x = place_x(in, &x_extent, dtype);
    guarded y = guard_make((size_t)y_extent.elements * elem, 0), states[MAX_STATES];
    void *state_in[MAX_STATES], *state_out[MAX_STATES];
    bool has_states = false;
    for (int32_t s = 0; s < in->num_states; ++s) {
        states[s] = guard_make(state_count(in, s) * elem, 0);
        state_out[s] = states[s].body;
        state_in[s] = take(states[s].size);
        has_states = in->states[s] != NULL;
        for (size_t i = 0; has_states && i < state_count(in, s); ++i)
            put(state_in[s], (ptrdiff_t)i, dtype, in->states[s][i]);
    }

    if (dtype == RNNAT_F32)
        RUN(rnnat_run, float, rnnat_model_run_size, rnnat_model_run)
    else
        RUN(rnnat_run_f64, double, rnnat_model_run_size_f64, rnnat_model_run_f64)

    outcome.y_bytes = (size_t)(y_time * in->batch) * width * elem;
    outcome.y = take(outcome.y_bytes);
    for (int32_t i = 0; i < y_time * in->batch; ++i) {
        const ptrdiff_t at =
            y_extent.first + i / in->batch * y_extent.time + i % in->batch * y_extent.row;
        unsigned char *const from = y.body + at * (ptrdiff_t)elem;
        memcpy((unsigned char *)outcome.y + (size_t)i * width * elem, from, width * elem);
        memset(from, GUARD_VALUE, width * elem);
    }
    outcome.guarded = outcome.guarded && guard_unwritten(&y); /* nor between its rows */
    for (int32_t s = 0; s < in->num_states; ++s) {
        outcome.guarded = outcome.guarded && guard_intact(&states[s]);
        outcome.state_bytes[s] = states[s].size;
        outcome.states[s] = take(states[s].size);
        memcpy(outcome.states[s], states[s].body, states[s].size);
        guard_end(&states[s]);
        free(state_in[s]);
    }
    guard_end(&y);
    free(x);
    return outcome;
}

void test_outcome_end(test_outcome *outcome)
{
    free(outcome->y);
    for (int32_t s = 0; s < outcome->num_states; ++s) free(outcome->states[s]);
}

/* ---- comparisons ---- */

bool test_outcome_same(const test_outcome *a, const test_outcome *b)
{
    bool same = a->y_bytes == b->y_bytes && memcmp(a->y, b->y, a->y_bytes) == 0;
    for (int32_t s = 0; s < a->num_states; ++s)
        same = same && memcmp(a->states[s], b->states[s], a->state_bytes[s]) == 0;
    return same;
}

bool test_outcome_row_same(const test_outcome *alone, const test_outcome *all, int32_t row,
                           int32_t batch, int32_t steps, int32_t width, const test_inputs *in)
{
    const size_t elem = all->dtype == RNNAT_F32 ? 4 : 8;
    const unsigned char *const of_one = alone->y, *const of_all = all->y;
    const size_t bytes = (size_t)width * elem;
    bool same = true;
    for (int32_t t = 0; t < (all->last_only ? 1 : steps); ++t)
        same = same && memcmp(of_one + (size_t)t * bytes,
                              of_all + (size_t)(t * batch + row) * bytes, bytes) == 0;
    for (int32_t s = 0; s < all->num_states; ++s) {
        const size_t size = (size_t)in->features[s] * elem;
        for (int32_t r = 0; r < in->rows[s]; ++r)
            same = same &&
                   memcmp((const unsigned char *)alone->states[s] + (size_t)r * size,
                          (const unsigned char *)all->states[s] + (size_t)(r * batch + row) * size,
                          size) == 0;
    }
    return same;
}

static double worst_of(const void *values, size_t bytes, rnnat_dtype dtype,
                       const naive_number *expected)
{
    /* double: its own error and that of the naive values */
    const double part = dtype == RNNAT_F32 ? 1 + 0x1p-29 : 2 * 0x1p-29;
    double worst = 0;
    for (size_t i = 0; i < bytes / (dtype == RNNAT_F32 ? 4 : 8); ++i) {
        const double difference = fabs(get(values, i, dtype) - expected[i].value);
        if (difference == 0) continue;
        const double ratio = difference / (expected[i].error * part);
        worst = ratio <= worst ? worst : isnan(ratio) ? INFINITY : ratio;
    }
    return worst;
}

double test_outcome_worst(const test_outcome *outcome, const naive_number *y,
                          naive_number *const finals[MAX_STATES])
{
    double worst = worst_of(outcome->y, outcome->y_bytes, outcome->dtype, y);
    for (int32_t s = 0; s < outcome->num_states; ++s)
        worst = fmax(worst, worst_of(outcome->states[s], outcome->state_bytes[s], outcome->dtype,
                                     finals[s]));
    return worst;
}
