/* In which order nodes, passes and chunks of time run. */
#include "schedule.h"

#include <string.h>

#include "windows.h"

static int32_t steps_from(const rnnat_workspace *workspace, int32_t first, int32_t time)
{
    const int32_t left = time - first;
    return left < workspace->chunk ? left : workspace->chunk;
}

/* Where a value is from step `first` on. */
static rnnat_view view_of(const rnnat_workspace *workspace, int32_t index, int32_t first)
{
    const rnnat_value *const value = &workspace->model->values[index];
    rnnat_view view = workspace->at[index];
    const ptrdiff_t elem =
        value->known ? (ptrdiff_t)sizeof(int32_t) : workspace->model->kernels->elem;
    if (value->home == RNNAT_HOME_CALLER || value->home == RNNAT_HOME_WHOLE)
        view.base += first * view.time * elem;
    return view;
}

/* Makes outputs past a row's own length zero. All members have written theirs before. */
static void clear_padding(const rnnat_workspace *workspace, const rnnat_member *member,
                          rnnat_view out, int32_t features, int32_t first, int32_t steps,
                          const int32_t *lengths)
{
    const rnnat_kernels *const kernels = workspace->model->kernels;
    const size_t bytes = (size_t)features * (size_t)kernels->elem;
    const rnnat_stop_point *const point = RNNAT_STOP ? workspace->stop_points : NULL;
    for (int32_t row = 0; member->index == 0 && row < workspace->rows; ++row) {
        if (point && rnnat_stops(point->stop, point->asks, (double)RNNAT_STOP_ROW * steps)) return;
        int32_t step = lengths[row] > first ? lengths[row] - first : 0;
        for (; step < steps; ++step) memset(rnnat_view_at(kernels, out, step, row), 0, bytes);
    }
}

/* The value that a node writes at every step. Where only a row's last step is asked for, a stream gives
 * it after each one. */
static int32_t output_of(const rnnat_workspace *workspace, const rnnat_node *node)
{
    const rnnat_value *const values = workspace->model->values;
    const bool each_is_last =
        workspace->is_stream && node->last >= 0 && values[node->output].home == RNNAT_HOME_NOWHERE;
    return each_is_last ? node->last : node->output;
}

void rnnat_task_prepare(const rnnat_workspace *workspace, const rnnat_member *member, int32_t index,
                        int32_t pass, int32_t scratch, rnnat_task *task)
{
    const rnnat_node *const node = &workspace->model->nodes[index];
    task->node = node;
    task->kernels = workspace->model->kernels;
    task->rows = workspace->rows;
    task->pass = pass;
    task->output = output_of(workspace, node);
    task->member = *member;
    task->memory = workspace->memory[index];
    task->scratch = workspace->scratch[scratch];
    task->operands = (rnnat_operands){NULL, 0};
    if (RNNAT_WITH_GROUPS && workspace->model->operands)
        task->operands = rnnat_workspace_operands(workspace, scratch, member->index);
    task->in = &workspace->at[node->inputs[0]];
    task->out = &workspace->at[task->output];
    if (node->layer->prepare)
        node->layer->prepare(task, rnnat_workspace_chunk_of(workspace, index));
}

/* Steps of the model's inputs, and how many of them count in each row; NULL: all. */
typedef struct span {
    int32_t first, steps;
    const int32_t *lengths;
} span;

/* Fills what all nodes see of a chunk alike. */
static void open_chunk(const rnnat_workspace *workspace, int32_t scratch, rnnat_chunk *chunk)
{
    chunk->stop_point =
        RNNAT_STOP && workspace->stop_points ? workspace->stop_points + scratch : NULL;
    chunk->num_nodes = (uint32_t)workspace->model->num_nodes;
    chunk->trace = RNNAT_INSPECT ? workspace->trace : NULL;
}

/* Fills which steps a node reads and makes, where it makes one of each. */
static void set_steps(rnnat_chunk *chunk, int32_t first, int32_t steps, const int32_t *lengths)
{
    chunk->first = chunk->first_made = first;
    chunk->steps = chunk->made = steps;
    chunk->lengths = chunk->lengths_made = lengths;
}

/* Fills which steps of its input and output are those of a span of the model's inputs. */
static void set_paced_steps(const rnnat_workspace *workspace, const rnnat_task *task,
                            const span *of, rnnat_chunk *chunk)
{
    const int32_t read = rnnat_node_paced_by(workspace->model->values, task->node);
    const int32_t made = task->output, end = of->first + of->steps;
    set_steps(chunk, rnnat_windows_steps(workspace, read, of->first), 0,
              rnnat_windows_lengths(workspace, read, of->lengths));
    chunk->steps = rnnat_windows_steps(workspace, read, end) - chunk->first;
    chunk->first_made = rnnat_windows_steps(workspace, made, of->first);
    chunk->made = rnnat_windows_steps(workspace, made, end) - chunk->first_made;
    chunk->lengths_made = rnnat_windows_lengths(workspace, made, of->lengths);
}

