#include "run.h"

#include <string.h>

#include "float_scope.h"
#include "gemm/blas.h"
#include "threads.h"

/* Multiplications below which another thread costs more than it brings. */
static const double worth_a_thread = 400e3;

static double multiplications(const rnnat_model *model, int32_t time, int32_t batch)
{
    double each = 0;
    for (int32_t i = 0; i < model->num_ops; ++i) {
        const rnnat_op *const op = &model->ops[i];
        if (op->kind == RNNAT_LAYER_LINEAR) each += (double)op->input * op->output;
        for (int32_t d = 0; d < op->num_directions; ++d)
            each += (double)op->ops->gates * op->hidden * ((double)op->input + op->state);
    }
    return each * time * batch;
}

/* Any stride is an address computation that must not overflow. */
static bool fits(const rnnat_view *view, int32_t time, int32_t batch, int32_t width)
{
    const double reach = (double)time * (double)(view->time < 0 ? -view->time : view->time) +
                         (double)batch * (double)(view->row < 0 ? -view->row : view->row) + width;
    return reach * 8 < (double)PTRDIFF_MAX;
}

rnnat_status rnnat_run_plan(const rnnat_model *model, const rnnat_run_args *args, rnnat_job *job)
{
    const rnnat_model_info *const info = &model->info;
    if (args->dtype != (rnnat_dtype)info->dtype) return RNNAT_ERROR_DTYPE;
    if (args->time < 0 || args->batch < 0 || args->num_threads < 0) return RNNAT_ERROR_ARGUMENT;
    if (info->takes_indices ? args->x != NULL : args->indices != NULL) return RNNAT_ERROR_INPUT;
    const void *const x = info->takes_indices ? (const void *)args->indices : args->x;
    const bool empty = args->time == 0 || args->batch == 0;
    if (!empty && (!x || !args->y)) return RNNAT_ERROR_ARGUMENT;

    const int32_t width = info->takes_indices ? 1 : info->input_size;
    *job = (rnnat_job){.time = args->time,
                       .batch = args->batch,
                       .x = x,
                       .in = {(char *)x, args->x_stride_time, args->x_stride_batch},
                       .out = {args->y, args->y_stride_time, args->y_stride_batch},
                       .lengths = args->lengths,
                       .state_in = args->state_in,
                       .state_out = args->state_out};
    if (!job->in.time && !job->in.row) {
        job->in.time = (ptrdiff_t)args->batch * width;
        job->in.row = width;
    }
    if (!job->out.time && !job->out.row) {
        job->out.time = (ptrdiff_t)args->batch * info->output_size;
        job->out.row = info->output_size;
    }
    if (!fits(&job->in, args->time, args->batch, width) ||
        !fits(&job->out, args->time, args->batch, info->output_size))
        return RNNAT_ERROR_OVERFLOW;

    rnnat_status status = RNNAT_OK;
    const int32_t threads = args->num_threads ? args->num_threads : rnnat_threads_default(&status);
    const double worth = multiplications(model, args->time, args->batch) / worth_a_thread;
    job->lanes = threads < args->batch ? threads : args->batch;
    if (worth < job->lanes) job->lanes = (int32_t)worth;
    if (job->lanes < 1) job->lanes = 1;
    return status;
}

/* Rows of the widest lane; the others have as many or one less. */
static int32_t lane_rows(const rnnat_job *job) { return (job->batch + job->lanes - 1) / job->lanes; }

static size_t lane_bytes(const rnnat_model *model, const rnnat_job *job, bool *overflow)
{
    rnnat_arena arena = rnnat_arena_at(NULL);
    rnnat_lane lane;
    rnnat_lane_carve(&arena, model, lane_rows(job), job->time, &lane);
    *overflow = arena.overflow;
    return arena.used;
}

rnnat_status rnnat_run_need(const rnnat_model *model, const rnnat_job *job, size_t *need)
{
    bool overflow;
    const size_t each = lane_bytes(model, job, &overflow);
    if (overflow || each > (SIZE_MAX / 2) / (size_t)job->lanes) return RNNAT_ERROR_OVERFLOW;
    *need = each * (size_t)job->lanes + RNNAT_ALIGN - 1;
    return RNNAT_OK;
}

