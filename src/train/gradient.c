/* Gradients of weights: sums over time and batch of products, whose columns threads divide. */
#include "gradient.h"

#include "layer_training.h"

static int32_t round_up(int32_t n, int32_t to) { return (n + to - 1) / to * to; }

/* Columns of all sources of a product. */
static int32_t height_of(const rnnat_product *product)
{
    int32_t n = 0;
    for (int32_t i = 0; i < product->num_sources; ++i) n += product->sources[i].n;
    return n;
}

/* Elements of a product's packed columns, and of its sums. */
static size_t columns_size(const rnnat_net *net, const rnnat_product *product, int32_t depth)
{
    return (size_t)round_up(height_of(product), net->train->height) * (size_t)depth;
}
static size_t sums_size(const rnnat_net *net, const rnnat_product *product)
{
    return (size_t)round_up(height_of(product), net->train->height) *
           (size_t)rnnat_net_pad(net, product->columns);
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

void rnnat_gradient_carve(rnnat_arena *arena, const rnnat_net *net, int32_t time, int32_t batch,
                          int32_t threads, rnnat_gradient_scratch *scratch)
{
    const size_t elem = (size_t)net->kernels->elem;
    const int32_t fit =
        batch < net->train->outer_depth ? net->train->outer_depth / (batch + !batch) : 1;
    const int32_t chunk = fit < time ? fit : time > 0 ? time : 1;
    const int32_t depth = chunk * batch;
    size_t gates = 0, state = 0, hidden = 0, columns = 0, sums = 0;
    for (int32_t i = 0; i < net->num_nodes; ++i) {
        const rnnat_net_node *const node = &net->nodes[i];
        rnnat_arena of_columns = rnnat_arena_at(NULL), of_sums = of_columns;
        for (int32_t p = 0; p < node->num_products; ++p) {
            const rnnat_product *const product = &node->products[p];
            const size_t height = (size_t)round_up(height_of(product), net->train->height);
            rnnat_arena_take_table(&of_columns, height, (size_t)depth, elem);
            rnnat_arena_take_table(&of_sums, height, (size_t)rnnat_net_pad(net, product->columns),
                                   elem);
        }
        columns = most(columns, of_columns.used);
        sums = most(sums, of_sums.used);
        arena->overflow = arena->overflow || of_columns.overflow || of_sums.overflow;
        if (node->num_products) gates = most(gates, (size_t)node->gates);
        if (node->state != node->hidden) state = most(state, (size_t)node->state);
        if (node->peephole) hidden = most(hidden, (size_t)node->hidden);
    }
    *scratch = (rnnat_gradient_scratch){.chunk = chunk, .depth = depth};
    scratch->panel_bytes = (size_t)net->train->outer_depth * (size_t)net->train->panel * elem;
    scratch->dgates = rnnat_arena_take(arena, (size_t)depth, gates * elem);
    scratch->dstate = rnnat_arena_take(arena, (size_t)depth, state * elem);
    scratch->columns = rnnat_arena_take(arena, columns, 1);
    scratch->sums = rnnat_arena_take(arena, sums, 1);
    scratch->peephole = rnnat_arena_take(arena, 3 * hidden, elem);
    scratch->panels = rnnat_arena_take(arena, (size_t)threads, scratch->panel_bytes);
}

/* Rows of one source at a step, from row `first` of the batch on; NULL: ones. */
static const void *source_rows(const rnnat_gradient_chunk *chunk, rnnat_source from, int32_t step,
                               int32_t first, ptrdiff_t *stride)
{
    const rnnat_net *const net = chunk->net;
    const rnnat_net_node *const node = &net->nodes[chunk->node];
    *stride = 0;
    if (from == RNNAT_FROM_ONE) return NULL;
    if (from != RNNAT_FROM_X && from != RNNAT_FROM_STACK)
        return node->layer->source(chunk, from, step, first, stride);
    const int32_t i = from == RNNAT_FROM_X ? chunk->node : node->stack;
    *stride = net->nodes[i].input;
    return rnnat_at(net, rnnat_tape_input(chunk->tape, i),
                    rnnat_tape_row(chunk->tape, step, first) * *stride);
}

void rnnat_gradient_pack(const rnnat_gradient_chunk *chunk, int32_t step, int32_t first,
                         int32_t rows)
{
    const rnnat_net *const net = chunk->net;
    const rnnat_net_node *const node = &net->nodes[chunk->node];
    const int32_t depth = chunk->scratch->depth, batch = chunk->tape->batch;
    const int32_t *const lengths = rnnat_tape_lengths(chunk->tape, first);
    ptrdiff_t columns = 0;
    for (int32_t p = 0; p < node->num_products; ++p) {
        const rnnat_product *const product = &node->products[p];
        int32_t column = 0;
        for (int32_t i = 0; i < product->num_sources; ++i) {
            ptrdiff_t stride;
            const void *const from =
                source_rows(chunk, product->sources[i].from, step, first, &stride);
            net->train->pack_columns(rnnat_at(net, chunk->scratch->columns, columns), depth,
                                     (step - chunk->first) * batch + first, column, from, stride,
                                     rows, product->sources[i].n, step, lengths);
            column += product->sources[i].n;
        }
        columns += (ptrdiff_t)columns_size(net, product, depth);
    }
}

/* The product or, where the call may be stopped, pieces of its columns. */
static void add_outer(const rnnat_net *net, rnnat_train_outer args, rnnat_stop *stop, bool asks)
{
    const int32_t last = args.last_panel;
    const double work = (double)args.k * args.m * net->train->panel;
    const int32_t some = stop ? 1 + (int32_t)(stop->every / (work + 1)) : last;
    for (; args.first_panel < last; args.first_panel = args.last_panel) {
        args.last_panel = last - args.first_panel < some ? last : args.first_panel + some;
        net->train->outer(&args);
        if (rnnat_stops(stop, asks, work * (args.last_panel - args.first_panel))) return;
    }
}

void rnnat_gradient_add(const rnnat_gradient_chunk *chunk, const rnnat_member *member,
                        rnnat_stop *stop)
{
    const rnnat_net *const net = chunk->net;
    const rnnat_net_node *const node = &net->nodes[chunk->node];
    const rnnat_gradient_scratch *const scratch = chunk->scratch;
    ptrdiff_t columns = 0, sums = 0;
    for (int32_t p = 0; p < node->num_products; ++p) {
        const rnnat_product *const product = &node->products[p];
        const int32_t panels = rnnat_net_pad(net, product->columns) / net->train->panel;
        const rnnat_train_outer args = {
            .first_panel = rnnat_first(member, member->index, panels),
            .last_panel = rnnat_first(member, member->index + 1, panels),
            .k = chunk->steps * chunk->tape->batch,
            .m = height_of(product),
            .n = product->columns,
            .depth = scratch->depth,
            .a = rnnat_at(net, scratch->columns, columns),
            .b = product->of_projection ? scratch->dstate
                                        : rnnat_at(net, scratch->dgates, product->first),
            .b_stride = product->of_projection ? node->state : node->gates,
            .panel = scratch->panels + (size_t)member->index * scratch->panel_bytes,
            .c = rnnat_at(net, scratch->sums, sums),
            .c_stride = rnnat_net_pad(net, product->columns),
            .add = !chunk->start};
        add_outer(net, args, stop, member->index == 0);
        columns += (ptrdiff_t)columns_size(net, product, scratch->depth);
        sums += (ptrdiff_t)sums_size(net, product);
    }
    if (node->layer->add) node->layer->add(chunk, member);
}

/* Columns first .. last of one source's sums, to one array. */
static void store_source(const rnnat_net *net, const rnnat_product *product, int32_t n,
                         const void *sums, void *array, int32_t first, int32_t last)
{
    const ptrdiff_t stride = rnnat_net_pad(net, product->columns);
    for (int32_t j = first; j < last;) {
        const int32_t row = (j + product->shift) % product->rows;
        const int32_t count = last - j < product->rows - row ? last - j : product->rows - row;
        net->train->transpose(rnnat_at(net, array, (ptrdiff_t)row * n), n, rnnat_at(net, sums, j),
                              stride, n, count);
        j += count;
    }
}

void rnnat_gradient_store(const rnnat_gradient_chunk *chunk, const rnnat_member *member,
                          void *const *grads)
{
    const rnnat_net *const net = chunk->net;
    const rnnat_net_node *const node = &net->nodes[chunk->node];
    const int32_t *const index = node->pass[chunk->pass].index;
    const int32_t width = net->train->panel;
    ptrdiff_t sums = 0;
    for (int32_t p = 0; p < node->num_products; ++p) {
        const rnnat_product *const product = &node->products[p];
        const int32_t panels = rnnat_net_pad(net, product->columns) / width;
        const int32_t first = rnnat_first(member, member->index, panels) * width;
        const int32_t end = rnnat_first(member, member->index + 1, panels) * width;
        const int32_t last = end < product->columns ? end : product->columns;
        ptrdiff_t row = 0;
        for (int32_t i = 0; i < product->num_sources; ++i) {
            const struct rnnat_product_source *const source = &product->sources[i];
            const void *const from = rnnat_at(net, chunk->scratch->sums,
                                              sums + row * rnnat_net_pad(net, product->columns));
            for (int32_t t = 0; t < 2; ++t)
                if (source->to[t] >= 0)
                    store_source(net, product, source->n, from, grads[index[source->to[t]]], first,
                                 last);
            row += source->n;
        }
        sums += (ptrdiff_t)sums_size(net, product);
    }
    if (node->layer->store) node->layer->store(chunk, member, grads);
}
