/* Stacked layers as a wavefront: each thread of a team runs some operations of the chain, one stage,
 * and while it is at a chunk of time, the stage before it is at the next one. They meet after each
 * chunk, not after each step, so that this is worth it for layers too small to be divided.
 */
#include "wavefront.h"

#if RNNAT_THREADS

/* The stage of operation `index`: as much work before its middle as that stage's share. */
static int32_t stage_of(const rnnat_model *model, int32_t index, int32_t stages)
{
    const double all = rnnat_ops_work(model, 0, model->over_time);
    const double middle = rnnat_ops_work(model, 0, index) + rnnat_op_work(&model->ops[index]) / 2;
    const int32_t stage = all > 0 ? (int32_t)(middle / all * stages) : 0;
    return stage < stages ? stage : stages - 1;
}

/* The first operation of a stage, or of a later one. */
static int32_t first_of(const rnnat_model *model, int32_t stage, int32_t stages)
{
    int32_t i = 0;
    while (i < model->over_time && stage_of(model, i, stages) < stage) ++i;
    return i;
}

int32_t rnnat_wavefront_stages(const rnnat_model *model, int32_t most)
{
    const double all = rnnat_ops_work(model, 0, model->over_time);
    const double uneven = 1.5; /* times the mean: what one stage may have, for all wait for it */
    if (!model->info.streamable || model->max_skip) return 1;
    for (int32_t stages = most < model->over_time ? most : model->over_time; stages > 1; --stages) {
        bool even = true;
        for (int32_t s = 0; s < stages; ++s) {
            const double work =
                rnnat_ops_work(model, first_of(model, s, stages), first_of(model, s + 1, stages));
            even = even && work > 0 && work * stages <= uneven * all;
        }
        if (even) return stages;
    }
    return 1;
}

void rnnat_wavefront_run(const rnnat_lane *lane, const rnnat_part *part, rnnat_view x, rnnat_view y,
                         int32_t time, const int32_t *lengths)
{
    static const rnnat_part alone = {0, 1, NULL};
    const rnnat_model *const model = lane->model;
    const int32_t stage = part->index, last = part->count - 1;
    const int32_t begin = first_of(model, stage, part->count);
    const int32_t end = first_of(model, stage + 1, part->count);
    const int32_t chunks = time / lane->chunk + (time % lane->chunk != 0);
    const ptrdiff_t elem = model->kernels->elem;
    const ptrdiff_t x_elem = model->info.takes_indices ? (ptrdiff_t)sizeof(int32_t) : elem;
    rnnat_lane own = *lane;
    own.work[0] = lane->stages[stage].work;
    own.between[0] = lane->stages[stage].between[0];
    own.between[1] = lane->stages[stage].between[1];
    if (RNNAT_STOP && lane->exits) own.exits = lane->exits + rnnat_exit_of_stages + stage;
    bool goes_on = true;
    for (int64_t tick = 0; tick < (int64_t)chunks + last; ++tick) {
        const int64_t chunk = tick - stage;
        if (goes_on && chunk >= 0 && chunk < chunks) {
            const int32_t first = (int32_t)chunk * lane->chunk;
            rnnat_view in = rnnat_later(x, first, x_elem), out = rnnat_later(y, first, elem);
            if (stage > 0)
                in = rnnat_dense(lane, lane->stages[stage - 1].out[chunk % 2],
                                 model->ops[begin - 1].output);
            if (stage < last)
                out = rnnat_dense(lane, lane->stages[stage].out[chunk % 2],
                                  model->ops[end - 1].output);
            goes_on = rnnat_forward_chunk(&own, &alone, begin, end, first, time, in, out, lengths);
        }
        if (rnnat_meet_or_leave(lane->exits, part, (uint32_t)tick + 1, RNNAT_STOP_ROW)) return;
    }
}
#endif
