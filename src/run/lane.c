/* The memory of a lane, and the recurrent state in it. */
#include "lane.h"

#include <string.h>

/* Rows to project at once: enough of them that the input's weights pass through the cache seldom,
 * and few enough that the projection stays there until its steps are taken. */
enum { chunk_rows = 96 };

/* Steps to run at once, of at most `time`. */
static int32_t steps_of(int32_t rows, int32_t time)
{
    const int32_t steps = rows <= 0 || rows >= chunk_rows ? 1 : (chunk_rows + rows - 1) / rows;
    const int32_t most = time > 0 ? time : 1;
    return steps < most ? steps : most;
}

/* In a wavefront of `team` stages nobody works for the first and the last team - 1 chunks: there
 * are some more chunks, but no shorter ones than a projection is worth. */
static int32_t shorter_chunk(int32_t chunk, int32_t time, int32_t team)
{
    enum { rounds = 6, least = 4 };
    const int32_t steps = time / (rounds * team);
    return steps >= chunk ? chunk : steps > least ? steps : least;
}

/* True where a team can run the two passes of some node side by side. */
static bool has_two_passes(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->num_nodes; ++i)
        if (model->nodes[i].num_passes == 2) return true;
    return false;
}

/* As much scratch as any node needs. */
static char *take_lane_scratch(rnnat_arena *arena, const rnnat_lane *lane)
{
    const rnnat_model *const model = lane->model;
    size_t most = 0;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        rnnat_arena need = rnnat_arena_at(NULL);
        if (node->layer->scratch)
            node->layer->scratch(node, model->kernels, lane->rows, lane->chunk, &need);
        if (need.overflow) arena->overflow = true;
        if (need.used > most) most = need.used;
    }
    return rnnat_arena_take(arena, most, 1);
}

/* Buffers of that home, and in `at` the values in them. */
static void take_buffers(rnnat_arena *arena, const rnnat_lane *lane, rnnat_home home, size_t steps,
                         rnnat_view *at)
{
    const rnnat_model *const model = lane->model;
    for (int32_t b = 0; b < model->num_buffers; ++b) {
        const rnnat_buffer *const buffer = &model->buffers[b];
        if (buffer->home != home) continue;
        const size_t width = (size_t)buffer->features * (size_t)model->kernels->elem;
        char *const memory = rnnat_arena_take_table(arena, steps, (size_t)lane->rows, width);
        for (int32_t v = 0; at && v < model->num_values; ++v) {
            const rnnat_value *const value = &model->values[v];
            if (value->home != home || value->buffer != b) continue;
            at[v] = rnnat_dense(memory, lane->rows, value->features);
            if (!value->has_time && !lane->is_stream) at[v].time = 0;
        }
    }
}

static rnnat_view *take_views(rnnat_arena *arena, const rnnat_model *model)
{
    const size_t count = (size_t)model->num_values;
    rnnat_view *const at = RNNAT_TAKE(arena, count, rnnat_view);
    if (at) memset(at, 0, count * sizeof *at);
    return at;
}

static void take_stages(rnnat_arena *arena, int32_t count, rnnat_lane *lane)
{
    const rnnat_model *const model = lane->model;
    int32_t widest = 0;
    for (int32_t v = 0; v < model->num_values; ++v)
        if (model->values[v].features > widest) widest = model->values[v].features;
    const size_t width = (size_t)widest * (size_t)model->kernels->elem;
    const size_t rows = (size_t)lane->chunk * (size_t)lane->rows;
    lane->stages = RNNAT_TAKE(arena, (size_t)count, rnnat_stage);
    for (int32_t i = 0; i < count; ++i) {
        rnnat_stage stage = {.at = take_views(arena, model),
                             .scratch = take_lane_scratch(arena, lane)};
        take_buffers(arena, lane, RNNAT_HOME_CHUNK, (size_t)lane->chunk, stage.at);
        for (int b = 0; b < 2; ++b) stage.out[b] = rnnat_arena_take(arena, rows, width);
        if (lane->stages) lane->stages[i] = stage;
    }
}

