/* The backward schedule: layer by layer from the last, chunk by chunk against a direction's time.
 * In a chunk each thread first takes its rows of the batch back through the steps; when all have,
 * they divide the columns of the weights' gradients.
 *
 * They meet twice a chunk. Between those meetings one thread may be at the end of a layer while
 * another is in the next, which has other sizes, and whose rows therefore lie elsewhere. So memory
 * is of one of these kinds:
 *
 *   a thread's own: dstates, part, its panel. Where it begins depends on the thread, not the layer.
 *   rows: flow, skip, dgates, dstate, columns. Each thread writes its own before a chunk's first
 *       meeting. Others read them, if at all, before the second one, and no layer writes where
 *       another one's rows are still to be read: a meeting lies between.
 *   columns: sums, peephole, the caller's grads. Each thread has its own from a first meeting to
 *       the next one, be that another layer's.
 */
#include <string.h>

#include "../float_scope.h"
#include "gradient.h"
#include "schedule.h"

typedef struct scratch {
    rnnat_gradient_scratch gradient;
    void *flow[2]; /* [time, batch, width]: the gradient between two operations */
    void *skip; /* [time, batch, width]: what an output layer gives its stack's input */
    void *dstates[rnnat_max_states]; /* room for the rows of all threads, */
    void *part;                      /* one after the other, */
    ptrdiff_t state, hidden;         /* of the widest layer: [batch, state]; [batch, hidden] */
    rnnat_barrier *barrier;
} scratch;

typedef struct backward_work {
    const rnnat_net *net;
    const rnnat_train_backward *args;
    const rnnat_tape *tape;
    scratch scratch;
    rnnat_stop_point *leave; /* where all threads may, or NULL */
} backward_work;

/* One thread: its part of the team, its rows, and memory of its own. */
typedef struct worker {
    const backward_work *w;
    rnnat_member team;
    int32_t first, rows;
    void *dstates[rnnat_max_states]; /* of one direction: [rows, state]; [rows, hidden] */
    void *part;                      /* [rows, hidden] */
} worker;

static scratch carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch,
                     int32_t threads)
{
    const size_t elem = (size_t)net->kernels->elem, rows = (size_t)batch;
    size_t width = 0, state = 0, hidden = 0, skip = 0;
    for (int32_t i = 0; i < net->num_ops; ++i) {
        const rnnat_net_op *const op = &net->ops[i];
        if (i && (size_t)op->input > width) width = (size_t)op->input;
        if (op->adds_skip && (size_t)net->ops[op->bottom].input > skip)
            skip = (size_t)net->ops[op->bottom].input;
        if ((size_t)op->state > state) state = (size_t)op->state;
        if ((size_t)op->hidden > hidden) hidden = (size_t)op->hidden;
    }
    scratch s;
    s.barrier = rnnat_arena_take(arena, 1, sizeof *s.barrier);
    rnnat_gradient_carve(arena, net, time, batch, threads, &s.gradient);
    for (int i = 0; i < 2; ++i)
        s.flow[i] = rnnat_arena_take_table(arena, (size_t)time, rows, width * elem);
    s.skip = rnnat_arena_take_table(arena, (size_t)time, rows, skip * elem);
    for (int32_t i = 0; i < rnnat_max_states; ++i)
        s.dstates[i] = rnnat_arena_take(arena, rows, (i ? hidden : state) * elem);
    s.part = rnnat_arena_take(arena, rows, hidden * elem);
    s.state = (ptrdiff_t)state;
    s.hidden = (ptrdiff_t)hidden;
    return s;
}

