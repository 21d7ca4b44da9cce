#include "forward.h"

#include <string.h>

/* A piece of time: steps first .. first + steps - 1 of the whole. */
typedef struct span {
    int32_t first, steps;
} span;

static rnnat_rows rows_of(const rnnat_lane *lane, rnnat_view view, int32_t feature)
{
    return (rnnat_rows){view.base + (ptrdiff_t)feature * lane->model->kernels->elem, lane->rows,
                        view.row, view.time};
}

/* Outputs past a row's own length are zero. Everybody has to have written them before. */
static void clear_padding(const rnnat_lane *lane, const rnnat_part *part, rnnat_view out,
                          int32_t width, span when, const int32_t *lengths)
{
    const size_t bytes = (size_t)width * (size_t)lane->model->kernels->elem;
    const rnnat_exit *const leave = RNNAT_STOP ? lane->exits : NULL;
    for (int32_t row = 0; lengths && part->index == 0 && row < lane->rows; ++row) {
        if (leave && rnnat_stops(leave->stop, leave->asks, (double)RNNAT_STOP_ROW * when.steps))
            return;
        int32_t step = lengths[row] > when.first ? lengths[row] - when.first : 0;
        for (; step < when.steps; ++step) memset(rnnat_view_at(lane, out, step, row), 0, bytes);
    }
}

static void run_embedding(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                          rnnat_view in, rnnat_view out, span when, const int32_t *lengths)
{
    const size_t bytes = (size_t)op->output * (size_t)lane->model->kernels->elem;
    const int32_t end = rnnat_first(part, part->index + 1, when.steps);
    for (int32_t step = rnnat_first(part, part->index, when.steps); step < end; ++step) {
        for (int32_t row = 0; row < lane->rows; ++row) {
            if (lengths && when.first + step >= lengths[row]) continue;
            int32_t index;
            memcpy(&index, in.base + (step * in.time + row * in.row) * (ptrdiff_t)sizeof index,
                   sizeof index);
            /* It was checked, but may have changed: no index reads what is not the table's. */
            const size_t known = (uint32_t)index < (uint32_t)op->input ? (size_t)index : 0;
            memcpy(rnnat_view_at(lane, out, step, row), (const char *)op->table + known * bytes,
                   bytes);
        }
    }
}

/* Where threads may leave between steps, of the part that works with `work`. */
static rnnat_exit *exit_of(const rnnat_lane *lane, const rnnat_workspace *work)
{
    return RNNAT_STOP && lane->exits ? lane->exits + (work - lane->work) : NULL;
}

/* A name for the meeting after a step: another one than that of the meeting before. */
static uint32_t exit_place(const rnnat_lane *lane, const rnnat_op *op, int32_t direction,
                           int32_t step)
{
    const rnnat_model *const model = lane->model;
    const uint32_t ops = (uint32_t)model->num_ops, index = (uint32_t)(op - model->ops);
    return ((((uint32_t)step * ops + index) * 2 + (uint32_t)direction) & INT32_MAX) + 1;
}

/* A product of a chunk: rnnat_gemm or, where the run may be stopped, in pieces, after each of which
 * a thread does no more of it. */
static void multiply_chunk(const rnnat_lane *lane, rnnat_exit *leave, const rnnat_part *part,
                           const rnnat_matrix *matrix, int32_t m, int32_t n, rnnat_rows a,
                           rnnat_rows c, const void *bias)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    if (!RNNAT_STOP || !leave || rnnat_matrix_is_blas(matrix)) {
        rnnat_gemm(matrix, kernels, part, m, n, a, c, bias);
        return;
    }
    rnnat_gemm_args args = rnnat_gemm_plan(matrix, kernels, part, m, n, a, c, bias);
    const int32_t last = args.last_panel;
    const double pair = 2.0 * m * matrix->k * RNNAT_GEMM_PANEL * kernels->lanes;
    const int32_t some = 2 * (1 + (int32_t)(leave->stop->every / (pair + 1)));
    bool left = false;
    for (; args.first_panel < last && !left; args.first_panel = args.last_panel) {
        args.last_panel = last - args.first_panel < some ? last : args.first_panel + some;
        kernels->gemm(&args);
        left = rnnat_stops(leave->stop, leave->asks && part->index == 0,
                           pair / 2 * (args.last_panel - args.first_panel));
    }
}

/* The input's part of the output layer behind a stack that begins with `op`. */
static void run_skip(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                     rnnat_view in, char *skip, span when)
{
    if (op->skip_size)
        multiply_chunk(lane, lane->exits, part, &op->skip, when.steps * lane->rows, op->skip_size,
                       rows_of(lane, in, 0),
                       rows_of(lane, rnnat_dense(lane, skip, op->skip_size), 0), op->skip_bias);
}

