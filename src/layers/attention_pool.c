/* The mean of all steps of a row, weighted by the softmax of scores over these steps: attention pooling.
 * What is so far is state, so that a row's steps may come in any pieces. */
#include <math.h>
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_ATTENTION
#if RNNAT_READER
static const rnnat_key attention_pool_keys[] = {
    RNNAT_SIZE_KEY(rnnat_attention_pool_options, heads)};

static void count_attention_pool(const void *options, rnnat_counts *counts)
{
    rnnat_count_one(options, counts);
    ++counts->values; /* of each row's last step */
    counts->states += 3;
}

static rnnat_status build_attention_pool(rnnat_graph *graph, const void *options)
{
    const rnnat_attention_pool_options *const line = options;
    rnnat_node node = {.layer = &rnnat_layer_attention_pool,
                       .inputs = {graph->inputs[0], graph->inputs[1]},
                       .num_inputs = 2,
                       .num_passes = 1,
                       .num_states = 3,
                       .first_state = graph->model->info.num_states};
    if (graph->num_inputs != 2 || !graph->has_time)
        return RNNAT_REFUSE(graph, SHAPE,
                            "expected two values with time to read: features and scores");
    rnnat_attention_pooling data = {.heads = line->heads};
    if (graph->values) {
        data.features = graph->values[graph->inputs[0]].features;
        if (graph->values[graph->inputs[1]].features != line->heads)
            return RNNAT_REFUSE(graph, SHAPE, "expected heads= to be the features of the scores");
    }
    if (data.features % data.heads)
        return RNNAT_REFUSE(graph, SHAPE, "expected heads= to divide the features it reads");
    node.data = rnnat_graph_keep(graph, &data, sizeof data);
    rnnat_graph_add_state(graph, 1, data.features);
    rnnat_graph_add_state(graph, 1, data.heads);
    rnnat_graph_add_state(graph, 1, data.heads);
    rnnat_graph_add(graph, &node, data.features);
    rnnat_graph_result(graph, rnnat_graph_add_last(graph, data.features), data.features, false);
    return RNNAT_OK;
}
#endif

/* ---- state ---- */

static void *carve_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels,
                                  int32_t rows, rnnat_arena *arena)
{
    const rnnat_attention_pooling *const data = node->data;
    const size_t n = (size_t)rows, elem = (size_t)kernels->elem;
    rnnat_attention_pooled *const kept = RNNAT_TAKE(arena, 1, rnnat_attention_pooled);
    char *const value = rnnat_arena_take_table(arena, n, (size_t)data->features, elem);
    char *const top = rnnat_arena_take_table(arena, n, (size_t)data->heads, elem);
    char *const total = rnnat_arena_take_table(arena, n, (size_t)data->heads, elem);
    if (kept) *kept = (rnnat_attention_pooled){value, top, total};
    return kept;
}

static void reset_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                                 void *memory)
{
    const rnnat_attention_pooling *const data = node->data;
    const rnnat_attention_pooled *const kept = memory;
    const size_t elem = (size_t)kernels->elem, n = (size_t)rows * (size_t)data->heads;
    memset(kept->value, 0, (size_t)rows * (size_t)data->features * elem);
    memset(kept->total, 0, n * elem);
    for (size_t i = 0; i < n; ++i) {
        if (rnnat_is_float(kernels))
            ((float *)(void *)kept->top)[i] = -INFINITY;
        else
            ((double *)(void *)kept->top)[i] = -(double)INFINITY;
    }
}

static rnnat_state_rows state_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels,
                                             void *memory, int32_t array, int32_t pass)
{
    const rnnat_attention_pooling *const data = node->data;
    const rnnat_attention_pooled *const kept = memory;
    char *const arrays[] = {kept->value, kept->top, kept->total};
    const int32_t features = array ? data->heads : data->features;
    (void)kernels;
    (void)pass;
    return (rnnat_state_rows){arrays[array], features, features, 1, 0, 0};
}

/* ---- steps ---- */

/* Of each row, step and head of a chunk: what the value so far is multiplied by, what the step's own is,
 * and the sum of all weights with it. */
