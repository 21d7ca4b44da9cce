/* Runs over whole sequences: checked, planned, divided among workspaces, and run by all threads. */
#include "run.h"

#include <math.h>
#include <string.h>

#include "../float_scope.h"
#include "../threads/threads.h"
#include "../weights/blas.h"
#include "wavefront.h"
#include "windows.h"

/* Rows of the widest workspace; the others have as many or one less. */
static int32_t widest_rows(const rnnat_job *job)
{
    return job->batch / job->workspaces + (job->batch % job->workspaces != 0);
}

/* Everything a run needs, carved in one go: lengths, barriers and workspaces. */
typedef struct workspaces_work {
    const rnnat_model *model;
    const rnnat_job *job;
    int32_t *lengths; /* [batch] the caller's, read once */
    int32_t *phases; /* [nodes] of a model with windows: its state's, read once */
    rnnat_barrier *barriers; /* [workspaces, rnnat_team_barriers] */
    rnnat_workspace *workspaces;
#if RNNAT_THREADS
    atomic_bool *begun; /* [workspaces] some thread runs it, or has */
#endif
} workspaces_work;

static size_t stop_points_of(const rnnat_job *job)
{
    return rnnat_stop_point_of_stages + (job->wavefront ? (size_t)job->team_size : 0);
}

static workspaces_work carve(rnnat_arena *arena, const rnnat_model *model, const rnnat_job *job)
{
    const size_t workspaces = (size_t)job->workspaces;
    workspaces_work w = {.model = model, .job = job};
    w.lengths = rnnat_arena_take(arena, (size_t)job->batch, sizeof *w.lengths);
    if (RNNAT_HAS_WINDOWS(model))
        w.phases = rnnat_arena_take(arena, (size_t)model->num_nodes, sizeof *w.phases);
    w.barriers = rnnat_team_take_barriers(arena, workspaces);
    w.workspaces = RNNAT_TAKE(arena, workspaces, rnnat_workspace);
#if RNNAT_THREADS
    w.begun = RNNAT_TAKE(arena, workspaces, atomic_bool);
    for (size_t i = 0; w.begun && i < workspaces; ++i) atomic_init(&w.begun[i], false);
#endif
    for (size_t i = 0; i < workspaces; ++i) {
        const rnnat_workspace_use use = {.rows = widest_rows(job),
                                         .time = job->time,
                                         .team_size = job->team_size,
                                         .wavefront = job->wavefront};
        rnnat_workspace workspace;
        rnnat_workspace_carve(arena, model, &use, &workspace);
        if (RNNAT_STOP && job->stop)
            workspace.stop_points = RNNAT_TAKE(arena, stop_points_of(job), rnnat_stop_point);
        if (w.workspaces) w.workspaces[i] = workspace;
    }
    return w;
}

#if RNNAT_INSPECT
void rnnat_run_carve(rnnat_arena *arena, const rnnat_model *model, const rnnat_job *job)
{
    carve(arena, model, job);
}
#endif

/* Whether so many numbers, of 8 bytes at most, have addresses. */
static bool fits(double numbers) { return numbers * 8 < (double)PTRDIFF_MAX; }

/* Makes strides that are all 0 those of a dense array. False where some address would overflow. */
static bool fill_strides(rnnat_view *view, int32_t time, int32_t batch, int32_t width)
{
    if (!view->time && !view->row) {
        if (!fits((double)batch * width)) return false;
        view->time = (ptrdiff_t)batch * width;
        view->row = width;
    }
    return fits((double)time * fabs((double)view->time) + (double)batch * fabs((double)view->row) +
                width);
}

/* Whether there are arrays for everything that the model takes and gives. */
static rnnat_status check_arrays(const rnnat_model *model, const rnnat_run_args *args)
{
    const bool empty = args->time == 0 || args->batch == 0;
    const rnnat_model_info *const info = &model->info;
    if (model->info.num_inputs == 1 && !args->inputs) {
        if (info->takes_indices ? args->x != NULL : args->indices != NULL) return RNNAT_ERROR_INPUT;
        if (!empty && !(info->takes_indices ? (const void *)args->indices : args->x))
            return RNNAT_ERROR_ARGUMENT;
    } else if (!args->inputs || args->x || args->indices || args->x_stride_time ||
               args->x_stride_batch) {
        return RNNAT_ERROR_ARGUMENT;
    }
    for (int32_t i = 0; args->inputs && i < model->info.num_inputs; ++i) {
        const bool is_read = RNNAT_IS_STATIC(&model->values[i]) ? args->batch > 0 : !empty;
        if (is_read && !args->inputs[i]) return RNNAT_ERROR_ARGUMENT;
    }
    if (model->info.num_outputs == 1 && !args->outputs)
        return args->batch && (args->time || !info->return_sequences) && !args->y
                   ? RNNAT_ERROR_ARGUMENT
                   : RNNAT_OK;
    if (!args->outputs || args->y || args->y_stride_time || args->y_stride_batch)
        return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (args->batch && (args->time || !model->values[model->outputs[i]].has_time) &&
            !args->outputs[i])
            return RNNAT_ERROR_ARGUMENT;
    return RNNAT_OK;
}