/* `skip`: what an output layer adds, steps from the first one on. */
static void run_linear(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                       rnnat_view in, rnnat_view out, char *skip, span when)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const int32_t m = when.steps * lane->rows;
    multiply_chunk(lane, lane->exits, part, &op->weight, m, op->output, rows_of(lane, in, 0),
                   rows_of(lane, out, 0), op->bias);
    if (op->activation == RNNAT_IDENTITY && !op->adds_skip) return;
    rnnat_meet(part);
    const int32_t first = rnnat_first(part, part->index, when.steps);
    const int32_t steps = rnnat_first(part, part->index + 1, when.steps) - first;
    out.base = rnnat_view_at(lane, out, first, 0);
    if (op->adds_skip) {
        const rnnat_view all = rnnat_dense(lane, skip, op->output);
        const rnnat_view more = {rnnat_view_at(lane, all, first, 0), all.time, all.row};
        kernels->add(rows_of(lane, out, 0), rows_of(lane, more, 0), steps * lane->rows, op->output);
    }
    kernels->activate(op->activation, rows_of(lane, out, 0), steps * lane->rows, op->output);
}

/* Each thread of the team takes some of the steps. */
static void run_merge(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                      rnnat_view in, rnnat_view out, span when)
{
    const int32_t first = rnnat_first(part, part->index, when.steps);
    const int32_t steps = rnnat_first(part, part->index + 1, when.steps) - first;
    in.base = rnnat_view_at(lane, in, first, 0);
    out.base = rnnat_view_at(lane, out, first, 0);
    lane->model->kernels->merge(op->merge, rows_of(lane, out, 0), rows_of(lane, in, 0),
                                steps * lane->rows, op->output);
}

/* The same step from row `first` on, `rows` rows of it. */
static rnnat_step rows_from(const rnnat_step *step, int32_t first, int32_t rows, ptrdiff_t elem)
{
    rnnat_step s = *step;
    const ptrdiff_t pad = first * step->pad_stride * elem;
    s.rows = rows;
    s.gx = (const char *)s.gx + first * s.gx_stride * elem;
    s.gh = (char *)s.gh + first * s.gh_stride * elem;
    s.h_prev = (const char *)s.h_prev + first * s.h_prev_stride * elem;
    s.h_next = (char *)s.h_next + first * s.h_next_stride * elem;
    s.out = (char *)s.out + first * s.out_stride * elem;
    if (s.c) s.c = (char *)s.c + pad;
    for (int i = 0; i < RNNAT_CELL_STATES - 1 && s.next[i]; ++i) {
        s.prev[i] = (const char *)s.prev[i] + pad;
        s.next[i] = (char *)s.next[i] + pad;
    }
    s.z = (char *)s.z + pad;
    s.rh = (char *)s.rh + pad;
    s.unprojected = (char *)s.unprojected + pad;
    for (int i = 0; i < RNNAT_CELL_GATES && s.trace[i]; ++i)
        s.trace[i] = (char *)s.trace[i] + (ptrdiff_t)first * s.hidden * elem;
    return s;
}

/* The state after the step becomes the one before it. */
static void keep_state(const rnnat_step *step, ptrdiff_t elem)
{
    const size_t rows = (size_t)step->rows * (size_t)elem;
    memcpy(step->h_next, step->h_prev, (size_t)step->h_prev_stride * rows);
    for (int i = 0; i < RNNAT_CELL_STATES - 1 && step->next[i]; ++i)
        memcpy(step->next[i], step->prev[i], (size_t)step->pad_stride * rows);
}

/* Steps the rows that have not ended; the state of the others stays what it is. */
static void step_active(const rnnat_op *op, const rnnat_cell *cell, const rnnat_kernels *kernels,
                        const rnnat_part *part, rnnat_step *step, int32_t when,
                        const int32_t *lengths)
{
    int32_t row = 0;
    while (row < step->rows) {
        const bool active = when < lengths[row];
        int32_t end = row + 1;
        while (end < step->rows && (when < lengths[end]) == active) ++end;
        rnnat_step some = rows_from(step, row, end - row, kernels->elem);
        if (active)
            op->ops->step(cell, kernels, part, &some);
        else if (part->index == 0)
            keep_state(&some, kernels->elem);
        row = end;
    }
}

