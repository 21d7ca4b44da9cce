/* In which order nodes, passes and chunks of time run. */
#include "schedule.h"

#include <string.h>

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
    task->in = &workspace->at[node->inputs[0]];
    task->out = &workspace->at[task->output];
    if (node->layer->prepare) node->layer->prepare(task, workspace->chunk);
}

/* Fills what all nodes see of a chunk alike. */
static void open_chunk(const rnnat_workspace *workspace, int32_t scratch, int32_t first,
                       int32_t steps, const int32_t *lengths, rnnat_chunk *chunk)
{
    chunk->first = first;
    chunk->steps = steps;
    chunk->lengths = lengths;
    chunk->stop_point =
        RNNAT_STOP && workspace->stop_points ? workspace->stop_points + scratch : NULL;
    chunk->num_nodes = (uint32_t)workspace->model->num_nodes;
    chunk->trace = RNNAT_INSPECT ? workspace->trace : NULL;
}

/* Fills what one node reads and writes of it; `moved` has room for views that begin later. */
static void point_chunk(const rnnat_workspace *workspace, const rnnat_task *task,
                        rnnat_chunk *chunk, rnnat_view *moved)
{
    const rnnat_node *const node = task->node;
    const bool later = chunk->first > 0;
    chunk->node = (uint32_t)(node - workspace->model->nodes);
    for (int32_t i = 0; i < node->num_inputs; ++i) {
        if (later) moved[i + 1] = view_of(workspace, node->inputs[i], chunk->first);
        chunk->in[i] = later ? &moved[i + 1] : &workspace->at[node->inputs[i]];
    }
    if (later) moved[0] = view_of(workspace, task->output, chunk->first);
    chunk->out = later ? &moved[0] : &workspace->at[task->output];
}

/* Ends a node: waits until all members have come to its end, and makes padding zero. */
static bool end_node(const rnnat_workspace *workspace, const rnnat_task *task,
                     const rnnat_chunk *chunk)
{
    const rnnat_member *const member = &task->member;
    if (!chunk->stop_point || task->node->layer->stops_within) {
        rnnat_meet(member);
    } else {
        const double work = (double)RNNAT_STOP_ROW * chunk->steps * workspace->rows / member->count;
        if (rnnat_meet_or_stop(chunk->stop_point, member,
                               rnnat_barrier_number(chunk, 0, chunk->first), work))
            return false;
    }
    if (chunk->lengths && chunk->out->base) {
        clear_padding(workspace, member, *chunk->out,
                      workspace->model->values[task->output].features, chunk->first, chunk->steps,
                      chunk->lengths);
        rnnat_meet(member);
    }
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
    const rnnat_view last = view_of(workspace, task->node->last, chunk->first);
    const size_t bytes =
        (size_t)workspace->model->values[task->node->last].features * (size_t)kernels->elem;
    for (int32_t step = 0; task->member.index == 0 && step < chunk->steps; ++step)
        for (int32_t row = 0; row < workspace->rows; ++row)
            memcpy(rnnat_view_at(kernels, last, step, row),
                   rnnat_view_at(kernels, *chunk->out, step, row), bytes);
    rnnat_meet(&task->member);
}

/* Whether a node runs at every step: in a stream each does. */
static bool runs_at_steps(const rnnat_workspace *workspace, int32_t index)
{
    return workspace->is_stream || rnnat_node_has_time(workspace->model, index);
}

/* Runs nodes begin .. end - 1 over a chunk: those that run at every step, or those that do not. */
static bool run_nodes(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                      int32_t end, int32_t first, int32_t steps, const int32_t *lengths,
                      bool at_steps)
{
    const bool kept = workspace->tasks && member->count == 1;
    rnnat_view moved[1 + RNNAT_NODE_INPUTS];
    rnnat_chunk chunk;
    open_chunk(workspace, 0, first, steps, lengths, &chunk);
    for (int32_t i = begin; i < end; ++i) {
        if (runs_at_steps(workspace, i) != at_steps) continue;
        rnnat_task made, *const task = kept ? &workspace->tasks[i] : &made;
        if (!kept) rnnat_task_prepare(workspace, member, i, 0, 0, task);
        point_chunk(workspace, task, &chunk, moved);
        if (!task->node->layer->run(task, &chunk) || !end_node(workspace, task, &chunk))
            return false;
        if (workspace->copies_last) copy_last(workspace, task, &chunk);
    }
    return true;
}

