/* Convolution over time, over positions inside a step, or over both.
 *
 * A step's features are positions times channels, the channels of a position one behind the other. What
 * a position of the output is made of, its taps, is a row: steps of the window, positions of each, and
 * channels. Where rows do not lie in the input as they are, they are copied to scratch, some steps at a
 * time, and multiplied there. With one channel in each group there is no product: elements are added up. */
#include <string.h>

#include "conv.h"

#if RNNAT_WITH_WINDOWS
enum {
    tile_bytes = 96 << 10, /* of rows that are copied at once: they stay in the cache */
    tile_least = 8 /* steps, so that as many threads have one each */
};

/* ---- sizes ---- */

/* True where a step of the input, with its padding, has the rows of all positions in it, so that they
 * overlap. A BLAS takes none that do. */
static bool rows_overlap(const rnnat_convolving *conv)
{
    const bool apart = conv->made == 1 || conv->stride >= conv->kernel_size;
    return conv->kernel_time == 1 && conv->groups == 1 &&
           (conv->dilation == 1 || conv->kernel_size == 1) &&
           (apart || !rnnat_matrix_is_blas(&conv->weight));
}

/* True where rows lie in the input as they are. */
static bool reads_in_place(const rnnat_convolving *conv, const rnnat_window *window)
{
    return rows_overlap(conv) && window->extent == 0 && conv->left == 0 && conv->right == 0;
}

/* Elements of scratch that one step of one row of the batch needs. */
static size_t patch_size(const rnnat_convolving *conv)
{
    if (rows_overlap(conv))
        return (size_t)(conv->left + conv->positions + conv->right) * (size_t)conv->in_channels;
    return (size_t)conv->made * (size_t)conv->groups * (size_t)conv->weight.k;
}

/* Steps, of one row of the batch each, whose rows are in scratch at once. */
static int32_t tile_of(const rnnat_convolving *conv, const rnnat_kernels *kernels, int64_t most)
{
    const size_t bytes = patch_size(conv) * (size_t)kernels->elem;
    int64_t count = (int64_t)(tile_bytes / bytes);
    if (count < tile_least) count = tile_least;
    if (count > most) count = most;
    return count > 0 ? (int32_t)count : 1;
}

static void scratch_conv(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                         int32_t steps, rnnat_arena *arena)
{
    const rnnat_convolving *const conv = node->data;
    if (reads_in_place(conv, &node->window) || rnnat_conv_is_depthwise(conv)) return;
    const int32_t tile = tile_of(conv, kernels, (int64_t)rows * steps);
    rnnat_arena_take_table(arena, (size_t)tile, patch_size(conv), (size_t)kernels->elem);
}

/* ---- what a position is made of ---- */

/* The position that stands at `at`, which may be padding; -1: 0 does. */
static int32_t position_at(const rnnat_convolving *conv, int64_t at)
{
    const int64_t last = conv->positions - 1;
    if (at >= 0 && at <= last) return (int32_t)at;
    if (conv->padding_mode == RNNAT_PADDING_REPLICATE) return (int32_t)(at < 0 ? 0 : last);
    if (conv->padding_mode == RNNAT_PADDING_REFLECT) return (int32_t)(at < 0 ? -at : 2 * last - at);
    return -1;
}

/* Where tap `tap` of the window of one step is; NULL: that is padding. */
static const char *step_at(const rnnat_task *task, const rnnat_chunk *chunk, int32_t step,
                           int32_t tap, int32_t row)
{
    const rnnat_convolving *const conv = task->node->data;
    const rnnat_window *const window = &task->node->window;
    if (window->extent == 0) return rnnat_view_at(task->kernels, *chunk->in[0], step, row);
    const int64_t start = chunk->start + (int64_t)step * window->stride;
    return rnnat_window_at(task, chunk, start + (int64_t)tap * conv->dilation_time, row);
}

/* Copies some channels of a position, or writes zeros; returns where the next ones go. */
static char *put(char *to, const char *from, size_t bytes)
{
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
    return to + bytes;
}