static void scratch_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels,
                                   int32_t rows, int32_t steps, rnnat_arena *arena)
{
    const rnnat_attention_pooling *const data = node->data;
    const size_t width = (size_t)data->heads * (size_t)kernels->elem;
    for (int i = 0; i < 3; ++i) rnnat_arena_take_table(arena, (size_t)rows, (size_t)steps, width);
}

static int32_t counted_steps_of(const rnnat_chunk *chunk, int32_t row)
{
    if (!chunk->lengths) return chunk->steps;
    const int32_t left = chunk->lengths[row] - chunk->first;
    return left < 0 ? 0 : left < chunk->steps ? left : chunk->steps;
}

/* weigh: one row. The largest score so far, `top`, is taken off all, so that of two steps' weights one is
 * 1 and the other exp of what is not positive; a score of minus infinity weighs nothing, and one of
 * infinity is NaN, as inf - inf is.
 * gather: features first .. end - 1 of one row, behind those that are in `value` already. Writes what is
 * so far behind each, where out.base is not NULL. */
#define ATTENTION(weigh, gather, T)                                                                \
    static void weigh(const rnnat_task *task, rnnat_view in, int32_t row, int32_t steps, T *by,    \
                      T *own, T *totals, T *top, T *total)                                         \
    {                                                                                              \
        const rnnat_attention_pooling *const data = task->node->data;                              \
        const rnnat_function exponential = {RNNAT_GATE_EXP, 0, 0};                                 \
        const int32_t heads = data->heads;                                                         \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *const x = (const T *)(const void *)in.base + step * in.time + row * in.row;   \
            for (int32_t h = 0; h < heads; ++h) {                                                  \
                const int32_t at = step * heads + h;                                               \
                const bool larger = x[h] > top[h] || x[h] != x[h];                                 \
                own[at] = larger ? top[h] - x[h] : x[h] - top[h];                                  \
                if (x[h] - x[h] != 0) own[at] = x[h] < 0 ? x[h] : x[h] - x[h];                     \
                by[at] = larger;                                                                   \
                if (larger) top[h] = x[h];                                                         \
            }                                                                                      \
        }                                                                                          \
        const rnnat_rows all = {own, 1, 0, 0};                                                     \
        task->kernels->apply(&exponential, all, all, 1, steps * heads);                            \
        for (int32_t step = 0; step < steps; ++step)                                               \
            for (int32_t h = 0; h < heads; ++h) {                                                  \
                const int32_t at = step * heads + h;                                               \
                const T less = own[at];                                                            \
                const bool larger = by[at] != 0;                                                   \
                by[at] = larger ? less : 1;                                                        \
                own[at] = larger && less == less ? 1 : less;                                       \
                total[h] = total[h] * by[at] + own[at];                                            \
                totals[at] = total[h];                                                             \
            }                                                                                      \
    }                                                                                              \
    static void gather(const rnnat_attention_pooling *data, rnnat_view in, rnnat_view out,         \
                       int32_t row, int32_t steps, int32_t first, int32_t end, const T *by,        \
                       const T *own, const T *totals, T *value)                                    \
    {                                                                                              \
        const int32_t heads = data->heads, size = data->features / heads;                          \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *const x = (const T *)(const void *)in.base + step * in.time + row * in.row;   \
            for (int32_t from = first; from < end;) {                                              \
                const int32_t h = from / size, at = step * heads + h;                              \
                const int32_t to = (h + 1) * size < end ? (h + 1) * size : end;                    \
                const T scale = by[at], weight = own[at];                                          \
                for (int32_t i = from; i < to; ++i) value[i] = value[i] * scale + x[i] * weight;   \
                if (out.base) {                                                                    \
                    T *const y = (T *)(void *)out.base + step * out.time + row * out.row;          \
                    const T divisor = totals[at] == 0 ? 1 : totals[at];                            \
                    for (int32_t i = from; i < to; ++i) y[i] = value[i] / divisor;                 \
                }                                                                                  \
                from = to;                                                                         \
            }                                                                                      \
        }                                                                                          \
    }
ATTENTION(weigh_floats, gather_floats, float)
#if RNNAT_FLOAT64
ATTENTION(weigh_doubles, gather_doubles, double)
#endif
#undef ATTENTION

