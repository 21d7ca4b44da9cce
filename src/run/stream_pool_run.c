/* A call of a pool: its rows put in order, cut into blocks, and run by lanes. */
#include <string.h>

#include "../float_scope.h"
#include "run.h"
#include "stream_pool.h"
#include "windows.h"

#if RNNAT_WITH_POOL

/* ---- order and blocks ---- */

static int32_t steps_of_row(const rnnat_pool_call *call, int32_t row)
{
    return call->steps ? call->steps[row] : 1;
}

/* Compares what windows of two streams have before them: where it differs they cannot run together. */
static int compare_phases(const rnnat_pool *pool, int32_t a, int32_t b)
{
    const rnnat_model *const model = pool->model;
    for (int32_t n = 0; pool->has_phases && n < model->num_nodes; ++n) {
        const int32_t array = rnnat_phase_array(&model->nodes[n]);
        if (array < 0) continue;
        const size_t at = pool->offsets[array];
        const int order = memcmp(rnnat_pool_slot(pool, a) + at, rnnat_pool_slot(pool, b) + at,
                                 (size_t)model->kernels->elem);
        if (order) return order;
    }
    return 0;
}

/* Whether row a runs before row b: streams of the same phases together, and of them those with most steps
 * first. */
static bool is_before(const rnnat_pool_call *call, int32_t a, int32_t b)
{
    const int32_t *const ids = call->pool->ids;
    const int phases = compare_phases(call->pool, ids[a], ids[b]);
    if (phases) return phases < 0;
    const int32_t steps_a = steps_of_row(call, a), steps_b = steps_of_row(call, b);
    return steps_a != steps_b ? steps_a > steps_b : a < b;
}

/* Moves a row down a heap whose top is the last one to run. */
static void sift_down(const rnnat_pool_call *call, int32_t *order, int32_t at, int32_t count)
{
    for (int32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_before(call, order[child], order[child + 1])) ++child;
        if (!is_before(call, order[at], order[child])) return;
        const int32_t row = order[at];
        order[at] = order[child];
        order[child] = row;
    }
}

/* Puts the rows in order, by a heap: in no memory, and a time that their number bounds. */
static void sort_rows(rnnat_pool_call *call)
{
    int32_t *const order = call->pool->order;
    const bool all_alike = !call->steps && !call->pool->has_phases;
    for (int32_t row = 0; row < call->rows; ++row) order[row] = row;
    call->sorted = false;
    for (int32_t row = 1; !all_alike && !call->sorted && row < call->rows; ++row)
        call->sorted = is_before(call, row, row - 1);
    if (!call->sorted) return;
    for (int32_t at = call->rows / 2; at-- > 0;) sift_down(call, order, at, call->rows);
    for (int32_t end = call->rows - 1; end > 0; --end) {
        const int32_t row = order[0];
        order[0] = order[end];
        order[end] = row;
        sift_down(call, order, 0, end);
    }
}

/* Says who runs the call: so many lanes, of so many threads each. */
static void divide(rnnat_pool_call *call, int32_t steps)
{
    const rnnat_model *const model = call->pool->model;
    const int32_t threads = call->pool->num_threads;
    rnnat_job job = {.time = steps, .batch = call->rows};
    double step_work;
    rnnat_run_divide(model, threads, &job);
    call->work = job.work;
    call->lanes = job.workspaces;
    call->team_size = job.wavefront ? 1 : job.team_size;
    if (job.wavefront || call->lanes == 1)
        call->team_size = rnnat_run_team(model, call->rows, threads / call->lanes, &step_work);
    if (model->operands && call->team_size > RNNAT_STREAM_TEAM) call->team_size = RNNAT_STREAM_TEAM;
}

/* a / b, rounded up. */
static int32_t parts(int32_t a, int32_t b) { return a / b + (a % b != 0); }

/* Cuts the rows into blocks, in each of which all windows have the same phases: a block for each lane, and
 * more of them where these would be too long. */
static void cut_blocks(rnnat_pool_call *call)
{
    const rnnat_pool *const pool = call->pool;
    const int32_t each = parts(call->rows, call->lanes);
    const int32_t most = parts(each, parts(each, pool->block_rows));
    call->blocks = 0;
    for (int32_t begin = 0; begin < call->rows;) {
        int32_t end = pool->has_phases ? begin + 1 : call->rows;
        while (end < call->rows && !compare_phases(pool, pool->ids[begin], pool->ids[end])) ++end;
        const int32_t count = end - begin, blocks = parts(count, most);
        for (int32_t b = 0; b < blocks; ++b)
            pool->cuts[call->blocks++] = begin + (int32_t)((int64_t)count * b / blocks);
        begin = end;
    }
    pool->cuts[call->blocks] = call->rows;
}

/* ---- a block ---- */

typedef struct pool_block {
    const rnnat_pool_call *call;
    rnnat_pool_lane *lane;
    int32_t begin, rows; /* in the call's order */
    int32_t taken; /* steps that have run */
    rnnat_slots slots; /* of these rows */
} pool_block;

