/* The forward schedule: each thread takes some rows of the batch through the whole net. */
#include <string.h>

#include "../float_scope.h"
#include "../threads/stop.h"
#include "schedule.h"

typedef struct forward_work {
    const rnnat_net *net;
    const rnnat_train_forward *args;
    rnnat_tape *tape;
} forward_work;

/* The rows of one thread. */
typedef struct own_rows {
    int32_t first, count;
    bool asks; /* it is the one that began the call */
} own_rows;

/* Whether to leave, after so many multiplications of a row. */
static bool stops(const forward_work *w, const own_rows *own, double work)
{
    return rnnat_stops(w->args->stop, own->asks, (work + RNNAT_STOP_ROW) * own->count);
}

/* c (+)= bias + a matrix for own rows of some steps; `a` and `c` are [time, batch, stride]. */
static void project(const forward_work *w, const own_rows *own, int32_t first_step, int32_t steps,
                    const rnnat_packed *matrix, const void *bias, const void *a, ptrdiff_t a_stride,
                    void *c, ptrdiff_t c_stride, bool add)
{
    const int32_t batch = w->tape->batch;
    const ptrdiff_t row = (ptrdiff_t)first_step * batch + own->first;
    const rnnat_train_gemm args = {
        .m = steps * own->count,
        .n = matrix->n,
        .k = matrix->k,
        .a = {rnnat_at(w->net, a, row * a_stride), own->count, a_stride, batch * a_stride},
        .c = {rnnat_at(w->net, c, row * c_stride), own->count, c_stride, batch * c_stride},
        .b = matrix->data,
        .bias = bias,
        .add = add};
    rnnat_train_pieces(w->net, args, w->args->stop, own->asks);
}

/* Steps to project at once: rows enough that the weights are not read too often. */
static int32_t chunk_steps(int32_t rows)
{
    enum { chunk_rows = 128 };
    return rows < chunk_rows ? chunk_rows / rows : 1;
}