/* The first member weighs the steps of a chunk; then each takes some of the features. */
static bool run_attention_pool(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_attention_pooling *const data = task->node->data;
    const rnnat_attention_pooled *const kept = task->memory;
    const rnnat_member *const member = &task->member;
    const int32_t first = rnnat_first(member, member->index, data->features);
    const int32_t end = rnnat_first(member, member->index + 1, data->features);
    const ptrdiff_t width = (ptrdiff_t)data->heads * chunk->steps, all = width * task->rows;
    for (int32_t row = 0; member->index == 0 && row < task->rows; ++row) {
        const int32_t steps = counted_steps_of(chunk, row);
        const ptrdiff_t own = row * width, at = (ptrdiff_t)row * data->heads;
        if (rnnat_is_float(task->kernels)) {
            float *const to = (float *)(void *)task->scratch + own;
            weigh_floats(task, *chunk->in[1], row, steps, to, to + all, to + 2 * all,
                         (float *)(void *)kept->top + at, (float *)(void *)kept->total + at);
        }
#if RNNAT_FLOAT64
        else {
            double *const to = (double *)(void *)task->scratch + own;
            weigh_doubles(task, *chunk->in[1], row, steps, to, to + all, to + 2 * all,
                          (double *)(void *)kept->top + at, (double *)(void *)kept->total + at);
        }
#endif
    }
    rnnat_meet(member);
    for (int32_t row = 0; row < task->rows; ++row) {
        const int32_t steps = counted_steps_of(chunk, row);
        const ptrdiff_t own = row * width, at = (ptrdiff_t)row * data->features;
        if (rnnat_is_float(task->kernels)) {
            const float *const from = (const float *)(const void *)task->scratch + own;
            gather_floats(data, *chunk->in[0], *chunk->out, row, steps, first, end, from,
                          from + all, from + 2 * all, (float *)(void *)kept->value + at);
        }
#if RNNAT_FLOAT64
        else {
            const double *const from = (const double *)(const void *)task->scratch + own;
            gather_doubles(data, *chunk->in[0], *chunk->out, row, steps, first, end, from,
                           from + all, from + 2 * all, (double *)(void *)kept->value + at);
        }
#endif
    }
    return true;
}

/* Of no step, and where none weighs anything, it is 0. */
static void last_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                                const void *memory, rnnat_view to)
{
    const rnnat_attention_pooling *const data = node->data;
    const rnnat_attention_pooled *const kept = memory;
    const ptrdiff_t features = data->features, heads = data->heads, size = features / heads;
    for (int32_t row = 0; row < rows; ++row) {
        void *const y = rnnat_view_at(kernels, to, 0, row);
        for (ptrdiff_t i = 0; i < features; ++i) {
            const ptrdiff_t at = row * features + i, head = row * heads + i / size;
            if (rnnat_is_float(kernels)) {
                const float total = ((const float *)(const void *)kept->total)[head];
                ((float *)y)[i] =
                    ((const float *)(const void *)kept->value)[at] / (total == 0 ? 1 : total);
            } else {
                const double total = ((const double *)(const void *)kept->total)[head];
                ((double *)y)[i] =
                    ((const double *)(const void *)kept->value)[at] / (total == 0 ? 1 : total);
            }
        }
    }
}

#if RNNAT_INSPECT
static void tell_attention_pool(const rnnat_node *node, const rnnat_kernels *kernels,
                                const rnnat_teller *teller)
{
    const rnnat_attention_pooling *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_attention_pooling");
    teller->needs(teller->arg, "RNNAT_WITH_GENERAL"); /* which has exp */
    teller->needs(teller->arg, "RNNAT_WITH_ELEMENTWISE");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", data->features);
    teller->number(teller->arg, "heads", data->heads);
}
#endif
#endif

const rnnat_layer rnnat_layer_attention_pool = {
    .name = "rnnat_layer_attention_pool",
#if RNNAT_WITH_ATTENTION
    .takes_several = true,
    .keys = RNNAT_LAYER_KEYS(attention_pool_keys, rnnat_attention_pool_options),
    .count = RNNAT_IF_READER(count_attention_pool),
    .build = RNNAT_IF_READER(build_attention_pool),
    .scratch = scratch_attention_pool,
    .carve = carve_attention_pool,
    .reset = reset_attention_pool,
    .state = state_attention_pool,
    .run = run_attention_pool,
    .last = last_attention_pool,
    .tell = RNNAT_IF_INSPECT(tell_attention_pool),
#endif
};
