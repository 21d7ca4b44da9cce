/* The memory of a workspace, and the recurrent state in it. */
#include "workspace.h"

#include <string.h>

#include "../graph/pace.h"
#include "history.h"

/* Rows of all steps of a chunk, which one product projects: enough of them that the input's weights
 * pass through the cache seldom, and few enough that the projection stays there until its steps are
 * taken. */
enum { chunk_rows = 96 };
/* Rows that a member prepares at once at most: they stay in the nearest cache, and are many beside a block. */
enum { most_operand_rows = 48 };

/* Steps of a chunk, at most `time`. */
static int32_t steps_of(int32_t rows, int32_t time)
{
    const int32_t steps = rows <= 0 || rows >= chunk_rows ? 1 : (chunk_rows + rows - 1) / rows;
    const int32_t most = time > 0 ? time : 1;
    return steps < most ? steps : most;
}

/* The chunk of a model with sparser values: longer, so that these have chunks worth a product, too, and
 * not so long that what dense layers project of their inputs leaves the cache. */
static int32_t longer_chunk(const rnnat_model *model, int32_t chunk, int32_t time)
{
    const int32_t most_times = 4, pace = rnnat_longest_pace(model);
    const int32_t longer = chunk * (pace < most_times ? pace : most_times);
    return longer < time ? longer : time > chunk ? time : chunk;
}

/* In a wavefront of `team_size` stages nobody works for the first and the last team_size - 1 chunks: there
 * are some more chunks, but no shorter ones than a projection is worth. */
static int32_t shorter_chunk(int32_t chunk, int32_t time, int32_t team_size)
{
    enum { rounds = 6, least = 4 };
    const int32_t steps = time / (rounds * team_size);
    return steps >= chunk ? chunk : steps > least ? steps : least;
}

/* True where a team can run the two passes of some node side by side. */
static bool has_two_passes(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->num_nodes; ++i)
        if (model->nodes[i].num_passes == 2) return true;
    return false;
}

int32_t rnnat_workspace_chunk_of(const rnnat_workspace *workspace, int32_t index)
{
    const rnnat_model *const model = workspace->model;
    const rnnat_node *const node = &model->nodes[index];
    if (!RNNAT_HAS_PACES(model)) return workspace->chunk;
    const int64_t read = rnnat_most_steps_of(model, node->inputs[0], workspace->chunk);
    const int64_t made = rnnat_most_steps_of(model, node->output, workspace->chunk);
    int64_t most = workspace->chunk;
    if (read > most) most = read;
    if (made > most) most = made;
    return most < INT32_MAX ? (int32_t)most : INT32_MAX;
}

/* Steps of the longest piece of a node, times the members that each may want room for one, where it
 * takes all steps at once. */
static int32_t scratch_steps(const rnnat_workspace *workspace, const rnnat_workspace_use *use,
                             int32_t index, rnnat_arena *arena)
{
    const rnnat_model *const model = workspace->model;
    int64_t steps = use->time;
    if (!model->nodes[index].takes_whole) return rnnat_workspace_chunk_of(workspace, index);
    if (RNNAT_HAS_PACES(model))
        steps = rnnat_most_steps_of(model, model->nodes[index].inputs[0], steps);
    if (steps > INT32_MAX / use->team_size) arena->overflow = true;
    return arena->overflow ? 1 : (int32_t)steps * use->team_size;
}

/* The most scratch that any node needs, in bytes. */
static size_t most_scratch(rnnat_arena *arena, const rnnat_workspace *workspace,
                           const rnnat_workspace_use *use)
{
    const rnnat_model *const model = workspace->model;
    size_t most = 0;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        rnnat_arena need = rnnat_arena_at(NULL);
        if (node->layer->scratch)
            node->layer->scratch(node, model->kernels, workspace->rows,
                                 scratch_steps(workspace, use, i, arena), &need);
        if (need.overflow) arena->overflow = true;
        if (need.used > most) most = need.used;
    }
    return (most + RNNAT_ALIGN - 1) / RNNAT_ALIGN * RNNAT_ALIGN;
}

/* Takes that and, behind it, what each member prepares rows in; those of others are told, for there are no
 * others without threads. */
