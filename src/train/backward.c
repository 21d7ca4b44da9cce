/* The backward schedule: node by node from the last, chunk by chunk against a pass's time. In a chunk
 * each thread first takes its rows of the batch back through the steps; when all have, they divide
 * the columns of the weights' gradients.
 *
 * They meet twice a chunk. Between those meetings one thread may be at the end of a node while
 * another is in the next, which has other sizes, and whose rows therefore lie elsewhere. So memory
 * is of one of these kinds:
 *
 *   a thread's own: dstates, between, its panel. Where it begins depends on the thread, not the node.
 *   rows: flow, residual, dgates, dstate, columns. Each thread writes its own before a chunk's first
 *       meeting. Others read them, if at all, before the second one, and no node writes where
 *       another one's rows are still to be read: a meeting lies between.
 *   columns: sums, peephole, the caller's grads. Each thread has its own from a first meeting to
 *       the next one, be that another node's.
 */
#include <string.h>

#include "../float_scope.h"
#include "layer_training.h"
#include "rows.h"

typedef struct scratch {
    rnnat_gradient_scratch gradient;
    void *flow[2]; /* [time, batch, width]: the gradient between two nodes */
    void *residual; /* [time, batch, width]: what an output layer gives its stack's input */
    void *dstates[rnnat_max_states]; /* room for the rows of all threads, */
    void *between; /* one after the other, */
    ptrdiff_t state, hidden; /* of the widest node: [batch, state]; [batch, hidden] */
    rnnat_barrier *barrier;
} scratch;

typedef struct backward_work {
    const rnnat_net *net;
    const rnnat_train_backward *args;
    const rnnat_tape *tape;
    scratch scratch;
    rnnat_stop_point *leave; /* where all threads may, or NULL */
} backward_work;

static scratch carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch,
                     int32_t threads)
{
    const size_t elem = (size_t)net->kernels->elem, rows = (size_t)batch;
    size_t width = 0, state = 0, hidden = 0, residual = 0;
    for (int32_t i = 0; i < net->num_nodes; ++i) {
        const rnnat_net_node *const node = &net->nodes[i];
        const size_t input = (size_t)node->input;
        if (i && input > width) width = input;
        if (node->output_layer >= 0 && input > residual) residual = input;
        if ((size_t)node->state > state) state = (size_t)node->state;
        if ((size_t)node->hidden > hidden) hidden = (size_t)node->hidden;
    }
    scratch s;
    s.barrier = rnnat_arena_take(arena, 1, sizeof *s.barrier);
    rnnat_gradient_carve(arena, net, time, batch, threads, &s.gradient);
    for (int i = 0; i < 2; ++i)
        s.flow[i] = rnnat_arena_take_table(arena, (size_t)time, rows, width * elem);
    s.residual = rnnat_arena_take_table(arena, (size_t)time, rows, residual * elem);
    for (int32_t i = 0; i < rnnat_max_states; ++i)
        s.dstates[i] = rnnat_arena_take(arena, rows, (i ? hidden : state) * elem);
    s.between = rnnat_arena_take(arena, rows, hidden * elem);
    s.state = (ptrdiff_t)state;
    s.hidden = (ptrdiff_t)hidden;
    return s;
}

/* dx (+)= dgates matrix of own rows of the chunk. */
static void input_gradient(const rnnat_backward_rows *own, const rnnat_gradient_chunk *c,
                           const rnnat_packed *matrix, void *dx, bool add)
{
    const rnnat_net *const net = c->net;
    const ptrdiff_t width = matrix->n, gates = net->nodes[c->node].gates, batch = c->tape->batch;
    const ptrdiff_t row = rnnat_tape_row(c->tape, c->first, own->first);
    const rnnat_train_gemm args = {
        .m = c->steps * own->count,
        .n = matrix->n,
        .k = matrix->k,
        .a = {rnnat_gradient_gates(c, c->first, own->first), own->count, gates, batch * gates},
        .c = {rnnat_at(net, dx, row * width), own->count, width, batch * width},
        .b = matrix->data,
        .add = add};
    rnnat_train_multiply_pieces(net, args, own->args->stop, own->member.index == 0);
}

