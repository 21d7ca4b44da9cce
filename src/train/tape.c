/* The memory of a tape. */
#include "tape.h"

#include "layer_training.h"

rnnat_tape *rnnat_tape_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch)
{
    const size_t elem = (size_t)net->kernels->elem, steps = (size_t)time, rows = (size_t)batch;
    rnnat_tape *const tape = rnnat_arena_take(arena, 1, sizeof *tape);
    rnnat_tape_node *const nodes = rnnat_arena_take(arena, (size_t)net->num_nodes, sizeof *nodes);
    int32_t *const lengths = rnnat_arena_take(arena, rows, sizeof *lengths);
    int32_t *indices = NULL;
    void *x = NULL;
    if (net->takes_indices)
        indices = rnnat_arena_take_table(arena, steps, rows, sizeof *indices);
    else
        x = rnnat_arena_take_table(arena, steps, rows, (size_t)net->input * elem);
    for (int32_t i = 0; i < net->num_nodes; ++i) {
        const rnnat_net_node *const node = &net->nodes[i];
        rnnat_tape_node to = {
            .out = rnnat_arena_take_table(arena, steps, rows, (size_t)node->output * elem)};
        if (node->layer->carve) node->layer->carve(arena, net, node, steps, rows, &to);
        if (nodes) nodes[i] = to;
    }
    if (tape) {
        tape->time = time;
        tape->batch = batch;
        tape->x = x;
        tape->indices = indices;
        tape->lengths = lengths;
        tape->nodes = nodes;
    }
    return tape;
}

void rnnat_tape_drop_out(const rnnat_net *net, const rnnat_tape *tape, int32_t i, int32_t step,
                         int32_t first, int32_t rows, void *features)
{
    const int32_t n = net->nodes[i].output;
    const uint64_t key = rnnat_mix_in(rnnat_mix_in(tape->seed, i), step);
    net->train->dropout(rnnat_at(net, features, rnnat_tape_row(tape, step, first) * n), rows, n,
                        key, first, tape->dropout);
}