static char *take_all_scratch(rnnat_arena *arena, const rnnat_workspace *workspace, int32_t members)
{
    size_t each = 0;
#if RNNAT_WITH_GROUPS
    each = (size_t)workspace->model->operands;
    if (each && (size_t)workspace->operand_rows > (SIZE_MAX / 4 - workspace->operands_at) / each)
        arena->overflow = true;
    each *= (size_t)workspace->operand_rows;
#endif
    char *const scratch = rnnat_arena_take(arena, workspace->operands_at + each, 1);
    if (each && members > 1)
        rnnat_arena_take_structs(arena, (size_t)members - 1, each, "rnnat_operands");
    return scratch;
}

rnnat_operands rnnat_workspace_operands(const rnnat_workspace *workspace, int32_t scratch,
                                        int32_t member)
{
    const size_t each = (size_t)workspace->model->operands * (size_t)workspace->operand_rows;
    return (rnnat_operands){workspace->scratch[scratch] + workspace->operands_at +
                                (size_t)member * each,
                            workspace->operand_rows};
}

/* Takes the buffers of that home, and points the values of it there. */
static void take_buffers(rnnat_arena *arena, const rnnat_workspace *workspace, rnnat_home home,
                         size_t steps, rnnat_view *at)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t b = 0; b < model->num_buffers; ++b) {
        const rnnat_buffer *const buffer = &model->buffers[b];
        if (buffer->home != home) continue;
        const size_t width = (size_t)buffer->features * (size_t)model->kernels->elem;
        size_t most = steps;
        for (int32_t v = 0; RNNAT_HAS_PACES(model) && v < model->num_values; ++v) {
            const rnnat_value *const value = &model->values[v];
            if (value->home != home || value->buffer != b) continue;
            if (!value->has_time && !workspace->is_stream) continue;
            const size_t own = (size_t)rnnat_most_steps_of(model, v, (int64_t)steps);
            if (own > most) most = own;
        }
        char *const memory = rnnat_arena_take_table(arena, most, (size_t)workspace->rows, width);
        for (int32_t v = 0; at && v < model->num_values; ++v) {
            const rnnat_value *const value = &model->values[v];
            if (value->home != home || value->buffer != b) continue;
            at[v] = rnnat_dense(memory, workspace->rows, value->features);
            if (!value->has_time && (home == RNNAT_HOME_STATIC || !workspace->is_stream))
                at[v].time = 0;
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

static void take_stages(rnnat_arena *arena, const rnnat_workspace_use *use,
                        rnnat_workspace *workspace)
{
    const int32_t count = use->team_size;
    const rnnat_model *const model = workspace->model;
    int32_t widest = 0;
    for (int32_t v = 0; v < model->num_values; ++v)
        if (model->values[v].features > widest) widest = model->values[v].features;
    const size_t width = (size_t)widest * (size_t)model->kernels->elem;
    const size_t rows = (size_t)workspace->chunk * (size_t)workspace->rows;
    workspace->stages = RNNAT_TAKE(arena, (size_t)count, rnnat_stage);
    for (int32_t i = 0; i < count; ++i) {
        rnnat_stage stage = {.at = take_views(arena, model),
                             .scratch = take_all_scratch(arena, workspace, 1)};
        take_buffers(arena, workspace, RNNAT_HOME_CHUNK, (size_t)workspace->chunk, stage.at);
        for (int b = 0; b < 2; ++b) stage.out[b] = rnnat_arena_take(arena, rows, width);
        if (workspace->stages) workspace->stages[i] = stage;
    }
}

void rnnat_workspace_carve(rnnat_arena *arena, const rnnat_model *model,
                           const rnnat_workspace_use *use, rnnat_workspace *workspace)
{
    const size_t nodes = (size_t)model->num_nodes;
    *workspace = (rnnat_workspace){.model = model,
                                   .rows = use->rows,
                                   .chunk = steps_of(use->rows, use->time),
                                   .is_stream = use->is_stream};
    if (RNNAT_HAS_PACES(model)) workspace->chunk = longer_chunk(model, workspace->chunk, use->time);
    if (use->wavefront)
        workspace->chunk = shorter_chunk(workspace->chunk, use->time, use->team_size);
    workspace->operands_at = most_scratch(arena, workspace, use);
#if RNNAT_WITH_GROUPS
    const int64_t rows = (int64_t)workspace->chunk * (use->rows > 1 ? use->rows : 1);
    workspace->operand_rows = most_operand_rows;
    if (rows * model->product_rows < most_operand_rows)
        workspace->operand_rows = (int32_t)rows * model->product_rows;
#endif
    workspace->at = take_views(arena, model);
    workspace->memory = RNNAT_TAKE(arena, nodes, rnnat_pointer);
    if (RNNAT_HAS_WINDOWS(model)) {
        workspace->histories = RNNAT_TAKE(arena, nodes, rnnat_history);
        workspace->phases = rnnat_arena_take(arena, nodes, sizeof *workspace->phases);
    }
    if (RNNAT_HAS_PACES(model) && !use->is_stream)
        workspace->lengths =
            rnnat_arena_take_table(arena, nodes, (size_t)use->rows, sizeof *workspace->lengths);
    if (use->is_stream) workspace->tasks = RNNAT_TAKE(arena, nodes, rnnat_task);
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        void *memory = NULL;
        if (node->layer->carve) memory = node->layer->carve(node, model->kernels, use->rows, arena);
        if (workspace->memory) workspace->memory[i] = memory;
        if (RNNAT_HAS_WINDOW(node) && rnnat_window_states(&node->window)) {
            rnnat_history history;
            rnnat_history_carve(arena, model, i, use->rows, &history);
            if (workspace->histories) workspace->histories[i] = history;
        }
        if (use->is_stream && rnnat_gives_both(model, node)) workspace->copies_last = true;
    }
    const int32_t members = use->is_stream ? RNNAT_STREAM_TEAM : use->team_size;
    for (int i = 0; i < (use->team_size > 1 && has_two_passes(model) ? 2 : 1); ++i)
        workspace->scratch[i] = take_all_scratch(arena, workspace, members);
    take_buffers(arena, workspace, RNNAT_HOME_CHUNK, (size_t)workspace->chunk, workspace->at);
    take_buffers(arena, workspace, RNNAT_HOME_WHOLE, (size_t)use->time, workspace->at);
    take_buffers(arena, workspace, RNNAT_HOME_ROWS, use->is_stream ? (size_t)workspace->chunk : 1,
                 workspace->at);
    if (RNNAT_HAS_STATIC(model))
        take_buffers(arena, workspace, RNNAT_HOME_STATIC, 1, workspace->at);
    if (use->wavefront) take_stages(arena, use, workspace);
}

void rnnat_workspace_set_rows(rnnat_workspace *workspace, int32_t rows)
{
    const rnnat_model *const model = workspace->model;
    if (rows == workspace->rows) return;
    workspace->rows = rows;
    for (int32_t v = 0; v < model->num_values; ++v)
        if (workspace->at[v].time) workspace->at[v].time = rows * workspace->at[v].row;
}

void rnnat_workspace_reset(rnnat_workspace *workspace)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        if (node->layer->reset)
            node->layer->reset(node, model->kernels, workspace->rows, workspace->memory[i]);
        if (!RNNAT_HAS_WINDOWS(model)) continue;
        workspace->phases[i] = node->window.before; /* that of a node which keeps nothing, too */
        if (rnnat_window_states(&node->window))
            rnnat_history_reset(model, i, workspace->rows, &workspace->histories[i]);
    }
}

