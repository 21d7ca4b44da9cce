/* Features over all steps of a row that count, less their mean, by their deviation: instance
 * normalisation, and group normalisation over time. */
#include <float.h>
#include <math.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
static const rnnat_key instance_norm_keys[] = {
    RNNAT_SIZE_KEY(rnnat_instance_norm_options, channels),
    RNNAT_SIZE_KEY(rnnat_instance_norm_options, positions),
    RNNAT_SIZE_KEY(rnnat_instance_norm_options, groups),
    {.name = "epsilon",
     .type = RNNAT_KEY_NUMBER,
     .at = offsetof(rnnat_instance_norm_options, epsilon)},
    RNNAT_WORD_KEY(rnnat_instance_norm_options, weight, rnnat_flags),
    RNNAT_WORD_KEY(rnnat_instance_norm_options, bias, rnnat_flags),
};

static int32_t takes_instance_norm(const void *options)
{
    const rnnat_instance_norm_options *const line = options;
    const int64_t features = (int64_t)line->channels * line->positions;
    return features > RNNAT_LAYER_MAX_SIZE ? -1 : (int32_t)features;
}

static rnnat_status build_instance_norm(rnnat_graph *graph, const void *options)
{
    const rnnat_instance_norm_options *const line = options;
    const double most = rnnat_is_float(graph->build->kernels) ? (double)FLT_MAX : DBL_MAX;
    rnnat_instance_norming data = {.channels = line->channels,
                                   .positions = line->positions,
                                   .groups = line->groups,
                                   .epsilon = line->epsilon};
    if (line->channels % line->groups)
        return RNNAT_REFUSE(graph, SHAPE, "expected groups= to divide channels=");
    if (takes_instance_norm(line) < 0 || line->epsilon > most)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features, or epsilon is past float");
    rnnat_status status =
        rnnat_read_vector(graph->build, "weight", line->weight != 0, line->channels, &data.weight);
    if (status == RNNAT_OK)
        status =
            rnnat_read_vector(graph->build, "bias", line->bias != 0, line->channels, &data.bias);
    if (status != RNNAT_OK) return status;
    return rnnat_graph_add_whole(graph, &rnnat_layer_instance_norm, &data, sizeof data,
                                 data.channels * data.positions);
}
#endif

/* Of each channel, of one row after the other: sums, which become means, and what is multiplied by. */
static void scratch_instance_norm(const rnnat_node *node, const rnnat_kernels *kernels,
                                  int32_t rows, int32_t steps, rnnat_arena *arena)
{
    const rnnat_instance_norming *const data = node->data;
    (void)kernels;
    (void)rows;
    (void)steps;
    rnnat_arena_take_table(arena, 2, (size_t)data->channels, sizeof(double));
}

/* Gives channels first .. end - 1 the mean over all numbers of their group; `n`: steps. */
static void share_means(const rnnat_instance_norming *data, double *sums, int32_t first,
                        int32_t end, int32_t n)
{
    const int32_t size = data->channels / data->groups;
    for (int32_t from = first; from < end; from += size) {
        double total = 0;
        for (int32_t c = from; c < from + size; ++c) total += sums[c];
        total /= (double)n * data->positions * size;
        for (int32_t c = from; c < from + size; ++c) sums[c] = total;
    }
}

/* One row, channels first .. end - 1, which are whole groups: the mean first, then the squares of what
 * is left. All is added up in double, step after step, and each result is rounded once. */
