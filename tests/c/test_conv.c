/* Convolutions, views and pools of positions: against loops over everything that is counted, on blocks
 * of memory of exactly their size; the same bits on any number of threads and in any pieces; lines that
 * cannot be one, and sizes at their limits. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "int8_model.h"

enum { FEATURES = 3, WIDEST = 1 << 20 };

/* The numbers of a line, in its order. */
typedef struct conv {
    int32_t in, out, groups, kernel_time, stride_time, dilation_time, before, after;
    int32_t positions, kernel, stride, dilation, left, right;
    const char *mode;
    bool bias;
} conv;

static const conv right[] = {
    /* over time: causal, with a dilation; a stride; padding on both sides, all that there can be */
    {5, 19, 1, 3, 1, 2, 4, 0, 1, 1, 1, 1, 0, 0, "zeros", true},
    {5, 6, 1, 4, 3, 1, 1, 0, 1, 1, 1, 1, 0, 0, "zeros", false},
    {2, 33, 1, 5, 1, 3, 12, 12, 1, 1, 1, 1, 0, 0, "zeros", true},
    {3, 3, 1, 1, 4, 1, 0, 0, 1, 1, 1, 1, 0, 0, "zeros", true},
    /* over positions: in place, with a stride, in every mode of padding */
    {4, 17, 1, 1, 1, 1, 0, 0, 9, 3, 1, 1, 0, 0, "zeros", true},
    {4, 17, 1, 1, 1, 1, 0, 0, 9, 3, 2, 1, 0, 0, "zeros", false},
    {1, 8, 1, 1, 1, 1, 0, 0, 200, 5, 1, 1, 2, 2, "reflect", true},
    {3, 8, 1, 1, 1, 1, 0, 0, 4, 3, 1, 2, 3, 3, "reflect", true},
    {3, 8, 1, 1, 1, 1, 0, 0, 1, 3, 7, 2, 2, 2, "replicate", true},
    {3, 8, 1, 1, 1, 1, 0, 0, 1, 1, 16777216, 16777216, 0, 0, "reflect", true},
    {3, 2, 1, 1, 1, 1, 0, 0, 2, 2, 3, 1, 40, 50, "zeros", true},
    /* groups, and groups of one channel with one or several of the output each */
    {6, 9, 3, 2, 1, 1, 1, 0, 7, 2, 1, 1, 1, 0, "replicate", true},
    {6, 6, 6, 3, 1, 1, 2, 0, 5, 3, 2, 1, 1, 1, "reflect", true},
    {6, 12, 6, 3, 2, 1, 2, 0, 5, 3, 1, 2, 2, 2, "zeros", false},
    {40, 40, 40, 7, 1, 1, 3, 3, 1, 1, 1, 1, 0, 0, "zeros", true},
    /* of both */
    {2, 20, 1, 3, 2, 2, 4, 0, 11, 4, 2, 1, 2, 1, "replicate", true},
};

static int32_t reach_of(int32_t kernel, int32_t dilation) { return (kernel - 1) * dilation + 1; }

static int32_t made_of(const conv *of)
{
    const int32_t reach = reach_of(of->kernel, of->dilation);
    return (of->left + of->positions + of->right - reach) / of->stride + 1;
}

static int32_t steps_of(const conv *of, int32_t time)
{
    const int32_t last =
        time + of->before + of->after - reach_of(of->kernel_time, of->dilation_time);
    return time == 0 || last < 0 ? 0 : last / of->stride_time + 1;
}

static void write_line(const conv *of, char *line, size_t size)
{
    snprintf(
        line, size,
        "conv in_channels=%d out_channels=%d groups=%d kernel_time=%d stride_time=%d "
        "dilation_time=%d before=%d after=%d positions=%d kernel_size=%d stride=%d dilation=%d "
        "left=%d right=%d padding_mode=%s bias=%s activation=identity",
        of->in, of->out, of->groups, of->kernel_time, of->stride_time, of->dilation_time,
        of->before, of->after, of->positions, of->kernel, of->stride, of->dilation, of->left,
        of->right, of->mode, of->bias ? "true" : "false");
}