/* Row `row` of state array `array` of node `index`. */
static rnnat_state_rows state_rows(const rnnat_workspace *workspace, int32_t index, int32_t array,
                                   int32_t row)
{
    const rnnat_model *const model = workspace->model;
    const rnnat_node *const node = &model->nodes[index];
    if (RNNAT_HAS_WINDOW(node))
        return rnnat_history_state(model, index, &workspace->histories[index], workspace->rows,
                                   array, row);
    return node->layer->state(node, model->kernels, workspace->memory[index], array, row);
}

/* What memcpy does, of what is a few cache lines: inline, for a call costs as much. */
static void copy_lines(char *to, const char *from, size_t bytes)
{
    enum { line = RNNAT_WITH_POOL ? 64 : 0 };
    size_t at = 0;
    for (; line > 0 && at + line <= bytes; at += line) memcpy(to + at, from + at, line);
    if (at < bytes) memcpy(to + at, from + at, bytes - at);
}

/* Copies one row of a state array into the workspace or out of it: of row r of the batch there is `dense`
 * elsewhere, which begins `apart` bytes behind that of the row before, or in the slot that `ids` says. */
static void copy_rows(const rnnat_workspace *workspace, const rnnat_state_rows *rows, char *dense,
                      size_t apart, const int32_t *ids, bool into_workspace)
{
    const size_t elem = (size_t)workspace->model->kernels->elem;
    const size_t bytes = (size_t)rows->features * elem, stride = (size_t)rows->stride * elem;
    const size_t pieces = RNNAT_WITH_WINDOWS && rows->pieces ? (size_t)rows->pieces : 1;
    for (int32_t row = 0; row < workspace->rows; ++row) {
        char *const other = dense + (size_t)(ids ? ids[row] : row) * apart;
        char *const own = rows->base + (size_t)row * stride;
        for (size_t p = 0; p < pieces; ++p) {
            char *const kept = own + p * (size_t)rows->apart * elem, *const at = other + p * bytes;
            copy_lines(into_workspace ? kept : at, into_workspace ? at : kept, bytes);
        }
    }
}

