/* The public functions of streams: they check arguments and delegate. */
#include "config.h"
#if RNNAT_HEAP
#include <stdlib.h>
#endif

#include "run/run.h"
#include "run/stream.h"
#include "run/windows.h"
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

/* ---- running ---- */

/* The one input of a model, as a function for one takes it. */
typedef struct one_input {
    rnnat_dtype dtype;
    bool indices;
    const void *x;
} one_input;

static rnnat_status check_stream_indices(const rnnat_stream *stream, int32_t index, const void *x,
                                         int32_t steps)
{
    const rnnat_workspace *const workspace = &stream->workspace;
    const rnnat_value *const value = &workspace->model->values[index];
    const int32_t known = value->known;
    if (!known) return RNNAT_OK;
    const rnnat_view in = rnnat_dense(RNNAT_WRITABLE(x), workspace->rows, 1);
    if (RNNAT_IS_STATIC(value)) steps = 1;
    return rnnat_check_indices(known, in, steps, workspace->rows, NULL);
}

/* Whether the stream can take so many steps of it. */
static inline rnnat_status check_stream_input(const rnnat_stream *stream, one_input in,
                                              int32_t steps)
{
    if (!stream || steps < 0) return RNNAT_ERROR_ARGUMENT;
    if (in.dtype == RNNAT_F64 && !RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    const rnnat_model_info *const info = &stream->workspace.model->info;
    if (in.dtype != (rnnat_dtype)info->dtype) return RNNAT_ERROR_DTYPE;
    if (in.indices != (info->takes_indices != 0) || stream->has_several) return RNNAT_ERROR_INPUT;
    if (steps == 0) return RNNAT_OK;
    return in.x ? check_stream_indices(stream, 0, in.x, steps) : RNNAT_ERROR_ARGUMENT;
}

static rnnat_status check_stream_inputs(const rnnat_stream *stream, const void *const *inputs,
                                        int32_t steps)
{
    const int32_t count = stream->workspace.model->info.num_inputs;
    for (int32_t i = 0; i < count; ++i)
        if (!inputs[i]) return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; i < count; ++i) {
        const rnnat_status status = check_stream_indices(stream, i, inputs[i], steps);
        if (status != RNNAT_OK) return status;
    }
    return RNNAT_OK;
}

/* Whether every output has a step for each of the inputs. */
static bool all_keep_pace(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (model->values[model->outputs[i]].paced_by >= 0) return false;
    return true;
}

/* Steps of output `index` that so many of the inputs will bring. */
static int64_t ready_of(const rnnat_stream *stream, int32_t index, int32_t steps)
{
    const rnnat_model *const model = stream->workspace.model;
    if (!RNNAT_HAS_PACES(model)) return steps;
    const rnnat_phases phases = {stream->workspace.phases, NULL};
    return rnnat_steps_of(model, phases, model->outputs[index], steps);
}

/* Counts the steps that each output will have, and whether there is room for them. */
static rnnat_status count_ready(const rnnat_stream *stream, int32_t steps, void *const *outputs,
                                const int32_t *capacities, int32_t *got)
{
    const rnnat_model *const model = stream->workspace.model;
    const rnnat_phases phases = {stream->workspace.phases, NULL};
    if (RNNAT_HAS_PACES(model) && !rnnat_phases_agree(model, phases)) return RNNAT_ERROR_LENGTH;
    bool have_room = true;
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const int64_t ready = ready_of(stream, i, steps);
        if (ready > capacities[i])
            have_room = false;
        else if (ready && !outputs[i])
            return RNNAT_ERROR_ARGUMENT;
    }
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const int64_t ready = ready_of(stream, i, steps);
        got[i] = ready < INT32_MAX ? (int32_t)ready : INT32_MAX;
    }
    return have_room ? RNNAT_OK : RNNAT_ERROR_TOO_SMALL;
}

static inline rnnat_status run_stream(rnnat_stream *stream, one_input in, int32_t steps, void *y)
{
    const rnnat_status status = check_stream_input(stream, in, steps);
    if (status != RNNAT_OK) return status;
    if (!all_keep_pace(stream->workspace.model)) return RNNAT_ERROR_UNSUPPORTED;
    if (steps == 0) return RNNAT_OK;
    if (!y) return RNNAT_ERROR_ARGUMENT;
    rnnat_stream_go(stream, in.x, steps, y);
    return RNNAT_OK;
}