static void copy_rows(const rnnat_net *net, void *to, const void *from, ptrdiff_t elements)
{
    const size_t bytes = (size_t)elements * (size_t)net->kernels->elem;
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

/* State array `array` of direction d: its slot of the tape, own rows, and what was given of it. */
static void *slot(const forward_work *w, int32_t i, int32_t d, int32_t array, bool last,
                  int32_t first, ptrdiff_t *features)
{
    const rnnat_net_op *const op = &w->net->ops[i];
    const rnnat_tape_direction *const on = &w->tape->ops[i].direction[d];
    const bool at_end = last != op->direction[d].reverse;
    *features = array ? op->hidden : op->state;
    const ptrdiff_t row = (at_end ? (ptrdiff_t)w->tape->time * w->tape->batch : 0) + first;
    return rnnat_at(w->net, on->states[array], row * *features);
}

static void move_states(const forward_work *w, const own_rows *own, int32_t i, int32_t d, bool last)
{
    const rnnat_net_op *const op = &w->net->ops[i];
    for (int32_t array = 0; array < op->cell->num_states; ++array) {
        ptrdiff_t features;
        void *const inside = slot(w, i, d, array, last, own->first, &features);
        const ptrdiff_t row = (ptrdiff_t)(op->first_row + d) * w->tape->batch + own->first;
        const int32_t index = op->first_state + array;
        if (last)
            copy_rows(w->net, rnnat_at(w->net, w->args->state_out[index], row * features), inside,
                      own->count * features);
        else
            copy_rows(w->net, inside,
                      w->args->state_in ? rnnat_at(w->net, w->args->state_in[index], row * features)
                                        : NULL,
                      own->count * features);
    }
}

static void run_direction(const forward_work *w, const own_rows *own, int32_t i, int32_t d)
{
    const rnnat_net *const net = w->net;
    const rnnat_tape *const tape = w->tape;
    const rnnat_net_op *const op = &net->ops[i];
    const rnnat_net_direction *const direction = &op->direction[d];
    const rnnat_tape_direction *const on = &tape->ops[i].direction[d];
    const int32_t time = tape->time, chunk = chunk_steps(own->count);
    move_states(w, own, i, d, false);
    for (int32_t done = 0, steps; done < time; done += steps) {
        steps = time - done < chunk ? time - done : chunk;
        const int32_t first = direction->reverse ? time - done - steps : done;
        void *const gates = on->gates ? on->gates
                            : direction->reverse
                                ? on->states[0]
                                : rnnat_at(net, on->states[0], (ptrdiff_t)tape->batch * op->state);
        project(w, own, first, steps, &direction->ih, direction->bias, rnnat_tape_input(tape, i),
                op->input, gates, on->gates_stride, false);
        for (int32_t s = 0; s < steps; ++s) {
            if (stops(w, own, (double)op->cell->gates * op->hidden * op->state)) return;
            rnnat_train_at at;
            const int32_t step = direction->reverse ? first + steps - 1 - s : first + s;
            rnnat_tape_step(net, tape, i, d, step, own->first, own->count, &at);
            op->cell->forward(&at);
        }
    }
    move_states(w, own, i, d, true);
}

static void drop_out(const forward_work *w, const own_rows *own, int32_t i)
{
    const rnnat_tape *const tape = w->tape;
    const int32_t n = w->net->ops[i].output;
    for (int32_t step = 0; step < tape->time && !stops(w, own, n); ++step)
        w->net->train->dropout(
            rnnat_at(w->net, tape->ops[i].out, ((ptrdiff_t)step * tape->batch + own->first) * n),
            own->count, n, rnnat_tape_dropout_key(tape, i, step), own->first, tape->dropout);
}

static bool is_valid(const rnnat_tape *tape, int32_t step, int32_t row)
{
    return !tape->has_lengths || step < tape->lengths[row];
}

static void run_linear(const forward_work *w, const own_rows *own, int32_t i)
{
    const rnnat_net *const net = w->net;
    const rnnat_net_op *const op = &net->ops[i];
    const rnnat_net_direction *const d = &op->direction[0];
    const int32_t time = w->tape->time, batch = w->tape->batch, chunk = chunk_steps(own->count);
    void *const out = w->tape->ops[i].out;
    for (int32_t first = 0, steps; first < time; first += steps) {
        steps = time - first < chunk ? time - first : chunk;
        project(w, own, first, steps, &d->ih, d->bias, rnnat_tape_input(w->tape, i), op->input, out,
                op->output, false);
        if (op->adds_skip)
            project(w, own, first, steps, &d->hh, NULL, rnnat_tape_input(w->tape, op->bottom),
                    net->ops[op->bottom].input, out, op->output, true);
        for (int32_t step = first; step < first + steps; ++step) {
            if (stops(w, own, op->output)) return;
            void *const rows =
                rnnat_at(net, out, ((ptrdiff_t)step * batch + own->first) * op->output);
            net->kernels->activate(op->activation, rnnat_plain_rows(rows, op->output, own->count),
                                   own->count, op->output);
            for (int32_t r = 0; w->tape->has_lengths && r < own->count; ++r)
                if (!is_valid(w->tape, step, own->first + r))
                    copy_rows(net, rnnat_at(net, rows, (ptrdiff_t)r * op->output), NULL,
                              op->output);
        }
    }
}

static void run_embedding(const forward_work *w, const own_rows *own, int32_t i)
{
    const rnnat_net *const net = w->net;
    const rnnat_net_op *const op = &net->ops[i];
    const void *const table = rnnat_net_array(net, &op->direction[0], RNNAT_NET_IH);
    for (int32_t step = 0; step < w->tape->time; ++step)
        for (int32_t r = own->first; r < own->first + own->count; ++r) {
            const ptrdiff_t row = (ptrdiff_t)step * w->tape->batch + r;
            const void *const from =
                is_valid(w->tape, step, r)
                    ? rnnat_at(net, table, (ptrdiff_t)w->tape->indices[row] * op->output)
                    : NULL;
            copy_rows(net, rnnat_at(net, w->tape->ops[i].out, row * op->output), from, op->output);
        }
}

/* Own rows of an array [time, batch, n]. */
static void copy_steps(const forward_work *w, const own_rows *own, void *to, const void *from,
                       int32_t n)
{
    for (int32_t step = 0; step < w->tape->time; ++step) {
        const ptrdiff_t at = ((ptrdiff_t)step * w->tape->batch + own->first) * n;
        copy_rows(w->net, rnnat_at(w->net, to, at), rnnat_at(w->net, from, at),
                  (ptrdiff_t)own->count * n);
    }
}

static void run_rows(const forward_work *w, const own_rows *own)
{
    const rnnat_net *const net = w->net;
    if (!net->takes_indices) copy_steps(w, own, w->tape->x, w->args->x, net->input);
    for (int32_t i = 0; i < net->num_ops && !stops(w, own, 0); ++i) {
        const rnnat_net_op *const op = &net->ops[i];
        if (op->layer == &rnnat_layer_embedding) run_embedding(w, own, i);
        if (op->layer == &rnnat_layer_linear) run_linear(w, own, i);
        if (op->layer != &rnnat_layer_recurrent) continue;
        for (int32_t d = 0; d < op->num_directions; ++d) run_direction(w, own, i, d);
        if (op->dropout && w->tape->dropout > 0) drop_out(w, own, i);
    }
    if (!stops(w, own, 0))
        copy_steps(w, own, w->args->y, w->tape->ops[net->num_ops - 1].out, net->output);
}

static void run_thread(void *arg, int32_t thread, int32_t granted)
{
    const forward_work *const w = arg;
    const rnnat_member part = {thread, granted, NULL};
    const int32_t first = rnnat_first(&part, thread, w->tape->batch);
    const own_rows own = {first, rnnat_first(&part, thread + 1, w->tape->batch) - first,
                          thread == 0};
    const rnnat_float_mode mode = rnnat_float_enter();
    if (w->args->stop && thread == 0) w->args->stop->outside = mode;
    if (own.count) run_rows(w, &own);
    rnnat_stop_end(w->args->stop);
    if (thread == 0) rnnat_stop_wait(w->args->stop, granted);
    rnnat_float_leave(mode);
}

static rnnat_status check(const rnnat_net *net, const rnnat_train_forward *args)
{
    if (args->time < 0 || args->batch < 0 || args->num_threads < 1) return RNNAT_ERROR_ARGUMENT;
    if (!(args->dropout >= 0 && args->dropout < 1)) return RNNAT_ERROR_ARGUMENT;
    const bool some = args->time && args->batch;
    if (some && (!args->y || (net->takes_indices ? !args->indices : !args->x)))
        return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; args->batch && i < net->num_states; ++i)
        if (!args->state_out || !args->state_out[i] || (args->state_in && !args->state_in[i]))
            return RNNAT_ERROR_ARGUMENT;
    for (int32_t b = 0; b < args->batch; ++b) {
        const int32_t length = args->lengths ? args->lengths[b] : args->time;
        if (length < 0 || length > args->time) return RNNAT_ERROR_LENGTH;
        for (int32_t t = 0; net->takes_indices && t < length; ++t) {
            const int32_t index = args->indices[(ptrdiff_t)t * args->batch + b];
            if (index < 0 || index >= net->input) return RNNAT_ERROR_INDEX;
        }
    }
    return RNNAT_OK;
}

