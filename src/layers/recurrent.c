/* One layer of a recurrent stack: a cell, in one direction or both, over a chunk of time. */
#include <string.h>

#include "recurrent.h"

/* What is used inside a call. */
typedef struct cell_scratch {
    char *gx; /* [steps * rows, gates * pad(hidden)] input projection */
    char *gh; /* [rows, products * pad(hidden)] products of a BLAS, and of general cells */
    char *between[2]; /* [rows, pad(hidden)] inside a step */
} cell_scratch;

/* ---- state ---- */

static void *carve_recurrent(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                             rnnat_arena *arena)
{
    rnnat_cell_state *const states = RNNAT_TAKE(arena, (size_t)node->num_passes, rnnat_cell_state);
    for (int32_t d = 0; d < node->num_passes; ++d) {
        const rnnat_cell_state cell = rnnat_recurrent_take_state(node->data, kernels, rows, arena);
        if (states) states[d] = cell;
    }
    return states;
}

/* Every row becomes row `index` of `initial`; rows have `bytes` bytes. */
static void fill_rows(char *to, const void *initial, int32_t index, size_t bytes, int32_t rows)
{
    const char *const from = (const char *)initial + (size_t)index * bytes;
    for (int32_t row = 0; row < rows; ++row) memcpy(to + (size_t)row * bytes, from, bytes);
}

static void reset_recurrent(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                            void *memory)
{
    const rnnat_recurrent *const layer = node->data;
    rnnat_cell_state *const states = memory;
    const size_t elem = (size_t)kernels->elem, bytes = (size_t)rows * elem;
    for (int32_t d = 0; d < node->num_passes; ++d) {
        for (int32_t s = 0; s < layer->cell->num_states; ++s) {
            const size_t pad = (size_t)rnnat_pad(kernels, rnnat_recurrent_features(layer, s));
            memset(states[d].array[s][0], 0, pad * bytes); /* the padding included */
            memset(states[d].array[s][1], 0, pad * bytes);
            if (layer->initial[s])
                fill_rows(states[d].array[s][0], layer->initial[s], d, pad * elem, rows);
        }
        states[d].now = 0;
    }
}

static rnnat_state_rows state_of(const rnnat_recurrent *layer, const rnnat_kernels *kernels,
                                 const rnnat_cell_state *state, int32_t array, int32_t now)
{
    const int32_t features = rnnat_recurrent_features(layer, array);
    return (rnnat_state_rows){.base = state->array[array][now],
                              .stride = rnnat_pad(kernels, features),
                              .features = features};
}

static rnnat_state_rows state_recurrent(const rnnat_node *node, const rnnat_kernels *kernels,
                                        void *memory, int32_t array, int32_t pass)
{
    const rnnat_cell_state *const state = (const rnnat_cell_state *)memory + pass;
    rnnat_state_rows rows = state_of(node->data, kernels, state, array, state->now);
    rows.rows = node->num_passes;
    return rows;
}

/* ---- preparing ---- */

static cell_scratch take_scratch(const rnnat_recurrent *layer, const rnnat_kernels *kernels,
                                 int32_t rows, int32_t steps, rnnat_arena *arena)
{
    const size_t elem = (size_t)kernels->elem, n = (size_t)rows;
    const size_t vectors = (size_t)rnnat_pad(kernels, layer->hidden) * elem;
    cell_scratch scratch;
    scratch.gx = rnnat_arena_take(arena, (size_t)steps * n, (size_t)layer->cell->gates * vectors);
    scratch.gh = rnnat_arena_take(arena, n, (size_t)layer->cell->products * vectors);
    scratch.between[0] = rnnat_arena_take(arena, n, vectors);
    scratch.between[1] = rnnat_arena_take(arena, n, vectors);
    return scratch;
}

static void scratch_recurrent(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                              int32_t steps, rnnat_arena *arena)
{
    take_scratch(node->data, kernels, rows, steps, arena);
}

/* Whether every other step should go through the recurrent weights backwards: it finds in the cache
 * what the step before it read last. Measured: where rows are few or weights small; elsewhere
 * arithmetic hides the loads, and going forwards costs one or two percent less. */
static bool alternates(const rnnat_task *task, const rnnat_recurrent *layer, int32_t panels)
{
    enum { few_rows = 3, little = 2 << 20 };
    const double weights =
        (double)layer->cell->products * panels * task->kernels->lanes * layer->state;
    return task->rows <= few_rows || weights * task->rows <= little;
}