/* A thread's multiplications in a step of one direction, as a run that may be stopped counts. */
static double step_work(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op)
{
    const double row = (double)op->ops->products * op->hidden * op->state + RNNAT_STOP_ROW;
    return row * lane->rows / part->count;
}

/* One direction of one recurrent layer over a chunk of time; false where it was left. */
static bool run_cell(rnnat_lane *lane, const rnnat_part *part, const rnnat_workspace *work,
                     const rnnat_op *op, int32_t direction, rnnat_view in, rnnat_view out,
                     span when, const int32_t *lengths)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const rnnat_cell *const cell = &op->cell[direction];
    rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    const rnnat_view gx = rnnat_dense(lane, work->gx, cell->w_ih.n);
    rnnat_exit *const leave = exit_of(lane, work);
    int32_t now = state->now;

    multiply_chunk(lane, leave, part, &cell->w_ih, when.steps * lane->rows, cell->w_ih.n,
                   rows_of(lane, in, 0), rows_of(lane, gx, 0), cell->bias);
    rnnat_meet(part);

    rnnat_step step = rnnat_step_prepare(lane, part, work, op, direction);
    step.out_stride = out.row;
    char *const features = out.base + (ptrdiff_t)direction * op->state * kernels->elem;
    /* Where it may be left: after so many steps, and after the last one. */
    const double each = leave ? step_work(lane, part, op) : 0;
    const int32_t some = leave ? (int32_t)(leave->stop->every / (each + 1)) : 0;
    int32_t begun = 0, pause = !leave ? -1 : some < when.steps ? some : when.steps - 1;
    for (int32_t i = 0; i < when.steps; ++i) {
        const int32_t t = op->reverse[direction] ? when.steps - 1 - i : i;
        step.gx = rnnat_view_at(lane, gx, t, 0);
        rnnat_step_point(&step, op, state, now);
        if (RNNAT_INSPECT && lane->trace)
            rnnat_trace_gates(lane, op, direction, when.first + t, &step);
        step.out = features + t * out.time * kernels->elem;
        if (lengths)
            step_active(op, cell, kernels, part, &step, when.first + t, lengths);
        else
            op->ops->step(cell, kernels, part, &step);
        now = 1 - now;
        if (RNNAT_INSPECT && lane->trace)
            rnnat_trace_states(lane, op, direction, when.first + t, now, lengths);
        if (part->index == 0 && i == when.steps - 1) state->now = now;
        if (i != pause) {
            rnnat_meet(part);
            continue;
        }
        if (rnnat_meet_or_leave(leave, part, exit_place(lane, op, direction, when.first + i),
                                each * (i + 1 - begun)))
            return false;
        begun = i + 1;
        pause = i + 1 + some < when.steps ? i + 1 + some : when.steps - 1;
    }
    return true;
}

/* `skip`: of the chunk, what an output layer's stack leaves for it. False where it was left. */
static bool run_op(rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op, rnnat_view in,
                   rnnat_view out, char *skip, span when, const int32_t *lengths)
{
    switch (op->kind) {
    case RNNAT_LAYER_EMBEDDING: run_embedding(lane, part, op, in, out, when, lengths); break;
    case RNNAT_LAYER_LINEAR: run_linear(lane, part, op, in, out, skip, when); break;
    case RNNAT_LAYER_MERGE: run_merge(lane, part, op, in, out, when); break;
    case RNNAT_LAYER_RECURRENT:
        run_skip(lane, part, op, in, skip, when);
        if (!run_cell(lane, part, &lane->work[0], op, 0, in, out, when, lengths)) return false;
        break;
    }
    if (op->kind == RNNAT_LAYER_RECURRENT)
        rnnat_meet(part);
    else if (rnnat_meet_or_leave(lane->exits, part, exit_place(lane, op, 0, when.first),
                                 (double)RNNAT_STOP_ROW * when.steps * lane->rows / part->count))
        return false;
    if (lengths && !op->last_only) {
        clear_padding(lane, part, out, op->output, when, lengths);
        rnnat_meet(part);
    }
    if (RNNAT_INSPECT && lane->trace && op->adds_skip)
        rnnat_trace_output(lane, op, out, when.first, when.steps);
    return true;
}

static span chunk_of(const rnnat_lane *lane, int32_t first, int32_t time)
{
    const int32_t left = time - first;
    return (span){first, left < lane->chunk ? left : lane->chunk};
}

/* Where the skip of operation `i` of a chain from `begin` on is: kept for all of time where its
 * stack lies before the chain. */
