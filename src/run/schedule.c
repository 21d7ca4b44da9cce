/* In which order nodes, passes and chunks of time run. */
#include "schedule.h"

#include <string.h>

static int32_t steps_from(const rnnat_lane *lane, int32_t first, int32_t time)
{
    const int32_t left = time - first;
    return left < lane->chunk ? left : lane->chunk;
}

/* Where a value is from step `first` on. */
static rnnat_view view_of(const rnnat_lane *lane, int32_t index, int32_t first)
{
    const rnnat_value *const value = &lane->model->values[index];
    rnnat_view view = lane->at[index];
    const ptrdiff_t elem = value->known ? (ptrdiff_t)sizeof(int32_t) : lane->model->kernels->elem;
    if (value->home == RNNAT_HOME_CALLER || value->home == RNNAT_HOME_WHOLE)
        view.base += first * view.time * elem;
    return view;
}

/* Outputs past a row's own length are zero. Everybody has to have written them before. */
static void clear_padding(const rnnat_lane *lane, const rnnat_part *part, rnnat_view out,
                          int32_t features, int32_t first, int32_t steps, const int32_t *lengths)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const size_t bytes = (size_t)features * (size_t)kernels->elem;
    const rnnat_exit *const leave = RNNAT_STOP ? lane->exits : NULL;
    for (int32_t row = 0; part->index == 0 && row < lane->rows; ++row) {
        if (leave && rnnat_stops(leave->stop, leave->asks, (double)RNNAT_STOP_ROW * steps)) return;
        int32_t step = lengths[row] > first ? lengths[row] - first : 0;
        for (; step < steps; ++step) memset(rnnat_view_at(kernels, out, step, row), 0, bytes);
    }
}

/* The value that a node writes at every step. Where only a row's last step is asked for, a stream gives
 * it after each one. */
static int32_t output_of(const rnnat_lane *lane, const rnnat_node *node)
{
    const rnnat_value *const values = lane->model->values;
    const bool each_is_last =
        lane->is_stream && node->last >= 0 && values[node->output].home == RNNAT_HOME_NOWHERE;
    return each_is_last ? node->last : node->output;
}

void rnnat_task_prepare(const rnnat_lane *lane, const rnnat_part *part, int32_t index, int32_t pass,
                        int32_t scratch, rnnat_task *task)
{
    const rnnat_node *const node = &lane->model->nodes[index];
    task->node = node;
    task->kernels = lane->model->kernels;
    task->rows = lane->rows;
    task->pass = pass;
    task->output = output_of(lane, node);
    task->part = *part;
    task->memory = lane->memory[index];
    task->scratch = lane->scratch[scratch];
    task->in = &lane->at[node->inputs[0]];
    task->out = &lane->at[task->output];
    if (node->layer->prepare) node->layer->prepare(task, lane->chunk);
}

/* A piece of time, as every node sees it. */
static void open_chunk(const rnnat_lane *lane, int32_t scratch, int32_t first, int32_t steps,
                       const int32_t *lengths, rnnat_chunk *chunk)
{
    chunk->first = first;
    chunk->steps = steps;
    chunk->lengths = lengths;
    chunk->leave = RNNAT_STOP && lane->exits ? lane->exits + scratch : NULL;
    chunk->places = (uint32_t)lane->model->num_nodes;
    chunk->trace = RNNAT_INSPECT ? lane->trace : NULL;
}

/* What one node reads and writes then; `moved` has room for views that begin later. */
static void point_chunk(const rnnat_lane *lane, const rnnat_task *task, rnnat_chunk *chunk,
                        rnnat_view *moved)
{
    const rnnat_node *const node = task->node;
    const bool later = chunk->first > 0;
    chunk->place = (uint32_t)(node - lane->model->nodes);
    for (int32_t i = 0; i < node->num_inputs; ++i) {
        if (later) moved[i + 1] = view_of(lane, node->inputs[i], chunk->first);
        chunk->in[i] = later ? &moved[i + 1] : &lane->at[node->inputs[i]];
    }
    if (later) moved[0] = view_of(lane, task->output, chunk->first);
    chunk->out = later ? &moved[0] : &lane->at[task->output];
}

/* What follows a node: all have come to its end, and padding is zero for the next one. */
static bool end_node(const rnnat_lane *lane, const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_part *const part = &task->part;
    if (!chunk->leave || task->node->layer->leaves) {
        rnnat_meet(part);
    } else {
        const double work = (double)RNNAT_STOP_ROW * chunk->steps * lane->rows / part->count;
        if (rnnat_meet_or_leave(chunk->leave, part, rnnat_exit_place(chunk, 0, chunk->first), work))
            return false;
    }
    if (chunk->lengths && chunk->out->base) {
        clear_padding(lane, part, *chunk->out, lane->model->values[task->output].features,
                      chunk->first, chunk->steps, chunk->lengths);
        rnnat_meet(part);
    }
    if (RNNAT_INSPECT && chunk->trace && task->node->layer->show)
        task->node->layer->show(task, chunk);
    return true;
}

