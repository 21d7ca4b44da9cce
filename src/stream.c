#include "stream.h"

rnnat_stream *rnnat_stream_carve(rnnat_arena *arena, const rnnat_model *model, int32_t batch,
                                 int32_t max_steps)
{
    rnnat_lane lane;
    rnnat_stream *const stream = rnnat_arena_take(arena, 1, sizeof *stream);
    rnnat_once *const once = rnnat_arena_take(arena, (size_t)model->num_ops, sizeof *once);
    rnnat_lane_carve(arena, model, batch, max_steps, 1, false, &lane);
    if (!stream || arena->overflow) return NULL;
    *stream = (rnnat_stream){.lane = lane};
    rnnat_lane_reset(&stream->lane);
    if (model->info.matmul != RNNAT_MATMUL_BLAS) {
        stream->once = once;
        rnnat_once_prepare(&stream->lane, once);
    }
    return stream;
}
