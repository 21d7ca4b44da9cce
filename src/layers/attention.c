/* Each step a mean of all steps of a row, weighted by a softmax of its scores with them: attention. */
#include <float.h>
#include <math.h>

#include "layers.h"

#if RNNAT_WITH_ATTENTION
#if RNNAT_READER
static const rnnat_key attention_keys[] = {
    RNNAT_SIZE_KEY(rnnat_attention_options, heads),
    RNNAT_WORD_KEY(rnnat_attention_options, causal, rnnat_flags),
    {.name = "scale",
     .type = RNNAT_KEY_NUMBER,
     .optional = true,
     .at = offsetof(rnnat_attention_options, scale)},
    {.name = "additive",
     .type = RNNAT_KEY_SIZE,
     .least = 1,
     .optional = true,
     .at = offsetof(rnnat_attention_options, additive)},
};

static rnnat_status build_attention(rnnat_graph *graph, const void *options)
{
    const rnnat_attention_options *const line = options;
    const double most = rnnat_is_float(graph->build->kernels) ? (double)FLT_MAX : DBL_MAX;
    rnnat_attending data = {.heads = line->heads, .causal = line->causal != 0};
    if (graph->num_inputs != 3)
        return RNNAT_REFUSE(graph, SHAPE,
                            "expected three values to read: queries, keys and values");
    if (line->scale > most) return RNNAT_REFUSE(graph, UNSUPPORTED, "scale is past float");
    if (graph->values) {
        data.features = graph->values[graph->inputs[0]].features;
        data.values = graph->values[graph->inputs[2]].features;
        if (graph->values[graph->inputs[1]].features != data.features)
            return RNNAT_REFUSE(graph, SHAPE, "expected as many features of keys as of queries");
        if (line->additive && line->additive != data.features)
            return RNNAT_REFUSE(graph, SHAPE, "expected additive= to be the features of queries");
    }
    if (data.features % data.heads || data.values % data.heads)
        return RNNAT_REFUSE(graph, SHAPE, "expected heads= to divide the features it reads");
    data.scale = line->scale > 0 ? line->scale : 1 / sqrt((double)data.features / data.heads);
    const rnnat_status status =
        rnnat_read_vector(graph->build, "weight", line->additive > 0, line->additive, &data.weight);
    if (status != RNNAT_OK) return status;
    return rnnat_graph_add_whole(graph, &rnnat_layer_attention, &data, sizeof data, data.values);
}
#endif

/* Of each member the scores of one step with all others. */
static void scratch_attention(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                              int32_t steps, rnnat_arena *arena)
{
    (void)node;
    (void)rows;
    rnnat_arena_take(arena, (size_t)steps, (size_t)kernels->elem);
}

/* Sums have ATTENTION_SUMS partial ones, term j in number j mod ATTENTION_SUMS, which are then added by
 * halves. Of additive scores as many terms as ATTENTION_BLOCK are made at once. */
enum { ATTENTION_SUMS = 16, ATTENTION_BLOCK = 64 };