static rnnat_status push_stream(rnnat_stream *stream, one_input in, int32_t steps, void *y,
                                int32_t capacity, int32_t *got)
{
    if (!got) return RNNAT_ERROR_ARGUMENT;
    rnnat_status status = check_stream_input(stream, in, steps);
    if (status == RNNAT_OK) status = count_ready(stream, steps, &y, &capacity, got);
    if (status == RNNAT_OK && steps) rnnat_stream_go(stream, in.x, steps, y);
    return status;
}

rnnat_status rnnat_stream_run(rnnat_stream *stream, const float *x, int32_t steps, float *y)
{
    return run_stream(stream, (one_input){RNNAT_F32, false, x}, steps, y);
}

rnnat_status rnnat_stream_run_indices(rnnat_stream *stream, const int32_t *indices, int32_t steps,
                                      float *y)
{
    return run_stream(stream, (one_input){RNNAT_F32, true, indices}, steps, y);
}

rnnat_status rnnat_stream_run_f64(rnnat_stream *stream, const double *x, int32_t steps, double *y)
{
    return run_stream(stream, (one_input){RNNAT_F64, false, x}, steps, y);
}

rnnat_status rnnat_stream_run_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                          int32_t steps, double *y)
{
    return run_stream(stream, (one_input){RNNAT_F64, true, indices}, steps, y);
}

rnnat_status rnnat_stream_run_values(rnnat_stream *stream, const void *const *inputs, int32_t steps,
                                     void *const *outputs)
{
    if (!stream || steps < 0 || !inputs || !outputs) return RNNAT_ERROR_ARGUMENT;
    const rnnat_model *const model = stream->workspace.model;
    if (!all_keep_pace(model)) return RNNAT_ERROR_UNSUPPORTED;
    if (steps == 0) return RNNAT_OK;
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (!outputs[i]) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = check_stream_inputs(stream, inputs, steps);
    if (status == RNNAT_OK) rnnat_stream_go_values(stream, inputs, steps, outputs);
    return status;
}

rnnat_status rnnat_stream_push(rnnat_stream *stream, const float *x, int32_t steps, float *y,
                               int32_t capacity, int32_t *got)
{
    return push_stream(stream, (one_input){RNNAT_F32, false, x}, steps, y, capacity, got);
}

rnnat_status rnnat_stream_push_indices(rnnat_stream *stream, const int32_t *indices, int32_t steps,
                                       float *y, int32_t capacity, int32_t *got)
{
    return push_stream(stream, (one_input){RNNAT_F32, true, indices}, steps, y, capacity, got);
}

rnnat_status rnnat_stream_push_f64(rnnat_stream *stream, const double *x, int32_t steps, double *y,
                                   int32_t capacity, int32_t *got)
{
    return push_stream(stream, (one_input){RNNAT_F64, false, x}, steps, y, capacity, got);
}

rnnat_status rnnat_stream_push_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                           int32_t steps, double *y, int32_t capacity, int32_t *got)
{
    return push_stream(stream, (one_input){RNNAT_F64, true, indices}, steps, y, capacity, got);
}

rnnat_status rnnat_stream_push_values(rnnat_stream *stream, const void *const *inputs,
                                      int32_t steps, void *const *outputs,
                                      const int32_t *capacities, int32_t *got)
{
    if (!stream || steps < 0 || !inputs || !outputs || !capacities || !got)
        return RNNAT_ERROR_ARGUMENT;
    rnnat_status status = steps ? check_stream_inputs(stream, inputs, steps) : RNNAT_OK;
    if (status == RNNAT_OK) status = count_ready(stream, steps, outputs, capacities, got);
    if (status == RNNAT_OK && steps) rnnat_stream_go_values(stream, inputs, steps, outputs);
    return status;
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
    rnnat_workspace *const workspace = &stream->workspace;
    const rnnat_model *const model = workspace->model;
    for (int32_t n = 0; n < model->num_nodes; ++n)
        if (RNNAT_HAS_WINDOW(&model->nodes[n]) && rnnat_phase_array(&model->nodes[n]) == index)
            return rnnat_windows_set_phase(workspace, n, values) ? RNNAT_OK : RNNAT_ERROR_LENGTH;
    rnnat_workspace_set_state(workspace, index, values, workspace->rows, 0);
    return RNNAT_OK;
}
