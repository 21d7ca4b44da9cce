#include "stream.h"

#include "float_scope.h"
#include "gemm/blas.h"
#include "run.h"

rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps)
{
    rnnat_lane lane;
    rnnat_stream *const stream = rnnat_arena_take(arena, 1, sizeof *stream);
    rnnat_once *const once = rnnat_arena_take(arena, (size_t)model->num_ops, sizeof *once);
    rnnat_barrier *const barriers = rnnat_crew_take_barriers(arena, 1);
    rnnat_lane_carve(arena, model, batch, max_steps, 1, false, &lane);
    if (!stream || arena->overflow) return NULL;
    *stream = (rnnat_stream){.lane = lane, .barriers = barriers, .team = 1};
    rnnat_lane_reset(&stream->lane);
    if (model->info.matmul != RNNAT_MATMUL_BLAS) {
        stream->once = once;
        rnnat_once_prepare(&stream->lane, once);
    }
    return stream;
}

void rnnat_stream_divide(rnnat_stream *stream, int32_t threads)
{
    stream->team = rnnat_run_team(stream->lane.model, stream->lane.rows, threads);
}

/* What the threads of a stream's team do together. */
typedef struct share {
    rnnat_stream *stream;
    rnnat_view in, out;
    int32_t steps;
} share;

static void run_share(void *arg, int32_t thread, int32_t granted)
{
    const share *const s = arg;
    rnnat_stream *const stream = s->stream;
    const bool whole = granted >= stream->team;
    if (thread >= (whole ? stream->team : 1)) return;
    const rnnat_float_mode mode = rnnat_float_enter();
    const rnnat_crew crew = rnnat_crew_of(thread, whole ? stream->team : 1, stream->barriers);
    rnnat_forward(&stream->lane, &crew, stream->lane.model->num_ops, s->in, s->out, s->steps, NULL);
    rnnat_float_leave(mode);
}

void rnnat_stream_go(rnnat_stream *stream, const void *x, int32_t steps, void *y)
{
    rnnat_lane *const lane = &stream->lane;
    const rnnat_model_info *const info = &lane->model->info;
    if (steps == 1 && stream->team == 1 && stream->once && !info->takes_indices) {
        const rnnat_float_mode mode = rnnat_float_enter();
        rnnat_forward_once(lane, stream->once, x, y);
        rnnat_float_leave(mode);
        return;
    }
    const ptrdiff_t in_width = info->takes_indices ? 1 : info->input_size;
    share all = {.stream = stream,
                 .in = {RNNAT_WRITABLE(x), lane->rows * in_width, in_width},
                 .out = {y, (ptrdiff_t)lane->rows * info->output_size, info->output_size},
                 .steps = steps};
    const bool blas = RNNAT_BLAS && info->matmul == RNNAT_MATMUL_BLAS;
    if (blas) rnnat_blas_enter();
    rnnat_parallel(stream->team, run_share, &all);
    if (blas) rnnat_blas_leave();
}
