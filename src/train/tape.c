/* Lays a tape out in the caller's memory. */
#include "tape.h"

static void carve_direction(rnnat_arena *arena, const rnnat_net *net, const rnnat_net_op *op,
                            size_t time, size_t batch, rnnat_tape_direction *to)
{
    const size_t elem = (size_t)net->kernels->elem;
    const size_t state = (size_t)op->state * elem, hidden = (size_t)op->hidden * elem;
    const rnnat_train_cell *const cell = op->cell;
    *to = (rnnat_tape_direction){.gates_stride = (ptrdiff_t)cell->gates * op->hidden};
    for (int32_t i = 0; i < cell->num_states; ++i)
        to->states[i] = rnnat_arena_take_table(arena, time + 1, batch, i ? hidden : state);
    if (!cell->gates_are_h)
        to->gates = rnnat_arena_take_table(arena, time, batch, (size_t)cell->gates * hidden);
    if (cell->has_aux || (cell->aux_if_projected && op->state != op->hidden))
        to->aux = rnnat_arena_take_table(arena, time, batch, hidden);
}

rnnat_tape *rnnat_tape_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch)
{
    const size_t elem = (size_t)net->kernels->elem, steps = (size_t)time, rows = (size_t)batch;
    rnnat_tape *const tape = rnnat_arena_take(arena, 1, sizeof *tape);
    rnnat_tape_op *const ops = rnnat_arena_take(arena, (size_t)net->num_ops, sizeof *ops);
    int32_t *const lengths = rnnat_arena_take(arena, rows, sizeof *lengths);
    int32_t *indices = NULL;
    void *x = NULL;
    if (net->takes_indices)
        indices = rnnat_arena_take_table(arena, steps, rows, sizeof *indices);
    else
        x = rnnat_arena_take_table(arena, steps, rows, (size_t)net->input * elem);
    for (int32_t i = 0; i < net->num_ops; ++i) {
        const rnnat_net_op *const op = &net->ops[i];
        rnnat_tape_op to = {
            .out = rnnat_arena_take_table(arena, steps, rows, (size_t)op->output * elem)};
        for (int32_t d = 0; op->layer == &rnnat_layer_recurrent && d < op->num_directions; ++d)
            carve_direction(arena, net, op, steps, rows, &to.direction[d]);
        if (ops) ops[i] = to;
    }
    if (tape) {
        tape->time = time;
        tape->batch = batch;
        tape->x = x;
        tape->indices = indices;
        tape->lengths = lengths;
        tape->ops = ops;
    }
    return tape;
}

void rnnat_tape_step(const rnnat_net *net, const rnnat_tape *tape, int32_t i, int32_t direction,
                     int32_t step, int32_t first, int32_t rows, rnnat_train_at *at)
{
    const rnnat_net_op *const op = &net->ops[i];
    const rnnat_tape_direction *const on = &tape->ops[i].direction[direction];
    const bool reverse = op->direction[direction].reverse;
    const ptrdiff_t row = (ptrdiff_t)step * tape->batch + first; /* of slot `step` */
    const ptrdiff_t prev = reverse ? row + tape->batch : row;
    const ptrdiff_t next = reverse ? row : row + tape->batch;
    rnnat_train_step s = {.rows = rows,
                          .hidden = op->hidden,
                          .step = step,
                          .gates_stride = on->gates_stride,
                          .state_stride = op->state,
                          .out_stride = op->output};
    if (tape->has_lengths) s.lengths = tape->lengths + first;
    s.h_prev = rnnat_at(net, on->states[0], prev * op->state);
    s.h_next = rnnat_at(net, on->states[0], next * op->state);
    s.gates = on->gates ? rnnat_at(net, on->gates, row * on->gates_stride) : s.h_next;
    s.out = rnnat_at(net, tape->ops[i].out, row * op->output + direction * (ptrdiff_t)op->state);
    if (op->cell->num_states > 1) {
        s.c_prev = rnnat_at(net, on->states[1], prev * op->hidden);
        s.c_next = rnnat_at(net, on->states[1], next * op->hidden);
    }
    if (op->cell->num_states > 2) {
        s.i_prev = rnnat_at(net, on->states[2], prev * op->hidden);
        s.i_next = rnnat_at(net, on->states[2], next * op->hidden);
        s.f_prev = rnnat_at(net, on->states[3], prev * op->hidden);
        s.f_next = rnnat_at(net, on->states[3], next * op->hidden);
    }
    if (on->aux) s.aux = rnnat_at(net, on->aux, row * op->hidden);
    *at = (rnnat_train_at){.net = net, .op = op, .direction = &op->direction[direction], .step = s};
}
