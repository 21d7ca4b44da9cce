/* Makes models in given memory and calls everything that they, their streams and their pools have. */
#include "every_call.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(rnnat_run) == sizeof(rnnat_run_f64), "they differ in their pointers' types");

enum { TIME = 9, BATCH = 5, MAX_STEPS = 4 };

struct every_call {
    test_bytes file;
    rnnat_model_options options;
    rnnat_model *model;
    rnnat_model_info info;
    size_t model_size, stream_size, pool_size, scratch_size;
    void *model_memory, *stream_memory, *pool_memory, *scratch;
    size_t snapshot_size; /* room behind the pool's memory */
    void *x, *y;
    int32_t lengths[BATCH];
    void *state_in[MAX_STATES], *state_out[MAX_STATES];
    bool right;
};

static void *take(size_t bytes)
{
    void *const block = calloc(bytes + 1, 1);
    if (!block) abort();
    return block;
}

/* A run of the widest form; one of doubles has the same fields. */
static rnnat_run run_of(const every_call *c, int32_t threads)
{
    const bool indices = c->info.takes_indices;
    return (rnnat_run){.struct_size = sizeof(rnnat_run),
                       .time = TIME,
                       .batch = BATCH,
                       .x = indices ? NULL : c->x,
                       .indices = indices ? c->x : NULL,
                       .y = c->y,
                       .lengths = c->lengths,
                       .state_in = (const float *const *)c->state_in,
                       .state_out = (float *const *)c->state_out,
                       .num_threads = threads};
}

static rnnat_status size_run(const every_call *c, const rnnat_run *run, size_t *need)
{
    if (c->info.dtype == RNNAT_F32) return rnnat_model_run_size(c->model, run, need);
    rnnat_run_f64 wide;
    memcpy(&wide, run, sizeof wide);
    return rnnat_model_run_size_f64(c->model, &wide, need);
}

static rnnat_status go(const every_call *c, const rnnat_run *run)
{
    if (c->info.dtype == RNNAT_F32)
        return rnnat_model_run(c->model, run, c->scratch, c->scratch_size);
    rnnat_run_f64 wide;
    memcpy(&wide, run, sizeof wide);
    return rnnat_model_run_f64(c->model, &wide, c->scratch, c->scratch_size);
}

static rnnat_status step(const every_call *c, rnnat_stream *stream, int32_t steps)
{
    const bool is_float = c->info.dtype == RNNAT_F32;
    if (c->info.takes_indices)
        return is_float ? rnnat_stream_run_indices(stream, c->x, steps, c->y)
                        : rnnat_stream_run_indices_f64(stream, c->x, steps, c->y);
    return is_float ? rnnat_stream_run(stream, c->x, steps, c->y)
                    : rnnat_stream_run_f64(stream, c->x, steps, c->y);
}

/* ---- the calls ---- */

static bool make(every_call *c)
{
    size_t need = 0;
    return rnnat_model_size(c->file.bytes, c->file.size, &c->options, &need) == RNNAT_OK &&
           rnnat_model_init(c->model_memory, c->model_size, c->file.bytes, c->file.size,
                            &c->options, &c->model) == RNNAT_OK &&
           rnnat_model_describe(c->model, &c->info) == RNNAT_OK;
}

/* With and without lengths and states. */
static bool run(every_call *c)
{
    bool right = true;
    for (int k = 0; k < 4; ++k) {
        rnnat_run run = run_of(c, 1);
        size_t need = 0;
        if (k % 2) run.lengths = NULL;
        if (k / 2) run.state_in = NULL, run.state_out = NULL;
        right = right && size_run(c, &run, &need) == RNNAT_OK && go(c, &run) == RNNAT_OK;
    }
    return right;
}

static bool stream(every_call *c)
{
    rnnat_stream *stream = NULL;
    size_t need = 0;
    bool right = rnnat_stream_size(c->model, BATCH, MAX_STEPS, &need) == RNNAT_OK;
    right = right && rnnat_stream_init(c->stream_memory, c->stream_size, c->model, BATCH, MAX_STEPS,
                                       &stream) == RNNAT_OK;
    for (int32_t steps = 0; right && steps <= TIME; ++steps) /* more than MAX_STEPS too */
        right = step(c, stream, steps) == RNNAT_OK;
    for (int32_t s = 0; right && s < c->info.num_states; ++s)
        right = rnnat_stream_get_state(stream, s, c->state_out[s]) == RNNAT_OK &&
                rnnat_stream_set_state(stream, s, c->state_out[s]) == RNNAT_OK;
    right = right && rnnat_stream_set_num_threads(stream, 1) == RNNAT_OK;
    right = right && step(c, stream, 1) == RNNAT_OK && rnnat_stream_reset(stream) == RNNAT_OK;
    return right;
}