/* Gradients of all inputs: the first node of a stack adds to what its output layer has left. */
static void input_gradients(const rnnat_backward_rows *own, const rnnat_gradient_chunk *c,
                            void *residual, void *dx)
{
    const rnnat_net_node *const node = &c->net->nodes[c->node];
    const rnnat_net_pass *const pass = &node->pass[c->pass];
    const bool joins = node->output_layer >= 0;
    for (int32_t step = c->first; joins && c->pass == 0 && step < c->first + c->steps; ++step) {
        const ptrdiff_t at = rnnat_tape_row(c->tape, step, own->first) * node->input;
        rnnat_net_copy(c->net, rnnat_at(c->net, dx, at), rnnat_at(c->net, residual, at),
                       own->count * (ptrdiff_t)node->input);
    }
    input_gradient(own, c, &pass->ih.back, dx, joins || c->pass > 0);
    if (node->stack >= 0) input_gradient(own, c, &pass->hh.back, residual, false);
}

/* A name for the meeting after a chunk: another one than that of the meeting before. */
static uint32_t exit_place(const rnnat_gradient_chunk *c, int32_t chunk)
{
    const uint32_t nodes = (uint32_t)c->net->num_nodes;
    return ((((uint32_t)chunk * nodes + (uint32_t)c->node) * 2 + (uint32_t)c->pass) & INT32_MAX) +
           1;
}

/* One pass of a node: all its chunks. Whoever is to stop leaves out what is next, and goes on to
 * meet. */
static void run_pass(const backward_work *w, const rnnat_backward_rows *own, int32_t i, int32_t p,
                     const void *dy, void *dx)
{
    const rnnat_net_node *const node = &w->net->nodes[i];
    const rnnat_layer_training *const layer = node->layer;
    const bool reverse = node->pass[p].reverse;
    const int32_t time = w->tape->time, most = w->scratch.gradient.chunk;
    rnnat_gradient_chunk c = {
        .net = w->net, .tape = w->tape, .scratch = &w->scratch.gradient, .node = i, .pass = p};
    const double work = (double)node->gates * (node->input + node->state);
    if (layer->begin) layer->begin(own, i, p);
    for (int32_t done = 0; done < time; done += c.steps) {
        c.steps = time - done < most ? time - done : most;
        c.first = reverse ? done : time - done - c.steps;
        c.start = done == 0;
        for (int32_t s = 0; s < c.steps && own->count && !rnnat_backward_stops(own, work); ++s) {
            const int32_t step = reverse ? c.first + s : c.first + c.steps - 1 - s;
            layer->back(own, &c, step, dy);
            rnnat_gradient_pack(&c, step, own->first, own->count);
        }
        if (own->count && !rnnat_backward_stops(own, 0))
            input_gradients(own, &c, w->scratch.residual, dx);
        rnnat_meet(&own->member); /* all rows are there, */
        rnnat_gradient_add(&c, &own->member, w->args->stop);
        if (rnnat_meet_or_stop(w->leave, &own->member, exit_place(&c, done / most), 0))
            return; /* and have been used */
    }
    rnnat_gradient_store(&c, &own->member, w->args->grads);
    if (layer->end) layer->end(own, i, p);
}

static void drop_out(const rnnat_backward_rows *own, int32_t i, void *dx)
{
    const int32_t n = own->net->nodes[i].output;
    for (int32_t step = 0; step < own->tape->time && !rnnat_backward_stops(own, n); ++step)
        rnnat_tape_drop_out(own->net, own->tape, i, step, own->first, own->count, dx);
}

/* A thread's own arrays begin where its rows of the widest node do: no other thread's reach there,
 * whatever node it is at. */
static rnnat_backward_rows make_rows(const backward_work *w, int32_t thread, int32_t count)
{
    const scratch *const s = &w->scratch;
    rnnat_backward_rows own = {
        .net = w->net, .args = w->args, .tape = w->tape, .member = {thread, count, s->barrier}};
    own.first = rnnat_first(&own.member, thread, w->tape->batch);
    own.count = rnnat_first(&own.member, thread + 1, w->tape->batch) - own.first;
    for (int32_t i = 0; i < rnnat_max_states; ++i)
        own.dstates[i] = rnnat_at(w->net, s->dstates[i], own.first * (i ? s->hidden : s->state));
    own.between = rnnat_at(w->net, s->between, own.first * s->hidden);
    return own;
}