/* Whether a node runs at every step: in a stream each does. */
static bool runs_at_steps(const rnnat_lane *lane, int32_t index)
{
    return lane->is_stream || rnnat_node_has_time(lane->model, index);
}

/* Nodes begin .. end - 1 over a chunk: those that run at every step, or those that do not. */
static bool run_nodes(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                      int32_t first, int32_t steps, const int32_t *lengths, bool at_steps)
{
    const bool kept = lane->tasks && part->count == 1;
    rnnat_view moved[1 + RNNAT_NODE_INPUTS];
    rnnat_chunk chunk;
    open_chunk(lane, 0, first, steps, lengths, &chunk);
    for (int32_t i = begin; i < end; ++i) {
        if (runs_at_steps(lane, i) != at_steps) continue;
        rnnat_task made, *const task = kept ? &lane->tasks[i] : &made;
        if (!kept) rnnat_task_prepare(lane, part, i, 0, 0, task);
        point_chunk(lane, task, &chunk, moved);
        if (!task->node->layer->run(task, &chunk) || !end_node(lane, task, &chunk)) return false;
    }
    return true;
}

bool rnnat_run_chunk(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                     int32_t first, int32_t time, const int32_t *lengths)
{
    return run_nodes(lane, part, begin, end, first, steps_from(lane, first, time), lengths, true);
}

void rnnat_run_rows(rnnat_lane *lane, const rnnat_part *part)
{
    run_nodes(lane, part, 0, lane->model->num_nodes, 0, 1, NULL, false);
}

void rnnat_run_step(rnnat_lane *lane)
{
    const int32_t nodes = lane->model->num_nodes;
    for (int32_t i = 0; i < nodes; ++i) {
        rnnat_task *const task = &lane->tasks[i];
        const rnnat_layer *const layer = task->node->layer;
        if (layer->step)
            layer->step(task, task->in->base, task->out->base);
        else
            rnnat_run_chunk(lane, &task->part, i, i + 1, 0, 1, NULL);
    }
}

/* Nodes begin .. end - 1, all causal: every chunk of time passes through all of them. Threads that
 * have left meet once more: the next node may split them, and none of them names the place of
 * another meeting while one still looks for this one. */
static void run_causal(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                       int32_t time, const int32_t *lengths)
{
    bool goes_on = true;
    for (int32_t first = 0; first < time && goes_on; first += steps_from(lane, first, time))
        goes_on = rnnat_run_chunk(lane, part, begin, end, first, time, lengths);
    if (!goes_on) rnnat_meet(part);
}

/* One pass of a node over all of time, from the end where it begins. */
static void run_pass(rnnat_lane *lane, const rnnat_part *part, int32_t index, int32_t pass,
                     int32_t scratch, int32_t time, const int32_t *lengths)
{
    const int32_t chunks = time / lane->chunk + (time % lane->chunk != 0);
    const bool reverse = lane->model->nodes[index].reverse[pass];
    rnnat_task task;
    rnnat_task_prepare(lane, part, index, pass, scratch, &task);
    bool goes_on = true;
    for (int32_t i = 0; i < chunks && goes_on; ++i) {
        const int32_t first = (reverse ? chunks - 1 - i : i) * lane->chunk;
        rnnat_view moved[1 + RNNAT_NODE_INPUTS];
        rnnat_chunk chunk;
        open_chunk(lane, scratch, first, steps_from(lane, first, time), lengths, &chunk);
        point_chunk(lane, &task, &chunk, moved);
        goes_on = task.node->layer->run(&task, &chunk);
    }
}

/* One node that needs all of time: two passes side by side where there is a crew. */
static void run_whole(rnnat_lane *lane, const rnnat_crew *crew, int32_t index, int32_t time,
                      const int32_t *lengths)
{
    const rnnat_node *const node = &lane->model->nodes[index];
    if (crew->all.count > 1 && node->num_passes == 2) {
        run_pass(lane, &crew->half, index, crew->side, crew->side, time, lengths);
    } else {
        for (int32_t p = 0; p < node->num_passes; ++p)
            run_pass(lane, &crew->all, index, p, 0, time, lengths);
    }
    rnnat_meet(&crew->all);
    const rnnat_view out = view_of(lane, node->output, 0);
    if (lengths && out.base) {
        clear_padding(lane, &crew->all, out, lane->model->values[node->output].features, 0, time,
                      lengths);
        rnnat_meet(&crew->all);
    }
}

void rnnat_run_steps(rnnat_lane *lane, const rnnat_crew *crew, int32_t time, const int32_t *lengths)
{
    const rnnat_model *const model = lane->model;
    for (int32_t begin = 0; begin < model->num_nodes;) {
        int32_t next = begin + 1;
        const bool whole =
            runs_at_steps(lane, begin) && !rnnat_node_is_causal(&model->nodes[begin]);
        while (!whole && next < model->num_nodes &&
               (!runs_at_steps(lane, next) || rnnat_node_is_causal(&model->nodes[next])))
            ++next;
        if (whole)
            run_whole(lane, crew, begin, time, lengths);
        else
            run_causal(lane, &crew->all, begin, next, time, lengths);
        begin = next;
    }
}
