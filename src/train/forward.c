/* The forward schedule: each thread takes some rows of the batch through the whole net. */
#include <string.h>

#include "../float_scope.h"
#include "layer_training.h"
#include "rows.h"

typedef struct forward_work {
    const rnnat_net *net;
    const rnnat_train_forward *args;
    rnnat_tape *tape;
} forward_work;

/* Own rows of an array [time, batch, n]. */
static void copy_steps(const rnnat_forward_rows *own, void *to, const void *from, int32_t n)
{
    for (int32_t step = 0; step < own->tape->time; ++step) {
        const ptrdiff_t at = rnnat_tape_row(own->tape, step, own->first) * n;
        rnnat_net_copy(own->net, rnnat_at(own->net, to, at), rnnat_at(own->net, from, at),
                       (ptrdiff_t)own->count * n);
    }
}

static void drop_out(const rnnat_forward_rows *own, int32_t i)
{
    const rnnat_tape *const tape = own->tape;
    const int32_t n = own->net->nodes[i].output;
    for (int32_t step = 0; step < tape->time && !rnnat_forward_stops(own, n); ++step)
        rnnat_tape_drop_out(own->net, tape, i, step, own->first, own->count, tape->nodes[i].out);
}

static void run_rows(const rnnat_forward_rows *own)
{
    const rnnat_net *const net = own->net;
    if (!net->takes_indices) copy_steps(own, own->tape->x, own->args->x, net->input);
    for (int32_t i = 0; i < net->num_nodes && !rnnat_forward_stops(own, 0); ++i) {
        const rnnat_net_node *const node = &net->nodes[i];
        node->layer->forward(own, i);
        if (node->dropout && own->tape->dropout > 0) drop_out(own, i);
    }
    if (!rnnat_forward_stops(own, 0))
        copy_steps(own, own->args->y, own->tape->nodes[net->num_nodes - 1].out, net->output);
}

static void run_thread(void *arg, int32_t thread, int32_t count)
{
    const forward_work *const w = arg;
    const rnnat_member member = {thread, count, NULL};
    const int32_t first = rnnat_first(&member, thread, w->tape->batch);
    const rnnat_forward_rows own = {.net = w->net,
                                    .args = w->args,
                                    .tape = w->tape,
                                    .first = first,
                                    .count =
                                        rnnat_first(&member, thread + 1, w->tape->batch) - first,
                                    .asks = thread == 0};
    const rnnat_float_mode mode = rnnat_float_enter();
    if (w->args->stop && thread == 0) w->args->stop->outside = mode;
    if (own.count) run_rows(&own);
    rnnat_stop_end(w->args->stop);
    if (thread == 0) rnnat_stop_wait(w->args->stop, count);
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
        if (!known &&
            rnnat_tape_is_valid(tape, (int32_t)(i / args->batch), (int32_t)(i % args->batch)))
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
    const int32_t threads = rnnat_train_threads(net, args->time, args->batch, args->num_threads);
    const rnnat_terms terms = {.together = true,
                               .work = rnnat_train_work(net, args->time, args->batch)};
    rnnat_parallel(threads, &terms, run_thread, &work);
    return RNNAT_OK;
}