/* Lays out a stream for the block's rows, unless there is one, and fills it with their states. */
#if RNNAT_GNU
__attribute__((noinline)) /* its stack is not there while the block runs */
#endif
static void enter_block(pool_block *block)
{
    const rnnat_pool *const pool = block->call->pool;
    const rnnat_model *const model = pool->model;
    rnnat_pool_lane *const lane = block->lane;
    if (!lane->stream || lane->rows != block->rows) {
        rnnat_arena arena = rnnat_arena_at(lane->memory);
        lane->stream =
            rnnat_stream_carve(&arena, model, block->rows, rnnat_pool_steps(model, block->rows));
        lane->stream->barriers = lane->barrier; /* where a call counts how long its threads wait */
        lane->rows = block->rows;
    }
    const rnnat_workspace *const workspace = &lane->stream->workspace;
    rnnat_workspace_move_states(workspace, &block->slots, true);
    const char *const first = rnnat_pool_slot(pool, block->slots.ids[0]);
    for (int32_t n = 0; pool->has_phases && n < model->num_nodes; ++n) {
        const int32_t array = rnnat_phase_array(&model->nodes[n]);
        if (RNNAT_WITH_WINDOWS && array >= 0)
            rnnat_take_phase(model, n, first + pool->offsets[array], 1, &workspace->phases[n]);
    }
}

/* Gives the states back to their slots. */
static void leave_block(const pool_block *block)
{
    rnnat_workspace_move_states(&block->lane->stream->workspace, &block->slots, false);
}

/* The caller's row that is row `row` of the block. */
static int32_t row_of(const pool_block *block, int32_t row)
{
    return block->call->pool->order[block->begin + row];
}

/* Where the caller has input or output `index` of a row, whose steps have `width` bytes. */
static char *input_at(const pool_block *block, int32_t index, int32_t row, size_t width)
{
    const rnnat_pool_call *const call = block->call;
    const size_t of = (size_t)row_of(block, row);
    const size_t count = (size_t)call->pool->model->info.num_inputs;
    if (!call->steps) return (char *)RNNAT_WRITABLE(call->inputs[index]) + of * width;
    return RNNAT_WRITABLE(call->inputs[of * count + (size_t)index]);
}
static char *output_at(const pool_block *block, int32_t index, int32_t row, size_t width)
{
    const rnnat_pool_call *const call = block->call;
    const size_t of = (size_t)row_of(block, row);
    const size_t count = (size_t)call->pool->model->info.num_outputs;
    if (!call->steps) return (char *)call->outputs[index] + of * width;
    return call->outputs[of * count + (size_t)index];
}

/* Whether the caller's rows lie as those of a stream do. */
static bool is_dense(const pool_block *block)
{
    return block->rows == 1 || (!block->call->steps && !block->call->sorted);
}

/* Steps of output `index` that `steps` of the inputs make now. */
static int32_t steps_made(const pool_block *block, int32_t index, int32_t steps)
{
    const rnnat_workspace *const workspace = &block->lane->stream->workspace;
    const rnnat_model *const model = workspace->model;
    if (!RNNAT_HAS_PACES(model)) return steps;
    return rnnat_windows_steps(workspace, model->outputs[index], steps);
}

/* Copies `steps` steps of all rows of input `index` to where a stream reads them. */
static void bring_input(const pool_block *block, int32_t index, int32_t steps, size_t width,
                        char *to)
{
    const bool is_static = RNNAT_IS_STATIC(&block->call->pool->model->values[index]);
    const size_t apart = (size_t)block->rows * width;
    for (int32_t row = 0; row < block->rows; ++row) {
        const char *const from = input_at(block, index, row, width);
        const size_t first = is_static ? 0 : (size_t)block->taken;
        for (size_t step = 0; step < (size_t)(is_static ? 1 : steps); ++step)
            memcpy(to + step * apart + (size_t)row * width, from + (first + step) * width, width);
    }
}

/* Copies what a stream gave of output `index` to the caller. */
static void hand_output(const pool_block *block, int32_t index, int32_t steps, size_t width,
                        const char *from)
{
    const size_t apart = (size_t)block->rows * width, first = (size_t)block->lane->made[index];
    for (int32_t row = 0; row < block->rows; ++row) {
        char *const to = output_at(block, index, row, width);
        for (size_t step = 0; step < (size_t)steps; ++step)
            memcpy(to + (first + step) * width, from + step * apart + (size_t)row * width, width);
    }
}