/* Bytes that one row of the batch has of it. */
static size_t width_of_rows(const rnnat_workspace *workspace, const rnnat_state_rows *rows)
{
    const size_t pieces = RNNAT_WITH_WINDOWS && rows->pieces ? (size_t)rows->pieces : 1;
    return pieces * (size_t)rows->features * (size_t)workspace->model->kernels->elem;
}

static void copy_state(const rnnat_workspace *workspace, int32_t index, char *values, int32_t batch,
                       int32_t first_row, bool into_workspace)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        const int32_t own = index - node->first_state;
        if (own < 0 || own >= node->num_states) continue;
        int32_t count = 1;
        for (int32_t p = 0; p < count; ++p) {
            const rnnat_state_rows rows = state_rows(workspace, i, own, p);
            const size_t width = width_of_rows(workspace, &rows);
            const size_t first = (size_t)(node->first_row + p) * (size_t)batch + (size_t)first_row;
            count = rows.rows;
            copy_rows(workspace, &rows, values + first * width, width, NULL, into_workspace);
        }
    }
}

#if RNNAT_WITH_POOL
void rnnat_workspace_move_states(const rnnat_workspace *workspace, const rnnat_slots *slots,
                                 bool into_workspace)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        for (int32_t own = 0; own < node->num_states; ++own) {
            char *const base = slots->base + slots->offsets[node->first_state + own];
            int32_t count = 1;
            for (int32_t p = 0; p < count; ++p) {
                const rnnat_state_rows rows = state_rows(workspace, i, own, p);
                const size_t width = width_of_rows(workspace, &rows);
                count = rows.rows;
                copy_rows(workspace, &rows, base + (size_t)(node->first_row + p) * width,
                          slots->stride, slots->ids, into_workspace);
            }
        }
    }
}
#endif

void rnnat_workspace_set_state(rnnat_workspace *workspace, int32_t index, const void *values,
                               int32_t batch, int32_t first_row)
{
    copy_state(workspace, index, RNNAT_WRITABLE(values), batch, first_row, true);
}

void rnnat_workspace_get_state(const rnnat_workspace *workspace, int32_t index, void *values,
                               int32_t batch, int32_t first_row)
{
    copy_state(workspace, index, values, batch, first_row, false);
}

void rnnat_workspace_take_last(const rnnat_workspace *workspace, int32_t begin, int32_t end)
{
    const rnnat_model *const model = workspace->model;
    const ptrdiff_t elem = model->kernels->elem;
    for (int32_t i = begin; i < end; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        if (node->last < 0 || model->values[node->last].home == RNNAT_HOME_NOWHERE) continue;
        const rnnat_view to = workspace->at[node->last];
        if (node->layer->last)
            node->layer->last(node, model->kernels, workspace->rows, workspace->memory[i], to);
        if (node->layer->last) continue;
        for (int32_t p = 0; p < node->num_passes; ++p) {
            const rnnat_state_rows h =
                node->layer->state(node, model->kernels, workspace->memory[i], 0, p);
            for (int32_t row = 0; row < workspace->rows; ++row)
                memcpy(to.base + (row * to.row + (ptrdiff_t)p * h.features) * elem,
                       h.base + row * h.stride * elem, (size_t)(h.features * elem));
        }
    }
}