rnnat_status rnnat_check_indices(const rnnat_model *model, rnnat_view indices, int32_t time,
                                 int32_t batch, const int32_t *lengths)
{
    for (int32_t row = 0; row < batch; ++row) {
        const int32_t end = lengths ? lengths[row] : time;
        for (int32_t step = 0; step < end; ++step) {
            int32_t index;
            memcpy(&index, indices.base + (step * indices.time + row * indices.row) *
                                              (ptrdiff_t)sizeof index, sizeof index);
            if (index < 0 || index >= model->info.input_size) return RNNAT_ERROR_INDEX;
        }
    }
    return RNNAT_OK;
}

static rnnat_status check(const rnnat_model *model, const rnnat_job *job)
{
    for (int32_t row = 0; job->lengths && row < job->batch; ++row)
        if (job->lengths[row] < 0 || job->lengths[row] > job->time) return RNNAT_ERROR_LENGTH;
    for (int32_t i = 0; i < model->info.num_states; ++i) {
        if (job->state_in && !job->state_in[i] && job->batch) return RNNAT_ERROR_ARGUMENT;
        if (job->state_out && !job->state_out[i] && job->batch) return RNNAT_ERROR_ARGUMENT;
    }
    if (!model->info.takes_indices) return RNNAT_OK;
    return rnnat_check_indices(model, job->in, job->time, job->batch, job->lengths);
}

typedef struct work {
    const rnnat_model *model;
    const rnnat_job *job;
    char *scratch;
    size_t each;
} work;

/* One lane from its states in to its states out. */
static void run_lane(void *arg, int32_t worker)
{
    const work *const w = arg;
    const rnnat_job *const job = w->job;
    const rnnat_model_info *const info = &w->model->info;
    const int32_t share = job->batch / job->lanes, more = job->batch % job->lanes;
    const int32_t first = worker * share + (worker < more ? worker : more);
    const int32_t rows = share + (worker < more);
    rnnat_arena arena = rnnat_arena_at(w->scratch + (size_t)worker * w->each);
    rnnat_lane lane;
    rnnat_lane_carve(&arena, w->model, rows, job->time, &lane);

    const rnnat_float_mode mode = rnnat_float_enter();
    const bool blas = info->matmul == RNNAT_MATMUL_BLAS;
    if (blas) rnnat_blas_enter();
    rnnat_lane_reset(&lane);
    for (int32_t i = 0; job->state_in && i < info->num_states; ++i)
        rnnat_lane_set_state(&lane, i, job->state_in[i], job->batch, first);
    const ptrdiff_t x_elem = info->takes_indices ? (ptrdiff_t)sizeof(int32_t)
                                                 : w->model->kernels->elem;
    rnnat_view in = job->in, out = job->out;
    in.base += first * in.row * x_elem;
    out.base += first * out.row * w->model->kernels->elem;
    if (job->time) rnnat_forward(&lane, in, out, job->time, job->lengths ? job->lengths + first : NULL);
    for (int32_t i = 0; job->state_out && i < info->num_states; ++i)
        rnnat_lane_get_state(&lane, i, job->state_out[i], job->batch, first);
    if (blas) rnnat_blas_leave();
    rnnat_float_leave(mode);
}

rnnat_status rnnat_run_go(const rnnat_model *model, const rnnat_job *job, void *scratch,
                          size_t scratch_size)
{
    size_t need;
    rnnat_status status = rnnat_run_need(model, job, &need);
    if (status == RNNAT_OK) status = check(model, job);
    if (status != RNNAT_OK) return status;
    if (scratch_size < need || !scratch) return RNNAT_ERROR_TOO_SMALL;
    if (job->batch == 0) return RNNAT_OK;
    bool overflow;
    const rnnat_arena arena = rnnat_arena_at(scratch);
    work w = {model, job, arena.base, lane_bytes(model, job, &overflow)};
    rnnat_parallel(job->lanes, run_lane, &w);
    return RNNAT_OK;
}
