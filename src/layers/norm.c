/* Features of one step less their mean, by their deviation: layer and group normalisation. */
#include <float.h>
#include <math.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_key norm_keys[] = {
    RNNAT_SIZE_KEY(rnnat_norm_options, features),
    RNNAT_SIZE_KEY(rnnat_norm_options, groups),
    {.name = "epsilon", .type = RNNAT_KEY_NUMBER, .at = offsetof(rnnat_norm_options, epsilon)},
    RNNAT_WORD_KEY(rnnat_norm_options, subtract_mean, rnnat_flags),
    RNNAT_WORD_KEY(rnnat_norm_options, weight, rnnat_flags),
    RNNAT_WORD_KEY(rnnat_norm_options, bias, rnnat_flags),
};

static int32_t takes_norm(const void *options)
{
    const rnnat_norm_options *const line = options;
    return line->features;
}

rnnat_status rnnat_read_vector(rnnat_builder *build, const char *name, bool there, int32_t features,
                               const void **to)
{
    const rnnat_gates each = {1, 0, features};
    if (!there) return RNNAT_OK;
    void *const vector = rnnat_build_zeros(build, each);
    *to = vector;
    return rnnat_build_add(build, name, 1, each, 1, vector);
}

static rnnat_status build_norm(rnnat_graph *graph, const void *options)
{
    const rnnat_norm_options *const line = options;
    const double most = rnnat_is_float(graph->build->kernels) ? (double)FLT_MAX : DBL_MAX;
    rnnat_norming data = {.features = line->features,
                          .groups = line->groups,
                          .subtracts_mean = line->subtract_mean != 0,
                          .epsilon = line->epsilon};
    if (line->features % line->groups)
        return RNNAT_REFUSE(graph, SHAPE, "expected groups= to divide features=");
    if (line->epsilon > most) return RNNAT_REFUSE(graph, UNSUPPORTED, "epsilon is past float");
    rnnat_status status =
        rnnat_read_vector(graph->build, "weight", line->weight, line->features, &data.weight);
    if (status == RNNAT_OK)
        status = rnnat_read_vector(graph->build, "bias", line->bias, line->features, &data.bias);
    if (status != RNNAT_OK) return status;
    rnnat_graph_add_one(graph, &rnnat_layer_norm, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

/* A sum of `n` terms has SUMS partial ones, term j in number j mod SUMS, and these are added by halves,
 * number k and number k + SUMS / 2 first: one order, that vectors of any width have as well. */
enum { SUMS = 16 };
#define SUM(name, real, term)                                                                      \
    static real name(const real *x, int32_t n)                                                     \
    {                                                                                              \
        real sums[SUMS] = {0};                                                                     \
        int32_t j = 0;                                                                             \
        for (; n - j >= SUMS; j += SUMS)                                                           \
            for (int32_t k = 0; k < SUMS; ++k) sums[k] += term(x[j + k]);                          \
        for (int32_t k = 0; k < n - j; ++k) sums[k] += term(x[j + k]);                             \
        for (int32_t half = SUMS / 2; half > 0; half /= 2)                                         \
            for (int32_t k = 0; k < half; ++k) sums[k] += sums[k + half];                          \
        return sums[0];                                                                            \
    }
#define ITSELF(x) (x)
#define SQUARE(x) ((x) * (x))
SUM(sum_floats, float, ITSELF)
SUM(sum_squared_floats, float, SQUARE)
SUM(sum_doubles, double, ITSELF)
SUM(sum_squared_doubles, double, SQUARE)
#undef SUM
#undef ITSELF
#undef SQUARE

/* One step and row: the mean first, then the squares of what is left. */
#define NORM_ROW(name, real, sum, sum_squares, root)                                               \
    static void name(const rnnat_norming *data, real *y, const real *x)                            \
    {                                                                                              \
        const int32_t n = data->features / data->groups;                                           \
        const real *const weight = data->weight, *const bias = data->bias;                         \
        for (int32_t first = 0; first < data->features; first += n) {                              \
            real *const to = y + first;                                                            \
            const real mean = data->subtracts_mean ? sum(x + first, n) / (real)n : 0;              \
            for (int32_t j = 0; j < n; ++j) to[j] = x[first + j] - mean;                           \
            const real variance = sum_squares(to, n) / (real)n;                                    \
            const real by = 1 / root(variance + (real)data->epsilon);                              \
            for (int32_t j = 0; j < n; ++j) to[j] *= by;                                           \
        }                                                                                          \
        for (int32_t j = 0; weight && j < data->features; ++j) y[j] *= weight[j];                  \
        for (int32_t j = 0; bias && j < data->features; ++j) y[j] += bias[j];                      \
    }
NORM_ROW(norm_floats, float, sum_floats, sum_squared_floats, sqrtf)
NORM_ROW(norm_doubles, double, sum_doubles, sum_squared_doubles, sqrt)
#undef NORM_ROW
RNNAT_RUN_ROWS(run_norm, norm_floats, norm_doubles)

#if RNNAT_INSPECT
static void tell_norm(const rnnat_node *node, const rnnat_kernels *kernels,
                      const rnnat_teller *teller)
{
    const rnnat_norming *const data = node->data;
    const size_t features = (size_t)data->features;
    (void)kernels;
    teller->type(teller->arg, "rnnat_norming");
    teller->number(teller->arg, "features", data->features);
    teller->number(teller->arg, "groups", data->groups);
    teller->number(teller->arg, "subtracts_mean", data->subtracts_mean);
    teller->real(teller->arg, "epsilon", data->epsilon);
    rnnat_tell_array(teller, "weight", data->weight, features);
    rnnat_tell_array(teller, "bias", data->bias, features);
}
#endif

const rnnat_layer rnnat_layer_norm = {.name = "rnnat_layer_norm",
                                      .keys = RNNAT_LAYER_KEYS(norm_keys, rnnat_norm_options),
                                      .takes = RNNAT_IF_READER(takes_norm),
                                      .count = RNNAT_IF_READER(rnnat_count_one),
                                      .build = RNNAT_IF_READER(build_norm),
                                      .run = run_norm,
                                      .tell = RNNAT_IF_INSPECT(tell_norm)};