bool rnnat_run_chunk(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                     int32_t end, int32_t first, int32_t time, const int32_t *lengths)
{
    return run_nodes(workspace, member, begin, end, first, steps_from(workspace, first, time),
                     lengths, true);
}

void rnnat_run_rows(rnnat_workspace *workspace, const rnnat_member *member)
{
    run_nodes(workspace, member, 0, workspace->model->num_nodes, 0, 1, NULL, false);
}

void rnnat_run_step(rnnat_workspace *workspace)
{
    const int32_t nodes = workspace->model->num_nodes;
    for (int32_t i = 0; i < nodes; ++i) {
        rnnat_task *const task = &workspace->tasks[i];
        const rnnat_layer *const layer = task->node->layer;
        if (layer->step)
            layer->step(task, task->in->base, task->out->base);
        else
            rnnat_run_chunk(workspace, &task->member, i, i + 1, 0, 1, NULL);
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

/* Runs one pass of a node over all of time, from the end where it begins. */
static void run_pass(rnnat_workspace *workspace, const rnnat_member *member, int32_t index,
                     int32_t pass, int32_t scratch, int32_t time, const int32_t *lengths)
{
    const int32_t chunks = time / workspace->chunk + (time % workspace->chunk != 0);
    const bool reverse = workspace->model->nodes[index].reverse[pass];
    rnnat_task task;
    rnnat_task_prepare(workspace, member, index, pass, scratch, &task);
    bool goes_on = true;
    for (int32_t i = 0; i < chunks && goes_on; ++i) {
        const int32_t first = (reverse ? chunks - 1 - i : i) * workspace->chunk;
        rnnat_view moved[1 + RNNAT_NODE_INPUTS];
        rnnat_chunk chunk;
        open_chunk(workspace, scratch, first, steps_from(workspace, first, time), lengths, &chunk);
        point_chunk(workspace, &task, &chunk, moved);
        goes_on = task.node->layer->run(&task, &chunk);
    }
}

/* Runs one node that needs all of time: its two passes side by side where there is a team. */
static void run_whole(rnnat_workspace *workspace, const rnnat_team *team, int32_t index,
                      int32_t time, const int32_t *lengths)
{
    const rnnat_node *const node = &workspace->model->nodes[index];
    if (team->all.count > 1 && node->num_passes == 2) {
        run_pass(workspace, &team->of_pass, index, team->pass, team->pass, time, lengths);
    } else {
        for (int32_t p = 0; p < node->num_passes; ++p)
            run_pass(workspace, &team->all, index, p, 0, time, lengths);
    }
    const rnnat_task whole = {.node = node,
                              .kernels = workspace->model->kernels,
                              .rows = workspace->rows,
                              .output = node->output,
                              .member = team->all};
    rnnat_view moved[1 + RNNAT_NODE_INPUTS];
    rnnat_chunk chunk;
    open_chunk(workspace, 0, 0, time, lengths, &chunk);
    point_chunk(workspace, &whole, &chunk, moved);
    chunk.stop_point = NULL; /* its passes have stopped, each at a point of its own */
    end_node(workspace, &whole, &chunk);
}

void rnnat_run_steps(rnnat_workspace *workspace, const rnnat_team *team, int32_t time,
                     const int32_t *lengths)
{
    const rnnat_model *const model = workspace->model;
    for (int32_t begin = 0; begin < model->num_nodes;) {
        int32_t next = begin + 1;
        const bool whole =
            runs_at_steps(workspace, begin) && !rnnat_node_is_causal(&model->nodes[begin]);
        while (!whole && next < model->num_nodes &&
               (!runs_at_steps(workspace, next) || rnnat_node_is_causal(&model->nodes[next])))
            ++next;
        if (whole)
            run_whole(workspace, team, begin, time, lengths);
        else
            run_causal(workspace, &team->all, begin, next, time, lengths);
        begin = next;
    }
}