#define ATTEND(name, T)                                                                            \
    static void name##_add(T *sums, const T *x, const T *y, int32_t n)                             \
    {                                                                                              \
        int32_t j = 0;                                                                             \
        for (; n - j >= ATTENTION_SUMS; j += ATTENTION_SUMS)                                       \
            for (int32_t k = 0; k < ATTENTION_SUMS; ++k) sums[k] += x[j + k] * y[j + k];           \
        for (int32_t k = 0; k < n - j; ++k) sums[k] += x[j + k] * y[j + k];                        \
    }                                                                                              \
    static T name##_total(T *sums)                                                                 \
    {                                                                                              \
        for (int32_t half = ATTENTION_SUMS / 2; half > 0; half /= 2)                               \
            for (int32_t k = 0; k < half; ++k) sums[k] += sums[k + half];                          \
        return sums[0];                                                                            \
    }                                                                                              \
    /* The score of one head of two steps: features first .. first + n - 1. */                     \
    static T name##_score(const rnnat_task *task, const T *query, const T *key, int32_t first,     \
                          int32_t n)                                                               \
    {                                                                                              \
        const rnnat_attending *const data = task->node->data;                                      \
        const T *const weight = data->weight;                                                      \
        T sums[ATTENTION_SUMS] = {0}, both[ATTENTION_BLOCK];                                       \
        if (!weight) {                                                                             \
            name##_add(sums, query + first, key + first, n);                                       \
            return name##_total(sums) * (T)data->scale;                                            \
        }                                                                                          \
        for (int32_t from = first; from < first + n; from += ATTENTION_BLOCK) {                    \
            const int32_t left = first + n - from;                                                 \
            const int32_t size = left < ATTENTION_BLOCK ? left : ATTENTION_BLOCK;                  \
            for (int32_t j = 0; j < size; ++j) both[j] = query[from + j] + key[from + j];          \
            task->kernels->activate(RNNAT_TANH, (rnnat_rows){both, 1, 0, 0}, 1, size);             \
            name##_add(sums, both, weight + from, size);                                           \
        }                                                                                          \
        return name##_total(sums);                                                                 \
    }                                                                                              \
    /* One step of one row, over its `count` first steps. */                                       \
    static void name(const rnnat_task *task, const rnnat_chunk *chunk, int32_t row, int32_t step,  \
                     int32_t count, T *scores)                                                     \
    {                                                                                              \
        const rnnat_attending *const data = task->node->data;                                      \
        const rnnat_kernels *const kernels = task->kernels;                                        \
        const T *const query =                                                                     \
            (const T *)(const void *)rnnat_view_at(kernels, *chunk->in[0], step, row);             \
        T *const y = (T *)(void *)rnnat_view_at(kernels, *chunk->out, step, row);                  \
        const int32_t n = data->features / data->heads, size = data->values / data->heads;         \
        for (int32_t h = 0; h < data->heads; ++h) {                                                \
            for (int32_t s = 0; s < count; ++s)                                                    \
                scores[s] = name##_score(                                                          \
                    task, query,                                                                   \
                    (const T *)(const void *)rnnat_view_at(kernels, *chunk->in[1], s, row), h * n, \
                    n);                                                                            \
            kernels->activate(RNNAT_SOFTMAX, (rnnat_rows){scores, 1, 0, 0}, 1, count);             \
            for (int32_t i = h * size; i < (h + 1) * size; ++i) y[i] = 0;                          \
            for (int32_t s = 0; s < count; ++s) {                                                  \
                const T *const x =                                                                 \
                    (const T *)(const void *)rnnat_view_at(kernels, *chunk->in[2], s, row);        \
                for (int32_t i = h * size; i < (h + 1) * size; ++i) y[i] += scores[s] * x[i];      \
            }                                                                                      \
        }                                                                                          \
    }
ATTEND(attend_floats, float)
#if RNNAT_FLOAT64
ATTEND(attend_doubles, double)
#endif
#undef ATTEND

/* Each member takes some of the steps, of each row. */
static bool run_attention(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_attending *const data = task->node->data;
    const rnnat_member *const member = &task->member;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    void *const scratch =
        task->scratch + (ptrdiff_t)member->index * chunk->steps * task->kernels->elem;
    for (int32_t row = 0; row < task->rows; ++row) {
        const int32_t steps = chunk->lengths ? chunk->lengths[row] : chunk->steps;
        for (int32_t step = own.first; step < own.first + own.steps && step < steps; ++step) {
            const int32_t count = data->causal ? step + 1 : steps;
            if (rnnat_is_float(task->kernels))
                attend_floats(task, chunk, row, step, count, scratch);
#if RNNAT_FLOAT64
            else
                attend_doubles(task, chunk, row, step, count, scratch);
#endif
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_attention(const rnnat_node *node, const rnnat_kernels *kernels,
                           const rnnat_teller *teller)
{
    const rnnat_attending *const data = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_attending");
    teller->needs(teller->arg, "RNNAT_WITH_GENERAL"); /* which elementwise layers need */
    teller->needs(teller->arg, "RNNAT_WITH_ELEMENTWISE");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "features", data->features);
    teller->number(teller->arg, "values", data->values);
    teller->number(teller->arg, "heads", data->heads);
    teller->number(teller->arg, "causal", data->causal);
    teller->real(teller->arg, "scale", data->scale);
    rnnat_tell_array(teller, "weight", data->weight, (size_t)data->features);
}
#endif
#endif

const rnnat_layer rnnat_layer_attention = {
    .name = "rnnat_layer_attention",
#if RNNAT_WITH_ATTENTION
    .takes_several = true,
    .keys = RNNAT_LAYER_KEYS(attention_keys, rnnat_attention_options),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_attention),
    .scratch = scratch_attention,
    .run = run_attention,
    .tell = RNNAT_IF_INSPECT(tell_attention),
#endif
};
