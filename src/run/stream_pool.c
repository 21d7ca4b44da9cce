/* Pools: carved, and streams of them opened and closed. */
#include "stream_pool.h"

#include <string.h>

#include "../graph/pace.h"

#if RNNAT_WITH_POOL

/* Rows and steps together that a block of few rows runs at once, and the least steps of one with many. */
enum { rows_at_once = 96, least_steps = 4, most_paces = 4 };

int32_t rnnat_pool_steps(const rnnat_model *model, int32_t rows)
{
    int32_t steps = (rows_at_once + rows - 1) / rows;
    if (steps < least_steps) steps = least_steps;
    if (!RNNAT_HAS_PACES(model)) return steps;
    const int32_t pace = rnnat_longest_pace(model);
    return steps * (pace < most_paces ? pace : most_paces);
}

/* What the lanes of a pool are made for: blocks of up to so many rows, and what the one that needs most takes. */
typedef struct lane_need {
    int32_t rows;
    size_t stream, stage; /* bytes */
} lane_need;

/* Bytes of a block's x and y, where its rows lie apart. */
static size_t block_stage(rnnat_arena *arena, const rnnat_model *model, int32_t rows)
{
    const int32_t steps = rnnat_pool_steps(model, rows);
    rnnat_arena need = rnnat_arena_at(NULL);
    for (int32_t i = 0; rows > 1 && i < model->info.num_inputs + model->info.num_outputs; ++i) {
        const int32_t v =
            i < model->info.num_inputs ? i : model->outputs[i - model->info.num_inputs];
        int64_t made = steps;
        if (RNNAT_HAS_PACES(model)) made = rnnat_most_steps_of(model, v, steps);
        rnnat_arena_take_table(&need, (size_t)made, (size_t)rows, rnnat_pool_width(model, v));
    }
    if (need.overflow) arena->overflow = true;
    return need.used;
}

/* Blocks have as many rows as there are streams, up to a bound, and no more than such that a step of them takes
 * little beside the weights, which stay in the cache with it. */
static lane_need lane_of(rnnat_arena *arena, const rnnat_model *model, int32_t capacity)
{
    enum { least_rows = 12, little = 256 << 10 };
    const size_t most = model->info.memory / 2 > little ? model->info.memory / 2 : little;
    lane_need lane = {0, 0, 0};
    for (int32_t rows = 1; rows <= capacity && rows <= RNNAT_POOL_BLOCK; ++rows) {
        rnnat_arena step = rnnat_arena_at(NULL), need = rnnat_arena_at(NULL);
        rnnat_stream_carve(&step, model, rows, 1);
        if (rows > least_rows && step.used > most) break;
        rnnat_stream_carve(&need, model, rows, rnnat_pool_steps(model, rows));
        if (step.overflow || need.overflow) arena->overflow = true;
        const size_t stage = block_stage(arena, model, rows);
        if (need.used > lane.stream) lane.stream = need.used;
        if (stage > lane.stage) lane.stage = stage;
        lane.rows = rows;
    }
    return lane;
}

static void take_lanes(rnnat_arena *arena, const rnnat_model *model, const lane_need *need,
                       int32_t count, rnnat_barrier *barriers, rnnat_pool_lane *lanes)
{
    for (int32_t i = 0; i < count; ++i) {
        rnnat_pool_lane lane = {.stream = NULL};
        lane.barrier = barriers ? barriers + i * rnnat_team_barriers : NULL;
        lane.made = rnnat_arena_take(arena, (size_t)model->info.num_outputs, sizeof *lane.made);
        lane.memory = rnnat_arena_take(arena, need->stream, 1);
        lane.stage = rnnat_arena_take(arena, need->stage, 1);
        if (lanes) lanes[i] = lane;
    }
}

