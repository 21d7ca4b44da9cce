#include "forward.h"

#include <string.h>

/* A piece of time: steps first .. first + steps - 1 of the whole. */
typedef struct span {
    int32_t first, steps;
} span;

static char *at(const rnnat_lane *lane, rnnat_view view, int32_t step, int32_t row)
{
    return view.base + (step * view.time + row * view.row) * lane->model->kernels->elem;
}

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
    for (int32_t row = 0; lengths && part->index == 0 && row < lane->rows; ++row) {
        int32_t step = lengths[row] > when.first ? lengths[row] - when.first : 0;
        for (; step < when.steps; ++step) memset(at(lane, out, step, row), 0, bytes);
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
            memcpy(at(lane, out, step, row), (const char *)op->table + known * bytes, bytes);
        }
    }
}

/* The input's part of the output layer behind a stack that begins with `op`. */
static void run_skip(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                     rnnat_view in, char *skip, span when)
{
    if (op->skip_size)
        rnnat_gemm(&op->skip, lane->model->kernels, part, when.steps * lane->rows, op->skip_size,
                   rows_of(lane, in, 0), rows_of(lane, rnnat_dense(lane, skip, op->skip_size), 0),
                   op->skip_bias);
}

/* `skip`: what an output layer adds, steps from the first one on. */
static void run_linear(const rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op,
                       rnnat_view in, rnnat_view out, char *skip, span when)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const int32_t m = when.steps * lane->rows;
    rnnat_gemm(&op->weight, kernels, part, m, op->output, rows_of(lane, in, 0),
               rows_of(lane, out, 0), op->bias);
    if (op->activation == RNNAT_IDENTITY && !op->adds_skip) return;
    rnnat_meet(part);
    const int32_t first = rnnat_first(part, part->index, when.steps);
    const int32_t steps = rnnat_first(part, part->index + 1, when.steps) - first;
    out.base = at(lane, out, first, 0);
    if (op->adds_skip) {
        const rnnat_view all = rnnat_dense(lane, skip, op->output);
        const rnnat_view more = {at(lane, all, first, 0), all.time, all.row};
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
    in.base = at(lane, in, first, 0);
    out.base = at(lane, out, first, 0);
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

/* Whether every other step should go through the recurrent weights backwards: it finds in the cache
 * what the step before it read last. Measured: where rows are few or weights small; elsewhere
 * arithmetic hides the loads, and going forwards costs one or two percent less. */
static bool takes_turns(const rnnat_lane *lane, const rnnat_op *op, int32_t panels)
{
    enum { few_rows = 3, little = 2 << 20 };
    const rnnat_kernels *const kernels = lane->model->kernels;
    const double weights = (double)op->ops->products * panels * kernels->lanes * op->state;
    return lane->rows <= few_rows || weights * lane->rows <= little;
}

rnnat_step rnnat_step_prepare(const rnnat_lane *lane, const rnnat_part *part,
                              const rnnat_workspace *work, const rnnat_op *op, int32_t direction)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const rnnat_cell *const cell = &op->cell[direction];
    const int32_t pad = rnnat_pad(kernels, op->hidden), state_pad = rnnat_pad(kernels, op->state);
    const int32_t panels = pad / kernels->lanes;
    const int32_t first = rnnat_first(part, part->index, panels);
    const int32_t last = rnnat_first(part, part->index + 1, panels);
    const rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    return (rnnat_step){.rows = lane->rows,
                        .first_panel = first,
                        .last_panel = last,
                        .turns = takes_turns(lane, op, last - first),
                        .k = op->state,
                        .hidden = op->hidden,
                        .activation = op->activation,
                        .gx = work->gx,
                        .gh = work->gh,
                        .functions = &cell->functions,
                        .c = op->ops->in_place ? state->array[1][0] : NULL,
                        .bias_hn = cell->bias_hn,
                        .peephole = cell->peephole,
                        .z = work->part[0],
                        .rh = work->part[1],
                        .unprojected = work->part[0],
                        .gx_stride = cell->w_ih.n,
                        .gh_stride = (ptrdiff_t)op->ops->products * pad,
                        .h_prev_stride = state_pad,
                        .h_next_stride = state_pad,
                        .pad_stride = pad};
}

/* Step `when` of an array [time, rows, features] of a trace. */
static char *trace_at(const rnnat_lane *lane, void *array, int32_t when, int32_t features)
{
    return (char *)array + (ptrdiff_t)when * lane->rows * features * lane->model->kernels->elem;
}

/* Has a step show its gates. */
static void point_trace(const rnnat_lane *lane, const rnnat_op *op, int32_t direction, int32_t when,
                        rnnat_step *step)
{
    const rnnat_cell_trace *const trace = &lane->trace[op->first_cell + direction];
    for (int i = 0; i < RNNAT_CELL_GATES && trace->gates[i]; ++i)
        step->trace[i] = trace_at(lane, trace->gates[i], when, op->hidden);
}

/* Shows h, and the c of an LSTM, of the rows that have not ended. */
static void trace_states(const rnnat_lane *lane, const rnnat_op *op, int32_t direction,
                         int32_t when, int32_t now, const int32_t *lengths)
{
    const rnnat_cell_trace *const trace = &lane->trace[op->first_cell + direction];
    const rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    for (int32_t s = 0; s < (trace->c ? 2 : 1); ++s) {
        const int32_t features = rnnat_op_features(op, s);
        const rnnat_view to = rnnat_dense(lane, s ? trace->c : trace->h, features);
        const rnnat_view from =
            rnnat_dense(lane, state->array[s][now], rnnat_pad(lane->model->kernels, features));
        for (int32_t row = 0; row < lane->rows; ++row)
            if (!lengths || when < lengths[row])
                memcpy(at(lane, to, when, row), at(lane, from, 0, row),
                       (size_t)features * (size_t)lane->model->kernels->elem);
    }
}

