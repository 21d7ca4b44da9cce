/* Several values become one: sums, products, differences, quotients and extremes of elements, or features
 * side by side. */
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_word combine_modes[] = {
    {"add", RNNAT_COMBINE_ADD},       {"mul", RNNAT_COMBINE_MUL},
    {"sub", RNNAT_COMBINE_SUB},       {"div", RNNAT_COMBINE_DIV},
    {"max", RNNAT_COMBINE_MAX},       {"min", RNNAT_COMBINE_MIN},
    {"concat", RNNAT_COMBINE_CONCAT}, {NULL, 0}};
static const rnnat_key combine_keys[] = {
    RNNAT_OPEN_KEY(rnnat_combine_options, mode, combine_modes)};

/* Features of a value; 0 while they are only counted. */
static int32_t features_read(const rnnat_graph *graph, int32_t value)
{
    return graph->values ? graph->values[value].features : 0;
}

/* Whether all values can be combined, and to how many features. */
static rnnat_status check_combine(const rnnat_graph *graph, rnnat_combine mode)
{
    int64_t features = 0;
    const bool of_two = mode == RNNAT_COMBINE_SUB || mode == RNNAT_COMBINE_DIV;
    if (graph->num_inputs < 2 || (of_two && graph->num_inputs > 2))
        return RNNAT_REFUSE(graph, SHAPE,
                            "expected two values to read or, of add, mul and concat, more");
    for (int32_t i = 0; i < graph->num_inputs; ++i) {
        const int32_t own = features_read(graph, graph->inputs[i]);
        features += own;
        if (mode == RNNAT_COMBINE_CONCAT) continue;
        if (own != features_read(graph, graph->inputs[0]))
            return RNNAT_REFUSE(graph, SHAPE,
                                "expected as many features of each value that it reads");
        features = own;
    }
    if (features > RNNAT_LAYER_MAX_SIZE)
        return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features");
    return RNNAT_OK;
}

/* Of more values than a node reads a row of nodes is made, from left to right: each one behind the
 * first reads what the one before has made, and further ones. */
static void count_combine(const void *options, rnnat_counts *counts)
{
    const int32_t more = counts->reads - RNNAT_NODE_INPUTS, each = RNNAT_NODE_INPUTS - 1;
    const size_t nodes = more > 0 ? 1 + (size_t)((more + each - 1) / each) : 1;
    (void)options;
    counts->nodes += nodes;
    counts->values += nodes;
}

/* Adds a node for values `first` .. of the layer, behind `made`, what the one before has made, or -1.
 * *first becomes that of the next node. */
static int32_t add_node(rnnat_graph *graph, rnnat_combine mode, int32_t made, int32_t *first)
{
    rnnat_combining data = {.mode = mode};
    rnnat_node node = {.layer = &rnnat_layer_combine, .num_passes = 1};
    int32_t features = 0;
    for (int32_t n = 0; n < RNNAT_NODE_INPUTS && *first < graph->num_inputs; ++n) {
        node.inputs[n] = n == 0 && made >= 0 ? made : graph->inputs[(*first)++];
        data.features[n] = features_read(graph, node.inputs[n]);
        features = mode == RNNAT_COMBINE_CONCAT ? features + data.features[n] : data.features[n];
        node.num_inputs = n + 1;
    }
    node.data = rnnat_graph_keep(graph, &data, sizeof data);
    const int32_t value = rnnat_graph_add(graph, &node, features);
    rnnat_graph_result(graph, value, features, graph->has_time);
    return value;
}

static rnnat_status build_combine(rnnat_graph *graph, const void *options)
{
    const rnnat_combine mode = (rnnat_combine)((const rnnat_combine_options *)options)->mode;
    const rnnat_status status = check_combine(graph, mode);
    int32_t made = -1;
    for (int32_t first = 0; status == RNNAT_OK && first < graph->num_inputs;)
        made = add_node(graph, mode, made, &first);
    return status;
}