static void prepare_recurrent(rnnat_task *task, int32_t steps)
{
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_member *const member = &task->member;
    const rnnat_recurrent *const layer = task->node->data;
    const rnnat_cell_weights *const weights = &layer->weights[task->pass];
    const rnnat_cell_state *const state = (const rnnat_cell_state *)task->memory + task->pass;
    rnnat_arena arena = rnnat_arena_at(task->scratch);
    const cell_scratch scratch = take_scratch(layer, kernels, task->rows, steps, &arena);
    const int32_t pad = rnnat_pad(kernels, layer->hidden), panels = pad / kernels->lanes;
    const int32_t state_pad = rnnat_pad(kernels, layer->state);
    const int32_t first = rnnat_first(member, member->index, panels);
    const int32_t last = rnnat_first(member, member->index + 1, panels);
    task->product =
        rnnat_multiply_prepare(task, &weights->w_ih, weights->w_ih.n, weights->bias, *task->in,
                               rnnat_dense(scratch.gx, task->rows, weights->w_ih.n));
    task->step = (rnnat_step){.rows = task->rows,
                              .operands = task->operands,
                              .first_panel = first,
                              .last_panel = last,
                              .alternates = alternates(task, layer, last - first),
                              .k = layer->state,
                              .hidden = layer->hidden,
                              .activation = layer->activation,
                              .gx = scratch.gx,
                              .gh = scratch.gh,
                              .functions = &weights->functions,
                              .c = layer->cell->in_place ? state->array[1][0] : NULL,
                              .bias_hn = weights->bias_hn,
                              .peephole = weights->peephole,
                              .z = scratch.between[0],
                              .rh = scratch.between[1],
                              .unprojected = scratch.between[0],
                              .out_stride = task->out->row,
                              .gx_stride = weights->w_ih.n,
                              .gh_stride = (ptrdiff_t)layer->cell->products * pad,
                              .h_prev_stride = state_pad,
                              .h_next_stride = state_pad,
                              .pad_stride = pad};
}

/* ---- running ---- */

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
    if (s.out) s.out = (char *)s.out + first * s.out_stride * elem;
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
static void step_active(const rnnat_task *task, const rnnat_step *step, int32_t when,
                        const int32_t *lengths)
{
    const rnnat_recurrent *const layer = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    int32_t row = 0;
    while (row < step->rows) {
        const bool active = when < lengths[row];
        int32_t end = row + 1;
        while (end < step->rows && (when < lengths[end]) == active) ++end;
        rnnat_step some = rows_from(step, row, end - row, kernels->elem);
        if (active)
            layer->cell->step(&layer->weights[task->pass], kernels, &task->member, &some);
        else if (task->member.index == 0)
            keep_state(&some, kernels->elem);
        row = end;
    }
}

/* A thread's multiplications in a step of one direction, as a run that may be stopped counts. */
static double step_work(const rnnat_task *task)
{
    return (task->node->product + RNNAT_STOP_ROW) * task->rows / task->member.count;
}

#if RNNAT_INSPECT
/* A step is to show its gates; */
static void trace_gates(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when,
                        rnnat_step *step)
{
    const rnnat_recurrent *const layer = task->node->data;
    const rnnat_cell_trace *const trace = &chunk->trace[layer->first_cell + task->pass];
    for (int i = 0; i < RNNAT_CELL_GATES && trace->gates[i]; ++i)
        step->trace[i] = rnnat_trace_at(task, trace->gates[i], when, layer->hidden);
}

/* and h, and the c of an LSTM. */
static void trace_states(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when,
                         int32_t now)
{
    const rnnat_recurrent *const layer = task->node->data;
    const rnnat_cell_trace *const trace = &chunk->trace[layer->first_cell + task->pass];
    const rnnat_cell_state *const state = (const rnnat_cell_state *)task->memory + task->pass;
    for (int32_t s = 0; s < (trace->c ? 2 : 1); ++s)
        rnnat_trace_state(task, chunk, when, s ? trace->c : trace->h,
                          state_of(layer, task->kernels, state, s, now));
}
#else
static void trace_gates(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when,
                        rnnat_step *step)
{
    (void)task, (void)chunk, (void)when, (void)step;
}
static void trace_states(const rnnat_task *task, const rnnat_chunk *chunk, int32_t when,
                         int32_t now)
{
    (void)task, (void)chunk, (void)when, (void)now;
}
#endif

/* One step of a layer that runs forward. */
static void step_recurrent(rnnat_task *task, const char *in, char *out)
{
    const rnnat_recurrent *const layer = task->node->data;
    rnnat_cell_state *const state = task->memory;
    rnnat_step *const step = &task->step;
    rnnat_multiply_step(task, in, task->product.c.base);
    rnnat_recurrent_point(step, layer, state, state->now);
    step->out = out;
    layer->cell->step(&layer->weights[0], task->kernels, &task->member, step);
    state->now = 1 - state->now;
}