/* A file of one layer, whose line and weight [rows, columns] are these. */
static void start(test_model *file, const char *line, int32_t rows, int32_t columns, bool bias)
{
    test_model_start(file, 3);
    const test_layer other = {
        .kind = TEST_LINEAR, .input_size = columns, .output_size = rows, .bias = bias};
    test_model_add(file, other);
    snprintf(file->pairs[2].value, sizeof file->pairs[2].value, "%s", line);
}

static void start_conv(test_model *file, const conv *of)
{
    char line[400];
    write_line(of, line, sizeof line);
    start(file, line, of->out, of->kernel_time * of->kernel * of->in / of->groups, of->bias);
}

/* The position that stands at `at`, or -1. */
static int32_t stands_at(const conv *of, int32_t at)
{
    const int32_t last = of->positions - 1;
    if (at >= 0 && at <= last) return at;
    if (of->mode[0] == 'z') return -1;
    if (strcmp(of->mode, "replicate") == 0) return at < 0 ? 0 : last;
    return at < 0 ? -at : 2 * last - at;
}

/* One number of y, and the sum of the magnitudes of what it is a sum of. */
static double number(const conv *of, const test_model *file, const float *x, int32_t time,
                     int32_t batch, int32_t step, int32_t row, int32_t position, int32_t out,
                     double *size)
{
    const int32_t own = of->in / of->groups, group = out / (of->out / of->groups);
    const float *weight =
        file->tensors[0].values + (ptrdiff_t)out * of->kernel_time * of->kernel * own;
    double sum = of->bias ? file->tensors[1].values[out] : 0;
    *size = fabs(sum);
    for (int32_t tap = 0; tap < of->kernel_time; ++tap) {
        const int32_t from = step * of->stride_time - of->before + tap * of->dilation_time;
        for (int32_t k = 0; k < of->kernel; ++k) {
            const int32_t at = stands_at(of, position * of->stride - of->left + k * of->dilation);
            for (int32_t c = 0; c < own; ++c, ++weight) {
                if (from < 0 || from >= time || at < 0) continue;
                const ptrdiff_t place = ((ptrdiff_t)from * batch + row) * of->positions + at;
                const double product =
                    (double)*weight * (double)x[place * of->in + group * own + c];
                sum += product;
                *size += fabs(product);
            }
        }
    }
    return sum;
}

/* y of `time` steps in a new block of exactly its size. */
static float *run(const rnnat_model *model, const float *x, int32_t time, int32_t batch,
                  int32_t steps, int32_t width, int32_t threads)
{
    const size_t count = (size_t)steps * (size_t)batch * (size_t)width;
    float *const y = malloc(count * sizeof *y + 1);
    const void *inputs[] = {x};
    void *outputs[] = {y};
    const rnnat_run call = {.struct_size = sizeof call,
                            .time = time,
                            .batch = batch,
                            .inputs = inputs,
                            .outputs = outputs,
                            .num_threads = threads};
    size_t need = 0;
    int32_t made = -1;
    CHECK(rnnat_model_run_steps(model, &call, 0, &made) == RNNAT_OK && made == steps);
    CHECK(rnnat_model_run_size(model, &call, &need) == RNNAT_OK);
    void *const scratch = malloc(need);
    CHECK(rnnat_model_run(model, &call, scratch, need) == RNNAT_OK);
    free(scratch);
    return y;
}