#if RNNAT_WITH_POOL
/* Some steps of each of as many streams as the batch has rows, one after the other and ragged. */
static bool step_pool(every_call *c, rnnat_pool *pool)
{
    const size_t elem = c->info.dtype == RNNAT_F32 ? sizeof(float) : sizeof(double);
    const size_t width =
        c->info.takes_indices ? sizeof(int32_t) : (size_t)c->info.input_size * elem;
    int32_t ids[BATCH], steps[BATCH], room[BATCH], got[BATCH];
    const void *xs[BATCH], *inputs[] = {c->x};
    void *ys[BATCH], *outputs[] = {c->y};
    bool right = true;
    for (int32_t r = 0; r < BATCH; ++r) {
        right = right && rnnat_pool_open(pool, &ids[r]) == RNNAT_OK;
        steps[r] = 2 * r % 7;
        room[r] = TIME;
        xs[r] = (const char *)c->x + (size_t)r * width;
        ys[r] = (char *)c->y + (size_t)r * TIME * (size_t)c->info.output_size * elem;
    }
    const rnnat_status status = rnnat_pool_step(pool, BATCH, ids, inputs, outputs);
    right = right && (status == RNNAT_OK || status == RNNAT_ERROR_UNSUPPORTED); /* of strides */
    return right && rnnat_pool_push(pool, BATCH, ids, steps, xs, ys, room, got) == RNNAT_OK;
}

static bool use_pool(every_call *c)
{
    rnnat_pool *pool = NULL;
    rnnat_pool_info info = {.struct_size = sizeof info};
    size_t need = 0, size = 0;
    bool right =
        rnnat_pool_size(c->model, BATCH, 1, &need) == RNNAT_OK &&
        rnnat_pool_init(c->pool_memory, c->pool_size, c->model, BATCH, 1, &pool) == RNNAT_OK;
    right = right && rnnat_pool_describe(pool, &info) == RNNAT_OK && step_pool(c, pool);
    for (int32_t s = 0; right && s < c->info.num_states; ++s)
        right = rnnat_pool_get_state(pool, 1, s, c->state_out[s]) == RNNAT_OK &&
                rnnat_pool_set_state(pool, 2, s, c->state_out[s]) == RNNAT_OK;
    void *const bytes = c->pool_memory ? (char *)c->pool_memory + c->pool_size : NULL;
    right = right && rnnat_pool_snapshot(pool, -1, bytes, c->snapshot_size, &size) == RNNAT_OK &&
            rnnat_pool_restore(pool, -1, bytes, size) == RNNAT_OK &&
            rnnat_pool_set_num_threads(pool, 1) == RNNAT_OK &&
            rnnat_pool_reset(pool, 0) == RNNAT_OK && rnnat_pool_is_open(pool, 0) &&
            rnnat_pool_close(pool, 0) == RNNAT_OK;
    return right;
}
#else
static bool use_pool(every_call *c)
{
    (void)c;
    return true;
}
#endif

void every_call_do(void *calls)
{
    every_call *const c = calls;
    c->right = make(c) && run(c) && (!c->info.streamable || (stream(c) && use_pool(c)));
}

rnnat_status every_call_run(every_call *calls, int32_t threads)
{
    const rnnat_run run = run_of(calls, threads);
    return go(calls, &run);
}

bool every_call_right(const every_call *calls) { return calls->right; }

/* ---- what they are given ---- */

every_call *every_call_prepare(const test_model *model, rnnat_dtype dtype)
{
    every_call *const c = take(sizeof *c);
    c->file = test_model_bytes(model);
    c->options = (rnnat_model_options){.struct_size = sizeof c->options, .dtype = (int32_t)dtype};
    c->info.struct_size = sizeof c->info;
    if (rnnat_model_size(c->file.bytes, c->file.size, &c->options, &c->model_size) != RNNAT_OK)
        abort();
    c->model_memory = take(c->model_size);
    if (!make(c)) abort();
    if (c->info.streamable &&
        rnnat_stream_size(c->model, BATCH, MAX_STEPS, &c->stream_size) != RNNAT_OK)
        abort();
    c->stream_memory = take(c->stream_size);
#if RNNAT_WITH_POOL
    if (c->info.streamable) {
        if (rnnat_pool_size(c->model, BATCH, 1, &c->pool_size) != RNNAT_OK) abort();
        c->snapshot_size = c->pool_size; /* has less than the pool has */
        c->pool_memory = take(c->pool_size + c->snapshot_size);
    }
#endif
    c->x = take(TIME * BATCH * sizeof(double) * (size_t)c->info.input_size);
    c->y = take(TIME * BATCH * sizeof(double) * (size_t)c->info.output_size);
    for (int32_t b = 0; b < BATCH; ++b) c->lengths[b] = b * TIME / (BATCH - 1);
    for (int32_t s = 0; s < c->info.num_states; ++s) {
        int32_t rows, features;
        if (rnnat_model_state(c->model, s, &rows, &features) != RNNAT_OK) abort();
        c->state_in[s] = take((size_t)(rows * BATCH * features) * sizeof(double));
        c->state_out[s] = take((size_t)(rows * BATCH * features) * sizeof(double));
    }
    for (int32_t threads = 1; threads <= 3; ++threads) {
        const rnnat_run run = run_of(c, threads);
        size_t need = 0;
        if (size_run(c, &run, &need) != RNNAT_OK) abort();
        if (need > c->scratch_size) c->scratch_size = need;
    }
    c->scratch = take(c->scratch_size);
    return c;
}

void every_call_end(every_call *calls)
{
    for (int32_t s = 0; s < calls->info.num_states; ++s) {
        free(calls->state_in[s]);
        free(calls->state_out[s]);
    }
    free(calls->x);
    free(calls->y);
    free(calls->scratch);
    free(calls->stream_memory);
    free(calls->pool_memory);
    free(calls->model_memory);
    free(calls->file.bytes);
    free(calls);
}
