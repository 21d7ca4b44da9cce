/* Sequences of a recurrent layer that run over the steps of a chunk, or over the positions inside a step. */
#include <string.h>

#include "recurrent_within.h"

#if RNNAT_WITH_WINDOWS
/* A cell's step over the sequences of a piece, with the state of these. */
static rnnat_step piece_step_of(const rnnat_piece *of, const rnnat_cell_weights *weights,
                                const rnnat_cell_state *state, ptrdiff_t gx_stride,
                                ptrdiff_t out_stride)
{
    const rnnat_recurrent *const layer = &of->within->of;
    const rnnat_kernels *const kernels = of->task->kernels;
    const int32_t pad = rnnat_pad(kernels, layer->hidden);
    const int32_t state_pad = rnnat_pad(kernels, layer->state);
    return (rnnat_step){.rows = of->count,
                        .operands = of->task->operands,
                        .last_panel = pad / kernels->lanes,
                        .k = layer->state,
                        .hidden = layer->hidden,
                        .activation = layer->activation,
                        .gh = of->scratch.gh,
                        .functions = &weights->functions,
                        .c = layer->cell->in_place ? state->array[1][0] : NULL,
                        .bias_hn = weights->bias_hn,
                        .peephole = weights->peephole,
                        .z = of->scratch.between[0],
                        .rh = of->scratch.between[1],
                        .unprojected = of->scratch.between[0],
                        .out_stride = out_stride,
                        .gx_stride = gx_stride,
                        .gh_stride = (ptrdiff_t)layer->cell->products * pad,
                        .h_prev_stride = state_pad,
                        .h_next_stride = state_pad,
                        .pad_stride = pad};
}

rnnat_cell_state rnnat_within_state_from(const rnnat_recurrent *layer, const rnnat_kernels *kernels,
                                         const rnnat_cell_state *state, int32_t first)
{
    rnnat_cell_state from = *state;
    for (int32_t s = 0; s < layer->cell->num_states; ++s)
        for (int i = 0; i < 2; ++i)
            from.array[s][i] += (ptrdiff_t)first * kernels->elem *
                                rnnat_pad(kernels, rnnat_recurrent_features(layer, s));
    return from;
}

#if RNNAT_INSPECT
/* Says where a step of cell `cell` shows its gates; `row`: of the array [time, batch * positions, ...]. */
static void show_piece_gates(const rnnat_piece *of, int32_t cell, int32_t when, int32_t row,
                             rnnat_step *step)
{
    const rnnat_recurrent *const layer = &of->within->of;
    const rnnat_cell_trace *const trace = &of->chunk->trace[layer->first_cell + cell];
    const int32_t features = of->within->positions * layer->hidden;
    for (int i = 0; i < RNNAT_CELL_GATES && trace->gates[i]; ++i)
        step->trace[i] = rnnat_trace_at(of->task, trace->gates[i], when, features) +
                         (ptrdiff_t)row * layer->hidden * of->task->kernels->elem;
}

/* Shows its h, and the c of an LSTM, as they are behind it. */
static void show_piece_states(const rnnat_piece *of, int32_t cell, int32_t when, int32_t row,
                              const rnnat_cell_state *state, int32_t now)
{
    const rnnat_recurrent *const layer = &of->within->of;
    const rnnat_kernels *const kernels = of->task->kernels;
    const rnnat_cell_trace *const trace = &of->chunk->trace[layer->first_cell + cell];
    for (int32_t s = 0; s < (trace->c ? 2 : 1); ++s) {
        const int32_t size = rnnat_recurrent_features(layer, s), pad = rnnat_pad(kernels, size);
        const ptrdiff_t elem = kernels->elem;
        char *const to =
            rnnat_trace_at(of->task, s ? trace->c : trace->h, when, of->within->positions * size);
        for (int32_t i = 0; i < of->count; ++i)
            memcpy(to + (ptrdiff_t)(row + i) * size * elem,
                   state->array[s][now] + (ptrdiff_t)i * pad * elem, (size_t)(size * elem));
    }
}
#else
static void show_piece_gates(const rnnat_piece *of, int32_t cell, int32_t when, int32_t row,
                             rnnat_step *step)
{
    (void)of, (void)cell, (void)when, (void)row, (void)step;
}
static void show_piece_states(const rnnat_piece *of, int32_t cell, int32_t when, int32_t row,
                              const rnnat_cell_state *state, int32_t now)
{
    (void)of, (void)cell, (void)when, (void)row, (void)state, (void)now;
}
#endif

/* Takes one step of the sequences; returns which of the arrays has the state then. */
static int32_t take_piece_step(const rnnat_piece *of, const rnnat_cell_weights *weights,
                               rnnat_step *step, const rnnat_cell_state *state, int32_t now,
                               int32_t cell, int32_t when, int32_t row)
{
    static const rnnat_member alone = {0, 1, NULL};
    const rnnat_recurrent *const layer = &of->within->of;
    const bool traced = RNNAT_INSPECT && of->chunk->trace;
    rnnat_recurrent_point(step, layer, state, now);
    if (traced) show_piece_gates(of, cell, when, row, step);
    layer->cell->step(weights, of->task->kernels, &alone, step);
    if (traced) show_piece_states(of, cell, when, row, state, 1 - now);
    return 1 - now;
}

static void project_piece(const rnnat_piece *of, const rnnat_cell_weights *weights, int32_t m,
                          rnnat_rows x, rnnat_rows gx)
{
    static const rnnat_member alone = {0, 1, NULL};
    rnnat_gemm(&weights->w_ih, of->task->kernels, &alone, of->task->operands, m, weights->w_ih.n, x,
               gx, weights->bias);
}

