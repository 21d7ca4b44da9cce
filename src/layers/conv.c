/* Convolution over time, over positions inside a step, over rows of these, or over several of them.
 *
 * A step's features are rows of positions times channels, the channels of a position one behind the other.
 * What a position of the output is made of, its taps, is a row of a matrix: steps of the window, rows and
 * positions of each, and channels. Where these do not lie in the input as they are, they are copied to
 * scratch, those of some lines at a time, a line being a row of positions of one step of the output, and
 * multiplied there. With one channel in each group there is no product: elements are added up. */
#include <string.h>

#include "conv.h"

#if RNNAT_WITH_WINDOWS
enum {
    tile_bytes = 96 << 10, /* of rows that are copied at once: they stay in the cache */
    tile_least = 8 /* lines, so that as many threads have one each */
};

/* ---- sizes ---- */

/* True where a line of the input, with its padding, has the taps of all positions in it, so that they
 * overlap. A BLAS takes none that do. */
static bool rows_overlap(const rnnat_convolving *conv)
{
    const bool apart = conv->made == 1 || conv->stride >= conv->kernel_size;
    return conv->kernel_time == 1 && conv->kernel_height == 1 && conv->groups == 1 &&
           (conv->dilation == 1 || conv->kernel_size == 1) &&
           (apart || !rnnat_matrix_is_blas(&conv->weight));
}

/* Whether the kernel moves over rows of positions, too, or over padding above the only one. */
static bool has_height(const rnnat_convolving *conv)
{
    return conv->height > 1 || conv->made_height > 1 || conv->top > 0;
}

/* True where taps lie in the input as they are. */
static bool reads_in_place(const rnnat_convolving *conv, const rnnat_window *window)
{
    return rows_overlap(conv) && window->extent == 0 && conv->left == 0 && conv->right == 0 &&
           !has_height(conv);
}

/* Elements of scratch that one line of one row of the batch needs. */
static size_t patch_size(const rnnat_convolving *conv)
{
    if (rows_overlap(conv))
        return (size_t)(conv->left + conv->positions + conv->right) * (size_t)conv->in_channels;
    return (size_t)conv->made * (size_t)conv->groups * (size_t)conv->weight.k;
}

/* Lines, of one row of the batch each, whose taps are in scratch at once. */
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
    const int32_t tile = tile_of(conv, kernels, (int64_t)rows * steps * conv->made_height);
    rnnat_arena_take_table(arena, (size_t)tile, patch_size(conv), (size_t)kernels->elem);
}

/* ---- what a position is made of ---- */

/* Which of `count` positions or rows stands at `at`, which may be padding; -1: 0 does. */
static int32_t place_at(const rnnat_convolving *conv, int32_t count, int64_t at)
{
    const int64_t last = count - 1;
    if (at >= 0 && at <= last) return (int32_t)at;
    if (conv->padding_mode == RNNAT_PADDING_REPLICATE) return (int32_t)(at < 0 ? 0 : last);
    if (conv->padding_mode == RNNAT_PADDING_REFLECT) return (int32_t)(at < 0 ? -at : 2 * last - at);
    return -1;
}