/* Fills where a node reads and writes the steps of a chunk; `moved` has room for views that begin
 * later. */
static void point_chunk(const rnnat_workspace *workspace, const rnnat_task *task,
                        rnnat_chunk *chunk, rnnat_view *moved)
{
    const rnnat_node *const node = task->node;
    chunk->node = (uint32_t)(node - workspace->model->nodes);
    for (int32_t i = 0; i < node->num_inputs; ++i) {
        const bool is_static = RNNAT_IS_STATIC(&workspace->model->values[node->inputs[i]]);
        const bool moves = chunk->first > 0 || is_static;
        if (moves) moved[i + 1] = view_of(workspace, node->inputs[i], is_static ? 0 : chunk->first);
        if (is_static) moved[i + 1].time = 0; /* an output's has the inputs' steps */
        chunk->in[i] = moves ? &moved[i + 1] : &workspace->at[node->inputs[i]];
    }
    const bool later = chunk->first_made > 0;
    if (later) moved[0] = view_of(workspace, task->output, chunk->first_made);
    chunk->out = later ? &moved[0] : &workspace->at[task->output];
    if (RNNAT_HAS_WINDOW(node)) rnnat_windows_open(workspace, node, chunk);
}

/* What a member has done of a chunk by a layer that does not look at stop points within. */
static double work_done(const rnnat_task *task, const rnnat_chunk *chunk)
{
    double work = (task->node->product + RNNAT_STOP_ROW) * chunk->steps * task->rows;
    if (RNNAT_HAS_WINDOW(task->node))
        work += (double)chunk->made * task->rows * task->node->window.extent * chunk->width;
    return work / task->member.count;
}

/* Ends a node: waits until all members have come to its end, keeps what later windows read, and makes
 * padding zero. */
static bool end_node(const rnnat_workspace *workspace, const rnnat_task *task,
                     const rnnat_chunk *chunk)
{
    const rnnat_member *const member = &task->member;
    if (!chunk->stop_point || task->node->layer->stops_within) {
        rnnat_meet(member);
    } else if (rnnat_meet_or_stop(chunk->stop_point, member,
                                  rnnat_barrier_number(chunk, 0, chunk->first),
                                  work_done(task, chunk))) {
        return false;
    }
    const bool keeps = RNNAT_HAS_WINDOW(task->node) && chunk->history;
    const bool has_padding = chunk->lengths && chunk->out->base;
    if (keeps && member->index == 0)
        rnnat_history_move(task, chunk, &workspace->histories[chunk->node]);
    if (has_padding)
        clear_padding(workspace, member, *chunk->out,
                      workspace->model->values[task->output].features, chunk->first_made,
                      chunk->made, chunk->lengths_made);
    if (keeps || has_padding) rnnat_meet(member);
    if (RNNAT_INSPECT && chunk->trace && task->node->layer->show)
        task->node->layer->show(task, chunk);
    return true;
}

/* Copies what a node of a stream gave at a step to what it gives of a row's last step, which each step
 * is, where both are read. */
static void copy_last(const rnnat_workspace *workspace, const rnnat_task *task,
                      const rnnat_chunk *chunk)
{
    const rnnat_kernels *const kernels = workspace->model->kernels;
    if (!rnnat_gives_both(workspace->model, task->node)) return;
    const rnnat_view last = view_of(workspace, task->node->last, chunk->first_made);
    const size_t bytes =
        (size_t)workspace->model->values[task->node->last].features * (size_t)kernels->elem;
    for (int32_t step = 0; task->member.index == 0 && step < chunk->made; ++step)
        for (int32_t row = 0; row < workspace->rows; ++row)
            memcpy(rnnat_view_at(kernels, last, step, row),
                   rnnat_view_at(kernels, *chunk->out, step, row), bytes);
    rnnat_meet(&task->member);
}

/* When a node runs: before the first step, at every one, or behind the last. */
typedef enum turn { TURN_BEFORE, TURN_STEPS, TURN_BEHIND } turn;

/* In a stream each step is the last one so far. */
static turn turn_of(const rnnat_workspace *workspace, int32_t index)
{
    const rnnat_model *const model = workspace->model;
    if (RNNAT_IS_STATIC(&model->values[model->nodes[index].output])) return TURN_BEFORE;
    return workspace->is_stream || rnnat_node_has_time(model, index) ? TURN_STEPS : TURN_BEHIND;
}