/* Whether dense arrays of all of them have addresses. */
static bool all_fit(const rnnat_model *model, int32_t time, int32_t batch)
{
    int32_t widest = 1;
    int64_t most = time;
    for (int32_t v = 0; v < model->num_values; ++v) {
        const int64_t steps = RNNAT_HAS_PACES(model) ? rnnat_most_steps_of(model, v, time) : time;
        if (model->values[v].features > widest) widest = model->values[v].features;
        if (steps > most) most = steps;
    }
    return most <= INT32_MAX && fits((double)most * batch * widest);
}

rnnat_status rnnat_run_plan(const rnnat_model *model, const rnnat_run_args *args, rnnat_job *job)
{
    const rnnat_model_info *const info = &model->info;
    if (args->dtype != (rnnat_dtype)info->dtype) return RNNAT_ERROR_DTYPE;
    if (args->time < 0 || args->batch < 0 || args->num_threads < 0) return RNNAT_ERROR_ARGUMENT;
    rnnat_status status = check_arrays(model, args);
    if (status != RNNAT_OK) return status;
    const void *const x = info->takes_indices ? (const void *)args->indices : args->x;
    *job = (rnnat_job){.time = args->time,
                       .batch = args->batch,
                       .in = {RNNAT_WRITABLE(x), args->x_stride_time, args->x_stride_batch},
                       .out = {args->y, args->y_stride_time, args->y_stride_batch},
                       .inputs = args->inputs,
                       .outputs = args->outputs,
                       .lengths = args->lengths,
                       .state_in = args->state_in,
                       .state_out = args->state_out,
                       .trace = args->trace,
                       .stop = args->stop};
    if (!info->return_sequences) job->out.time = 0;
    /* One row after the other where there is no time to step over. */
    if (!job->out.row && !info->return_sequences) job->out.row = info->output_size;
    if ((args->inputs || args->outputs || RNNAT_HAS_PACES(model)) &&
        !all_fit(model, args->time, args->batch))
        return RNNAT_ERROR_OVERFLOW;
    if (!args->inputs &&
        !fill_strides(&job->in, args->time, args->batch, model->values[0].features))
        return RNNAT_ERROR_OVERFLOW;
    int64_t made = args->time;
    if (RNNAT_HAS_PACES(model)) made = rnnat_most_steps_of(model, model->outputs[0], made);
    if (!args->outputs && !fill_strides(&job->out, (int32_t)made, args->batch, info->output_size))
        return RNNAT_ERROR_OVERFLOW;

    const int32_t threads = args->num_threads ? args->num_threads : rnnat_threads_default(&status);
    if (status == RNNAT_OK && threads > 1) status = rnnat_threads_check();
    if (status != RNNAT_OK) return status;
    rnnat_run_divide(model, RNNAT_INSPECT && args->trace ? 1 : rnnat_threads_sensible(threads),
                     job);
    rnnat_arena arena = rnnat_arena_at(NULL);
    carve(&arena, model, job);
    job->need = rnnat_arena_need(&arena);
    return arena.overflow ? RNNAT_ERROR_OVERFLOW : RNNAT_OK;
}

rnnat_status rnnat_check_indices(int32_t known, rnnat_view indices, int32_t time, int32_t batch,
                                 const int32_t *lengths)
{
    for (int32_t row = 0; row < batch; ++row) {
        int32_t end = lengths ? lengths[row] : time;
        if (end > time) end = time; /* it was less when it was checked */
        for (int32_t step = 0; step < end; ++step) {
            int32_t index;
            memcpy(&index,
                   indices.base +
                       (step * indices.time + row * indices.row) * (ptrdiff_t)sizeof index,
                   sizeof index);
            if (index < 0 || index >= known) return RNNAT_ERROR_INDEX;
        }
    }
    return RNNAT_OK;
}

/* Where an input, and an output, of all rows is. */
static rnnat_view input_of(const rnnat_model *model, const rnnat_job *job, int32_t index)
{
    if (!job->inputs) return job->in;
    const rnnat_value *const value = &model->values[index];
    rnnat_view view = rnnat_dense(RNNAT_WRITABLE(job->inputs[index]), job->batch, value->features);
    if (RNNAT_IS_STATIC(value)) view.time = 0;
    return view;
}
static rnnat_view output_of_run(const rnnat_model *model, const rnnat_job *job, int32_t index)
{
    if (!job->outputs) return job->out;
    const rnnat_value *const value = &model->values[model->outputs[index]];
    rnnat_view view = rnnat_dense(job->outputs[index], job->batch, value->features);
    if (!value->has_time) view.time = 0;
    return view;
}