static void copy(const rnnat_net *net, void *to, const void *from, ptrdiff_t elements)
{
    const size_t bytes = (size_t)elements * (size_t)net->kernels->elem;
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

/* Gradients of the states behind the last step come in, those of the states before the first
 * leave. */
static void move_dstates(const worker *me, int32_t i, int32_t d, bool leave)
{
    const backward_work *const w = me->w;
    const rnnat_net_op *const op = &w->net->ops[i];
    for (int32_t array = 0; array < op->cell->num_states; ++array) {
        const ptrdiff_t n = array ? op->hidden : op->state;
        void *const inside = me->dstates[array];
        const ptrdiff_t at = ((ptrdiff_t)(op->first_row + d) * w->tape->batch + me->first) * n;
        const int32_t index = op->first_state + array;
        if (leave)
            copy(w->net, rnnat_at(w->net, w->args->dstate_in[index], at), inside, me->rows * n);
        else
            copy(w->net, inside,
                 w->args->dstate ? rnnat_at(w->net, w->args->dstate[index], at) : NULL,
                 me->rows * n);
    }
}

/* dx (+)= dgates matrix of own rows of the chunk. */
static void input_gradient(const worker *me, const rnnat_gradient_chunk *c,
                           const rnnat_packed *matrix, ptrdiff_t gates, void *dx, bool add)
{
    const rnnat_net *const net = c->net;
    const ptrdiff_t width = matrix->n;
    const int32_t batch = c->tape->batch;
    const ptrdiff_t row = (ptrdiff_t)c->first * batch + me->first;
    const rnnat_train_gemm args = {
        .m = c->steps * me->rows,
        .n = matrix->n,
        .k = matrix->k,
        .a = {rnnat_at(net, c->scratch->dgates, me->first * gates), me->rows, gates, batch * gates},
        .c = {rnnat_at(net, dx, row * width), me->rows, width, batch * width},
        .b = matrix->data,
        .add = add};
    rnnat_train_pieces(net, args, me->w->args->stop, me->team.index == 0);
}

static void step_back(const worker *me, const rnnat_gradient_chunk *c, int32_t step, const void *dy)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_op *const op = &net->ops[c->op];
    const ptrdiff_t gates = (ptrdiff_t)op->cell->gates * op->hidden;
    const ptrdiff_t row = (ptrdiff_t)(step - c->first) * c->tape->batch + me->first;
    rnnat_train_at at;
    rnnat_tape_step(net, c->tape, c->op, c->direction, step, me->first, me->rows, &at);
    at.step.dy = rnnat_at(net, dy,
                          ((ptrdiff_t)step * c->tape->batch + me->first) * op->output +
                              c->direction * (ptrdiff_t)op->state);
    at.step.dh = me->dstates[0];
    if (op->cell->num_states > 1) at.step.dc = me->dstates[1];
    if (op->cell->num_states > 2) {
        at.step.di = me->dstates[2];
        at.step.df = me->dstates[3];
    }
    at.step.dgates = rnnat_at(net, c->scratch->dgates, row * gates);
    at.step.dgates_stride = gates;
    at.part = me->part;
    if (op->state != op->hidden) at.dstate = rnnat_at(net, c->scratch->dstate, row * op->state);
    op->cell->backward(&at);
}

static void linear_back(const worker *me, const rnnat_gradient_chunk *c, int32_t step,
                        const void *dy)
{
    const rnnat_net *const net = c->net;
    const rnnat_net_op *const op = &net->ops[c->op];
    const int32_t *const lengths = rnnat_tape_lengths(c->tape);
    const ptrdiff_t row = (ptrdiff_t)step * c->tape->batch + me->first;
    const ptrdiff_t local = (ptrdiff_t)(step - c->first) * c->tape->batch + me->first;
    net->train->activation_backward(op->activation, me->rows, op->output,
                                    rnnat_at(net, c->tape->ops[c->op].out, row * op->output),
                                    rnnat_at(net, dy, row * op->output),
                                    rnnat_at(net, c->scratch->dgates, local * op->output), step,
                                    lengths ? lengths + me->first : NULL);
}

