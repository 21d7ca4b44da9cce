/* exp(x) / sum(exp(x)) of each feature, over all steps of a row that count. */
#include <math.h>

#include "layers.h"

#if RNNAT_WITH_ATTENTION
#if RNNAT_READER
static rnnat_status build_softmax_over_time(rnnat_graph *graph, const void *options)
{
    const int32_t input = graph->inputs[0];
    const rnnat_softmaxing_over_time data = {
        .features = graph->values ? graph->values[input].features : graph->features};
    (void)options;
    return rnnat_graph_add_whole(graph, &rnnat_layer_softmax_over_time, &data, sizeof data,
                                 data.features);
}
#endif

/* Of each feature, of one row after the other: the largest, and the sum. */
static void scratch_softmax_over_time(const rnnat_node *node, const rnnat_kernels *kernels,
                                      int32_t rows, int32_t steps, rnnat_arena *arena)
{
    const rnnat_softmaxing_over_time *const data = node->data;
    (void)kernels;
    (void)rows;
    (void)steps;
    rnnat_arena_take_table(arena, 2, (size_t)data->features, sizeof(double));
}

/* One row, features first .. end - 1: the largest first, then exp of what is less. Of these the sum is in
 * double, step after step. */
#define SOFTMAX_STEPS(name, T)                                                                     \
    static void name(const rnnat_task *task, const rnnat_chunk *chunk, int32_t row, int32_t steps, \
                     int32_t first, int32_t end)                                                   \
    {                                                                                              \
        const rnnat_softmaxing_over_time *const data = task->node->data;                           \
        const rnnat_function exponential = {RNNAT_GATE_EXP, 0, 0};                                 \
        const rnnat_view in = *chunk->in[0], out = *chunk->out;                                    \
        double *const top = (double *)(void *)task->scratch, *const sum = top + data->features;    \
        for (int32_t i = first; i < end; ++i) {                                                    \
            top[i] = -(double)INFINITY;                                                            \
            sum[i] = 0;                                                                            \
        }                                                                                          \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *const x = (const T *)(const void *)in.base + step * in.time + row * in.row;   \
            for (int32_t i = first; i < end; ++i)                                                  \
                if ((double)x[i] > top[i] || x[i] != x[i]) top[i] = (double)x[i];                  \
        }                                                                                          \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *const x = (const T *)(const void *)in.base + step * in.time + row * in.row;   \
            T *const y = (T *)(void *)out.base + step * out.time + row * out.row;                  \
            const rnnat_rows own = {y + first, 1, 0, 0};                                           \
            for (int32_t i = first; i < end; ++i) y[i] = x[i] - (T)top[i];                         \
            task->kernels->apply(&exponential, own, own, 1, end - first);                          \
            for (int32_t i = first; i < end; ++i) sum[i] += (double)y[i];                          \
        }                                                                                          \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            T *const y = (T *)(void *)out.base + step * out.time + row * out.row;                  \
            for (int32_t i = first; i < end; ++i) y[i] = (T)((double)y[i] / sum[i]);               \
        }                                                                                          \
    }
SOFTMAX_STEPS(softmax_over_time_floats, float)
#if RNNAT_FLOAT64
SOFTMAX_STEPS(softmax_over_time_doubles, double)
#endif
#undef SOFTMAX_STEPS

/* Each member takes some of the features, of all steps. */
static bool run_softmax_over_time(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_softmaxing_over_time *const data = task->node->data;
    const rnnat_member *const member = &task->member;
    const int32_t first = rnnat_first(member, member->index, data->features);
    const int32_t end = rnnat_first(member, member->index + 1, data->features);
    for (int32_t row = 0; row < task->rows && first < end; ++row) {
        const int32_t steps = chunk->lengths ? chunk->lengths[row] : chunk->steps;
        if (rnnat_is_float(task->kernels))
            softmax_over_time_floats(task, chunk, row, steps, first, end);
#if RNNAT_FLOAT64
        else
            softmax_over_time_doubles(task, chunk, row, steps, first, end);
#endif
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_softmax_over_time(const rnnat_node *node, const rnnat_kernels *kernels,
                                   const rnnat_teller *teller)
{
    const rnnat_softmaxing_over_time *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_softmaxing_over_time");
    teller->needs(teller->arg, "RNNAT_WITH_GENERAL"); /* which has exp */
    teller->needs(teller->arg, "RNNAT_WITH_ELEMENTWISE");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", data->features);
}
#endif
#endif

const rnnat_layer rnnat_layer_softmax_over_time = {
    .name = "rnnat_layer_softmax_over_time",
#if RNNAT_WITH_ATTENTION
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_softmax_over_time),
    .scratch = scratch_softmax_over_time,
    .run = run_softmax_over_time,
    .tell = RNNAT_IF_INSPECT(tell_softmax_over_time),
#endif
};