/* Copies a step with its padding. */
static void copy_padded(const rnnat_convolving *conv, size_t channel, char *to, const char *step)
{
    const size_t bytes = (size_t)conv->in_channels * channel;
    for (int32_t at = -conv->left; at < 0; ++at) {
        const int32_t position = step ? position_at(conv, at) : -1;
        to = put(to, position < 0 ? NULL : step + (size_t)position * bytes, bytes);
    }
    to = put(to, step, (size_t)conv->positions * bytes);
    for (int32_t at = conv->positions; at < conv->positions + conv->right; ++at) {
        const int32_t position = step ? position_at(conv, at) : -1;
        to = put(to, position < 0 ? NULL : step + (size_t)position * bytes, bytes);
    }
}

/* Copies the positions that one tap of a window adds to a row, those of one group: all at once where
 * they lie one behind the other. */
static char *copy_taps(const rnnat_convolving *conv, size_t channel, char *to, const char *step,
                       int64_t first)
{
    const size_t all = (size_t)conv->in_channels * channel;
    const size_t bytes = (size_t)rnnat_conv_channels(conv) * channel;
    const bool inside = first >= 0 && first + conv->kernel_size <= conv->positions;
    if (!step) return put(to, NULL, (size_t)conv->kernel_size * bytes);
    if (inside && conv->groups == 1 && conv->dilation == 1)
        return put(to, step + (size_t)first * all, (size_t)conv->kernel_size * bytes);
    for (int32_t k = 0; k < conv->kernel_size; ++k) {
        const int32_t position = position_at(conv, first + (int64_t)k * conv->dilation);
        to = put(to, position < 0 ? NULL : step + (size_t)position * all, bytes);
    }
    return to;
}

/* Copies the rows of one step of one row of the batch. */
static void copy_patch(const rnnat_task *task, const rnnat_chunk *chunk, int32_t step, int32_t row,
                       char *to)
{
    const rnnat_convolving *const conv = task->node->data;
    const size_t elem = (size_t)task->kernels->elem;
    const size_t group_bytes = (size_t)rnnat_conv_channels(conv) * elem;
    if (rows_overlap(conv)) {
        copy_padded(conv, elem, to, step_at(task, chunk, step, 0, row));
        return;
    }
    for (int32_t position = 0; position < conv->made; ++position) {
        const int64_t first = (int64_t)position * conv->stride - conv->left;
        for (int32_t g = 0; g < conv->groups; ++g) {
            for (int32_t tap = 0; tap < conv->kernel_time; ++tap) {
                const char *const from = step_at(task, chunk, step, tap, row);
                to = copy_taps(conv, elem, to, from ? from + (size_t)g * group_bytes : NULL, first);
            }
        }
    }
}

/* ---- products ---- */

/* Multiplies the rows of `count` steps, the first of which is at `from`, the next one `apart` elements
 * behind it; their outputs are likewise at `to`. */
static void multiply_rows(const rnnat_task *task, const char *from, ptrdiff_t apart, char *to,
                          ptrdiff_t to_apart, int32_t count)
{
    const rnnat_convolving *const conv = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const ptrdiff_t elem = kernels->elem;
    const bool overlap = rows_overlap(conv);
    const rnnat_member alone = {0, 1, NULL};
    const int32_t own = conv->out_channels / conv->groups, m = count * conv->made;
    const ptrdiff_t between = overlap ? (ptrdiff_t)conv->stride * conv->in_channels
                                      : (ptrdiff_t)conv->groups * conv->weight.k;
    rnnat_rows a = {from, conv->made, between, apart};
    rnnat_rows c = {to, conv->made, conv->out_channels, to_apart};
    for (int32_t g = 0; g < conv->groups; ++g) {
        const rnnat_matrix part = rnnat_matrix_part(&conv->weight, kernels, g, conv->groups);
        const char *const bias = conv->bias;
        rnnat_gemm(&part, kernels, &alone, m, own, a, c, bias ? bias + g * own * elem : NULL);
        a.base = (const char *)a.base + conv->weight.k * elem;
        c.base = (const char *)c.base + own * elem;
    }
    c.base = to;
    if (conv->activation != RNNAT_IDENTITY)
        kernels->activate(conv->activation, c, m, conv->out_channels);
}

