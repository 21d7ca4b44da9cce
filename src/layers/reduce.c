/* All steps of a row as one: their mean, sum or largest, of each feature by itself, the first or the
 * last. What is so far is state, so that a row's steps may come in any pieces. */
#include <math.h>
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_word reduce_modes[] = {
    {"mean", RNNAT_REDUCE_MEAN},   {"sum", RNNAT_REDUCE_SUM},   {"max", RNNAT_REDUCE_MAX},
    {"first", RNNAT_REDUCE_FIRST}, {"last", RNNAT_REDUCE_LAST}, {NULL, 0}};
static const rnnat_key reduce_keys[] = {RNNAT_OPEN_KEY(rnnat_reduce_options, mode, reduce_modes)};
#endif

/* Whether the steps of each row are counted: for a mean, or to know the first. */
static bool counts_steps(const rnnat_reducing *reduce)
{
    return reduce->mode == RNNAT_REDUCE_MEAN || reduce->mode == RNNAT_REDUCE_FIRST;
}

#if RNNAT_READER
static void count_reduce(const void *options, rnnat_counts *counts)
{
    rnnat_count_one(options, counts);
    ++counts->values; /* of each row's last step */
    counts->states += 2;
}

static rnnat_status build_reduce(rnnat_graph *graph, const void *options)
{
    const rnnat_reduce_options *const line = options;
    const int32_t input = graph->inputs[0];
    const rnnat_reducing data = {.features = graph->values ? graph->values[input].features
                                                           : graph->features,
                                 .mode = (rnnat_reduce)line->mode};
    if (!graph->has_time) return RNNAT_REFUSE(graph, SHAPE, "expected a value with time to read");
    const rnnat_node node = {.layer = &rnnat_layer_reduce,
                             .data = rnnat_graph_keep(graph, &data, sizeof data),
                             .inputs = {input},
                             .num_inputs = 1,
                             .num_passes = 1,
                             .num_states = 1 + counts_steps(&data),
                             .first_state = graph->model->info.num_states};
    rnnat_graph_add_state(graph, 1, data.features);
    if (counts_steps(&data)) rnnat_graph_add_state(graph, 1, 1);
    rnnat_graph_add(graph, &node, data.features);
    rnnat_graph_result(graph, rnnat_graph_add_last(graph, data.features), data.features, false);
    return RNNAT_OK;
}
#endif

/* ---- state ---- */

static void *carve_reduce(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                          rnnat_arena *arena)
{
    const rnnat_reducing *const reduce = node->data;
    const size_t n = (size_t)rows, elem = (size_t)kernels->elem;
    rnnat_reduced *const kept = RNNAT_TAKE(arena, 1, rnnat_reduced);
    char *const value = rnnat_arena_take_table(arena, n, (size_t)reduce->features, elem);
    char *const count = counts_steps(reduce) ? rnnat_arena_take(arena, n, elem) : NULL;
    if (kept) *kept = (rnnat_reduced){value, count};
    return kept;
}

static void reset_reduce(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                         void *memory)
{
    const rnnat_reducing *const reduce = node->data;
    const rnnat_reduced *const kept = memory;
    const size_t elem = (size_t)kernels->elem, n = (size_t)rows * (size_t)reduce->features;
    const float low = -INFINITY;
    const double low_f64 = -(double)INFINITY;
    const void *const lowest =
        rnnat_is_float(kernels) ? (const void *)&low : (const void *)&low_f64;
    memset(kept->value, 0, n * elem);
    for (size_t i = 0; reduce->mode == RNNAT_REDUCE_MAX && i < n; ++i)
        memcpy(kept->value + i * elem, lowest, elem);
    if (kept->count) memset(kept->count, 0, (size_t)rows * elem);
}

static rnnat_state_rows state_reduce(const rnnat_node *node, const rnnat_kernels *kernels,
                                     void *memory, int32_t array, int32_t pass)
{
    const rnnat_reducing *const reduce = node->data;
    const rnnat_reduced *const kept = memory;
    (void)kernels;
    (void)pass;
    if (array > 0)
        return (rnnat_state_rows){.base = kept->count, .stride = 1, .features = 1, .rows = 1};
    return (rnnat_state_rows){
        .base = kept->value, .stride = reduce->features, .features = reduce->features, .rows = 1};
}

/* ---- steps ---- */

/* Features first .. end - 1 of one row: takes its `steps` steps, `in` and `out` from the first of them
 * on, behind those that are in `value` already. Writes what is so far behind each, where out.base is
 * not NULL. */
#define TAKE_STEPS(name, T)                                                                        \
    static void name(const rnnat_reducing *reduce, rnnat_view in, rnnat_view out, int32_t row,     \
                     int32_t steps, int32_t first, int32_t end, T *value, T count)                 \
    {                                                                                              \
        const rnnat_reduce mode = reduce->mode;                                                    \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *const x = (const T *)(const void *)in.base + step * in.time + row * in.row;   \
            const bool is_first = count == 0;                                                      \
            count += 1;                                                                            \
            if (mode == RNNAT_REDUCE_MEAN || mode == RNNAT_REDUCE_SUM)                             \
                for (int32_t i = first; i < end; ++i) value[i] += x[i];                            \
            else if (mode == RNNAT_REDUCE_MAX)                                                     \
                for (int32_t i = first; i < end; ++i)                                              \
                    value[i] = x[i] > value[i] || x[i] != x[i] ? x[i] : value[i];                  \
            else if (mode == RNNAT_REDUCE_LAST || is_first)                                        \
                for (int32_t i = first; i < end; ++i) value[i] = x[i];                             \
            if (!out.base) continue;                                                               \
            T *const y = (T *)(void *)out.base + step * out.time + row * out.row;                  \
            const T divisor = mode == RNNAT_REDUCE_MEAN ? count : 1;                               \
            for (int32_t i = first; i < end; ++i) y[i] = value[i] / divisor;                       \
        }                                                                                          \
    }                                                                                              \
    /* Counts them, one by one as they are counted above. */                                       \
    static T name##_counted(T count, int32_t steps)                                                \
    {                                                                                              \
        for (int32_t step = 0; step < steps; ++step) count += 1;                                   \
        return count;                                                                              \
    }