/* One direction over a chunk: the inputs' products at once, then step by step. */
static bool run_recurrent(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_member *const member = &task->member;
    const rnnat_recurrent *const layer = task->node->data;
    const rnnat_cell_weights *const weights = &layer->weights[task->pass];
    rnnat_stop_point *const point = RNNAT_STOP ? chunk->stop_point : NULL;
    const bool traced = RNNAT_INSPECT && chunk->trace;
    const int32_t steps = chunk->steps;
    rnnat_cell_state *const state = (rnnat_cell_state *)task->memory + task->pass;
    rnnat_step *const step = &task->step;
    const bool reverse = task->node->reverse[task->pass];
    const char *const gx = task->step.gx;
    const ptrdiff_t elem = kernels->elem, gx_step = task->rows * step->gx_stride * elem;
    int32_t now = state->now;

    rnnat_multiply(task, chunk, &weights->w_ih, &task->product, chunk->in[0]->base,
                   RNNAT_WRITABLE(gx));
    rnnat_meet(member);

    char *const features =
        chunk->out->base ? chunk->out->base + (ptrdiff_t)task->pass * layer->state * elem : NULL;
    /* Where it may be left: after so many steps, and after the last one. */
    const double each = point ? step_work(task) : 0;
    const int32_t some = point ? (int32_t)(point->stop->every / (each + 1)) : 0;
    int32_t begun = 0, pause = !point ? -1 : some < steps ? some : steps - 1;
    bool goes_on = true;
    for (int32_t i = 0; i < steps && goes_on; ++i) {
        const int32_t t = reverse ? steps - 1 - i : i;
        step->gx = gx + t * gx_step;
        rnnat_recurrent_point(step, layer, state, now);
        if (traced) trace_gates(task, chunk, chunk->first + t, step);
        step->out = features ? features + t * chunk->out->time * elem : NULL;
        if (chunk->lengths)
            step_active(task, step, chunk->first + t, chunk->lengths);
        else
            layer->cell->step(weights, kernels, member, step);
        now = 1 - now;
        if (traced) trace_states(task, chunk, chunk->first + t, now);
        if (member->index == 0 && i == steps - 1) state->now = now;
        if (i != pause) {
            rnnat_meet(member);
            continue;
        }
        goes_on = !rnnat_meet_or_stop(point, member,
                                      rnnat_barrier_number(chunk, task->pass, chunk->first + i),
                                      each * (i + 1 - begun));
        begun = i + 1;
        pause = i + 1 + some < steps ? i + 1 + some : steps - 1;
    }
    step->gx = gx;
    return goes_on;
}

#if RNNAT_INSPECT
/* ---- what Python asks ---- */

static rnnat_status unpack_recurrent(const rnnat_node *node, const rnnat_kernels *kernels,
                                     int32_t pass, const char *name, void *rows)
{
    const rnnat_recurrent *const layer = node->data;
    if (!layer->weights[pass].w_ih.data) return RNNAT_ERROR_ARGUMENT;
    return rnnat_cell_unpack(&layer->weights[pass], layer->cell, kernels, layer->hidden,
                             layer->state, name, rows);
}

void rnnat_recurrent_tell(const rnnat_recurrent *layer, int32_t directions,
                          const rnnat_kernels *kernels, const rnnat_teller *teller)
{
    void *const arg = teller->arg;
    for (int i = 0; i < 2 && layer->cell->parts[i]; ++i) teller->needs(arg, layer->cell->parts[i]);
    teller->symbol(arg, "cell", layer->cell->name);
    teller->number(arg, "hidden", layer->hidden);
    teller->number(arg, "state", layer->state);
    teller->number(arg, "first_cell", layer->first_cell);
    teller->number(arg, "activation", (int64_t)layer->activation);
    teller->begin(arg, "weights");
    for (int32_t d = 0; d < directions; ++d) {
        teller->begin(arg, "");
        rnnat_cell_tell(&layer->weights[d], kernels, layer->hidden, teller);
        teller->end(arg);
    }
    teller->end(arg);
    teller->begin(arg, "initial");
    for (int32_t s = 0; s < layer->cell->num_states; ++s)
        rnnat_tell_array(teller, "", layer->initial[s],
                         (size_t)directions *
                             (size_t)rnnat_pad(kernels, rnnat_recurrent_features(layer, s)));
    teller->end(arg);
}

static void tell_recurrent(const rnnat_node *node, const rnnat_kernels *kernels,
                           const rnnat_teller *teller)
{
    teller->type(teller->arg, "rnnat_recurrent");
    rnnat_recurrent_tell(node->data, node->num_passes, kernels, teller);
}
#endif

const rnnat_layer rnnat_layer_recurrent = {
    .name = "rnnat_layer_recurrent",
    .stops_within = true,
    .keys = RNNAT_LAYER_KEYS(rnnat_recurrent_keys, rnnat_recurrent_options),
    .read = RNNAT_IF_READER(rnnat_recurrent_read),
    .takes = RNNAT_IF_READER(rnnat_recurrent_takes),
    .count = RNNAT_IF_READER(rnnat_recurrent_count),
    .build = RNNAT_IF_READER(rnnat_recurrent_build),
    .scratch = scratch_recurrent,
    .carve = carve_recurrent,
    .reset = reset_recurrent,
    .state = state_recurrent,
    .prepare = prepare_recurrent,
    .run = run_recurrent,
    .step = step_recurrent,
    .training = RNNAT_IF_TRAIN(&rnnat_recurrent_training),
    .unpack = RNNAT_IF_INSPECT(unpack_recurrent),
    .tell = RNNAT_IF_INSPECT(tell_recurrent)};