/* Makes steps first .. first + count - 1. */
static void make_steps(const rnnat_task *task, const rnnat_chunk *chunk, char *scratch,
                       int32_t first, int32_t count)
{
    const rnnat_convolving *const conv = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const int32_t rows = task->rows;
    const size_t size = patch_size(conv);
    const char *from = scratch;
    ptrdiff_t apart = (ptrdiff_t)size;
    if (reads_in_place(conv, &task->node->window)) {
        from = rnnat_view_at(kernels, *chunk->in[0], first / rows, first % rows);
        apart = rnnat_view_apart(*chunk->in[0], rows);
    } else {
        for (int32_t i = 0; i < count; ++i)
            copy_patch(task, chunk, (first + i) / rows, (first + i) % rows,
                       scratch + (size_t)i * size * (size_t)kernels->elem);
    }
    char *const to = rnnat_view_at(kernels, *chunk->out, first / rows, first % rows);
    multiply_rows(task, from, apart, to, rnnat_view_apart(*chunk->out, rows), count);
}

/* ---- groups of one channel ---- */

/* y += x w, of `n` channels of the output, `each` of which read one of the input. */
#define ADD_TAP(name, T)                                                                           \
    static void name(T *y, const T *x, const T *w, int32_t n, int32_t each)                        \
    {                                                                                              \
        if (each == 1)                                                                             \
            for (int32_t i = 0; i < n; ++i) y[i] += x[i] * w[i];                                   \
        else                                                                                       \
            for (int32_t i = 0; i < n; ++i) y[i] += x[i / each] * w[i];                            \
    }
ADD_TAP(add_tap_f32, float)
#if RNNAT_FLOAT64
ADD_TAP(add_tap_f64, double)
#endif
#undef ADD_TAP

static void add_tap(const rnnat_kernels *kernels, void *y, const void *x, const void *w, int32_t n,
                    int32_t each)
{
    if (rnnat_is_float(kernels)) add_tap_f32(y, x, w, n, each);
#if RNNAT_FLOAT64
    else
        add_tap_f64(y, x, w, n, each);
#endif
}

static void make_depthwise(const rnnat_task *task, const rnnat_chunk *chunk, int32_t step,
                           int32_t row)
{
    const rnnat_convolving *const conv = task->node->data;
    const size_t elem = (size_t)task->kernels->elem, n = (size_t)conv->out_channels;
    const int32_t each = conv->out_channels / conv->in_channels;
    char *y = rnnat_view_at(task->kernels, *chunk->out, step, row);
    for (int32_t made = 0; made < conv->made; ++made, y += n * elem) {
        const char *w = conv->weight.data;
        put(y, conv->bias, n * elem);
        for (int32_t tap = 0; tap < conv->kernel_time; ++tap) {
            const char *const from = step_at(task, chunk, step, tap, row);
            for (int32_t k = 0; k < conv->kernel_size; ++k) {
                const int64_t at =
                    (int64_t)made * conv->stride - conv->left + (int64_t)k * conv->dilation;
                const int32_t position = from ? position_at(conv, at) : -1;
                if (position >= 0)
                    add_tap(task->kernels, y,
                            from + (size_t)position * (size_t)conv->in_channels * elem, w,
                            conv->out_channels, each);
                w += (size_t)conv->weight.n * elem;
            }
        }
    }
    if (conv->activation != RNNAT_IDENTITY) {
        char *const first = rnnat_view_at(task->kernels, *chunk->out, step, row);
        task->kernels->activate(conv->activation, (rnnat_rows){first, 1, 0, (ptrdiff_t)n},
                                conv->made, conv->out_channels);
    }
}