/* Lays the arrays of one stream's state out in a slot. */
static size_t take_offsets(rnnat_arena *arena, const rnnat_model *model, size_t *offsets)
{
    size_t size = 0;
    for (int32_t i = 0; i < model->info.num_states; ++i) {
        const rnnat_state_shape *const shape = &model->states[i];
        if (offsets) offsets[i] = size;
        if ((uint64_t)shape->rows * (uint64_t)shape->features > SIZE_MAX / 16 - size / 8)
            arena->overflow = true;
        if (arena->overflow) return 0;
        size += (size_t)shape->rows * (size_t)shape->features * (size_t)model->kernels->elem;
    }
    return size;
}

static bool pool_has_phases(const rnnat_model *model)
{
    for (int32_t i = 0; RNNAT_HAS_WINDOWS(model) && i < model->num_nodes; ++i)
        if (rnnat_phase_array(&model->nodes[i]) >= 0) return true;
    return false;
}

rnnat_pool *rnnat_pool_carve(rnnat_arena *arena, const rnnat_model *model, int32_t capacity,
                             int32_t max_threads)
{
    const size_t states = (size_t)model->info.num_states, slots = (size_t)capacity;
    rnnat_pool *const pool = RNNAT_TAKE(arena, 1, rnnat_pool);
    rnnat_pool p = {.model = model,
                    .capacity = capacity,
                    .max_threads = max_threads,
                    .num_threads = 1,
                    .has_phases = pool_has_phases(model),
                    .call = 1};
    p.offsets = rnnat_arena_take(arena, states, sizeof *p.offsets);
    p.arrays = RNNAT_TAKE(arena, states, rnnat_pointer);
    p.state_size = take_offsets(arena, model, p.offsets);
    p.stride = (p.state_size + RNNAT_ALIGN - 1) / RNNAT_ALIGN * RNNAT_ALIGN;
    p.initial = rnnat_arena_take(arena, p.state_size, 1);
    p.spare = rnnat_arena_take(arena, p.state_size, 1);
    p.slots = rnnat_arena_take(arena, slots, p.stride);
    p.marks = rnnat_arena_take(arena, slots, sizeof *p.marks);
    p.closed = rnnat_arena_take(arena, slots, sizeof *p.closed);
    p.order = rnnat_arena_take(arena, slots, sizeof *p.order);
    p.cuts = rnnat_arena_take(arena, slots + 1, sizeof *p.cuts);
    p.ids = rnnat_arena_take(arena, slots, sizeof *p.ids);
    p.lanes = RNNAT_TAKE(arena, (size_t)max_threads, rnnat_pool_lane);
    const lane_need need = lane_of(arena, model, capacity);
    p.barriers = rnnat_team_take_barriers(arena, (size_t)max_threads);
    take_lanes(arena, model, &need, max_threads, p.barriers, p.lanes);
    p.block_rows = need.rows;
    if (!pool || arena->overflow) return NULL;
    rnnat_arena memory = rnnat_arena_at(p.lanes[0].memory);
    const rnnat_stream *const first =
        rnnat_stream_carve(&memory, model, 1, rnnat_pool_steps(model, 1));
    rnnat_workspace_move_states(
        &first->workspace,
        &(rnnat_slots){.base = p.initial, .stride = p.stride, .offsets = p.offsets}, false);
    *pool = p;
    return pool;
}

const void *const *rnnat_pool_look(const rnnat_pool *pool, const char *state)
{
    for (int32_t i = 0; i < pool->model->info.num_states; ++i)
        pool->arrays[i] = state + pool->offsets[i];
    return pool->arrays;
}

void rnnat_pool_begin(rnnat_pool *pool, int32_t id)
{
    memcpy(rnnat_pool_slot(pool, id), pool->initial, pool->state_size);
    pool->marks[id] = pool->call;
    ++pool->num_open;
}

void rnnat_pool_end(rnnat_pool *pool, int32_t id)
{
    memset(rnnat_pool_slot(pool, id), 0, pool->state_size);
    pool->marks[id] = 0;
    pool->closed[pool->num_closed++] = id;
    --pool->num_open;
}
#endif
