/* Weights that are packed for both ways, and the products that are their gradients. */
#include "packing.h"

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

void rnnat_train_multiply_pieces(const rnnat_net *net, rnnat_train_gemm args, rnnat_stop *stop,
                                 bool asks)
{
    const int32_t n = args.n, panel = net->train->panel;
    const double work = (double)args.m * args.k * panel;
    const int32_t some = stop ? panel * (1 + (int32_t)(stop->every / (work + 1))) : n;
    for (int32_t column = 0; column < n; column += args.n) {
        args.n = n - column < some ? n - column : some;
        net->train->gemm(&args);
        if (rnnat_stops(stop, asks, work / panel * args.n)) return;
        args.b = rnnat_at(net, args.b, (ptrdiff_t)args.n * args.k);
        args.c.base = rnnat_at(net, args.c.base, args.n);
        if (args.bias) args.bias = rnnat_at(net, args.bias, args.n);
    }
}

void rnnat_train_name_weights(rnnat_net_builder *build, const rnnat_net_node *node,
                              rnnat_net_pass *pass, int32_t rows)
{
    rnnat_net_add_weight(build, pass, RNNAT_NET_IH, rows, node->input);
    rnnat_net_add_weight(build, pass, RNNAT_NET_HH, rows, node->state);
    if (!node->bias) return;
    rnnat_net_add_weight(build, pass, RNNAT_NET_BIAS_IH, rows, 1);
    rnnat_net_add_weight(build, pass, RNNAT_NET_BIAS_HH, rows, 1);
}

static rnnat_packed take_packed(rnnat_net_builder *build, int32_t k, int32_t n)
{
    const rnnat_net *const net = build->net;
    rnnat_packed matrix = {.k = k, .n = n};
    matrix.data = rnnat_arena_take(&build->arena, (size_t)k * (size_t)net->kernels->elem,
                                   (size_t)rnnat_net_pad(net, n));
    return matrix;
}

void rnnat_train_take_weight(rnnat_net_builder *build, int32_t k, int32_t n,
                             rnnat_packed_weight *weight)
{
    weight->forward = take_packed(build, k, n);
    weight->back = take_packed(build, n, k);
}

void *rnnat_train_take_vector(rnnat_net_builder *build, int32_t n)
{
    return rnnat_arena_take(&build->arena, (size_t)rnnat_net_pad(build->net, n),
                            (size_t)build->net->kernels->elem);
}

void rnnat_train_pack_weight(const rnnat_net *net, const void *array, int32_t from, int32_t count,
                             int32_t to, const rnnat_packed_weight *weight)
{
    const rnnat_packed *const forward = &weight->forward, *const back = &weight->back;
    const int32_t k = forward->k;
    const void *const rows = rnnat_at(net, array, (ptrdiff_t)from * k);
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

rnnat_product *rnnat_train_product(rnnat_net_node *node, rnnat_product product)
{
    rnnat_product *const added = &node->products[node->num_products++];
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

void rnnat_train_ones(const rnnat_net_node *node, rnnat_product *product, int32_t to, int32_t also)
{
    if (node->bias) add_source(product, RNNAT_FROM_ONE, 1, to, also);
}
