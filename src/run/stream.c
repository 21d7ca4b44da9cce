/* Streams: carved, divided among threads, and run some steps at a time. */
#include "stream.h"

#include "../float_scope.h"
#include "../weights/blas.h"
#include "run.h"
#include "windows.h"

static const rnnat_member one_thread = {0, 1, NULL};

rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps)
{
    rnnat_workspace workspace;
    rnnat_stream *const stream = RNNAT_TAKE(arena, 1, rnnat_stream);
    rnnat_barrier *const barriers = rnnat_team_take_barriers(arena, 1);
    const rnnat_workspace_use use = {
        .rows = batch, .time = max_steps, .team_size = 1, .is_stream = true};
    rnnat_workspace_carve(arena, model, &use, &workspace);
    if (!stream || arena->overflow) return NULL;
    const rnnat_model_info *const info = &model->info;
    const bool blas = RNNAT_BLAS && info->matmul == RNNAT_MATMUL_BLAS;
    *stream =
        (rnnat_stream){.workspace = workspace,
                       .barriers = barriers,
                       .is_simple = !blas && !workspace.copies_last && !RNNAT_HAS_PACES(model),
                       .has_several = info->num_inputs > 1 || info->num_outputs > 1};
    for (int32_t i = 0; i < info->num_inputs; ++i) {
        workspace.at[i] = rnnat_dense(NULL, batch, model->values[i].features);
        if (RNNAT_IS_STATIC(&model->values[i])) workspace.at[i].time = 0;
    }
    for (int32_t i = 0; i < info->num_outputs; ++i) {
        const int32_t value = model->outputs[i];
        workspace.at[value] = rnnat_dense(NULL, batch, model->values[value].features);
    }
    rnnat_stream_divide(stream, 1);
    for (int32_t i = 0; i < model->num_nodes; ++i)
        rnnat_task_prepare(&stream->workspace, &one_thread, i, 0, 0, &stream->workspace.tasks[i]);
    rnnat_workspace_reset(&stream->workspace);
    return stream;
}

void rnnat_stream_divide(rnnat_stream *stream, int32_t threads)
{
    const rnnat_workspace *const workspace = &stream->workspace;
    stream->team_size = rnnat_run_team(workspace->model, workspace->rows, threads, &stream->work);
}

/* Steps that the threads of a stream's team run together. */
typedef struct stream_steps {
    rnnat_stream *stream;
    int32_t steps;
} stream_steps;

void rnnat_stream_run_member(rnnat_stream *stream, int32_t index, int32_t count, int32_t steps)
{
    if (steps == 1 && count == 1 && stream->is_simple) {
        rnnat_run_step(&stream->workspace);
        return;
    }
    const rnnat_team team = rnnat_team_of(index, count, stream->barriers);
    if (RNNAT_HAS_STATIC(stream->workspace.model))
        rnnat_run_static(&stream->workspace, &team.all, steps);
    rnnat_run_steps(&stream->workspace, &team, steps, NULL);
}

void rnnat_stream_move_windows(const rnnat_stream *stream, int32_t steps)
{
    if (RNNAT_HAS_WINDOWS(stream->workspace.model))
        rnnat_windows_move_phases(&stream->workspace, steps, NULL);
}

/* Runs them as one of `count` threads; where they are fewer than the team, its first member alone. */
static void run_stream_steps(void *arg, int32_t index, int32_t count)
{
    const stream_steps *const s = arg;
    const int32_t team_size = count >= s->stream->team_size ? s->stream->team_size : 1;
    if (index >= team_size) return;
    const rnnat_float_mode mode = rnnat_float_enter();
    rnnat_stream_run_member(s->stream, index, team_size, s->steps);
    rnnat_float_leave(mode);
}

/* What is open already. */
static void go(rnnat_stream *stream, int32_t steps)
{
    const bool blas = RNNAT_BLAS && stream->workspace.model->info.matmul == RNNAT_MATMUL_BLAS;
    stream_steps all = {.stream = stream, .steps = steps};
    if (blas) rnnat_blas_enter();
    if (!RNNAT_THREADS || stream->team_size == 1 ||
        (steps == 1 && stream->is_simple && rnnat_threads_rest())) {
        run_stream_steps(&all, 0, 1);
    } else {
        const rnnat_terms terms = {.together = true,
                                   .work = stream->work * steps,
                                   .barriers = stream->barriers,
                                   .num_barriers = rnnat_team_barriers};
        rnnat_parallel(stream->team_size, &terms, run_stream_steps, &all);
    }
    if (blas) rnnat_blas_leave();
    rnnat_stream_move_windows(stream, steps);
}

void rnnat_stream_go(rnnat_stream *stream, const void *x, int32_t steps, void *y)
{
    const rnnat_workspace *const workspace = &stream->workspace;
    workspace->at[0].base = RNNAT_WRITABLE(x);
    workspace->at[workspace->model->outputs[0]].base = y;
    go(stream, steps);
}

void rnnat_stream_go_values(rnnat_stream *stream, const void *const *inputs, int32_t steps,
                            void *const *outputs)
{
    const rnnat_workspace *const workspace = &stream->workspace;
    const rnnat_model_info *const info = &workspace->model->info;
    for (int32_t i = 0; i < info->num_inputs; ++i)
        workspace->at[i].base = RNNAT_WRITABLE(inputs[i]);
    for (int32_t i = 0; i < info->num_outputs; ++i)
        workspace->at[workspace->model->outputs[i]].base = outputs[i];
    go(stream, steps);
}
