/* Every public function of models, streams and the library itself: check arguments, delegate. */
#include "config.h"
#if RNNAT_HEAP
#include <stdlib.h>
#endif

#include "dispatch.h"
#include "float_scope.h"
#include "graph/graph.h"
#include "heap.h"
#include "run/run.h"
#include "run/stream.h"
#include "threads/threads.h"
#include "weights/blas.h"

/* ---- models ---- */

#if RNNAT_READER
static rnnat_status read_options(const rnnat_model_options *opt, rnnat_model_options *options)
{
    *options = (rnnat_model_options){.struct_size = sizeof *options};
    if (!opt) return RNNAT_OK;
    if (opt->struct_size != sizeof *opt) return RNNAT_ERROR_ARGUMENT;
    *options = *opt;
    if (opt->dtype != RNNAT_F32 && opt->dtype != RNNAT_F64) return RNNAT_ERROR_ARGUMENT;
    if (opt->dtype == RNNAT_F64 && !RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    if (opt->matmul < RNNAT_MATMUL_AUTO || opt->matmul > RNNAT_MATMUL_BLAS)
        return RNNAT_ERROR_ARGUMENT;
    if (opt->matmul == RNNAT_MATMUL_BLAS && !rnnat_blas_available()) return RNNAT_ERROR_UNSUPPORTED;
    return rnnat_weight_dtype_check(opt->weight_dtype, opt->dtype,
                                    opt->matmul == RNNAT_MATMUL_BLAS);
}

/* The bytes of a file, or one that is open already. */
typedef struct source {
    const void *bytes;
    size_t size;
    const rnnat_safetensors *file;
} source;

/* Builds into `mem`, or only counts where it is NULL. */
static rnnat_status build_model(void *mem, const source *from, const rnnat_model_options *opt,
                                size_t *need, rnnat_model **out)
{
    rnnat_model_options options;
    rnnat_safetensors file;
    rnnat_status status = read_options(opt, &options);
    if (status != RNNAT_OK) return status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    if (status == RNNAT_OK && !from->file)
        status = rnnat_safetensors_open(from->bytes, from->size, &file);
    if (status != RNNAT_OK) return status;
    const int32_t matmul =
        options.matmul == RNNAT_MATMUL_AUTO ? RNNAT_MATMUL_PACKED : options.matmul;
    rnnat_builder builder = {.arena = rnnat_arena_at(mem),
                             .kernels = &kernels[options.dtype],
                             .file = from->file ? from->file : &file,
                             .blas = matmul == RNNAT_MATMUL_BLAS,
                             .type = (rnnat_weight_dtype)options.weight_dtype,
                             .prefix = "",
                             .suffix = ""};
    rnnat_model counted, *model = rnnat_arena_take(&builder.arena, 1, sizeof *model);
    status = rnnat_model_build(&builder, matmul, model ? model : &counted);
    if (status != RNNAT_OK) return status;
    if (builder.arena.overflow) return RNNAT_ERROR_OVERFLOW;
    if (need) *need = rnnat_arena_need(&builder.arena);
    if (out) *out = model;
    return RNNAT_OK;
}

rnnat_status rnnat_model_size(const void *bytes, size_t size, const rnnat_model_options *opt,
                              size_t *need)
{
    const source from = {.bytes = bytes, .size = size};
    return bytes && need ? build_model(NULL, &from, opt, need, NULL) : RNNAT_ERROR_ARGUMENT;
}

rnnat_status rnnat_model_init(void *mem, size_t mem_size, const void *bytes, size_t size,
                              const rnnat_model_options *opt, rnnat_model **out)
{
    const source from = {.bytes = bytes, .size = size};
    size_t need;
    if (!mem || !bytes || !out) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = build_model(NULL, &from, opt, &need, NULL);
    if (status != RNNAT_OK) return status;
    if (mem_size < need) return RNNAT_ERROR_TOO_SMALL;
    return build_model(mem, &from, opt, NULL, out);
}

#if RNNAT_HEAP
static rnnat_status create_model(const source *from, const rnnat_model_options *opt,
                                 rnnat_model **out)
{
    size_t need;
    rnnat_model *model = NULL;
    rnnat_status status = build_model(NULL, from, opt, &need, NULL);
    if (status != RNNAT_OK) return status;
    void *const mem = rnnat_heap_take(need);
    if (!mem) return RNNAT_ERROR_NO_MEMORY;
    status = build_model(mem, from, opt, NULL, &model);
    if (status != RNNAT_OK) {
        free(mem);
        return status;
    }
    model->heap = mem;
    *out = model;
    return RNNAT_OK;
}

rnnat_status rnnat_model_from_memory(const void *bytes, size_t size, const rnnat_model_options *opt,
                                     rnnat_model **out)
{
    const source from = {.bytes = bytes, .size = size};
    return bytes && out ? create_model(&from, opt, out) : RNNAT_ERROR_ARGUMENT;
}

#if RNNAT_INSPECT
rnnat_status rnnat_model_from_file(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                   rnnat_model **out)
{
    const source from = {.file = file};
    return file && out ? create_model(&from, opt, out) : RNNAT_ERROR_ARGUMENT;
}
#endif
#endif
#endif

#if RNNAT_HEAP
void rnnat_model_free(rnnat_model *model)
{
    if (model) free(model->heap);
}
#endif

rnnat_status rnnat_model_describe(const rnnat_model *model, rnnat_model_info *info)
{
    if (!model || !info || info->struct_size != sizeof *info) return RNNAT_ERROR_ARGUMENT;
    *info = model->info;
    return RNNAT_OK;
}

rnnat_status rnnat_model_state(const rnnat_model *model, int32_t index, int32_t *rows,
                               int32_t *features)
{
    if (!model || !rows || !features || index < 0 || index >= model->info.num_states)
        return RNNAT_ERROR_ARGUMENT;
    *rows = model->states[index].rows;
    *features = model->states[index].features;
    return RNNAT_OK;
}

/* Tells of a value; `index` of its name. */
static rnnat_status tell_value(const rnnat_model *model, int32_t value, int32_t index,
                               const char *name, rnnat_value_info *info)
{
    if (info->struct_size != sizeof *info) return RNNAT_ERROR_ARGUMENT;
    const rnnat_value *const of = &model->values[value];
    *info = (rnnat_value_info){.struct_size = sizeof *info,
                               .name = model->names ? model->names[index] : name,
                               .features = of->features,
                               .indices = of->known,
                               .has_time = of->has_time};
    return RNNAT_OK;
}

rnnat_status rnnat_model_input(const rnnat_model *model, int32_t index, rnnat_value_info *info)
{
    if (!model || !info || index < 0 || index >= model->info.num_inputs)
        return RNNAT_ERROR_ARGUMENT;
    return tell_value(model, index, index, "x", info);
}

rnnat_status rnnat_model_output(const rnnat_model *model, int32_t index, rnnat_value_info *info)
{
    if (!model || !info || index < 0 || index >= model->info.num_outputs)
        return RNNAT_ERROR_ARGUMENT;
    return tell_value(model, model->outputs[index], model->info.num_inputs + index, "y", info);
}

/* ---- runs ---- */

#define RUN_ARGS(DTYPE, run)                                                                       \
    {.dtype = DTYPE,                                                                               \
     .time = (run)->time,                                                                          \
     .batch = (run)->batch,                                                                        \
     .x = (run)->x,                                                                                \
     .indices = (run)->indices,                                                                    \
     .x_stride_time = (run)->x_stride_time,                                                        \
     .x_stride_batch = (run)->x_stride_batch,                                                      \
     .y = (run)->y,                                                                                \
     .y_stride_time = (run)->y_stride_time,                                                        \
     .y_stride_batch = (run)->y_stride_batch,                                                      \
     .inputs = (run)->inputs,                                                                      \
     .outputs = (run)->outputs,                                                                    \
     .lengths = (run)->lengths,                                                                    \
     .state_in = (const void *const *)(run)->state_in,                                             \
     .state_out = (void *const *)(run)->state_out,                                                 \
     .num_threads = (run)->num_threads}

static rnnat_status need_of(const rnnat_model *model, const rnnat_run_args *args, size_t *need)
{
    rnnat_job job;
    const rnnat_status status = rnnat_run_plan(model, args, &job);
    if (status == RNNAT_OK) *need = job.need;
    return status;
}

static rnnat_status run_with(const rnnat_model *model, const rnnat_run_args *args, void *scratch,
                             size_t scratch_size)
{
    rnnat_job job;
    const rnnat_status status = rnnat_run_plan(model, args, &job);
    return status == RNNAT_OK ? rnnat_run_go(model, &job, scratch, scratch_size) : status;
}

rnnat_status rnnat_model_run_size(const rnnat_model *model, const rnnat_run *run, size_t *need)
{
    if (!model || !run || !need || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F32, run);
    return need_of(model, &args, need);
}

rnnat_status rnnat_model_run(const rnnat_model *model, const rnnat_run *run, void *scratch,
                             size_t scratch_size)
{
    if (!model || !run || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F32, run);
    return run_with(model, &args, scratch, scratch_size);
}

rnnat_status rnnat_model_run_size_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                      size_t *need)
{
    if (!model || !run || !need || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    if (!RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F64, run);
    return need_of(model, &args, need);
}

rnnat_status rnnat_model_run_f64(const rnnat_model *model, const rnnat_run_f64 *run, void *scratch,
                                 size_t scratch_size)
{
    if (!model || !run || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    if (!RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F64, run);
    return run_with(model, &args, scratch, scratch_size);
}

/* ---- streams ---- */

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
    if (indices != (info->takes_indices != 0)) return RNNAT_ERROR_INPUT;
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

/* ---- the library ---- */

const char *rnnat_status_name(rnnat_status status)
{
    static const char *const names[] = {
        "RNNAT_OK",
        "RNNAT_ERROR_ARGUMENT",
        "RNNAT_ERROR_FORMAT",
        "RNNAT_ERROR_UNSUPPORTED",
        "RNNAT_ERROR_SHAPE",
        "RNNAT_ERROR_NOT_FOUND",
        "RNNAT_ERROR_OVERFLOW",
        "RNNAT_ERROR_NO_MEMORY",
        "RNNAT_ERROR_TOO_SMALL",
        "RNNAT_ERROR_IO",
        "RNNAT_ERROR_DTYPE",
        "RNNAT_ERROR_LENGTH",
        "RNNAT_ERROR_INDEX",
        "RNNAT_ERROR_INPUT",
    };
    const size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "RNNAT_ERROR_UNKNOWN";
}

const char *rnnat_version(void) { return RNNAT_VERSION; }

const char *rnnat_isa(void)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    return kernels ? kernels->isa : "none";
}