TAKE_STEPS(take_floats, float)
#if RNNAT_FLOAT64
TAKE_STEPS(take_doubles, double)
#endif
#undef TAKE_STEPS

/* Steps of the chunk that count in a row. */
static int32_t counted_steps(const rnnat_chunk *chunk, int32_t row)
{
    if (!chunk->lengths) return chunk->steps;
    const int32_t left = chunk->lengths[row] - chunk->first;
    return left < 0 ? 0 : left < chunk->steps ? left : chunk->steps;
}

/* Counts a chunk's steps, once all members have taken them. */
static void count_chunk(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_reduced *const kept = task->memory;
    for (int32_t row = 0; row < task->rows; ++row) {
        const int32_t steps = counted_steps(chunk, row);
        if (rnnat_is_float(task->kernels)) {
            float *const count = (float *)(void *)kept->count + row;
            *count = take_floats_counted(*count, steps);
        }
#if RNNAT_FLOAT64
        else {
            double *const count = (double *)(void *)kept->count + row;
            *count = take_doubles_counted(*count, steps);
        }
#endif
    }
}

/* Each member takes some of the features, so that each of these is added up in the order of the steps. */
static bool run_reduce(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_reducing *const reduce = task->node->data;
    const rnnat_reduced *const kept = task->memory;
    const rnnat_member *const member = &task->member;
    const int32_t features = reduce->features;
    const int32_t first = rnnat_first(member, member->index, features);
    const int32_t end = rnnat_first(member, member->index + 1, features);
    for (int32_t row = 0; row < task->rows; ++row) {
        const int32_t steps = counted_steps(chunk, row);
        const ptrdiff_t at = (ptrdiff_t)row * features;
        if (rnnat_is_float(task->kernels)) {
            const float *const count = (const float *)(const void *)kept->count;
            take_floats(reduce, *chunk->in[0], *chunk->out, row, steps, first, end,
                        (float *)(void *)kept->value + at, count ? count[row] : 0);
        }
#if RNNAT_FLOAT64
        else {
            const double *const count = (const double *)(const void *)kept->count;
            take_doubles(reduce, *chunk->in[0], *chunk->out, row, steps, first, end,
                         (double *)(void *)kept->value + at, count ? count[row] : 0);
        }
#endif
    }
    if (!kept->count) return true;
    rnnat_meet(member);
    if (member->index == 0) count_chunk(task, chunk);
    return true;
}

/* Of no steps at all a mean is 0 / 0. */
static void last_reduce(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                        const void *memory, rnnat_view to)
{
    const rnnat_reducing *const reduce = node->data;
    const rnnat_reduced *const kept = memory;
    const bool is_mean = reduce->mode == RNNAT_REDUCE_MEAN;
    const ptrdiff_t features = reduce->features;
    for (int32_t row = 0; row < rows; ++row) {
        char *const y = rnnat_view_at(kernels, to, 0, row);
        const char *const value = kept->value + row * features * kernels->elem;
        if (!is_mean) {
            memcpy(y, value, (size_t)(features * kernels->elem));
        } else if (rnnat_is_float(kernels)) {
            const float count = ((const float *)(const void *)kept->count)[row];
            for (ptrdiff_t i = 0; i < features; ++i)
                ((float *)(void *)y)[i] = ((const float *)(const void *)value)[i] / count;
        }
#if RNNAT_FLOAT64
        else {
            const double count = ((const double *)(const void *)kept->count)[row];
            for (ptrdiff_t i = 0; i < features; ++i)
                ((double *)(void *)y)[i] = ((const double *)(const void *)value)[i] / count;
        }
#endif
    }
}

#if RNNAT_INSPECT
static void tell_reduce(const rnnat_node *node, const rnnat_kernels *kernels,
                        const rnnat_teller *teller)
{
    const rnnat_reducing *const reduce = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_reducing");
    teller->number(teller->arg, "features", reduce->features);
    teller->number(teller->arg, "mode", (int64_t)reduce->mode);
}
#endif

const rnnat_layer rnnat_layer_reduce = {.name = "rnnat_layer_reduce",
                                        .keys = RNNAT_LAYER_KEYS(reduce_keys, rnnat_reduce_options),
                                        .count = RNNAT_IF_READER(count_reduce),
                                        .build = RNNAT_IF_READER(build_reduce),
                                        .carve = carve_reduce,
                                        .reset = reset_reduce,
                                        .state = state_reduce,
                                        .run = run_reduce,
                                        .last = last_reduce,
                                        .tell = RNNAT_IF_INSPECT(tell_reduce)};
