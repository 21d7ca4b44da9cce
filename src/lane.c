#include "lane.h"

#include <string.h>

/* Rows to project at once: enough of them that the input's weights pass through the cache seldom,
 * and few enough that the projection stays there until its steps are taken. */
enum { chunk_rows = 96 };

int32_t rnnat_lane_chunk(int32_t rows, int32_t time)
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

/* True where some operation after the first must wait for the whole output of the one before. */
static bool needs_whole(const rnnat_model *model)
{
    for (int32_t i = 1; i < model->over_time; ++i)
        if (!rnnat_op_is_causal(&model->ops[i]) || !rnnat_op_is_causal(&model->ops[i - 1]))
            return true;
    return false;
}

/* True where a team can run the two directions of some operation side by side. */
static bool has_bidirectional(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->num_ops; ++i)
        if (model->ops[i].num_directions == 2) return true;
    return false;
}

static rnnat_workspace take_workspace(rnnat_arena *arena, const rnnat_model *model, size_t steps,
                                      size_t rows)
{
    const size_t elem = (size_t)model->kernels->elem, hidden = (size_t)model->max_hidden;
    rnnat_workspace work;
    work.gx = rnnat_arena_take(arena, steps * rows, (size_t)model->max_gates * elem);
    work.gh = rnnat_arena_take(arena, rows, (size_t)model->max_products * elem);
    work.part[0] = rnnat_arena_take(arena, rows, hidden * elem);
    work.part[1] = rnnat_arena_take(arena, rows, hidden * elem);
    return work;
}

static void take_between(rnnat_arena *arena, const rnnat_model *model, size_t steps, size_t rows,
                         char *between[2])
{
    const size_t width = (size_t)model->max_width * (size_t)model->kernels->elem;
    for (int i = 0; i < 2; ++i)
        between[i] = model->num_ops > 1 + i ? rnnat_arena_take(arena, steps * rows, width) : NULL;
}

void rnnat_lane_carve(rnnat_arena *arena, const rnnat_model *model, int32_t rows, int32_t time,
                      int32_t team, bool wavefront, rnnat_lane *lane)
{
    const rnnat_kernels *const kernels = model->kernels;
    const size_t n = (size_t)rows, elem = (size_t)kernels->elem;
    const size_t width = (size_t)model->max_width;
    *lane = (rnnat_lane){.model = model, .rows = rows, .chunk = rnnat_lane_chunk(rows, time)};
    if (wavefront) lane->chunk = shorter_chunk(lane->chunk, time, team);
    const size_t steps = (size_t)lane->chunk;
    lane->cells = rnnat_arena_take(arena, (size_t)model->num_cells, sizeof *lane->cells);
    for (int32_t i = 0; i < model->num_ops; ++i) {
        const rnnat_op *const op = &model->ops[i];
        for (int32_t d = 0; d < op->num_directions; ++d) {
            rnnat_cell_state cell = {.now = 0};
            for (int32_t s = 0; s < op->ops->num_states; ++s) {
                const size_t pad = (size_t)rnnat_pad(kernels, rnnat_op_features(op, s));
                cell.array[s][0] = rnnat_arena_take_table(arena, n, pad, elem);
                cell.array[s][1] = rnnat_op_in_place(op, s)
                                       ? cell.array[s][0]
                                       : rnnat_arena_take_table(arena, n, pad, elem);
            }
            if (lane->cells) lane->cells[op->first_cell + d] = cell;
        }
    }
    for (int i = 0; i < (team > 1 && has_bidirectional(model) ? 2 : 1); ++i)
        lane->work[i] = take_workspace(arena, model, steps, n);
    take_between(arena, model, steps, n, lane->between);
    for (int i = 0; i < 2 && needs_whole(model); ++i)
        lane->whole[i] = rnnat_arena_take_table(arena, (size_t)time, n, width * elem);
    if (wavefront) {
        lane->stages = rnnat_arena_take(arena, (size_t)team, sizeof *lane->stages);
        for (int32_t i = 0; i < team; ++i) {
            rnnat_stage stage = {.work = take_workspace(arena, model, steps, n)};
            take_between(arena, model, steps, n, stage.between);
            for (int b = 0; b < 2; ++b)
                stage.out[b] = rnnat_arena_take(arena, steps * n, width * elem);
            if (lane->stages) lane->stages[i] = stage;
        }
    }
    if (model->over_time < model->num_ops)
        lane->last =
            rnnat_arena_take(arena, n, (size_t)model->ops[model->over_time - 1].output * elem);
    lane->skip = rnnat_arena_take(arena, steps * n, (size_t)model->max_skip * elem);
    lane->whole_skip =
        rnnat_arena_take_table(arena, (size_t)time, n, (size_t)model->max_whole_skip * elem);
}