static char *skip_of(const rnnat_lane *lane, int32_t i, int32_t begin, int32_t first)
{
    const rnnat_op *const op = &lane->model->ops[i];
    if (!op->adds_skip || i > begin) return lane->skip;
    return rnnat_view_at(lane, rnnat_dense(lane, lane->whole_skip, op->output), first, 0);
}

bool rnnat_forward_chunk(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                         int32_t first, int32_t time, rnnat_view in, rnnat_view out,
                         const int32_t *lengths)
{
    const span when = chunk_of(lane, first, time);
    for (int32_t i = begin; i < end; ++i) {
        const rnnat_op *const op = &lane->model->ops[i];
        const rnnat_view to =
            i == end - 1 ? out : rnnat_dense(lane, lane->between[i % 2], op->output);
        if (!run_op(lane, part, op, in, to, skip_of(lane, i, begin, first), when, lengths))
            return false;
        in = to;
    }
    return true;
}

/* Operations begin .. end - 1, all causal: every chunk of time passes through all of them. */
static void run_chain(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                      rnnat_view in, rnnat_view out, int32_t time, const int32_t *lengths)
{
    const ptrdiff_t elem = lane->model->kernels->elem;
    const bool indices = lane->model->ops[begin].kind == RNNAT_LAYER_EMBEDDING;
    const ptrdiff_t in_elem = indices ? (ptrdiff_t)sizeof(int32_t) : elem;
    bool goes_on = true;
    for (int32_t first = 0; first < time && goes_on; first += chunk_of(lane, first, time).steps)
        goes_on = rnnat_forward_chunk(lane, part, begin, end, first, time,
                                      rnnat_later(in, first, in_elem),
                                      rnnat_later(out, first, elem), lengths);
}

/* One direction over all of time, from the end where it begins. */
static void run_direction(rnnat_lane *lane, const rnnat_part *part, const rnnat_workspace *work,
                          const rnnat_op *op, int32_t direction, rnnat_view in, rnnat_view out,
                          int32_t time, const int32_t *lengths)
{
    const ptrdiff_t elem = lane->model->kernels->elem;
    const int32_t chunks = time / lane->chunk + (time % lane->chunk != 0);
    bool goes_on = true;
    for (int32_t i = 0; i < chunks && goes_on; ++i) {
        const int32_t first = (op->reverse[direction] ? chunks - 1 - i : i) * lane->chunk;
        goes_on = run_cell(lane, part, work, op, direction, rnnat_later(in, first, elem),
                           rnnat_later(out, first, elem), chunk_of(lane, first, time), lengths);
    }
}

/* One operation that needs all of time: two directions side by side where there is a crew. */
static void run_whole(rnnat_lane *lane, const rnnat_crew *crew, const rnnat_op *op, rnnat_view in,
                      rnnat_view out, int32_t time, const int32_t *lengths)
{
    const rnnat_view skip = rnnat_dense(lane, lane->whole_skip, op->skip_size);
    for (int32_t first = 0; first < time; first += chunk_of(lane, first, time).steps)
        run_skip(lane, &crew->all, op, rnnat_later(in, first, lane->model->kernels->elem),
                 rnnat_view_at(lane, skip, first, 0), chunk_of(lane, first, time));
    if (crew->all.count > 1 && op->num_directions == 2) {
        run_direction(lane, &crew->half, &lane->work[crew->side], op, crew->side, in, out, time,
                      lengths);
    } else {
        for (int32_t d = 0; d < op->num_directions; ++d)
            run_direction(lane, &crew->all, &lane->work[0], op, d, in, out, time, lengths);
    }
    rnnat_meet(&crew->all);
    if (lengths && !op->last_only) {
        clear_padding(lane, &crew->all, out, op->output, (span){0, time}, lengths);
        rnnat_meet(&crew->all);
    }
}

void rnnat_forward(rnnat_lane *lane, const rnnat_crew *crew, int32_t end, rnnat_view x,
                   rnnat_view y, int32_t time, const int32_t *lengths)
{
    const rnnat_op *const ops = lane->model->ops;
    rnnat_view in = x;
    int32_t turn = 0;
    for (int32_t begin = 0; begin < end;) {
        int32_t next = begin + 1;
        const bool causal = rnnat_op_is_causal(&ops[begin]);
        while (causal && next < end && rnnat_op_is_causal(&ops[next])) ++next;
        const rnnat_view out =
            next == end ? y : rnnat_dense(lane, lane->whole[turn], ops[next - 1].output);
        if (causal)
            run_chain(lane, &crew->all, begin, next, in, out, time, lengths);
        else
            run_whole(lane, crew, &ops[begin], in, out, time, lengths);
        in = out;
        turn = 1 - turn;
        begin = next;
    }
}