/* The same from row `first` on; elements of `elem` bytes. Without steps there may be no array. */
static rnnat_view from_row(rnnat_view view, int32_t first, ptrdiff_t elem)
{
    if (view.base) view.base += first * view.row * elem;
    return view;
}

rnnat_status rnnat_run_check(const rnnat_model *model, const rnnat_job *job)
{
    for (int32_t row = 0; job->lengths && row < job->batch; ++row)
        if (job->lengths[row] < 0 || job->lengths[row] > job->time) return RNNAT_ERROR_LENGTH;
    for (int32_t i = 0; i < model->info.num_states; ++i) {
        if (job->state_in && !job->state_in[i] && job->batch) return RNNAT_ERROR_ARGUMENT;
        if (job->state_out && !job->state_out[i] && job->batch) return RNNAT_ERROR_ARGUMENT;
    }
    if (RNNAT_HAS_WINDOWS(model) && job->state_in && job->batch &&
        !rnnat_take_phases(model, job->state_in, job->batch, NULL))
        return RNNAT_ERROR_LENGTH;
    return RNNAT_OK;
}

static rnnat_status check(const rnnat_model *model, const rnnat_job *job)
{
    rnnat_status status = rnnat_run_check(model, job);
    for (int32_t i = 0; status == RNNAT_OK && i < model->info.num_inputs; ++i) {
        const int32_t known = model->values[i].known;
        const bool is_static = RNNAT_IS_STATIC(&model->values[i]);
        if (known)
            status = rnnat_check_indices(known, input_of(model, job, i), is_static ? 1 : job->time,
                                         job->batch, is_static ? NULL : job->lengths);
    }
    return status;
}

/* Takes the lengths as they now are. They were in 0..time; whoever has changed them since gets other
 * results, but threads that wait for each other after each step go on seeing the same. */
static void take_lengths(const workspaces_work *w)
{
    const rnnat_job *const job = w->job;
    for (int32_t row = 0; job->lengths && row < job->batch; ++row) {
        const int32_t length = job->lengths[row];
        w->lengths[row] = length < 0 ? 0 : length > job->time ? job->time : length;
    }
}

/* Opens the stop points of a workspace; `asks`: the first of its threads began the run. */
static void open_stop_points(const rnnat_workspace *workspace, const rnnat_job *job, bool asks)
{
    for (size_t i = 0; workspace->stop_points && i < stop_points_of(job); ++i)
        workspace->stop_points[i] = (rnnat_stop_point){
            .stop = job->stop, .asks = asks && (i == 0 || i == rnnat_stop_point_of_stages)};
}

/* Runs one workspace, from its states in to its states out, as one member of its team. */
static void run_workspace(const workspaces_work *w, int32_t index, const rnnat_team *team,
                          bool asks)
{
    const rnnat_job *const job = w->job;
    const rnnat_model *const model = w->model;
    const rnnat_model_info *const info = &model->info;
    const int32_t rows = job->batch / job->workspaces, left = job->batch % job->workspaces;
    const int32_t first = index * rows + (index < left ? index : left);
    rnnat_workspace *const workspace = &w->workspaces[index];
    const bool leads = team->all.index == 0;
    const ptrdiff_t elem = model->kernels->elem;
    if (leads) {
        rnnat_workspace_set_rows(workspace, rows + (index < left));
        rnnat_workspace_reset(workspace);
        workspace->trace = job->trace;
        open_stop_points(workspace, job, asks);
        for (int32_t i = 0; job->state_in && i < info->num_states; ++i)
            rnnat_workspace_set_state(workspace, i, job->state_in[i], job->batch, first);
        if (RNNAT_HAS_WINDOWS(model))
            memcpy(workspace->phases, w->phases, (size_t)model->num_nodes * sizeof *w->phases);
        if (RNNAT_HAS_PACES(model) && job->lengths)
            rnnat_windows_take_lengths(workspace, w->lengths + first);
    }
    for (int32_t i = 0; leads && i < model->info.num_inputs; ++i)
        workspace->at[i] = from_row(input_of(model, job, i), first,
                                    model->values[i].known ? (ptrdiff_t)sizeof(int32_t) : elem);
    for (int32_t i = 0; leads && i < model->info.num_outputs; ++i)
        workspace->at[model->outputs[i]] = from_row(output_of_run(model, job, i), first, elem);
    rnnat_meet(&team->all);
    const int32_t *const lengths = job->lengths ? w->lengths + first : NULL;
    if (RNNAT_HAS_STATIC(model)) rnnat_run_static(workspace, &team->all, 1);
    if (RNNAT_THREADS && job->time && job->wavefront && team->all.count > 1)
        rnnat_wavefront_run(workspace, &team->all, job->time, lengths);
    else if (job->time)
        rnnat_run_steps(workspace, team, job->time, lengths);
    if (model->has_rows)
        rnnat_run_rows(workspace, &team->all, job->time ? rnnat_rows_begin(model) : 0,
                       model->num_nodes);
    if (RNNAT_HAS_WINDOWS(model) && job->state_out) {
        rnnat_meet(&team->all); /* which have all looked at the phases before */
        if (leads) rnnat_windows_move_phases(workspace, job->time, lengths);
    }
    for (int32_t i = 0; leads && job->state_out && i < info->num_states; ++i)
        rnnat_workspace_get_state(workspace, i, job->state_out[i], job->batch, first);
    if (leads) rnnat_stop_end(job->stop);
}

