/* The public functions that run a model over whole sequences: they check arguments and delegate. */
#include "graph/pace.h"
#include "run/run.h"

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

static rnnat_status output_steps_of(const rnnat_model *model, const rnnat_run_args *args,
                                    int32_t index, int32_t *steps)
{
    const rnnat_job job = {.time = args->time,
                           .batch = args->batch,
                           .lengths = args->lengths,
                           .state_in = args->state_in};
    if (args->dtype != (rnnat_dtype)model->info.dtype) return RNNAT_ERROR_DTYPE;
    if (args->time < 0 || args->batch < 0 || index < 0 || index >= model->info.num_outputs)
        return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = rnnat_run_check(model, &job);
    if (status != RNNAT_OK) return status;
    int64_t made = model->values[model->outputs[index]].has_time ? job.time : 1;
    if (RNNAT_HAS_PACES(model))
        made = rnnat_output_steps(model, job.batch ? job.state_in : NULL, index, job.time);
    if (made > INT32_MAX) return RNNAT_ERROR_OVERFLOW;
    *steps = (int32_t)made;
    return RNNAT_OK;
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

rnnat_status rnnat_model_run_steps(const rnnat_model *model, const rnnat_run *run, int32_t index,
                                   int32_t *steps)
{
    if (!model || !run || !steps || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F32, run);
    return output_steps_of(model, &args, index, steps);
}

rnnat_status rnnat_model_run_steps_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                       int32_t index, int32_t *steps)
{
    if (!model || !run || !steps || run->struct_size != sizeof *run) return RNNAT_ERROR_ARGUMENT;
    if (!RNNAT_FLOAT64) return RNNAT_ERROR_UNSUPPORTED;
    const rnnat_run_args args = RUN_ARGS(RNNAT_F64, run);
    return output_steps_of(model, &args, index, steps);
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
