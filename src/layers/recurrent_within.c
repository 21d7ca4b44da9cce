/* A layer of a recurrent stack in steps of several positions, [positions, channels]: along time, each
 * position of each row a sequence with a state of its own, or along the positions, each step of each row
 * a sequence that begins anew.
 *
 * What a cell's step calls rows are sequences here. Some of them are run at once, a tile, from which each
 * member of the team has sequences of its own: nobody waits for another. */
#include <string.h>

#include "recurrent_within.h"

#if RNNAT_WITH_WINDOWS
enum {
    within_sequences = 128, /* at most */
    within_products =
        256, /* rows of a product along time, but at least one step of each sequence */
    within_bytes = 192 << 10, /* of what is projected along positions, ... */
    within_least = 16 /* ... of at least so many sequences */
};

/* Sequences of a tile, and steps that are projected at once of each. */
typedef struct within_tile {
    int32_t sequences, steps;
} within_tile;

/* ---- sizes ---- */

static int32_t within_sequences_of(const rnnat_recurrent_within *within, int32_t rows,
                                   int32_t steps)
{
    return rows * (rnnat_is_over_time(within) ? within->positions : steps);
}

static within_tile within_tile_of(const rnnat_recurrent_within *within,
                                  const rnnat_kernels *kernels, int32_t rows, int32_t steps)
{
    const int32_t all = within_sequences_of(within, rows, steps);
    within_tile of = {all < within_sequences ? all : within_sequences, within->positions};
    if (rnnat_is_over_time(within)) {
        const int32_t some = of.sequences > 0 ? within_products / of.sequences : 1;
        of.steps = some < steps ? some : steps;
    } else {
        const size_t bytes = (size_t)within->positions * (size_t)within->of.weights[0].w_ih.n *
                             (size_t)kernels->elem;
        const int32_t some =
            bytes * within_least >= within_bytes ? within_least : (int32_t)(within_bytes / bytes);
        if (of.sequences > some) of.sequences = some;
    }
    return of;
}

/* Rows of a tile's projection: fewer for fewer rows of the batch, or steps. */
static size_t within_products_of(const rnnat_recurrent_within *within, within_tile of, int32_t rows,
                                 int32_t steps)
{
    if (!rnnat_is_over_time(within)) return (size_t)of.sequences * (size_t)of.steps;
    const size_t all = (size_t)within_sequences_of(within, rows, steps) * (size_t)steps;
    const size_t most = of.sequences > within_products ? (size_t)of.sequences : within_products;
    return all < most ? all : most;
}

static rnnat_within_scratch take_within_scratch(const rnnat_recurrent_within *within,
                                                const rnnat_kernels *kernels, int32_t rows,
                                                int32_t steps, rnnat_arena *arena)
{
    const rnnat_recurrent *const layer = &within->of;
    const within_tile of = within_tile_of(within, kernels, rows, steps);
    const size_t n = (size_t)of.sequences;
    const size_t vectors = (size_t)rnnat_pad(kernels, layer->hidden) * (size_t)kernels->elem;
    rnnat_within_scratch scratch = {.gx = NULL};
    scratch.gx = rnnat_arena_take_table(arena, within_products_of(within, of, rows, steps),
                                        (size_t)layer->cell->gates, vectors);
    scratch.gh = rnnat_arena_take_table(arena, n, (size_t)layer->cell->products, vectors);
    scratch.between[0] = rnnat_arena_take(arena, n, vectors);
    scratch.between[1] = rnnat_arena_take(arena, n, vectors);
    if (!rnnat_is_over_time(within))
        scratch.state = rnnat_recurrent_take_state(layer, kernels, of.sequences, arena);
    return scratch;
}

static void scratch_within(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                           int32_t steps, rnnat_arena *arena)
{
    const rnnat_recurrent_within *const within = node->data;
    const int32_t each = rnnat_is_over_time(within) ? within->positions : steps;
    if (each > 0 && rows > INT32_MAX / each) arena->overflow = true;
    if (!arena->overflow) take_within_scratch(within, kernels, rows, steps, arena);
}

/* ---- state: that of a recurrent layer with a row for each position of a row ---- */

static void *carve_within(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                          rnnat_arena *arena)
{
    const rnnat_recurrent_within *const within = node->data;
    if (!rnnat_is_over_time(within)) return NULL;
    if (rows > INT32_MAX / within->positions) arena->overflow = true;
    if (arena->overflow) return NULL;
    return rnnat_layer_recurrent.carve(node, kernels, rows * within->positions, arena);
}

static void reset_within(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                         void *memory)
{
    const rnnat_recurrent_within *const within = node->data;
    if (rnnat_is_over_time(within))
        rnnat_layer_recurrent.reset(node, kernels, rows * within->positions, memory);
}

static rnnat_state_rows state_within(const rnnat_node *node, const rnnat_kernels *kernels,
                                     void *memory, int32_t array, int32_t pass)
{
    const rnnat_recurrent_within *const within = node->data;
    rnnat_state_rows rows = rnnat_layer_recurrent.state(node, kernels, memory, array, pass);
    rows.pieces = within->positions;
    rows.apart = rows.stride;
    rows.stride *= within->positions;
    return rows;
}