/* Gradients of all inputs: a stack's bottom adds to what its output layer has left. */
static void input_gradients(const worker *me, const rnnat_gradient_chunk *c, ptrdiff_t gates,
                            void *dx)
{
    const scratch *const s = &me->w->scratch;
    const rnnat_net_op *const op = &c->net->ops[c->op];
    const rnnat_net_direction *const d = &op->direction[c->direction];
    const bool joins = op->layer == &rnnat_layer_recurrent && op->bottom >= 0;
    for (int32_t step = c->first; joins && c->direction == 0 && step < c->first + c->steps;
         ++step) {
        const ptrdiff_t at = ((ptrdiff_t)step * c->tape->batch + me->first) * op->input;
        copy(c->net, rnnat_at(c->net, dx, at), rnnat_at(c->net, s->skip, at),
             me->rows * (ptrdiff_t)op->input);
    }
    input_gradient(me, c, &d->back_ih, gates, dx, joins || c->direction > 0);
    if (op->adds_skip) input_gradient(me, c, &d->back_hh, gates, s->skip, false);
}

/* Whether to leave out what is next, after so many multiplications of a row, and go on to meet. */
static bool stops(const worker *me, double work)
{
    return rnnat_stops(me->w->args->stop, me->team.index == 0, (work + RNNAT_STOP_ROW) * me->rows);
}

/* A name for the meeting after a chunk: another one than that of the meeting before. */
static uint32_t exit_place(const rnnat_gradient_chunk *c, int32_t chunk)
{
    const uint32_t ops = (uint32_t)c->net->num_ops;
    return ((((uint32_t)chunk * ops + (uint32_t)c->op) * 2 + (uint32_t)c->direction) & INT32_MAX) +
           1;
}

/* One direction of one layer, or a linear layer: all its chunks. */
static void run_direction(worker *me, int32_t i, int32_t d, const void *dy, void *dx)
{
    const backward_work *const w = me->w;
    const rnnat_net_op *const op = &w->net->ops[i];
    const bool recurrent = op->layer == &rnnat_layer_recurrent;
    const bool reverse = op->direction[d].reverse;
    const int32_t time = w->tape->time, most = w->scratch.gradient.chunk;
    const ptrdiff_t gates = recurrent ? (ptrdiff_t)op->cell->gates * op->hidden : op->output;
    rnnat_gradient_chunk c = {
        .net = w->net, .tape = w->tape, .scratch = &w->scratch.gradient, .op = i, .direction = d};
    const double work = (double)gates * (op->input + op->state);
    if (recurrent) move_dstates(me, i, d, false);
    for (int32_t done = 0; done < time; done += c.steps) {
        c.steps = time - done < most ? time - done : most;
        c.first = reverse ? done : time - done - c.steps;
        c.start = done == 0;
        for (int32_t s = 0; s < c.steps && me->rows && !stops(me, work); ++s) {
            const int32_t step = reverse ? c.first + s : c.first + c.steps - 1 - s;
            if (recurrent)
                step_back(me, &c, step, dy);
            else
                linear_back(me, &c, step, dy);
            rnnat_gradient_pack(&c, step, me->first, me->rows);
        }
        if (me->rows && !stops(me, 0)) input_gradients(me, &c, gates, dx);
        rnnat_meet(&me->team); /* all rows are there, */
        rnnat_gradient_add(&c, &me->team, w->args->stop);
        if (rnnat_meet_or_stop(w->leave, &me->team, exit_place(&c, done / most), 0))
            return; /* and have been used */
    }
    rnnat_gradient_store(&c, &me->team, w->args->grads);
    if (recurrent) move_dstates(me, i, d, true);
}

/* Threads divide the features: each row of the table sums its steps in their order. All rows of dy
 * are there: what wrote them has met since. */