/* Steps that come of pieces are those of the whole. */
static void check_stream(const rnnat_model *model, const float *x, int32_t time, int32_t batch,
                         int32_t features, const float *whole, int32_t steps, int32_t width,
                         const char *label)
{
    rnnat_stream *stream = NULL;
    const size_t size = (size_t)batch * (size_t)width;
    float *const y = malloc(((size_t)steps * size + 1) * sizeof *y);
    int32_t done = 0, got = 0;
    CHECK_CASE(rnnat_stream_create(model, batch, 3, &stream) == RNNAT_OK, label);
    for (int32_t first = 0, piece = 1; first < time; first += piece, piece = piece % 5 + 1) {
        const int32_t count = time - first < piece ? time - first : piece;
        CHECK_CASE(rnnat_stream_push(stream, x + (ptrdiff_t)first * batch * features, count,
                                     y + (size_t)done * size, steps - done, &got) == RNNAT_OK,
                   label);
        done += got;
    }
    CHECK_CASE(done == steps, label);
    CHECK_CASE(memcmp(y, whole, (size_t)steps * size * sizeof *y) == 0, label);
    rnnat_stream_free(stream);
    free(y);
}

static void check_call(const conv *of, const test_model *file, const rnnat_model *model,
                       int32_t time, int32_t batch, const char *label)
{
    const int32_t features = of->positions * of->in, width = made_of(of) * of->out;
    const int32_t steps = steps_of(of, time);
    const size_t count = (size_t)time * (size_t)batch * (size_t)features;
    const int32_t taps = of->kernel_time * of->kernel * of->in / of->groups;
    float *const x = calloc(count + 1, sizeof *x);
    uint64_t random = 9;
    for (size_t i = 0; i < count; ++i) x[i] = test_random(&random, 1);
    float *const y = run(model, x, time, batch, steps, width, 1);
    for (int32_t i = 0; i < steps * batch * width; ++i) {
        double size;
        const double want = number(of, file, x, time, batch, i / width / batch, i / width % batch,
                                   i % width / of->out, i % of->out, &size);
        /* gamma(n) of n - 1 products and the bias, in any order: tests/python/bounds.py */
        const double most = (taps + 2) * (double)FLT_EPSILON * size + (double)FLT_MIN;
        CHECK_CASE(fabs((double)y[i] - want) <= most, label);
    }
    for (int32_t threads = 2; threads <= 3; ++threads) {
        float *const other = run(model, x, time, batch, steps, width, threads);
        CHECK_CASE(memcmp(y, other, (size_t)(steps * batch * width) * sizeof *y) == 0, label);
        free(other);
    }
    if (of->after == 0) check_stream(model, x, time, batch, features, y, steps, width, label);
    free(y);
    free(x);
}

static void check_right(void)
{
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        test_model file;
        start_conv(&file, &right[i]);
        const char *const label = file.pairs[2].value;
        rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
        static const int32_t times[] = {0, 1, 2, 33};
        for (size_t t = 0; t < sizeof times / sizeof *times; ++t)
            for (int32_t batch = 1; batch <= 3; batch += 2)
                check_call(&right[i], &file, model, times[t], batch, label);
        rnnat_model_free(model);
        test_model_end(&file);
    }
}

/* ---- what cannot be one ---- */

static rnnat_status load(const test_model *file, int32_t weights)
{
    const rnnat_model_options options = {.struct_size = sizeof options, .weight_dtype = weights};
    const test_bytes bytes = test_model_bytes(file);
    rnnat_model *model = NULL;
    const rnnat_status status = rnnat_model_from_memory(bytes.bytes, bytes.size, &options, &model);
    rnnat_model_free(model);
    free(bytes.bytes);
    return status;
}

static rnnat_status load_conv(conv of)
{
    char line[400];
    test_model file;
    write_line(&of, line, sizeof line);
    start(&file, line, 4, 6, of.bias);
    const rnnat_status status = load(&file, 0);
    test_model_end(&file);
    return status;
}