/* Each member makes some of the steps, of one row of the batch each, in its part of the scratch. */
static bool run_conv(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_convolving *const conv = task->node->data;
    const bool in_place = reads_in_place(conv, &task->node->window),
               depthwise = rnnat_conv_is_depthwise(conv);
    const int32_t rows = task->rows, steps = chunk->made * rows;
    const bool even = rnnat_view_is_even(*chunk->out, rows) &&
                      (!in_place || rnnat_view_is_even(*chunk->in[0], rows));
    const int32_t most_rows = INT32_MAX / conv->made; /* of one product */
    const int32_t all = steps < most_rows ? steps : most_rows;
    const int32_t tile = in_place || depthwise ? all : tile_of(conv, task->kernels, steps);
    const int32_t count = task->member.count < tile ? task->member.count : tile;
    const rnnat_member own = {task->member.index, count, NULL};
    if (own.index >= count) return true;
    const int32_t end = rnnat_first(&own, own.index + 1, steps);
    const int32_t begin = rnnat_first(&own, own.index, tile);
    const int32_t most = rnnat_first(&own, own.index + 1, tile) - begin;
    char *const scratch =
        task->scratch + (size_t)begin * patch_size(conv) * (size_t)task->kernels->elem;
    for (int32_t at = rnnat_first(&own, own.index, steps), some; at < end; at += some) {
        some = end - at < most ? end - at : most;
        if (!even && some > rows - at % rows) some = rows - at % rows;
        for (int32_t i = 0; depthwise && i < some; ++i)
            make_depthwise(task, chunk, (at + i) / rows, (at + i) % rows);
        if (!depthwise) make_steps(task, chunk, scratch, at, some);
    }
    return true;
}

#if RNNAT_INSPECT
static rnnat_status unpack_conv(const rnnat_node *node, const rnnat_kernels *kernels, int32_t pass,
                                const char *name, void *rows)
{
    const rnnat_convolving *const conv = node->data;
    const int32_t parts = rnnat_conv_is_depthwise(conv) ? 1 : conv->groups;
    (void)pass;
    if (!rnnat_text_is(name, rnnat_text_size(name), "weight")) return RNNAT_ERROR_ARGUMENT;
    for (int32_t g = 0; g < parts; ++g) {
        const rnnat_matrix part = rnnat_matrix_part(&conv->weight, kernels, g, parts);
        rnnat_matrix_unpack(&part, kernels, (rnnat_gates){1, g, conv->out_channels / parts}, rows);
    }
    return RNNAT_OK;
}

static void tell_conv(const rnnat_node *node, const rnnat_kernels *kernels,
                      const rnnat_teller *teller)
{
    const rnnat_convolving *const conv = node->data;
    teller->type(teller->arg, "rnnat_convolving");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "in_channels", conv->in_channels);
    teller->number(teller->arg, "out_channels", conv->out_channels);
    teller->number(teller->arg, "groups", conv->groups);
    teller->number(teller->arg, "kernel_time", conv->kernel_time);
    teller->number(teller->arg, "dilation_time", conv->dilation_time);
    teller->number(teller->arg, "positions", conv->positions);
    teller->number(teller->arg, "made", conv->made);
    teller->number(teller->arg, "kernel_size", conv->kernel_size);
    teller->number(teller->arg, "stride", conv->stride);
    teller->number(teller->arg, "dilation", conv->dilation);
    teller->number(teller->arg, "left", conv->left);
    teller->number(teller->arg, "right", conv->right);
    teller->number(teller->arg, "padding_mode", (int64_t)conv->padding_mode);
    teller->number(teller->arg, "activation", (int64_t)conv->activation);
    rnnat_tell_matrix(teller, "weight", &conv->weight);
    rnnat_tell_array(teller, "bias", conv->bias,
                     (size_t)rnnat_pad(kernels, rnnat_conv_bias_size(conv, kernels)));
}
#endif
#endif

const rnnat_layer rnnat_layer_conv = {
    .name = "rnnat_layer_conv",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(rnnat_conv_keys, rnnat_conv_options),
    .takes = RNNAT_IF_READER(rnnat_conv_takes),
    .count = RNNAT_IF_READER(rnnat_count_window),
    .build = RNNAT_IF_READER(rnnat_conv_build),
    .scratch = scratch_conv,
    .run = run_conv,
    .unpack = RNNAT_IF_INSPECT(unpack_conv),
    .tell = RNNAT_IF_INSPECT(tell_conv),
#endif
};