void rnnat_lane_reset(rnnat_lane *lane)
{
    const rnnat_model *const model = lane->model;
    const size_t bytes = (size_t)lane->rows * (size_t)model->kernels->elem;
    for (int32_t i = 0; i < model->num_ops; ++i) {
        const rnnat_op *const op = &model->ops[i];
        for (int32_t d = 0; d < op->num_directions; ++d) {
            rnnat_cell_state *const cell = &lane->cells[op->first_cell + d];
            for (int32_t s = 0; s < op->ops->num_states; ++s) {
                const int32_t pad = rnnat_pad(model->kernels, rnnat_op_features(op, s));
                memset(cell->array[s][0], 0, (size_t)pad * bytes);
                memset(cell->array[s][1], 0, (size_t)pad * bytes);
            }
            cell->now = 0;
        }
    }
}

/* Copies between the dense array and the lane's padded rows, in the direction asked for. */
static void copy_state(const rnnat_lane *lane, int32_t index, char *values, int32_t batch,
                       int32_t first_row, bool into_lane)
{
    const rnnat_model *const model = lane->model;
    const size_t elem = (size_t)model->kernels->elem;
    for (int32_t i = 0; i < model->num_ops; ++i) {
        const rnnat_op *const op = &model->ops[i];
        if (op->kind != RNNAT_LAYER_RECURRENT || index < op->first_state ||
            index >= op->first_state + op->ops->num_states)
            continue;
        const int32_t own = index - op->first_state;
        const int32_t features = rnnat_op_features(op, own);
        const size_t stride = (size_t)rnnat_pad(model->kernels, features) * elem;
        const size_t bytes = (size_t)features * elem;
        for (int32_t d = 0; d < op->num_directions; ++d) {
            const rnnat_cell_state *const cell = &lane->cells[op->first_cell + d];
            char *const rows = cell->array[own][cell->now];
            const size_t first = (size_t)(op->first_row + d) * (size_t)batch + (size_t)first_row;
            for (size_t r = 0; r < (size_t)lane->rows; ++r) {
                char *const dense = values + (first + r) * bytes;
                if (into_lane)
                    memcpy(rows + r * stride, dense, bytes);
                else
                    memcpy(dense, rows + r * stride, bytes);
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

void rnnat_lane_get_last(const rnnat_lane *lane, char *rows, ptrdiff_t stride)
{
    const rnnat_model *const model = lane->model;
    const rnnat_op *const op = &model->ops[model->over_time - 1];
    const size_t elem = (size_t)model->kernels->elem, bytes = (size_t)op->state * elem;
    const size_t pad = (size_t)rnnat_pad(model->kernels, op->state) * elem;
    for (int32_t d = 0; d < op->num_directions; ++d) {
        const rnnat_cell_state *const state = &lane->cells[op->first_cell + d];
        const char *const h = state->array[0][state->now];
        for (int32_t row = 0; row < lane->rows; ++row)
            memcpy(rows + row * stride * (ptrdiff_t)elem + (size_t)d * bytes, h + (size_t)row * pad,
                   bytes);
    }
}