/* Whether a workspace is still to be run, and the caller is who does that. */
static bool begin_workspace(const workspaces_work *w, int32_t index)
{
#if RNNAT_THREADS
    return !atomic_exchange_explicit(&w->begun[index], true, memory_order_relaxed);
#else
    (void)w, (void)index;
    return true;
#endif
}

/* What thread `thread` of `count` does: it is a member of one workspace's team or, where there are no
 * teams, or fewer threads than planned, runs whole workspaces alone, its own first. Nobody else runs that of
 * the thread that began the run: it is there for certain, and asks whether to stop. */
static void run_thread(void *arg, int32_t thread, int32_t count)
{
    const workspaces_work *const w = arg;
    const int32_t workspaces = w->job->workspaces, team_size = w->job->team_size;
    const rnnat_float_mode mode = rnnat_float_enter();
    if (w->job->stop && thread == 0) w->job->stop->outside = mode;
    const bool blas = RNNAT_BLAS && w->model->info.matmul == RNNAT_MATMUL_BLAS;
    if (blas) rnnat_blas_enter();
    if (team_size > 1 && count >= workspaces * team_size) {
        const int32_t index = thread / team_size;
        const rnnat_team team =
            rnnat_team_of(thread % team_size, team_size, w->barriers + index * rnnat_team_barriers);
        if (index < workspaces) run_workspace(w, index, &team, thread == 0);
    } else {
        const rnnat_team alone = rnnat_team_of(0, 1, NULL);
        for (int32_t i = 0; i < workspaces; ++i) {
            const int32_t index = (thread + i) % workspaces;
            const bool is_left = index > 0 || thread == 0;
            if (is_left && begin_workspace(w, index)) run_workspace(w, index, &alone, thread == 0);
        }
    }
    if (thread == 0) rnnat_stop_wait(w->job->stop, workspaces);
    if (blas) rnnat_blas_leave();
    rnnat_float_leave(mode);
}

/* Divides the run anew, for one thread and in no more memory, where runs of several rest. With a BLAS, bits
 * may depend on how rows are divided. */
static void divide_for_rest(const rnnat_model *model, rnnat_job *job)
{
    const int32_t workspaces = job->workspaces, team_size = job->team_size;
    const bool wavefront = job->wavefront;
    if (workspaces * team_size == 1 || model->info.matmul == RNNAT_MATMUL_BLAS ||
        !rnnat_threads_rest())
        return;
    rnnat_run_divide(model, 1, job);
    rnnat_arena arena = rnnat_arena_at(NULL);
    carve(&arena, model, job);
    if (!arena.overflow && rnnat_arena_need(&arena) <= job->need) return;
    job->workspaces = workspaces;
    job->team_size = team_size;
    job->wavefront = wavefront;
}

rnnat_status rnnat_run_go(const rnnat_model *model, rnnat_job *job, void *scratch,
                          size_t scratch_size)
{
    const rnnat_status status = check(model, job);
    if (status != RNNAT_OK) return status;
    if (scratch_size < job->need || !scratch) return RNNAT_ERROR_TOO_SMALL;
    if (job->batch == 0) return RNNAT_OK;
    if (RNNAT_THREADS) divide_for_rest(model, job);
    rnnat_arena arena = rnnat_arena_at(scratch);
    workspaces_work w = carve(&arena, model, job);
    take_lengths(&w);
    if (RNNAT_HAS_WINDOWS(model) && !rnnat_take_phases(model, job->state_in, job->batch, w.phases))
        return RNNAT_ERROR_LENGTH; /* they were right when they were checked */
    rnnat_stop_begin(job->stop);
    const rnnat_terms terms = {.together = job->team_size > 1,
                               .work = job->work,
                               .barriers = w.barriers,
                               .num_barriers = job->workspaces * rnnat_team_barriers};
    rnnat_parallel(job->workspaces * job->team_size, &terms, run_thread, &w);
    return RNNAT_OK;
}