void rnnat_within_run_over_time(const rnnat_piece *of, const rnnat_cell_state *state)
{
    const rnnat_recurrent_within *const within = of->within;
    const rnnat_recurrent *const layer = &within->of;
    const rnnat_chunk *const chunk = of->chunk;
    const rnnat_kernels *const kernels = of->task->kernels;
    const int32_t pass = of->task->pass, passes = of->task->node->num_passes;
    const rnnat_cell_weights *const weights = &layer->weights[pass];
    const bool reverse = of->task->node->reverse[pass];
    const ptrdiff_t elem = kernels->elem, width = (ptrdiff_t)passes * layer->state;
    const int32_t row = of->first / within->positions, position = of->first % within->positions;
    const rnnat_cell_state own = rnnat_within_state_from(layer, kernels, state, of->first);
    rnnat_step step = piece_step_of(of, weights, &own, weights->w_ih.n, width);
    int32_t active = chunk->steps, now = state->now;
    if (chunk->lengths) {
        active = chunk->lengths[row] - chunk->first;
        if (active > chunk->steps) active = chunk->steps;
    }
    const char *const x = rnnat_view_at(kernels, *chunk->in[0], 0, row) +
                          (ptrdiff_t)position * within->channels * elem;
    char *y = NULL;
    if (chunk->out->base)
        y = rnnat_view_at(kernels, *chunk->out, 0, row) +
            (position * width + (ptrdiff_t)pass * layer->state) * elem;
    for (int32_t done = 0, some; done < active; done += some) {
        some = active - done < of->steps ? active - done : of->steps;
        const int32_t from = reverse ? active - done - some : done;
        const rnnat_rows steps = {x + from * chunk->in[0]->time * elem, of->count, within->channels,
                                  chunk->in[0]->time};
        const rnnat_rows gx = {of->scratch.gx, of->count, step.gx_stride,
                               of->count * step.gx_stride};
        project_piece(of, weights, some * of->count, steps, gx);
        for (int32_t i = 0; i < some; ++i) {
            const int32_t t = reverse ? some - 1 - i : i;
            step.gx = of->scratch.gx + t * gx.outer_stride * elem;
            step.out = y ? y + (from + t) * chunk->out->time * elem : NULL;
            now = take_piece_step(of, weights, &step, &own, now, pass, chunk->first + from + t,
                                  of->first);
        }
    }
    if (now == (state->now + chunk->steps) % 2) return;
    for (int32_t s = 0; s < layer->cell->num_states; ++s)
        if (!rnnat_recurrent_in_place(layer, s))
            memcpy(own.array[s][1 - now], own.array[s][now],
                   (size_t)of->count * (size_t)elem *
                       (size_t)rnnat_pad(kernels, rnnat_recurrent_features(layer, s)));
}

/* Makes the state of a piece, along positions, what it begins with. */
static void begin_piece_state(const rnnat_piece *of, int32_t direction)
{
    const rnnat_recurrent *const layer = &of->within->of;
    const rnnat_cell_state *const state = &of->scratch.state;
    for (int32_t s = 0; s < layer->cell->num_states; ++s) {
        const size_t bytes =
            (size_t)rnnat_pad(of->task->kernels, rnnat_recurrent_features(layer, s)) *
            (size_t)of->task->kernels->elem;
        const char *const initial = layer->initial[s];
        memset(state->array[s][1], 0, (size_t)of->count * bytes); /* the padding included */
        memset(state->array[s][0], 0, (size_t)of->count * bytes);
        for (int32_t i = 0; initial && i < of->count; ++i)
            memcpy(state->array[s][0] + (size_t)i * bytes, initial + (size_t)direction * bytes,
                   bytes);
    }
}

void rnnat_within_run_along(const rnnat_piece *of)
{
    const rnnat_recurrent_within *const within = of->within;
    const rnnat_recurrent *const layer = &within->of;
    const rnnat_kernels *const kernels = of->task->kernels;
    const rnnat_chunk *const chunk = of->chunk;
    const int32_t rows = of->task->rows, positions = within->positions;
    const int32_t when = of->first / rows, row = of->first % rows;
    const ptrdiff_t elem = kernels->elem, out_stride = rnnat_view_apart(*chunk->out, rows);
    const char *const x = rnnat_view_at(kernels, *chunk->in[0], when, row);
    char *const y = rnnat_view_at(kernels, *chunk->out, when, row);
    if (RNNAT_INSPECT && chunk->trace && chunk->lengths &&
        chunk->first + when >= chunk->lengths[row])
        return; /* past its end a row shows nothing; its output will be 0 */
    for (int32_t d = 0; d < within->directions; ++d) {
        const rnnat_cell_weights *const weights = &layer->weights[d];
        const ptrdiff_t n = weights->w_ih.n;
        const bool reverse = within->reverse || d == 1;
        rnnat_step step = piece_step_of(of, weights, &of->scratch.state, positions * n, out_stride);
        project_piece(
            of, weights, of->count * positions,
            (rnnat_rows){x, positions, within->channels, rnnat_view_apart(*chunk->in[0], rows)},
            (rnnat_rows){of->scratch.gx, positions, n, positions * n});
        begin_piece_state(of, d);
        for (int32_t i = 0, now = 0; i < positions; ++i) {
            const int32_t p = reverse ? positions - 1 - i : i;
            const int32_t at = within->last_only ? 0 : p;
            const bool shown = !within->last_only || i == positions - 1;
            step.gx = of->scratch.gx + p * n * elem;
            step.out =
                shown ? y + (ptrdiff_t)(at * within->directions + d) * layer->state * elem : NULL;
            now = take_piece_step(of, weights, &step, &of->scratch.state, now, d,
                                  chunk->first + when, row * positions + p);
        }
    }
}
#endif