void rnnat_lane_carve(rnnat_arena *arena, const rnnat_model *model, const rnnat_lane_use *use,
                      rnnat_lane *lane)
{
    const size_t nodes = (size_t)model->num_nodes;
    *lane = (rnnat_lane){.model = model,
                         .rows = use->rows,
                         .chunk = steps_of(use->rows, use->time),
                         .is_stream = use->is_stream};
    if (use->wavefront) lane->chunk = shorter_chunk(lane->chunk, use->time, use->team);
    lane->at = take_views(arena, model);
    lane->memory = RNNAT_TAKE(arena, nodes, rnnat_pointer);
    if (use->is_stream) lane->tasks = RNNAT_TAKE(arena, nodes, rnnat_task);
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        void *memory = NULL;
        if (node->layer->carve) memory = node->layer->carve(node, model->kernels, use->rows, arena);
        if (lane->memory) lane->memory[i] = memory;
    }
    for (int i = 0; i < (use->team > 1 && has_two_passes(model) ? 2 : 1); ++i)
        lane->scratch[i] = take_lane_scratch(arena, lane);
    take_buffers(arena, lane, RNNAT_HOME_CHUNK, (size_t)lane->chunk, lane->at);
    take_buffers(arena, lane, RNNAT_HOME_WHOLE, (size_t)use->time, lane->at);
    take_buffers(arena, lane, RNNAT_HOME_ROWS, use->is_stream ? (size_t)lane->chunk : 1, lane->at);
    if (use->wavefront) take_stages(arena, use->team, lane);
}

void rnnat_lane_set_rows(rnnat_lane *lane, int32_t rows)
{
    const rnnat_model *const model = lane->model;
    if (rows == lane->rows) return;
    lane->rows = rows;
    for (int32_t v = 0; v < model->num_values; ++v)
        if (lane->at[v].time) lane->at[v].time = rows * lane->at[v].row;
}

void rnnat_lane_reset(rnnat_lane *lane)
{
    const rnnat_model *const model = lane->model;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        if (node->layer->reset)
            node->layer->reset(node, model->kernels, lane->rows, lane->memory[i]);
    }
}

/* Copies between the dense array and the lane's padded rows, in the direction asked for. */
static void copy_state(const rnnat_lane *lane, int32_t index, char *values, int32_t batch,
                       int32_t first_row, bool into_lane)
{
    const rnnat_model *const model = lane->model;
    const size_t elem = (size_t)model->kernels->elem;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        const int32_t own = index - node->first_state;
        if (own < 0 || own >= node->num_states) continue;
        for (int32_t p = 0; p < node->num_passes; ++p) {
            const rnnat_state_rows rows =
                node->layer->state(node, model->kernels, lane->memory[i], own, p);
            const size_t first = (size_t)(node->first_row + p) * (size_t)batch + (size_t)first_row;
            const size_t bytes = (size_t)rows.features * elem, stride = (size_t)rows.stride * elem;
            for (size_t r = 0; r < (size_t)lane->rows; ++r) {
                char *const dense = values + (first + r) * bytes;
                if (into_lane)
                    memcpy(rows.base + r * stride, dense, bytes);
                else
                    memcpy(dense, rows.base + r * stride, bytes);
            }
        }
    }
}

void rnnat_lane_set_state(rnnat_lane *lane, int32_t index, const void *values, int32_t batch,
                          int32_t first_row)
{
    copy_state(lane, index, RNNAT_WRITABLE(values), batch, first_row, true);
}

void rnnat_lane_get_state(const rnnat_lane *lane, int32_t index, void *values, int32_t batch,
                          int32_t first_row)
{
    copy_state(lane, index, values, batch, first_row, false);
}

void rnnat_lane_take_last(const rnnat_lane *lane)
{
    const rnnat_model *const model = lane->model;
    const ptrdiff_t elem = model->kernels->elem;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        if (node->last < 0 || model->values[node->last].home == RNNAT_HOME_NOWHERE) continue;
        const rnnat_view to = lane->at[node->last];
        for (int32_t p = 0; p < node->num_passes; ++p) {
            const rnnat_state_rows h =
                node->layer->state(node, model->kernels, lane->memory[i], 0, p);
            for (int32_t row = 0; row < lane->rows; ++row)
                memcpy(to.base + (row * to.row + (ptrdiff_t)p * h.features) * elem,
                       h.base + row * h.stride * elem, (size_t)(h.features * elem));
        }
    }
}
