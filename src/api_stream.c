/* The public functions of streams: they check arguments and delegate. */
#include "config.h"
#if RNNAT_HEAP
#include <stdlib.h>
#endif

#include "run/run.h"
#include "run/stream.h"
#include "threads/threads.h"

static rnnat_status check_stream(const rnnat_model *model, int32_t batch, int32_t max_steps)
{
    if (!model || batch < 1 || max_steps < 1) return RNNAT_ERROR_ARGUMENT;
    return model->info.streamable ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
}

rnnat_status rnnat_stream_size(const rnnat_model *model, int32_t batch, int32_t max_steps,
                               size_t *need)
{
    if (!need) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = check_stream(model, batch, max_steps);
    if (status != RNNAT_OK) return status;
    rnnat_arena arena = rnnat_arena_at(NULL);
    rnnat_stream_carve(&arena, model, batch, max_steps);
    if (arena.overflow) return RNNAT_ERROR_OVERFLOW;
    *need = rnnat_arena_need(&arena);
    return RNNAT_OK;
}

rnnat_status rnnat_stream_init(void *mem, size_t mem_size, const rnnat_model *model, int32_t batch,
                               int32_t max_steps, rnnat_stream **out)
{
    size_t need;
    if (!mem || !out) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = rnnat_stream_size(model, batch, max_steps, &need);
    if (status != RNNAT_OK) return status;
    if (mem_size < need) return RNNAT_ERROR_TOO_SMALL;
    rnnat_arena arena = rnnat_arena_at(mem);
    *out = rnnat_stream_carve(&arena, model, batch, max_steps);
    return RNNAT_OK;
}

#if RNNAT_HEAP
rnnat_status rnnat_stream_create(const rnnat_model *model, int32_t batch, int32_t max_steps,
                                 rnnat_stream **out)
{
    size_t need;
    if (!out) return RNNAT_ERROR_ARGUMENT;
    rnnat_status status = rnnat_stream_size(model, batch, max_steps, &need);
    if (status != RNNAT_OK) return status;
    void *const mem = malloc(need);
    if (!mem) return RNNAT_ERROR_NO_MEMORY;
    status = rnnat_stream_init(mem, need, model, batch, max_steps, out);
    if (status == RNNAT_OK)
        (*out)->heap = mem;
    else
        free(mem);
    return status;
}

void rnnat_stream_free(rnnat_stream *stream)
{
    if (stream) free(stream->heap);
}
#endif

static rnnat_status run_stream(rnnat_stream *stream, rnnat_dtype dtype, const void *x, bool indices,
                               int32_t steps, void *y)
{
    if (!stream || steps < 0) return RNNAT_ERROR_ARGUMENT;
    if (dtype == RNNAT_F64 && !RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    rnnat_workspace *const workspace = &stream->workspace;
    const rnnat_model_info *const info = &workspace->model->info;
    if (dtype != (rnnat_dtype)info->dtype) return RNNAT_ERROR_DTYPE;
    if (indices != (info->takes_indices != 0) || stream->has_several) return RNNAT_ERROR_INPUT;
    if (steps == 0) return RNNAT_OK;
    if (!x || !y) return RNNAT_ERROR_ARGUMENT;
    if (indices) {
        const rnnat_view in = {RNNAT_WRITABLE(x), workspace->rows, 1};
        const rnnat_status status =
            rnnat_check_indices(info->input_size, in, steps, workspace->rows, NULL);
        if (status != RNNAT_OK) return status;
    }
    rnnat_stream_go(stream, x, steps, y);
    return RNNAT_OK;
}

rnnat_status rnnat_stream_run(rnnat_stream *stream, const float *x, int32_t steps, float *y)
{
    return run_stream(stream, RNNAT_F32, x, false, steps, y);
}

rnnat_status rnnat_stream_run_indices(rnnat_stream *stream, const int32_t *indices, int32_t steps,
                                      float *y)
{
    return run_stream(stream, RNNAT_F32, indices, true, steps, y);
}

rnnat_status rnnat_stream_run_f64(rnnat_stream *stream, const double *x, int32_t steps, double *y)
{
    return run_stream(stream, RNNAT_F64, x, false, steps, y);
}

rnnat_status rnnat_stream_run_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                          int32_t steps, double *y)
{
    return run_stream(stream, RNNAT_F64, indices, true, steps, y);
}

rnnat_status rnnat_stream_run_values(rnnat_stream *stream, const void *const *inputs, int32_t steps,
                                     void *const *outputs)
{
    if (!stream || steps < 0 || !inputs || !outputs) return RNNAT_ERROR_ARGUMENT;
    if (steps == 0) return RNNAT_OK;
    const rnnat_workspace *const workspace = &stream->workspace;
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        if (!inputs[i]) return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (!outputs[i]) return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const int32_t known = model->values[i].known;
        const rnnat_view in = rnnat_dense(RNNAT_WRITABLE(inputs[i]), workspace->rows, 1);
        const rnnat_status status =
            known ? rnnat_check_indices(known, in, steps, workspace->rows, NULL) : RNNAT_OK;
        if (status != RNNAT_OK) return status;
    }
    rnnat_stream_go_values(stream, inputs, steps, outputs);
    return RNNAT_OK;
}

rnnat_status rnnat_stream_set_num_threads(rnnat_stream *stream, int32_t num_threads)
{
    if (!stream || num_threads < 1) return RNNAT_ERROR_ARGUMENT;
    if (num_threads > 1 && rnnat_threads_check() != RNNAT_OK) return RNNAT_ERROR_ARGUMENT;
    rnnat_stream_divide(stream, rnnat_threads_sensible(num_threads));
    return RNNAT_OK;
}

rnnat_status rnnat_stream_reset(rnnat_stream *stream)
{
    if (!stream) return RNNAT_ERROR_ARGUMENT;
    rnnat_workspace_reset(&stream->workspace);
    return RNNAT_OK;
}

rnnat_status rnnat_stream_get_state(const rnnat_stream *stream, int32_t index, void *values)
{
    if (!stream || !values || index < 0 || index >= stream->workspace.model->info.num_states)
        return RNNAT_ERROR_ARGUMENT;
    rnnat_workspace_get_state(&stream->workspace, index, values, stream->workspace.rows, 0);
    return RNNAT_OK;
}

rnnat_status rnnat_stream_set_state(rnnat_stream *stream, int32_t index, const void *values)
{
    if (!stream || !values || index < 0 || index >= stream->workspace.model->info.num_states)
        return RNNAT_ERROR_ARGUMENT;
    rnnat_workspace_set_state(&stream->workspace, index, values, stream->workspace.rows, 0);
    return RNNAT_OK;
}