/* Points the stream at the next steps of its rows' inputs and outputs; those that lie apart are brought. */
#if RNNAT_GNU
__attribute__((noinline)) /* its stack is not there while the block runs */
#endif
static void open_steps(const pool_block *block, int32_t steps)
{
    const rnnat_workspace *const workspace = &block->lane->stream->workspace;
    const rnnat_model *const model = workspace->model;
    rnnat_arena stage = rnnat_arena_at(block->lane->stage);
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const size_t width = rnnat_pool_width(model, i);
        const bool is_static = RNNAT_IS_STATIC(&model->values[i]);
        char *at;
        if (is_dense(block)) {
            at = input_at(block, i, 0, width) + (is_static ? 0 : (size_t)block->taken * width);
        } else {
            at = rnnat_arena_take_table(&stage, (size_t)steps, (size_t)block->rows, width);
            bring_input(block, i, steps, width, at);
        }
        workspace->at[i].base = at;
    }
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const size_t width = rnnat_pool_width(model, model->outputs[i]);
        const size_t made = (size_t)steps_made(block, i, steps);
        workspace->at[model->outputs[i]].base =
            is_dense(block) ? output_at(block, i, 0, width) + (size_t)block->lane->made[i] * width
                            : rnnat_arena_take_table(&stage, made, (size_t)block->rows, width);
    }
}

/* Hands over what they made. */
#if RNNAT_GNU
__attribute__((noinline)) /* its stack is not there while the block runs */
#endif
static void close_steps(const pool_block *block, int32_t steps)
{
    const rnnat_workspace *const workspace = &block->lane->stream->workspace;
    const rnnat_model *const model = workspace->model;
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const int32_t value = model->outputs[i], made = steps_made(block, i, steps);
        if (!is_dense(block))
            hand_output(block, i, made, rnnat_pool_width(model, value), workspace->at[value].base);
        block->lane->made[i] += made;
    }
    rnnat_stream_move_windows(block->lane->stream, steps);
}

/* Runs a block as one member of its lane's team. Its rows have most steps first, so that those which go on
 * are always the first ones. */
static void run_block(const rnnat_pool_call *call, rnnat_pool_lane *lane,
                      const rnnat_member *member, int32_t begin, int32_t end)
{
    rnnat_pool *const pool = call->pool;
    const bool leads = member->index == 0;
    pool_block block = {.call = call, .lane = lane, .begin = begin, .rows = end - begin};
    block.slots = (rnnat_slots){.base = pool->slots,
                                .stride = pool->stride,
                                .ids = pool->ids + begin,
                                .offsets = pool->offsets};
    bool entered = false;
    if (leads) memset(lane->made, 0, (size_t)pool->model->info.num_outputs * sizeof *lane->made);
    while (block.rows > 0) {
        const int32_t last = steps_of_row(call, row_of(&block, block.rows - 1));
        const int32_t left = last - block.taken;
        const int32_t most = rnnat_pool_steps(pool->model, block.rows);
        const int32_t steps = left < most ? left : most;
        if (left == 0) {
            if (leads && entered) leave_block(&block);
            entered = false;
            --block.rows;
            while (block.rows > 0 &&
                   steps_of_row(call, row_of(&block, block.rows - 1)) == block.taken)
                --block.rows;
            continue;
        }
        if (leads && !entered) enter_block(&block);
        entered = true;
        if (leads) open_steps(&block, steps);
        rnnat_meet(member);
        rnnat_stream_run_member(lane->stream, member->index, member->count, steps);
        rnnat_meet(member);
        if (leads) close_steps(&block, steps);
        block.taken += steps;
    }
}

/* ---- a call ---- */

/* Runs every so many blocks as a member of a lane's team; where there are fewer threads than planned, each
 * alone. */
static void run_lane(void *arg, int32_t thread, int32_t count)
{
    const rnnat_pool_call *const call = arg;
    const bool planned = count >= call->lanes * call->team_size;
    const int32_t lanes = planned ? call->lanes : count;
    const int32_t team_size = planned ? call->team_size : 1, index = thread / team_size;
    if (index >= lanes) return;
    const rnnat_float_mode mode = rnnat_float_enter();
    rnnat_pool_lane *const lane = &call->pool->lanes[index];
    const rnnat_member member = {thread % team_size, team_size, lane->barrier};
    for (int32_t b = index; b < call->blocks; b += lanes)
        run_block(call, lane, &member, call->pool->cuts[b], call->pool->cuts[b + 1]);
    rnnat_float_leave(mode);
}

void rnnat_pool_go(rnnat_pool_call *call)
{
    rnnat_pool *const pool = call->pool;
    int64_t steps = 0;
    sort_rows(call);
    int32_t *const ids = pool->cuts; /* there are no blocks yet */
    for (int32_t row = 0; row < call->rows; ++row) {
        ids[row] = pool->ids[pool->order[row]];
        steps += steps_of_row(call, row);
    }
    memcpy(pool->ids, ids, (size_t)call->rows * sizeof *ids);
    divide(call, (int32_t)(steps / call->rows > 1 ? steps / call->rows : 1));
    cut_blocks(call);
    if (call->lanes > call->blocks) call->lanes = call->blocks;
    const int32_t wanted = call->lanes * call->team_size;
    const rnnat_terms terms = {.together = true,
                               .work = call->work,
                               .barriers = pool->barriers,
                               .num_barriers = call->lanes * rnnat_team_barriers};
    rnnat_parallel(wanted > 1 && rnnat_threads_rest() ? 1 : wanted, &terms, run_lane, call);
}
#endif
