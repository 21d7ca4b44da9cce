/* How the node of a convolution is made of a line of a file. */
#include "conv.h"

#if RNNAT_READER && RNNAT_WITH_WINDOWS
/* What a kernel reaches over. */
static int64_t reach_of(int32_t kernel, int32_t dilation)
{
    return (int64_t)(kernel - 1) * dilation + 1;
}

static const rnnat_word padding_modes[] = {{"zeros", RNNAT_PADDING_ZEROS},
                                           {"reflect", RNNAT_PADDING_REFLECT},
                                           {"replicate", RNNAT_PADDING_REPLICATE},
                                           {NULL, 0}};
#define HEIGHT_KEY(member, smallest)                                                               \
    {.name = #member,                                                                              \
     .type = RNNAT_KEY_SIZE,                                                                       \
     .least = smallest,                                                                            \
     .optional = true,                                                                             \
     .at = offsetof(rnnat_conv_options, member)}
const rnnat_key rnnat_conv_keys[] = {
    RNNAT_SIZE_KEY(rnnat_conv_options, in_channels),
    RNNAT_SIZE_KEY(rnnat_conv_options, out_channels),
    RNNAT_SIZE_KEY(rnnat_conv_options, groups),
    RNNAT_SIZE_KEY(rnnat_conv_options, kernel_time),
    RNNAT_SIZE_KEY(rnnat_conv_options, stride_time),
    RNNAT_SIZE_KEY(rnnat_conv_options, dilation_time),
    RNNAT_COUNT_KEY(rnnat_conv_options, before),
    RNNAT_COUNT_KEY(rnnat_conv_options, after),
    RNNAT_SIZE_KEY(rnnat_conv_options, positions),
    RNNAT_SIZE_KEY(rnnat_conv_options, kernel_size),
    RNNAT_SIZE_KEY(rnnat_conv_options, stride),
    RNNAT_SIZE_KEY(rnnat_conv_options, dilation),
    RNNAT_COUNT_KEY(rnnat_conv_options, left),
    RNNAT_COUNT_KEY(rnnat_conv_options, right),
    RNNAT_OPEN_KEY(rnnat_conv_options, padding_mode, padding_modes),
    RNNAT_WORD_KEY(rnnat_conv_options, bias, rnnat_flags),
    RNNAT_OPEN_KEY(rnnat_conv_options, activation, rnnat_activation_words),
    HEIGHT_KEY(height, 1),
    HEIGHT_KEY(kernel_height, 1),
    HEIGHT_KEY(stride_height, 1),
    HEIGHT_KEY(dilation_height, 1),
    HEIGHT_KEY(top, 0),
    HEIGHT_KEY(bottom, 0),
};
#undef HEIGHT_KEY

/* What the line says, where it may leave out what is 1. */
static rnnat_conv_options filled(const rnnat_conv_options *line)
{
    rnnat_conv_options all = *line;
    int32_t *const ones[] = {&all.height, &all.kernel_height, &all.stride_height,
                             &all.dilation_height};
    for (size_t i = 0; i < sizeof ones / sizeof *ones; ++i)
        if (*ones[i] == 0) *ones[i] = 1;
    return all;
}

/* Positions or rows that a kernel makes of so many, padding included; 0: it reaches over more. */
static int64_t made_of(int64_t padded, int32_t kernel, int32_t stride, int32_t dilation)
{
    const int64_t reach = reach_of(kernel, dilation);
    return reach > padded ? 0 : (padded - reach) / stride + 1;
}

/* Whether these can be a convolution; it says how many rows and positions its output has. */
static rnnat_status check_conv(const rnnat_graph *graph, const rnnat_conv_options *line,
                               rnnat_convolving *data)
{
    (void)graph;
    const int64_t extent = reach_of(line->kernel_time, line->dilation_time);
    const int64_t padded = (int64_t)line->left + line->positions + line->right;
    const int64_t tall = (int64_t)line->top + line->height + line->bottom;
    const int64_t made = made_of(padded, line->kernel_size, line->stride, line->dilation);
    const int64_t rows =
        made_of(tall, line->kernel_height, line->stride_height, line->dilation_height);
    if (line->in_channels % line->groups || line->out_channels % line->groups)
        return RNNAT_REFUSE(graph, SHAPE,
                            "expected groups= to divide in_channels= and out_channels=");
    if (extent > RNNAT_WINDOW_MAX || line->stride_time > RNNAT_WINDOW_MAX)
        return RNNAT_REFUSE(graph, UNSUPPORTED,
                            "the kernel or its stride reaches over too many steps");
    if (line->before >= extent || line->after >= extent || !made || !rows)
        return RNNAT_REFUSE(
            graph, SHAPE,
            "expected less padding in time than the kernel, and a kernel within the positions");
    if (line->padding_mode == RNNAT_PADDING_REFLECT &&
        (line->left >= line->positions || line->right >= line->positions ||
         line->top >= line->height || line->bottom >= line->height))
        return RNNAT_REFUSE(graph, SHAPE, "expected less padding than positions where it reflects");
    const int64_t most = RNNAT_CONV_MAX_FEATURES;
    const int64_t taps = (int64_t)line->kernel_time * line->kernel_size;
    const bool fits = padded * line->in_channels <= most / tall && made <= most &&
                      made * line->out_channels <= most / rows && taps <= most &&
                      taps * line->kernel_height <= most &&
                      taps * line->kernel_height * line->in_channels <= most / made;
    data->made = fits ? (int32_t)made : 0;
    data->made_height = fits ? (int32_t)rows : 0;
    if (!fits) return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features");
    return RNNAT_OK;
}

