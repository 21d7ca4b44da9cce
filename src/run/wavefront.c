/* Stacked layers as a wavefront: each thread of a team runs some nodes of the chain, one stage,
 * and while it is at a chunk of time, the stage before it is at the next one. They wait for each other
 * after each chunk, not after each step, so that this is worth it for layers too small to be divided.
 */
#include "wavefront.h"

#if RNNAT_THREADS

/* Multiplications of a row and step in nodes begin .. end - 1. */
static double work_of(const rnnat_model *model, int32_t begin, int32_t end)
{
    double work = 0;
    for (int32_t i = begin; i < end; ++i) work += model->nodes[i].work;
    return work;
}

/* The stage of node `index`: stages have the same work, and the node's middle lies in this one. */
static int32_t stage_of(const rnnat_model *model, int32_t index, int32_t stages)
{
    const double all = work_of(model, 0, model->over_time);
    const double middle = work_of(model, 0, index) + model->nodes[index].work / 2;
    const int32_t stage = all > 0 ? (int32_t)(middle / all * stages) : 0;
    return stage < stages ? stage : stages - 1;
}

/* The first node of a stage, or of a later one. */
static int32_t first_of(const rnnat_model *model, int32_t stage, int32_t stages)
{
    int32_t i = 0;
    while (i < model->over_time && stage_of(model, i, stages) < stage) ++i;
    return i;
}

int32_t rnnat_wavefront_stages(const rnnat_model *model, int32_t most)
{
    const double all = work_of(model, 0, model->over_time);
    const double uneven = 1.5; /* times the mean: what one stage may have, for all wait for it */
    if (!model->info.streamable || !model->is_chain || RNNAT_HAS_WINDOWS(model)) return 1;
    for (int32_t stages = most < model->over_time ? most : model->over_time; stages > 1; --stages) {
        bool even = true;
        for (int32_t s = 0; s < stages; ++s) {
            const double work =
                work_of(model, first_of(model, s, stages), first_of(model, s + 1, stages));
            even = even && work > 0 && work * stages <= uneven * all;
        }
        if (even) return stages;
    }
    return 1;
}

void rnnat_wavefront_run(const rnnat_workspace *workspace, const rnnat_member *member, int32_t time,
                         const int32_t *lengths)
{
    static const rnnat_member alone = {0, 1, NULL};
    const rnnat_model *const model = workspace->model;
    const int32_t stage = member->index, last = member->count - 1;
    const int32_t begin = first_of(model, stage, member->count);
    const int32_t end = first_of(model, stage + 1, member->count);
    const int32_t chunks = time / workspace->chunk + (time % workspace->chunk != 0);
    rnnat_workspace own = *workspace;
    own.scratch[0] = workspace->stages[stage].scratch;
    own.at = workspace->stages[stage].at;
    rnnat_workspace_open(&own, workspace->at[0], workspace->at[model->outputs[0]]);
    if (RNNAT_STOP && workspace->stop_points)
        own.stop_points = workspace->stop_points + rnnat_stop_point_of_stages + stage;
    bool goes_on = true;
    for (int64_t tick = 0; tick < (int64_t)chunks + last; ++tick) {
        const int64_t chunk = tick - stage;
        if (goes_on && chunk >= 0 && chunk < chunks) {
            /* It reads what the stage before it has written, and writes what the next one will read. */
            for (int32_t from = stage > 0 ? stage - 1 : 0; from <= stage && from < last; ++from) {
                const int32_t value = model->nodes[(from < stage ? begin : end) - 1].output;
                own.at[value].base = workspace->stages[from].out[chunk % 2];
            }
            goes_on = rnnat_run_chunk(&own, &alone, begin, end, (int32_t)chunk * workspace->chunk,
                                      time, lengths);
        }
        if (rnnat_meet_or_stop(workspace->stop_points, member, (uint32_t)tick + 1, RNNAT_STOP_ROW))
            return;
    }
}
#endif