static void run_embedding(const worker *me, const void *dy)
{
    const backward_work *const w = me->w;
    const rnnat_net_op *const op = &w->net->ops[0];
    const int32_t n = op->output, from = rnnat_first(&me->team, me->team.index, n);
    const int32_t count = rnnat_first(&me->team, me->team.index + 1, n) - from;
    void *const table = w->args->grads[op->direction[0].index[RNNAT_NET_IH]];
    for (int32_t i = 0; i < op->input; ++i)
        copy(w->net, rnnat_at(w->net, table, (ptrdiff_t)i * n + from), NULL, count);
    for (int32_t step = 0; step < w->tape->time && !stops(me, count); ++step)
        for (int32_t b = 0; b < w->tape->batch; ++b) {
            const ptrdiff_t row = (ptrdiff_t)step * w->tape->batch + b;
            if (w->tape->has_lengths && step >= w->tape->lengths[b]) continue;
            w->net->train->add_row(
                rnnat_at(w->net, table, (ptrdiff_t)w->tape->indices[row] * n + from),
                rnnat_at(w->net, dy, row * n + from), count);
        }
}

static void drop_out(const worker *me, int32_t i, void *dx)
{
    const rnnat_tape *const tape = me->w->tape;
    const int32_t n = me->w->net->ops[i].output;
    for (int32_t step = 0; step < tape->time && !stops(me, n); ++step)
        me->w->net->train->dropout(
            rnnat_at(me->w->net, dx, ((ptrdiff_t)step * tape->batch + me->first) * n), me->rows, n,
            rnnat_tape_dropout_key(tape, i, step), me->first, tape->dropout);
}

/* A thread's own arrays begin where its rows of the widest layer do: no other thread's reach there,
 * whatever layer it is at. */
static worker make_worker(const backward_work *w, int32_t thread, int32_t granted)
{
    const scratch *const s = &w->scratch;
    worker me = {.w = w, .team = {thread, granted, s->barrier}};
    me.first = rnnat_first(&me.team, thread, w->tape->batch);
    me.rows = rnnat_first(&me.team, thread + 1, w->tape->batch) - me.first;
    for (int32_t i = 0; i < rnnat_max_states; ++i)
        me.dstates[i] = rnnat_at(w->net, s->dstates[i], me.first * (i ? s->hidden : s->state));
    me.part = rnnat_at(w->net, s->part, me.first * s->hidden);
    return me;
}

static void run_thread(void *arg, int32_t thread, int32_t granted)
{
    const backward_work *const w = arg;
    const rnnat_net *const net = w->net;
    worker me = make_worker(w, thread, granted);
    const rnnat_float_mode mode = rnnat_float_enter();
    if (w->args->stop && thread == 0) w->args->stop->outside = mode;
    const void *dy = w->args->dy;
    for (int32_t i = net->num_ops - 1; i >= 0; --i) {
        const rnnat_net_op *const op = &net->ops[i];
        if (op->layer == &rnnat_layer_embedding) {
            run_embedding(&me, dy);
            break;
        }
        void *const dx = i ? w->scratch.flow[i % 2] : w->args->dx;
        for (int32_t d = 0; d < op->num_directions; ++d) run_direction(&me, i, d, dy, dx);
        if (i && net->ops[i - 1].dropout && w->tape->dropout > 0) drop_out(&me, i - 1, dx);
        dy = dx;
    }
    rnnat_stop_end(w->args->stop);
    if (thread == 0) rnnat_stop_wait(w->args->stop, granted);
    rnnat_float_leave(mode);
}

int32_t rnnat_train_threads(const rnnat_net *net, int32_t time, int32_t batch, int32_t wanted)
{
    enum { worth = 1 << 18 }; /* multiplications: what a start of threads costs many times over */
    double work = 0;
    for (int32_t i = 0; i < net->num_weights; ++i) work += (double)net->weight_sizes[i];
    const int32_t sensible = rnnat_threads_sensible(wanted);
    const int32_t most = batch < sensible ? batch : sensible;
    return most > 1 && work * time * batch >= worth ? most : 1;
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
        copy(net, args->dstate_in[i], args->dstate ? args->dstate[i] : NULL,
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
    rnnat_parallel(threads, run_thread, &work);
    return RNNAT_OK;
}