int32_t rnnat_conv_takes(const void *options)
{
    const rnnat_conv_options line = filled(options);
    const int64_t features = (int64_t)line.positions * line.in_channels;
    const bool fits = features <= RNNAT_CONV_MAX_FEATURES / line.height;
    return fits ? (int32_t)features * line.height : 0;
}

/* Reads the weights: a matrix for each group or, of groups of one channel, rows of a number for each
 * channel of the output. */
static rnnat_status build_weight(rnnat_builder *build, const rnnat_conv_options *line,
                                 rnnat_convolving *data)
{
    const int32_t taps =
        line->kernel_time * line->kernel_height * line->kernel_size * rnnat_conv_channels(data);
    const bool rows = rnnat_conv_is_depthwise(data);
    const rnnat_gates gates = {rows ? 1 : line->groups, 0,
                               rows ? line->out_channels : line->out_channels / line->groups};
    const rnnat_stored type = rows ? RNNAT_STORED_OWN : build->type;
    rnnat_tensor tensor;
    const rnnat_status status =
        rnnat_build_tensor(build, "weight", line->out_channels, taps, &tensor);
    if (status != RNNAT_OK) return status;
    build->num_parameters += (uint64_t)line->out_channels * (uint64_t)taps;
    data->weight =
        rnnat_build_take(build, taps, gates, RNNAT_GEMM_PANEL, rows || build->blas, type);
    if (rnnat_build_is_packed(build)) return RNNAT_OK;
    if (!data->weight.data)
        return rnnat_matrix_fits(type, &tensor) ? RNNAT_OK : rnnat_build_unfit(build, "weight");
    for (int32_t g = 0; g < gates.gates; ++g) {
        rnnat_matrix part = rnnat_matrix_part(&data->weight, build->kernels, g, gates.gates);
        rnnat_matrix_pack(&part, build->kernels, (rnnat_gates){1, g, gates.units}, &tensor);
    }
    return RNNAT_OK;
}

rnnat_status rnnat_conv_build(rnnat_graph *graph, const void *options)
{
    const rnnat_conv_options all = filled(options);
    const rnnat_conv_options *const line = &all;
    rnnat_builder *const build = graph->build;
    rnnat_convolving data = {.in_channels = line->in_channels,
                             .out_channels = line->out_channels,
                             .groups = line->groups,
                             .kernel_time = line->kernel_time,
                             .dilation_time = line->dilation_time,
                             .positions = line->positions,
                             .kernel_size = line->kernel_size,
                             .stride = line->stride,
                             .dilation = line->dilation,
                             .left = line->left,
                             .right = line->right,
                             .height = line->height,
                             .kernel_height = line->kernel_height,
                             .stride_height = line->stride_height,
                             .dilation_height = line->dilation_height,
                             .top = line->top,
                             .padding_mode = (rnnat_padding)line->padding_mode,
                             .activation = (rnnat_activation)line->activation};
    rnnat_status status = check_conv(graph, line, &data);
    if (data.made == 1) data.stride = 1; /* to no other position */
    if (status == RNNAT_OK) status = build_weight(build, line, &data);
    if (status == RNNAT_OK && line->bias) {
        const rnnat_gates each = {1, 0, line->out_channels};
        void *const bias = rnnat_build_zeros(
            build, (rnnat_gates){1, 0, rnnat_conv_bias_size(&data, build->kernels)});
        data.bias = bias;
        status = rnnat_build_add(build, "bias", 1, each, 1, bias);
    }
    if (status != RNNAT_OK) return status;
    if (data.made * (int64_t)data.made_height > build->product_rows)
        build->product_rows = data.made * data.made_height;
    const int32_t features = data.made_height * data.made * data.out_channels;
    const rnnat_window window = {.extent =
                                     (int32_t)reach_of(line->kernel_time, line->dilation_time),
                                 .stride = line->stride_time,
                                 .repeat = 1,
                                 .before = line->before,
                                 .after = line->after};
    if (line->kernel_time > 1 || line->stride_time > 1)
        return rnnat_graph_add_window(graph, &rnnat_layer_conv, &data, sizeof data, features,
                                      &window);
    rnnat_graph_add_one(graph, &rnnat_layer_conv, &data, sizeof data, features);
    return RNNAT_OK;
}
#endif