static int32_t position_at(const rnnat_convolving *conv, int64_t at)
{
    return place_at(conv, conv->positions, at);
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

/* Where row `at` of a step is, which may be padding; NULL: that is 0. */
static const char *line_at(const rnnat_convolving *conv, size_t channel, const char *step,
                           int64_t at)
{
    const int32_t row = step ? place_at(conv, conv->height, at) : -1;
    const size_t size = (size_t)conv->positions * (size_t)conv->in_channels * channel;
    return row < 0 ? NULL : step + (size_t)row * size;
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

/* Copies a line with its padding. */
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

/* Copies the taps of line `line` of one step of one row of the batch. */
static void copy_patch(const rnnat_task *task, const rnnat_chunk *chunk, int32_t step, int32_t row,
                       int32_t line, char *to)
{
    const rnnat_convolving *const conv = task->node->data;
    const size_t elem = (size_t)task->kernels->elem;
    const size_t group_bytes = (size_t)rnnat_conv_channels(conv) * elem;
    const int64_t top = (int64_t)line * conv->stride_height - conv->top;
    if (rows_overlap(conv)) {
        copy_padded(conv, elem, to, line_at(conv, elem, step_at(task, chunk, step, 0, row), top));
        return;
    }
    for (int32_t position = 0; position < conv->made; ++position) {
        const int64_t first = (int64_t)position * conv->stride - conv->left;
        for (int32_t g = 0; g < conv->groups; ++g) {
            for (int32_t tap = 0; tap < conv->kernel_time; ++tap) {
                const char *const of = step_at(task, chunk, step, tap, row);
                for (int32_t k = 0; k < conv->kernel_height; ++k) {
                    const int64_t at = top + (int64_t)k * conv->dilation_height;
                    const char *const from = line_at(conv, elem, of, at);
                    to = copy_taps(conv, elem, to, from ? from + (size_t)g * group_bytes : NULL,
                                   first);
                }
            }
        }
    }
}

/* ---- products ---- */

/* Multiplies the taps of `count` lines, the first of which is at `from`, the next one `apart` elements
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
        rnnat_gemm(&part, kernels, &alone, task->operands, m, own, a, c,
                   bias ? bias + g * own * elem : NULL);
        a.base = (const char *)a.base + conv->weight.k * elem;
        c.base = (const char *)c.base + own * elem;
    }
    c.base = to;
    if (conv->activation != RNNAT_IDENTITY)
        kernels->activate(conv->activation, c, m, conv->out_channels);
}

/* Makes lines first .. first + count - 1, of one step where it has several. */
static void make_lines(const rnnat_task *task, const rnnat_chunk *chunk, char *scratch,
                       int64_t first, int32_t count)
{
    const rnnat_convolving *const conv = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const int32_t rows = task->rows, height = conv->made_height;
    const int32_t step = (int32_t)(first / height / rows), row = (int32_t)(first / height % rows);
    const int32_t line = (int32_t)(first % height);
    const size_t size = patch_size(conv);
    const ptrdiff_t made = (ptrdiff_t)conv->made * conv->out_channels;
    const char *from = scratch;
    ptrdiff_t apart = (ptrdiff_t)size;
    if (reads_in_place(conv, &task->node->window)) {
        from = rnnat_view_at(kernels, *chunk->in[0], step, row);
        apart = rnnat_view_apart(*chunk->in[0], rows);
    } else {
        for (int32_t i = 0; i < count; ++i) {
            const int64_t at = (first + i) / height;
            copy_patch(task, chunk, (int32_t)(at / rows), (int32_t)(at % rows),
                       (int32_t)((first + i) % height),
                       scratch + (size_t)i * size * (size_t)kernels->elem);
        }
    }
    char *const to = rnnat_view_at(kernels, *chunk->out, step, row) + line * made * kernels->elem;
    multiply_rows(task, from, apart, to, height > 1 ? made : rnnat_view_apart(*chunk->out, rows),
                  count);
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
                           int32_t row, int32_t line)
{
    const rnnat_convolving *const conv = task->node->data;
    const size_t elem = (size_t)task->kernels->elem, n = (size_t)conv->out_channels;
    const int32_t each = conv->out_channels / conv->in_channels;
    const int64_t top = (int64_t)line * conv->stride_height - conv->top;
    const size_t before = (size_t)line * (size_t)conv->made * n * elem;
    char *const first = rnnat_view_at(task->kernels, *chunk->out, step, row) + before;
    char *y = first;
    for (int32_t made = 0; made < conv->made; ++made, y += n * elem) {
        const char *w = conv->weight.data;
        const int64_t left = (int64_t)made * conv->stride - conv->left;
        put(y, conv->bias, n * elem);
        for (int32_t tap = 0; tap < conv->kernel_time * conv->kernel_height; ++tap) {
            const int64_t at = top + (int64_t)(tap % conv->kernel_height) * conv->dilation_height;
            const char *const from =
                line_at(conv, elem, step_at(task, chunk, step, tap / conv->kernel_height, row), at);
            for (int32_t k = 0; k < conv->kernel_size; ++k) {
                const int32_t position =
                    from ? position_at(conv, left + (int64_t)k * conv->dilation) : -1;
                if (position >= 0)
                    add_tap(task->kernels, y,
                            from + (size_t)position * (size_t)conv->in_channels * elem, w,
                            conv->out_channels, each);
                w += (size_t)conv->weight.n * elem;
            }
        }
    }
    if (conv->activation != RNNAT_IDENTITY)
        task->kernels->activate(conv->activation, (rnnat_rows){first, 1, 0, (ptrdiff_t)n},
                                conv->made, conv->out_channels);
}

/* Makes lines begin .. begin + lines - 1: each member some, in its part of the scratch. */
static void run_lines(const rnnat_task *task, const rnnat_chunk *chunk, int64_t begin,
                      int32_t lines)
{
    const rnnat_convolving *const conv = task->node->data;
    const bool in_place = reads_in_place(conv, &task->node->window),
               depthwise = rnnat_conv_is_depthwise(conv);
    const int32_t rows = task->rows, height = conv->made_height;
    const bool even = rnnat_view_is_even(*chunk->out, rows) &&
                      (!in_place || rnnat_view_is_even(*chunk->in[0], rows));
    const int32_t most_rows = INT32_MAX / conv->made; /* of one product */
    const int32_t all = lines < most_rows ? lines : most_rows;
    const int32_t tile = in_place || depthwise ? all : tile_of(conv, task->kernels, lines);
    const int32_t count = task->member.count < tile ? task->member.count : tile;
    const rnnat_member own = {task->member.index, count, NULL};
    if (own.index >= count) return;
    const int32_t end = rnnat_first(&own, own.index + 1, lines);
    const int32_t begins = rnnat_first(&own, own.index, tile);
    const int32_t most = rnnat_first(&own, own.index + 1, tile) - begins;
    char *const scratch =
        task->scratch + (size_t)begins * patch_size(conv) * (size_t)task->kernels->elem;
    for (int32_t i = rnnat_first(&own, own.index, lines), some; i < end; i += some) {
        const int64_t at = begin + i;
        some = end - i < most ? end - i : most;
        if (height > 1 && some > height - at % height) some = (int32_t)(height - at % height);
        if (height == 1 && !even && some > rows - at % rows) some = (int32_t)(rows - at % rows);
        for (int32_t k = 0; depthwise && k < some; ++k) {
            const int64_t step = (at + k) / height;
            make_depthwise(task, chunk, (int32_t)(step / rows), (int32_t)(step % rows),
                           (int32_t)((at + k) % height));
        }
        if (!depthwise) make_lines(task, chunk, scratch, at, some);
    }
}

static bool run_conv(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_convolving *const conv = task->node->data;
    const int64_t lines = (int64_t)chunk->made * task->rows * conv->made_height;
    for (int64_t at = 0; at < lines; at += INT32_MAX)
        run_lines(task, chunk, at, (int32_t)(lines - at < INT32_MAX ? lines - at : INT32_MAX));
    return true;
}

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
    .unpack = RNNAT_IF_INSPECT(rnnat_conv_unpack),
    .tell = RNNAT_IF_INSPECT(rnnat_conv_tell),
#endif
};