/* Runs those of nodes begin .. end - 1 whose turn it is over a chunk. */
static bool run_nodes(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                      int32_t end, const span *of, turn now)
{
    const bool kept = workspace->tasks && member->count == 1;
    const bool paced = now == TURN_STEPS && RNNAT_HAS_PACES(workspace->model);
    rnnat_view moved[1 + RNNAT_NODE_INPUTS];
    rnnat_chunk chunk;
    open_chunk(workspace, 0, &chunk);
    set_steps(&chunk, of->first, of->steps, of->lengths);
    for (int32_t i = begin; i < end; ++i) {
        if (turn_of(workspace, i) != now) continue;
        rnnat_task made, *const task = kept ? &workspace->tasks[i] : &made;
        if (!kept) rnnat_task_prepare(workspace, member, i, 0, 0, task);
        if (paced) set_paced_steps(workspace, task, of, &chunk);
        if (chunk.steps == 0) continue;
        point_chunk(workspace, task, &chunk, moved);
        if (chunk.made > 0 && !task->node->layer->run(task, &chunk)) return false;
        if (!end_node(workspace, task, &chunk)) return false;
        if (workspace->copies_last) copy_last(workspace, task, &chunk);
    }
    return true;
}

bool rnnat_run_chunk(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                     int32_t end, int32_t first, int32_t time, const int32_t *lengths)
{
    const span of = {first, steps_from(workspace, first, time), lengths};
    return run_nodes(workspace, member, begin, end, &of, TURN_STEPS);
}

static const span one_step = {0, 1, NULL};

#if RNNAT_WITH_WINDOWS
void rnnat_run_static(rnnat_workspace *workspace, const rnnat_member *member, int32_t steps)
{
    const rnnat_model *const model = workspace->model;
    run_nodes(workspace, member, 0, model->num_nodes, &one_step, TURN_BEFORE);
    if (steps == 1) return;
    for (int32_t i = 0; member->index == 0 && i < model->info.num_outputs; ++i) {
        const rnnat_value *const value = &model->values[model->outputs[i]];
        const rnnat_view y = workspace->at[model->outputs[i]];
        const size_t bytes = (size_t)(y.time * model->kernels->elem);
        for (int32_t step = 1; value->is_static && step < steps; ++step)
            memcpy(y.base + (size_t)step * bytes, y.base, bytes);
    }
    rnnat_meet(member);
}
#endif

void rnnat_run_rows(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                    int32_t end)
{
    if (member->index == 0) rnnat_workspace_take_last(workspace, begin, end);
    rnnat_meet(member);
    run_nodes(workspace, member, begin, end, &one_step, TURN_BEHIND);
}

/* The node behind the last one before `end` that waits. */
static int32_t rows_begin(const rnnat_model *model, int32_t end)
{
    while (end > 0 && !RNNAT_WAITS(&model->nodes[end - 1])) --end;
    return end;
}

int32_t rnnat_rows_begin(const rnnat_model *model) { return rows_begin(model, model->num_nodes); }

void rnnat_run_step(rnnat_workspace *workspace)
{
    const int32_t nodes = workspace->model->num_nodes;
    for (int32_t i = 0; i < nodes; ++i) {
        rnnat_task *const task = &workspace->tasks[i];
        const rnnat_layer *const layer = task->node->layer;
        if (layer->step)
            layer->step(task, task->in->base, task->out->base);
        else
            run_nodes(workspace, &task->member, i, i + 1, &one_step, turn_of(workspace, i));
    }
}

/* Runs nodes begin .. end - 1, all causal: every chunk of time passes through all of them. Threads that
 * have left wait for each other once more: the next node may split the team, and no member names
 * another barrier while one still looks for this one. */
static void run_causal(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                       int32_t end, int32_t time, const int32_t *lengths)
{
    bool goes_on = true;
    for (int32_t first = 0; first < time && goes_on; first += steps_from(workspace, first, time))
        goes_on = rnnat_run_chunk(workspace, member, begin, end, first, time, lengths);
    if (!goes_on) rnnat_meet(member);
}

/* Steps of a piece in which a node takes so many: as many as a chunk has, or all. */
static int32_t piece_of(const rnnat_workspace *workspace, const rnnat_node *node, int32_t steps)
{
    return node->takes_whole ? steps : workspace->chunk;
}

/* Fills the next piece of all steps that a node reads or, where it has a window, makes of all of them:
 * piece `index` from its end where it goes backwards. */