#define NORM_STEPS(name, T)                                                                        \
    static void name(const rnnat_instance_norming *data, rnnat_view in, rnnat_view out,            \
                     int32_t row, int32_t steps, int32_t first, int32_t end, double *scratch)      \
    {                                                                                              \
        const int32_t channels = data->channels, positions = data->positions;                      \
        double *const mean = scratch, *const by = scratch + channels;                              \
        for (int32_t c = first; c < end; ++c) mean[c] = by[c] = 0;                                 \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *x = (const T *)(const void *)in.base + step * in.time + row * in.row;         \
            for (int32_t p = 0; p < positions; ++p, x += channels)                                 \
                for (int32_t c = first; c < end; ++c) mean[c] += (double)x[c];                     \
        }                                                                                          \
        share_means(data, mean, first, end, steps);                                                \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *x = (const T *)(const void *)in.base + step * in.time + row * in.row;         \
            for (int32_t p = 0; p < positions; ++p, x += channels)                                 \
                for (int32_t c = first; c < end; ++c) {                                            \
                    const double left = (double)x[c] - mean[c];                                    \
                    by[c] += left * left;                                                          \
                }                                                                                  \
        }                                                                                          \
        share_means(data, by, first, end, steps);                                                  \
        const T *const weight = data->weight, *const bias = data->bias;                            \
        for (int32_t c = first; c < end; ++c) {                                                    \
            by[c] = 1 / sqrt(by[c] + data->epsilon);                                               \
            if (weight) by[c] *= (double)weight[c];                                                \
        }                                                                                          \
        for (int32_t step = 0; step < steps; ++step) {                                             \
            const T *x = (const T *)(const void *)in.base + step * in.time + row * in.row;         \
            T *y = (T *)(void *)out.base + step * out.time + row * out.row;                        \
            for (int32_t p = 0; p < positions; ++p, x += channels, y += channels)                  \
                if (bias)                                                                          \
                    for (int32_t c = first; c < end; ++c)                                          \
                        y[c] = (T)(((double)x[c] - mean[c]) * by[c] + (double)bias[c]);            \
                else                                                                               \
                    for (int32_t c = first; c < end; ++c)                                          \
                        y[c] = (T)(((double)x[c] - mean[c]) * by[c]);                              \
        }                                                                                          \
    }
NORM_STEPS(instance_norm_floats, float)
#if RNNAT_FLOAT64
NORM_STEPS(instance_norm_doubles, double)
#endif
#undef NORM_STEPS

/* Each member takes some of the groups, of all steps. */
static bool run_instance_norm(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_instance_norming *const data = task->node->data;
    const rnnat_member *const member = &task->member;
    const int32_t size = data->channels / data->groups;
    const int32_t first = rnnat_first(member, member->index, data->groups) * size;
    const int32_t end = rnnat_first(member, member->index + 1, data->groups) * size;
    double *const scratch = (double *)(void *)task->scratch;
    for (int32_t row = 0; row < task->rows; ++row) {
        const int32_t steps = chunk->lengths ? chunk->lengths[row] : chunk->steps;
        if (steps == 0) continue;
        if (rnnat_is_float(task->kernels))
            instance_norm_floats(data, *chunk->in[0], *chunk->out, row, steps, first, end, scratch);
#if RNNAT_FLOAT64
        else
            instance_norm_doubles(data, *chunk->in[0], *chunk->out, row, steps, first, end,
                                  scratch);
#endif
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_instance_norm(const rnnat_node *node, const rnnat_kernels *kernels,
                               const rnnat_teller *teller)
{
    const rnnat_instance_norming *const data = node->data;
    const size_t channels = (size_t)data->channels;
    (void)kernels;
    teller->type(teller->arg, "rnnat_instance_norming");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "channels", data->channels);
    teller->number(teller->arg, "positions", data->positions);
    teller->number(teller->arg, "groups", data->groups);
    teller->real(teller->arg, "epsilon", data->epsilon);
    rnnat_tell_array(teller, "weight", data->weight, channels);
    rnnat_tell_array(teller, "bias", data->bias, channels);
}
#endif
#endif

const rnnat_layer rnnat_layer_instance_norm = {
    .name = "rnnat_layer_instance_norm",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(instance_norm_keys, rnnat_instance_norm_options),
    .takes = RNNAT_IF_READER(takes_instance_norm),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_instance_norm),
    .scratch = scratch_instance_norm,
    .run = run_instance_norm,
    .tell = RNNAT_IF_INSPECT(tell_instance_norm),
#endif
};