int32_t rnnat_combine_add_copy(rnnat_graph *graph, int32_t value)
{
    int32_t first = 0;
    graph->has_time = !graph->values || graph->values[value].has_time;
    graph->is_static = graph->values && graph->values[value].is_static;
    graph->inputs[0] = value;
    graph->num_inputs = 1;
    return add_node(graph, RNNAT_COMBINE_CONCAT, -1, &first);
}
#endif

/* to = to with from, element by element. A NaN stays. */
#define COMBINE(name, T)                                                                           \
    static void name(rnnat_combine mode, T *to, const T *from, int32_t n)                          \
    {                                                                                              \
        if (mode == RNNAT_COMBINE_ADD)                                                             \
            for (int32_t i = 0; i < n; ++i) to[i] += from[i];                                      \
        else if (mode == RNNAT_COMBINE_MUL)                                                        \
            for (int32_t i = 0; i < n; ++i) to[i] *= from[i];                                      \
        else if (mode == RNNAT_COMBINE_SUB)                                                        \
            for (int32_t i = 0; i < n; ++i) to[i] -= from[i];                                      \
        else if (mode == RNNAT_COMBINE_DIV)                                                        \
            for (int32_t i = 0; i < n; ++i) to[i] /= from[i];                                      \
        else if (mode == RNNAT_COMBINE_MAX)                                                        \
            for (int32_t i = 0; i < n; ++i)                                                        \
                to[i] = from[i] > to[i] || from[i] != from[i] ? from[i] : to[i];                   \
        else                                                                                       \
            for (int32_t i = 0; i < n; ++i)                                                        \
                to[i] = from[i] < to[i] || from[i] != from[i] ? from[i] : to[i];                   \
    }
COMBINE(combine_f32, float)
#if RNNAT_FLOAT64
COMBINE(combine_f64, double)
#endif
#undef COMBINE

/* Input `i` of one step and row, into `to`. */
static void take_input(const rnnat_task *task, int32_t i, char *to, const char *from)
{
    const rnnat_combining *const combine = task->node->data;
    const int32_t features = combine->features[i];
    if (i == 0 || combine->mode == RNNAT_COMBINE_CONCAT)
        memcpy(to, from, (size_t)features * (size_t)task->kernels->elem);
    else if (rnnat_is_float(task->kernels))
        combine_f32(combine->mode, (float *)(void *)to, (const float *)(const void *)from,
                    features);
#if RNNAT_FLOAT64
    else
        combine_f64(combine->mode, (double *)(void *)to, (const double *)(const void *)from,
                    features);
#endif
}

/* Each thread takes some of the steps. */
static bool run_combine(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_combining *const combine = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const bool concat = combine->mode == RNNAT_COMBINE_CONCAT;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            char *to = rnnat_view_at(kernels, *chunk->out, step, row);
            for (int32_t i = 0; i < task->node->num_inputs; ++i) {
                take_input(task, i, to, rnnat_view_at(kernels, *chunk->in[i], step, row));
                if (concat) to += (ptrdiff_t)combine->features[i] * kernels->elem;
            }
        }
    }
    return true;
}

#if RNNAT_INSPECT
static void tell_combine(const rnnat_node *node, const rnnat_kernels *kernels,
                         const rnnat_teller *teller)
{
    const rnnat_combining *const combine = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_combining");
    teller->number(teller->arg, "mode", (int64_t)combine->mode);
    teller->begin(teller->arg, "features");
    for (int32_t i = 0; i < node->num_inputs; ++i)
        teller->number(teller->arg, "", combine->features[i]);
    teller->end(teller->arg);
}
#endif

const rnnat_layer rnnat_layer_combine = {.name = "rnnat_layer_combine",
                                         .takes_several = true,
                                         .keys =
                                             RNNAT_LAYER_KEYS(combine_keys, rnnat_combine_options),
                                         .count = RNNAT_IF_READER(count_combine),
                                         .build = RNNAT_IF_READER(build_combine),
                                         .run = run_combine,
                                         .tell = RNNAT_IF_INSPECT(tell_combine)};
