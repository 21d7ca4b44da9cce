/* Finds the cell that trains a layer. */
#include "cell.h"

const rnnat_train_cell *rnnat_train_cell_find(const rnnat_cell *cell)
{
    static const struct {
        const rnnat_cell *runs;
        const rnnat_train_cell *trains;
    } pairs[] = {{&rnnat_cell_rnn, &rnnat_train_rnn},
                 {&rnnat_cell_gru, &rnnat_train_gru},
                 {&rnnat_cell_gru_before, &rnnat_train_gru_before},
                 {&rnnat_cell_lstm, &rnnat_train_lstm},
                 {&rnnat_cell_gate_gru, &rnnat_train_gate_gru},
                 {&rnnat_cell_gate_lstm, &rnnat_train_gate_lstm}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i)
        if (pairs[i].runs == cell) return pairs[i].trains;
    return NULL;
}

void rnnat_train_multiply(const rnnat_net *net, const rnnat_packed *matrix, int32_t rows,
                          const void *a, ptrdiff_t a_stride, void *c, ptrdiff_t c_stride, bool add)
{
    const rnnat_train_gemm args = {.m = rows,
                                   .n = matrix->n,
                                   .k = matrix->k,
                                   .a = rnnat_plain_rows(a, a_stride, rows),
                                   .c = rnnat_plain_rows(c, c_stride, rows),
                                   .b = matrix->data,
                                   .add = add};
    net->train->gemm(&args);
}

static rnnat_packed take_packed(rnnat_arena *arena, const rnnat_net *net, int32_t k, int32_t n)
{
    rnnat_packed matrix = {.k = k, .n = n};
    matrix.data = rnnat_arena_take(arena, (size_t)k * (size_t)net->kernels->elem,
                                   (size_t)rnnat_net_pad(net, n));
    return matrix;
}

void rnnat_train_take_both(rnnat_arena *arena, const rnnat_net *net, int32_t k, int32_t n,
                           rnnat_packed *forward, rnnat_packed *back)
{
    *forward = take_packed(arena, net, k, n);
    *back = take_packed(arena, net, n, k);
}

void *rnnat_train_take_vector(rnnat_arena *arena, const rnnat_net *net, int32_t n)
{
    return rnnat_arena_take(arena, (size_t)rnnat_net_pad(net, n), (size_t)net->kernels->elem);
}

void rnnat_train_pack_both(const rnnat_net *net, const void *weight, int32_t from, int32_t count,
                           int32_t to, const rnnat_packed *forward, const rnnat_packed *back)
{
    const int32_t k = forward->k;
    const void *const rows = rnnat_at(net, weight, (ptrdiff_t)from * k);
    net->train->pack_transposed(forward->data, k, 0, to, rows, k, k, count);
    net->train->pack(back->data, back->k, to, 0, rows, k, count, k);
}

void rnnat_train_pack_bias(const rnnat_net *net, void *vector, int32_t to, const void *bias_ih,
                           const void *bias_hh, int32_t from, int32_t count)
{
    net->train->sum_vectors(rnnat_at(net, vector, to),
                            bias_ih ? rnnat_at(net, bias_ih, from) : NULL,
                            bias_hh ? rnnat_at(net, bias_hh, from) : NULL, count);
}

rnnat_product *rnnat_train_product(rnnat_net_op *op, rnnat_product product)
{
    rnnat_product *const added = &op->products[op->num_products++];
    *added = product;
    added->num_sources = 0;
    return added;
}

static void add_source(rnnat_product *product, rnnat_source from, int32_t n, int32_t to,
                       int32_t also)
{
    struct rnnat_product_source *const source = &product->sources[product->num_sources++];
    source->from = from;
    source->n = n;
    source->to[0] = to;
    source->to[1] = also;
}

void rnnat_train_source(rnnat_product *product, rnnat_source from, int32_t n, int32_t to)
{
    add_source(product, from, n, to, -1);
}

void rnnat_train_ones(const rnnat_net_op *op, rnnat_product *product, int32_t to, int32_t also)
{
    if (op->bias) add_source(product, RNNAT_FROM_ONE, 1, to, also);
}