/* Copies the indices; false where one of a step that counts is wrong, which has changed since it was
 * checked. */
static bool take_indices(const rnnat_net *net, const rnnat_train_forward *args, rnnat_tape *tape)
{
    const ptrdiff_t count = net->takes_indices ? (ptrdiff_t)args->time * args->batch : 0;
    for (ptrdiff_t i = 0; i < count; ++i) {
        const int32_t index = args->indices[i];
        const bool known = index >= 0 && index < net->input;
        if (!known && is_valid(tape, (int32_t)(i / args->batch), (int32_t)(i % args->batch)))
            return false;
        tape->indices[i] = index;
    }
    return true;
}

rnnat_status rnnat_train_run_forward(const rnnat_net *net, const rnnat_train_forward *args,
                                     void *memory, size_t size)
{
    size_t need, scratch;
    rnnat_status status = check(net, args);
    if (status == RNNAT_OK)
        status = rnnat_train_size(net, args->time, args->batch, 1, &need, &scratch);
    if (status != RNNAT_OK) return status;
    if (size < need) return RNNAT_ERROR_TOO_SMALL;
    rnnat_arena arena = rnnat_arena_at(memory);
    rnnat_tape *const tape = rnnat_tape_carve(&arena, net, args->time, args->batch);
    tape->dropout = args->dropout;
    tape->seed = args->seed;
    tape->has_lengths = args->lengths != NULL;
    if (args->lengths)
        memcpy(tape->lengths, args->lengths, (size_t)args->batch * sizeof *tape->lengths);
    if (!take_indices(net, args, tape)) return RNNAT_ERROR_INDEX;
    forward_work work = {net, args, tape};
    rnnat_stop_begin(args->stop);
    rnnat_parallel(rnnat_train_threads(net, args->time, args->batch, args->num_threads), run_thread,
                   &work);
    return RNNAT_OK;
}
