/* Where the windows of a workspace's nodes begin, from call to call and from chunk to chunk. */
#include "windows.h"

#if RNNAT_WITH_WINDOWS
static rnnat_phases phases_of(const rnnat_workspace *workspace)
{
    return (rnnat_phases){workspace->phases, NULL};
}

bool rnnat_windows_set_phase(const rnnat_workspace *workspace, int32_t index, const void *phases)
{
    const rnnat_model *const model = workspace->model;
    int32_t *const own = &workspace->phases[index];
    if (!rnnat_take_phase(model, index, phases, workspace->rows, own)) return false;
    for (int32_t row = 0; row < workspace->rows; ++row)
        rnnat_history_set_phase(model, &workspace->histories[index], row, *own);
    return true;
}

void rnnat_windows_move_phases(const rnnat_workspace *workspace, int64_t steps,
                               const int32_t *lengths)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t i = model->num_nodes - 1; i >= 0; --i) { /* earlier phases count for later nodes */
        const rnnat_node *const node = &model->nodes[i];
        if (!rnnat_window_states(&node->window)) continue;
        const int32_t phase = workspace->phases[i], input = node->inputs[0];
        for (int32_t row = 0; row < workspace->rows; ++row) {
            const int64_t own = lengths ? lengths[row] : steps;
            const int64_t read = rnnat_steps_of(model, phases_of(workspace), input, own);
            const int32_t moved = rnnat_window_phase(&node->window, phase, read);
            rnnat_history_set_phase(model, &workspace->histories[i], row, moved);
        }
        const int64_t read = rnnat_steps_of(model, phases_of(workspace), input, steps);
        workspace->phases[i] = rnnat_window_phase(&node->window, phase, read);
    }
}

void rnnat_windows_take_lengths(const rnnat_workspace *workspace, const int32_t *lengths)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const int32_t value = model->nodes[i].output;
        int32_t *const own = workspace->lengths + (ptrdiff_t)i * workspace->rows;
        for (int32_t row = 0; model->values[value].paced_by == i && row < workspace->rows; ++row)
            own[row] = rnnat_windows_steps(workspace, value, lengths[row]);
    }
}

const int32_t *rnnat_windows_lengths(const rnnat_workspace *workspace, int32_t value,
                                     const int32_t *lengths)
{
    const int32_t paced_by = workspace->model->values[value].paced_by;
    if (!lengths || paced_by < 0) return lengths;
    return workspace->lengths + (ptrdiff_t)paced_by * workspace->rows;
}

int32_t rnnat_windows_steps(const rnnat_workspace *workspace, int32_t value, int32_t steps)
{
    return (int32_t)rnnat_steps_of(workspace->model, phases_of(workspace), value, steps);
}

void rnnat_windows_open(const rnnat_workspace *workspace, const rnnat_node *node,
                        rnnat_chunk *chunk)
{
    const rnnat_window *const window = &node->window;
    chunk->start = (int64_t)chunk->first_made * window->stride -
                   (int64_t)chunk->first * window->repeat - workspace->phases[chunk->node];
    chunk->width = workspace->model->values[node->inputs[0]].features;
    chunk->history = rnnat_window_states(window) ? workspace->histories[chunk->node].steps : NULL;
}
#endif