/* h of each position, both directions side by side. */
static void last_within(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                        const void *memory, rnnat_view to)
{
    const rnnat_recurrent_within *const within = node->data;
    const ptrdiff_t elem = kernels->elem, size = within->of.state;
    for (int32_t pass = 0; pass < node->num_passes; ++pass) {
        const rnnat_state_rows h = state_within(node, kernels, RNNAT_WRITABLE(memory), 0, pass);
        for (int32_t row = 0; row < rows; ++row)
            for (int32_t p = 0; p < within->positions; ++p)
                memcpy(to.base + (row * to.row + (p * node->num_passes + pass) * size) * elem,
                       h.base + (row * h.stride + p * h.apart) * elem, (size_t)(size * elem));
    }
}

/* ---- running ---- */

/* What is a member's own of the scratch, whose first sequence of a tile is `begin`. */
static rnnat_within_scratch own_within_scratch(const rnnat_task *task, rnnat_within_scratch all,
                                               int32_t begin, int32_t steps)
{
    const rnnat_recurrent_within *const within = task->node->data;
    const rnnat_recurrent *const layer = &within->of;
    const ptrdiff_t vector =
        (ptrdiff_t)rnnat_pad(task->kernels, layer->hidden) * task->kernels->elem * begin;
    all.gx += vector * layer->cell->gates * steps;
    all.gh += vector * layer->cell->products;
    all.between[0] += vector;
    all.between[1] += vector;
    if (!rnnat_is_over_time(within))
        all.state = rnnat_within_state_from(layer, task->kernels, &all.state, begin);
    return all;
}

/* How many sequences from a boundary on lie evenly one behind the other; 0: all do. */
static int32_t within_even_of(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_recurrent_within *const within = task->node->data;
    const int32_t rows = task->rows, positions = within->positions;
    if (!rnnat_is_over_time(within)) {
        if (RNNAT_INSPECT && chunk->trace) return 1;
        return rnnat_view_is_even(*chunk->in[0], rows) && rnnat_view_is_even(*chunk->out, rows)
                   ? 0
                   : rows;
    }
    const ptrdiff_t made = (ptrdiff_t)positions * task->node->num_passes * within->of.state;
    const bool in = rows == 1 || chunk->in[0]->row == (ptrdiff_t)positions * within->channels;
    const bool out = rows == 1 || !chunk->out->base || chunk->out->row == made;
    return in && out && !chunk->lengths ? 0 : positions;
}

static bool run_within(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_recurrent_within *const within = task->node->data;
    const int32_t rows = task->rows, all = within_sequences_of(within, rows, chunk->steps);
    const within_tile of = within_tile_of(within, task->kernels, rows, chunk->steps);
    const int32_t count = task->member.count < of.sequences ? task->member.count : of.sequences;
    const rnnat_member own = {task->member.index, count, NULL};
    rnnat_cell_state *const kept =
        rnnat_is_over_time(within) ? (rnnat_cell_state *)task->memory + task->pass : NULL;
    const rnnat_cell_state state = kept ? *kept : (rnnat_cell_state){.now = 0};
    rnnat_meet(&task->member); /* all have read which of its arrays has the state */
    if (own.index < count) {
        const int32_t even = within_even_of(task, chunk),
                      end = rnnat_first(&own, own.index + 1, all);
        const int32_t begin = rnnat_first(&own, own.index, of.sequences);
        const int32_t most = rnnat_first(&own, own.index + 1, of.sequences) - begin;
        rnnat_arena arena = rnnat_arena_at(task->scratch);
        rnnat_piece part = {.task = task, .chunk = chunk, .within = within, .steps = of.steps};
        part.scratch = own_within_scratch(
            task, take_within_scratch(within, task->kernels, rows, chunk->steps, &arena), begin,
            of.steps);
        for (part.first = rnnat_first(&own, own.index, all); part.first < end;
             part.first += part.count) {
            part.count = end - part.first < most ? end - part.first : most;
            if (even && part.count > even - part.first % even)
                part.count = even - part.first % even;
            if (kept)
                rnnat_within_run_over_time(&part, &state);
            else
                rnnat_within_run_along(&part);
        }
    }
    if (kept && own.index == 0) kept->now = (state.now + chunk->steps) % 2;
    rnnat_meet(&task->member); /* the next chunk's state and scratch are there */
    return true;
}

#if RNNAT_INSPECT
static rnnat_status unpack_within(const rnnat_node *node, const rnnat_kernels *kernels,
                                  int32_t pass, const char *name, void *rows)
{
    return rnnat_layer_recurrent.unpack(node, kernels, pass, name, rows);
}

static void tell_within(const rnnat_node *node, const rnnat_kernels *kernels,
                        const rnnat_teller *teller)
{
    const rnnat_recurrent_within *const within = node->data;
    const int32_t passes = rnnat_is_over_time(within) ? node->num_passes : within->directions;
    teller->type(teller->arg, "rnnat_recurrent_within");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->begin(teller->arg, "of");
    rnnat_recurrent_tell(&within->of, passes, kernels, teller);
    teller->end(teller->arg);
    teller->number(teller->arg, "positions", within->positions);
    teller->number(teller->arg, "channels", within->channels);
    teller->number(teller->arg, "directions", within->directions);
    teller->number(teller->arg, "reverse", within->reverse);
    teller->number(teller->arg, "last_only", within->last_only);
}
#endif

const rnnat_layer rnnat_layer_recurrent_within = {
    .name = "rnnat_layer_recurrent_within",
    .scratch = scratch_within,
    .carve = carve_within,
    .reset = reset_within,
    .state = state_within,
    .last = last_within,
    .run = run_within,
    .unpack = RNNAT_IF_INSPECT(unpack_within),
    .tell = RNNAT_IF_INSPECT(tell_within),
};
#endif