static void set_piece(const rnnat_workspace *workspace, const rnnat_task *task, int32_t index,
                      const span *all, const span *made, rnnat_chunk *chunk)
{
    const bool has_window = RNNAT_HAS_WINDOW(task->node);
    const span *const cut = has_window ? made : all;
    const int32_t most = piece_of(workspace, task->node, cut->steps);
    const int32_t last = (cut->steps - 1) / most;
    const int32_t which = task->node->reverse[task->pass] ? last - index : index;
    const int32_t first = which * most, left = cut->steps - first;
    const int32_t steps = left < most ? left : most;
    set_steps(chunk, first, steps, all->lengths);
    if (!has_window) return;
    chunk->first = 0;
    chunk->steps = all->steps;
    chunk->lengths_made = made->lengths;
}

/* Runs one pass of a node over all of time, from the end where it begins. */
static void run_pass(rnnat_workspace *workspace, const rnnat_member *member, int32_t index,
                     int32_t pass, int32_t scratch, const span *all, const span *made)
{
    rnnat_task task;
    rnnat_task_prepare(workspace, member, index, pass, scratch, &task);
    const int32_t steps = RNNAT_HAS_WINDOW(task.node) ? made->steps : all->steps;
    const int32_t most = piece_of(workspace, task.node, steps);
    const int32_t pieces = steps == 0 ? 0 : steps / most + (steps % most != 0);
    bool goes_on = true;
    for (int32_t i = 0; i < pieces && goes_on; ++i) {
        rnnat_view moved[1 + RNNAT_NODE_INPUTS];
        rnnat_chunk chunk;
        open_chunk(workspace, scratch, &chunk);
        set_piece(workspace, &task, i, all, made, &chunk);
        point_chunk(workspace, &task, &chunk, moved);
        goes_on = task.node->layer->run(&task, &chunk);
        if (!goes_on || task.node->layer->stops_within) continue;
        /* The next piece may divide the scratch in another way. */
        if (!chunk.stop_point)
            rnnat_meet(member);
        else
            goes_on = !rnnat_meet_or_stop(chunk.stop_point, member,
                                          rnnat_barrier_number(&chunk, 0, chunk.first_made),
                                          work_done(&task, &chunk));
    }
}

/* All steps of a value. */
static span all_of(const rnnat_workspace *workspace, int32_t value, int32_t time,
                   const int32_t *lengths)
{
    if (!RNNAT_HAS_PACES(workspace->model)) return (span){0, time, lengths};
    return (span){0, rnnat_windows_steps(workspace, value, time),
                  rnnat_windows_lengths(workspace, value, lengths)};
}

/* Runs one node that needs all of time: its two passes side by side where there is a team. */
static void run_whole(rnnat_workspace *workspace, const rnnat_team *team, int32_t index,
                      int32_t time, const int32_t *lengths)
{
    const rnnat_node *const node = &workspace->model->nodes[index];
    const span all = all_of(workspace, node->inputs[0], time, lengths);
    const span made = all_of(workspace, node->output, time, lengths);
    if (team->all.count > 1 && node->num_passes == 2) {
        run_pass(workspace, &team->of_pass, index, team->pass, team->pass, &all, &made);
    } else {
        for (int32_t p = 0; p < node->num_passes; ++p)
            run_pass(workspace, &team->all, index, p, 0, &all, &made);
    }
    const rnnat_task whole = {.node = node,
                              .kernels = workspace->model->kernels,
                              .rows = workspace->rows,
                              .output = node->output,
                              .member = team->all};
    rnnat_view moved[1 + RNNAT_NODE_INPUTS];
    rnnat_chunk chunk;
    open_chunk(workspace, 0, &chunk);
    set_steps(&chunk, 0, all.steps, all.lengths);
    chunk.made = made.steps;
    chunk.lengths_made = made.lengths;
    point_chunk(workspace, &whole, &chunk, moved);
    chunk.stop_point = NULL; /* its passes have stopped, each at a point of its own */
    end_node(workspace, &whole, &chunk);
}

/* Whether a node runs over steps, and needs all of them before its first one. */
static bool needs_all(const rnnat_workspace *workspace, int32_t index)
{
    return turn_of(workspace, index) == TURN_STEPS &&
           !rnnat_node_is_causal(&workspace->model->nodes[index]);
}

void rnnat_run_steps(rnnat_workspace *workspace, const rnnat_team *team, int32_t time,
                     const int32_t *lengths)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t begin = 0; begin < model->num_nodes;) {
        int32_t next = begin + 1;
        const bool whole = needs_all(workspace, begin);
        while (!whole && next < model->num_nodes && !needs_all(workspace, next)) ++next;
        if (RNNAT_WAITS(&model->nodes[begin]))
            rnnat_run_rows(workspace, &team->all, rows_begin(model, begin), begin);
        if (whole)
            run_whole(workspace, team, begin, time, lengths);
        else
            run_causal(workspace, &team->all, begin, next, time, lengths);
        begin = next;
    }
}