/* One direction of one recurrent layer over a chunk of time. */
static void run_cell(rnnat_lane *lane, const rnnat_part *part, const rnnat_workspace *work,
                     const rnnat_op *op, int32_t direction, rnnat_view in, rnnat_view out,
                     span when, const int32_t *lengths)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const rnnat_cell *const cell = &op->cell[direction];
    rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    const rnnat_view gx = rnnat_dense(lane, work->gx, cell->w_ih.n);
    int32_t now = state->now;

    rnnat_gemm(&cell->w_ih, kernels, part, when.steps * lane->rows, cell->w_ih.n,
               rows_of(lane, in, 0), rows_of(lane, gx, 0), cell->bias);
    rnnat_meet(part);

    rnnat_step step = rnnat_step_prepare(lane, part, work, op, direction);
    step.out_stride = out.row;
    char *const features = out.base + (ptrdiff_t)direction * op->state * kernels->elem;
    for (int32_t i = 0; i < when.steps; ++i) {
        const int32_t t = op->reverse[direction] ? when.steps - 1 - i : i;
        step.gx = at(lane, gx, t, 0);
        rnnat_step_point(&step, op, state, now);
        if (RNNAT_INSPECT && lane->trace) point_trace(lane, op, direction, when.first + t, &step);
        step.out = features + t * out.time * kernels->elem;
        if (lengths)
            step_active(op, cell, kernels, part, &step, when.first + t, lengths);
        else
            op->ops->step(cell, kernels, part, &step);
        now = 1 - now;
        if (RNNAT_INSPECT && lane->trace)
            trace_states(lane, op, direction, when.first + t, now, lengths);
        if (part->index == 0 && i == when.steps - 1) state->now = now;
        rnnat_meet(part);
    }
}

/* Shows what an output layer gives. */
static void trace_output(const rnnat_lane *lane, rnnat_view out, void *array, int32_t width,
                         span when)
{
    const rnnat_view to = rnnat_dense(lane, trace_at(lane, array, when.first, width), width);
    for (int32_t step = 0; step < when.steps; ++step)
        for (int32_t row = 0; row < lane->rows; ++row)
            memcpy(at(lane, to, step, row), at(lane, out, step, row),
                   (size_t)width * (size_t)lane->model->kernels->elem);
}

/* `skip`: of the chunk, what an output layer's stack leaves for it. */
static void run_op(rnnat_lane *lane, const rnnat_part *part, const rnnat_op *op, rnnat_view in,
                   rnnat_view out, char *skip, span when, const int32_t *lengths)
{
    switch (op->kind) {
    case RNNAT_LAYER_EMBEDDING: run_embedding(lane, part, op, in, out, when, lengths); break;
    case RNNAT_LAYER_LINEAR: run_linear(lane, part, op, in, out, skip, when); break;
    case RNNAT_LAYER_MERGE: run_merge(lane, part, op, in, out, when); break;
    case RNNAT_LAYER_RECURRENT:
        run_skip(lane, part, op, in, skip, when);
        run_cell(lane, part, &lane->work[0], op, 0, in, out, when, lengths);
        break;
    }
    rnnat_meet(part);
    if (lengths && !op->last_only) {
        clear_padding(lane, part, out, op->output, when, lengths);
        rnnat_meet(part);
    }
    if (RNNAT_INSPECT && lane->trace && op->adds_skip)
        trace_output(lane, out, lane->trace[op->first_cell].o, op->output, when);
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
    return at(lane, rnnat_dense(lane, lane->whole_skip, op->output), first, 0);
}

void rnnat_forward_chunk(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                         int32_t first, int32_t time, rnnat_view in, rnnat_view out,
                         const int32_t *lengths)
{
    const span when = chunk_of(lane, first, time);
    for (int32_t i = begin; i < end; ++i) {
        const rnnat_op *const op = &lane->model->ops[i];
        const rnnat_view to =
            i == end - 1 ? out : rnnat_dense(lane, lane->between[i % 2], op->output);
        run_op(lane, part, op, in, to, skip_of(lane, i, begin, first), when, lengths);
        in = to;
    }
}

/* Operations begin .. end - 1, all causal: every chunk of time passes through all of them. */
static void run_chain(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                      rnnat_view in, rnnat_view out, int32_t time, const int32_t *lengths)
{
    const ptrdiff_t elem = lane->model->kernels->elem;
    const bool indices = lane->model->ops[begin].kind == RNNAT_LAYER_EMBEDDING;
    const ptrdiff_t in_elem = indices ? (ptrdiff_t)sizeof(int32_t) : elem;
    for (int32_t first = 0; first < time; first += chunk_of(lane, first, time).steps)
        rnnat_forward_chunk(lane, part, begin, end, first, time, rnnat_later(in, first, in_elem),
                            rnnat_later(out, first, elem), lengths);
}

/* One direction over all of time, from the end where it begins. */
static void run_direction(rnnat_lane *lane, const rnnat_part *part, const rnnat_workspace *work,
                          const rnnat_op *op, int32_t direction, rnnat_view in, rnnat_view out,
                          int32_t time, const int32_t *lengths)
{
    const ptrdiff_t elem = lane->model->kernels->elem;
    const int32_t chunks = time / lane->chunk + (time % lane->chunk != 0);
    for (int32_t i = 0; i < chunks; ++i) {
        const int32_t first = (op->reverse[direction] ? chunks - 1 - i : i) * lane->chunk;
        run_cell(lane, part, work, op, direction, rnnat_later(in, first, elem),
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
                 at(lane, skip, first, 0), chunk_of(lane, first, time));
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