static void run_thread(void *arg, int32_t thread, int32_t count)
{
    const backward_work *const w = arg;
    const rnnat_net *const net = w->net;
    const rnnat_backward_rows own = make_rows(w, thread, count);
    const rnnat_float_mode mode = rnnat_float_enter();
    if (w->args->stop && thread == 0) w->args->stop->outside = mode;
    const void *dy = w->args->dy;
    for (int32_t i = net->num_nodes - 1; i >= 0; --i) {
        const rnnat_net_node *const node = &net->nodes[i];
        if (node->layer->backward) {
            node->layer->backward(&own, i, dy);
            break;
        }
        void *const dx = i ? w->scratch.flow[i % 2] : w->args->dx;
        for (int32_t p = 0; p < node->num_passes; ++p) run_pass(w, &own, i, p, dy, dx);
        if (i && net->nodes[i - 1].dropout && w->tape->dropout > 0) drop_out(&own, i - 1, dx);
        dy = dx;
    }
    rnnat_stop_end(w->args->stop);
    if (thread == 0) rnnat_stop_wait(w->args->stop, count);
    rnnat_float_leave(mode);
}

rnnat_status rnnat_train_size(const rnnat_net *net, int32_t time, int32_t batch,
                              int32_t num_threads, size_t *tape, size_t *scratch_need)
{
    if (time < 0 || batch < 0 || num_threads < 1) return RNNAT_ERROR_ARGUMENT;
    rnnat_arena arena = rnnat_arena_at(NULL), second = arena;
    rnnat_tape_carve(&arena, net, time, batch);
    carve(&second, net, time, batch, rnnat_train_threads(net, time, batch, num_threads));
    if (arena.overflow || second.overflow) return RNNAT_ERROR_OVERFLOW;
    *tape = rnnat_arena_need(&arena);
    *scratch_need = rnnat_arena_need(&second);
    return RNNAT_OK;
}

/* Nothing ran: nothing has a gradient but what passes through. */
static void run_nothing(const rnnat_net *net, const rnnat_train_backward *args,
                        const rnnat_tape *tape)
{
    const size_t elem = (size_t)net->kernels->elem;
    for (int32_t i = 0; i < net->num_weights; ++i)
        memset(args->grads[i], 0, net->weight_sizes[i] * elem);
    for (int32_t i = 0; tape->batch && i < net->num_states; ++i)
        rnnat_net_copy(net, args->dstate_in[i], args->dstate ? args->dstate[i] : NULL,
                       (ptrdiff_t)net->state_rows[i] * tape->batch * net->state_features[i]);
}

rnnat_status rnnat_train_run_backward(const rnnat_net *net, const rnnat_train_backward *args,
                                      const void *memory, void *scratch_memory, size_t scratch_size)
{
    rnnat_arena at = rnnat_arena_at(RNNAT_WRITABLE(memory));
    const rnnat_tape *const tape = (const rnnat_tape *)(void *)at.base;
    size_t tape_need, need;
    const rnnat_status status =
        rnnat_train_size(net, tape->time, tape->batch, args->num_threads, &tape_need, &need);
    if (status != RNNAT_OK) return status;
    if (scratch_size < need) return RNNAT_ERROR_TOO_SMALL;
    if (tape->time == 0 || tape->batch == 0) {
        run_nothing(net, args, tape);
        return RNNAT_OK;
    }
    const int32_t threads = rnnat_train_threads(net, tape->time, tape->batch, args->num_threads);
    rnnat_arena arena = rnnat_arena_at(scratch_memory);
    backward_work work = {.net = net, .args = args, .tape = tape};
    work.scratch = carve(&arena, net, tape->time, tape->batch, threads);
    *work.scratch.barrier = (rnnat_barrier){0};
    rnnat_stop_point leave = {.stop = args->stop, .asks = true};
    if (args->stop) work.leave = &leave;
    rnnat_stop_begin(args->stop);
    const rnnat_terms terms = {.together = true,
                               .work = 2 * rnnat_train_work(net, tape->time, tape->batch),
                               .barriers = work.scratch.barrier,
                               .num_barriers = 1};
    rnnat_parallel(threads, &terms, run_thread, &work);
    return RNNAT_OK;
}