/* One number of a right line is another. */
static void check_wrong(void)
{
    const conv base = {4, 4, 2, 3, 1, 1, 2, 0, 5, 1, 1, 1, 0, 0, "reflect", true};
    CHECK(load_conv(base) == RNNAT_OK);
    static const struct {
        size_t at;
        int32_t value;
        rnnat_status status;
    } wrong[] = {
        {offsetof(conv, groups), 3, RNNAT_ERROR_SHAPE},
        {offsetof(conv, out), 3, RNNAT_ERROR_SHAPE},
        {offsetof(conv, out), 6, RNNAT_ERROR_SHAPE}, /* the weight has 4 rows */
        {offsetof(conv, kernel_time), 2, RNNAT_ERROR_SHAPE},
        {offsetof(conv, before), 3, RNNAT_ERROR_SHAPE},
        {offsetof(conv, after), 3, RNNAT_ERROR_SHAPE},
        {offsetof(conv, left), 5, RNNAT_ERROR_SHAPE},
        {offsetof(conv, right), 5, RNNAT_ERROR_SHAPE},
        {offsetof(conv, kernel), 6, RNNAT_ERROR_SHAPE},
        {offsetof(conv, dilation_time), WIDEST / 2, RNNAT_ERROR_UNSUPPORTED}, /* 2^20 + 1 steps */
        {offsetof(conv, stride_time), WIDEST + 1, RNNAT_ERROR_UNSUPPORTED},
        {offsetof(conv, kernel_time), 1 << 24, RNNAT_ERROR_UNSUPPORTED},
        {offsetof(conv, positions), 1 << 24, RNNAT_ERROR_UNSUPPORTED},
        {offsetof(conv, positions), 1 << 23, RNNAT_ERROR_UNSUPPORTED}, /* times taps */
        {offsetof(conv, in), 1 << 24, RNNAT_ERROR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        conv of = base;
        memcpy((char *)&of + wrong[i].at, &wrong[i].value, sizeof wrong[i].value);
        char label[400];
        write_line(&of, label, sizeof label);
        CHECK_CASE(load_conv(of) == wrong[i].status, label);
    }
    conv padded = base;
    padded.mode = "zeros";
    padded.left = 1 << 24;
    CHECK(load_conv(padded) == RNNAT_ERROR_UNSUPPORTED);
    padded.left = padded.right = padded.positions = padded.kernel = padded.dilation = 1 << 24;
    CHECK(load_conv(padded) == RNNAT_ERROR_SHAPE);
}

/* The longest window there is: what is kept of it is state, and the first steps read little of it. */
static void check_longest(void)
{
    const conv of = {1, 2, 1, 2, 1, WIDEST - 1, WIDEST - 1, 0, 1, 1, 1, 1, 0, 0, "zeros", true};
    test_model file;
    start_conv(&file, &of);
    rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    check_call(&of, &file, model, 5, 1, "the longest window");
    rnnat_model_free(model);
    test_model_end(&file);
}

/* Weights that are stored in 16 bits: those of groups of one channel stay as they are, and have no
 * number that is too large. */
static void check_stored(void)
{
    const conv depthwise = {6, 6, 6, 3, 1, 1, 2, 0, 1, 1, 1, 1, 0, 0, "zeros", true};
    const conv grouped = {6, 6, 2, 3, 1, 1, 2, 0, 1, 1, 1, 1, 0, 0, "zeros", true};
    for (int i = 0; i < 2; ++i) {
        test_model file;
        start_conv(&file, i ? &grouped : &depthwise);
        CHECK(load(&file, RNNAT_WEIGHT_F16) ==
              (RNNAT_WITH_FLOAT16 ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
        file.tensors[0].values[1] = 65520.0f; /* no float16 */
        CHECK(load(&file, RNNAT_WEIGHT_F16) ==
              (RNNAT_WITH_FLOAT16 && i == 0 ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED));
        test_model_end(&file);
    }
}

/* Weights that a file has as int8 are the floats that they stand for, of every kind of groups. */
static void check_int8(void)
{
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        test_model file;
        start_conv(&file, &right[i]);
        test_model_quantise(&file);
        rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
        test_model_dequantise(&file);
        check_call(&right[i], &file, model, 33, 3, file.pairs[2].value);
        rnnat_model_free(model);
        test_model_end(&file);
    }
}

/* ---- views ---- */

static void check_views(void)
{
    static const struct {
        int32_t features, offset, size[4], stride[4];
        rnnat_status status;
    } views[] = {
        {12, 0, {1, 1, 1, 12}, {0, 0, 0, 1}, RNNAT_OK},
        {12, 1, {2, 3, 1, 2}, {5, 2, 9, 1}, RNNAT_OK},
        {12, 11, {3, 2, 2, 3}, {0, 0, 0, 0}, RNNAT_OK},
        {12, 0, {1, 1, 4, 3}, {0, 0, 1, 4}, RNNAT_OK},
        {12, 1, {1, 1, 1, 12}, {0, 0, 0, 1}, RNNAT_ERROR_SHAPE},
        {12, 12, {1, 1, 1, 1}, {0, 0, 0, 0}, RNNAT_ERROR_SHAPE},
        {12, 0, {1 << 24, 1, 1, 1}, {1 << 24, 0, 0, 0}, RNNAT_ERROR_SHAPE},
        {12, 0, {1 << 12, 1 << 12, 2, 1}, {0, 0, 0, 0}, RNNAT_ERROR_UNSUPPORTED},
        {12, 0, {1 << 24, 1 << 24, 1 << 24, 1 << 24}, {0, 0, 0, 0}, RNNAT_ERROR_UNSUPPORTED},
    };
    for (size_t v = 0; v < sizeof views / sizeof *views; ++v) {
        const int32_t *const size = views[v].size, *const stride = views[v].stride;
        char line[400];
        snprintf(line, sizeof line,
                 "strided in_features=%d offset=%d size0=%d size1=%d size2=%d size3=%d stride0=%d "
                 "stride1=%d stride2=%d stride3=%d",
                 views[v].features, views[v].offset, size[0], size[1], size[2], size[3], stride[0],
                 stride[1], stride[2], stride[3]);
        test_model file;
        start(&file, line, 1, 1, false);
        test_model_end(&file); /* it has no weight */
        CHECK_CASE(load(&file, 0) == views[v].status, line);
        if (views[v].status != RNNAT_OK) continue;
        rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
        float *const x = malloc((size_t)FEATURES * 12 * sizeof *x);
        for (int32_t i = 0; i < FEATURES * 12; ++i) x[i] = (float)i;
        const int32_t width = size[0] * size[1] * size[2] * size[3];
        float *const y = run(model, x, FEATURES, 1, FEATURES, width, 2);
        for (int32_t n = 0; n < FEATURES * width; ++n) {
            const int32_t i = n % width, inner = size[2] * size[3];
            const int32_t at = views[v].offset + i / (size[1] * inner) * stride[0] +
                               i / inner % size[1] * stride[1] + i / size[3] % size[2] * stride[2] +
                               i % size[3] * stride[3];
            CHECK_CASE(y[n] == (float)(n / width * 12 + at), line);
        }
        free(x);
        free(y);
        rnnat_model_free(model);
    }
}

/* ---- pools of positions ---- */

typedef struct pool_within {
    int32_t positions, channels, kernel, stride, left, right;
    bool is_max, counts;
} pool_within;

static void start_pool(test_model *file, const pool_within *of)
{
    char line[400];
    snprintf(line, sizeof line,
             "pool_within mode=%s positions=%d channels=%d kernel_size=%d stride=%d left=%d "
             "right=%d count_include_pad=%s",
             of->is_max ? "max" : "average", of->positions, of->channels, of->kernel, of->stride,
             of->left, of->right, of->counts ? "true" : "false");
    start(file, line, 1, 1, false);
}

/* One number of y: numbers of x are small integers, whose sums are exact. */
static float pooled(const pool_within *of, const float *x, int32_t made, int32_t channel)
{
    const int32_t first = made * of->stride - of->left;
    float sum = 0, largest = -INFINITY;
    int32_t count = 0;
    for (int32_t at = first; at < first + of->kernel; ++at) {
        if (at < 0 || at >= of->positions) continue;
        const float tap = x[at * of->channels + channel];
        largest = tap > largest ? tap : largest;
        sum += tap;
        ++count;
    }
    return of->is_max ? largest : sum / (float)(of->counts ? of->kernel : count);
}

static void check_pools(void)
{
    static const pool_within pools[] = {
        {1, 1, 1, 1, 0, 0, true, true},        {5, 3, 2, 2, 0, 0, true, true},
        {5, 3, 2, 2, 1, 1, false, false},      {7, 20, 3, 2, 2, 1, false, true},
        {4, 2, 9, 1, 8, 8, true, true},        {4, 2, 9, 3, 8, 8, false, false},
        {6, 5, 6, 1 << 24, 0, 0, false, true}, {2, 1, 5, 1, 4, 0, true, false},
    };
    for (size_t p = 0; p < sizeof pools / sizeof *pools; ++p) {
        const pool_within *const of = &pools[p];
        const int32_t made = (of->left + of->positions + of->right - of->kernel) / of->stride + 1;
        const int32_t features = of->positions * of->channels, width = made * of->channels;
        test_model file;
        start_pool(&file, of);
        rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
        const int32_t time = 4, batch = 3, rows = time * batch;
        float *const x = malloc((size_t)rows * (size_t)features * sizeof *x);
        for (int32_t i = 0; i < rows * features; ++i) x[i] = (float)(i * 37 % 101 - 60);
        for (int32_t threads = 1; threads <= 3; ++threads) {
            float *const y = run(model, x, time, batch, time, width, threads);
            for (int32_t n = 0; n < rows * width; ++n) {
                const float *const row = x + (ptrdiff_t)(n / width) * features;
                const float want =
                    pooled(of, row, n % width / of->channels, n % width % of->channels);
                CHECK_CASE(y[n] == want, file.pairs[2].value);
            }
            free(y);
        }
        free(x);
        rnnat_model_free(model);
        test_model_end(&file);
    }
}

/* Sizes that cannot be, or are too many: of the input alone as well. */
static void check_wrong_pools(void)
{
    static const struct {
        pool_within of;
        rnnat_status status;
    } wrong[] = {
        {{3, 2, 4, 1, 0, 0, true, true}, RNNAT_ERROR_SHAPE},
        {{3, 2, 2, 1, 2, 0, true, true}, RNNAT_ERROR_SHAPE},
        {{3, 2, 2, 1, 0, 2, true, true}, RNNAT_ERROR_SHAPE},
        {{1 << 24, 2, 1, 1, 0, 0, true, true}, RNNAT_ERROR_UNSUPPORTED},
        {{1 << 24, 2, 1 << 24, 1, 0, 0, true, true}, RNNAT_ERROR_UNSUPPORTED},
        {{1 << 24, 1 << 24, 1 << 24, 1 << 24, 0, 0, false, true}, RNNAT_ERROR_UNSUPPORTED},
        {{2, (1 << 22) + 1, 3, 1, 2, 2, true, true},
         RNNAT_ERROR_UNSUPPORTED}, /* made of more than read */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        test_model file;
        start_pool(&file, &wrong[i].of);
        CHECK_CASE(load(&file, 0) == wrong[i].status, file.pairs[2].value);
        test_model_end(&file);
    }
}

int main(void)
{
    if (!RNNAT_WITH_WINDOWS) return 77;
    check_right();
    check_wrong();
    check_longest();
    check_stored();
    check_int8();
    check_views();
    check_pools();
    check_wrong_pools();
    return check_result();
}
