/* The steps that windows reach back to: kept, moved on, and shown as state. */
#include "history.h"

#include <math.h>
#include <string.h>

#if RNNAT_WITH_WINDOWS
/* Bytes of one step and row of what a node reads. */
static size_t width_of(const rnnat_model *model, int32_t index)
{
    const int32_t input = model->nodes[index].inputs[0];
    return (size_t)model->values[input].features * (size_t)model->kernels->elem;
}

void rnnat_history_carve(rnnat_arena *arena, const rnnat_model *model, int32_t index, int32_t rows,
                         rnnat_history *history)
{
    const size_t kept = (size_t)rnnat_window_kept(&model->nodes[index].window);
    const size_t elem = (size_t)model->kernels->elem;
    history->steps = rnnat_arena_take_table(arena, kept, (size_t)rows, width_of(model, index));
    history->phases = rnnat_arena_take(arena, (size_t)rows, elem);
}

void rnnat_history_set_phase(const rnnat_model *model, const rnnat_history *history, int32_t row,
                             int32_t phase)
{
    if (rnnat_is_float(model->kernels))
        ((float *)(void *)history->phases)[row] = (float)phase;
    else
        ((double *)(void *)history->phases)[row] = phase;
}

void rnnat_history_reset(const rnnat_model *model, int32_t index, int32_t rows,
                         const rnnat_history *history)
{
    const rnnat_window *const window = &model->nodes[index].window;
    const size_t width = width_of(model, index), elem = (size_t)model->kernels->elem;
    const size_t bytes = (size_t)rnnat_window_kept(window) * (size_t)rows * width;
    const float low = -INFINITY;
    const double low_f64 = -(double)INFINITY;
    const void *const lowest =
        rnnat_is_float(model->kernels) ? (const void *)&low : (const void *)&low_f64;
    memset(history->steps, 0, bytes);
    for (size_t at = 0; window->lowest && at < bytes; at += elem)
        memcpy(history->steps + at, lowest, elem);
    for (int32_t row = 0; row < rows; ++row)
        rnnat_history_set_phase(model, history, row, window->before);
}

rnnat_state_rows rnnat_history_state(const rnnat_model *model, int32_t index,
                                     const rnnat_history *history, int32_t batch, int32_t array,
                                     int32_t row)
{
    const rnnat_node *const node = &model->nodes[index];
    const int32_t kept = rnnat_window_kept(&node->window);
    if (array > 0 || kept == 0)
        return (rnnat_state_rows){.base = history->phases, .stride = 1, .features = 1, .rows = 1};
    const int32_t features = model->values[node->inputs[0]].features;
    const size_t before = (size_t)row * (size_t)batch * width_of(model, index);
    return (rnnat_state_rows){
        .base = history->steps + before, .stride = features, .features = features, .rows = kept};
}

void rnnat_history_move(const rnnat_task *task, const rnnat_chunk *chunk,
                        const rnnat_history *history)
{
    const rnnat_node *const node = task->node;
    const int32_t kept = rnnat_window_kept(&node->window), rows = task->rows;
    const size_t width = (size_t)chunk->width * (size_t)task->kernels->elem;
    for (int32_t row = 0; kept && row < rows; ++row) {
        int32_t taken = chunk->steps;
        if (chunk->lengths && chunk->lengths[row] - chunk->first < taken)
            taken = chunk->lengths[row] - chunk->first;
        for (int32_t k = 0; k < kept && taken > 0; ++k) {
            const int32_t step = taken - kept + k; /* of this chunk, if not before it */
            char *const to = history->steps + ((size_t)k * (size_t)rows + (size_t)row) * width;
            if (step >= 0)
                memcpy(to, rnnat_view_at(task->kernels, *chunk->in[0], step, row), width);
            else
                memcpy(to, to + (size_t)taken * (size_t)rows * width, width);
        }
    }
}

bool rnnat_take_phase(const rnnat_model *model, int32_t index, const void *phases, int32_t batch,
                      int32_t *phase)
{
    const rnnat_window *const window = &model->nodes[index].window;
    const int32_t most = window->before >= window->extent ? window->before : window->extent - 1;
    const int32_t least = window->extent - window->stride;
    const int32_t from = least < window->before ? least : window->before;
    const bool is_float = rnnat_is_float(model->kernels);
    double first = 0;
    for (int32_t row = 0; row < batch; ++row) {
        const double own =
            is_float ? (double)((const float *)phases)[row] : ((const double *)phases)[row];
        if (row == 0) first = own;
        if (!(own >= from && own <= most)) return false;
        if (own != (double)(int32_t)own || own != first) return false;
    }
    *phase = (int32_t)first;
    return true;
}

bool rnnat_take_phases(const rnnat_model *model, const void *const *states, int32_t batch,
                       int32_t *phases)
{
    for (int32_t n = 0; n < model->num_nodes; ++n) {
        const rnnat_node *const node = &model->nodes[n];
        const int32_t array = node->window.extent ? rnnat_phase_array(node) : -1;
        int32_t phase = node->window.before;
        if (states && array >= 0 && !rnnat_take_phase(model, n, states[array], batch, &phase))
            return false;
        if (phases) phases[n] = phase;
    }
    const rnnat_phases own = {phases, phases ? NULL : states};
    return rnnat_phases_agree(model, own);
}
#endif
