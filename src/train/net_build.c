/* Nets: made of the lines of a file, with the caller's arrays behind them; packed again after these
 * have changed. */
#include <string.h>

#include "../dispatch.h"
#include "../layers/layer.h"
#include "../threads/threads.h"
#include "layer_training.h"

rnnat_net_node rnnat_net_node_of(const rnnat_layer_training *layer, int32_t input, int32_t output)
{
    rnnat_net_node node = {.layer = layer,
                           .input = input,
                           .output = output,
                           .gates = output,
                           .stack = -1,
                           .output_layer = -1,
                           .num_passes = 1};
    for (int32_t p = 0; p < 2; ++p)
        for (int32_t w = 0; w < RNNAT_NET_WEIGHTS; ++w) node.pass[p].index[w] = -1;
    return node;
}

void rnnat_net_add(rnnat_net_builder *build, const rnnat_net_node *node)
{
    rnnat_net *const net = build->net;
    if (build->laid_out) net->nodes[net->num_nodes] = *node;
    ++net->num_nodes;
    net->output = node->output;
}

void rnnat_net_add_weight(rnnat_net_builder *build, rnnat_net_pass *pass, rnnat_net_weight which,
                          int64_t rows, int64_t columns)
{
    const int32_t index = build->net->num_weights++;
    if (build->laid_out) build->net->weight_sizes[index] = (size_t)(rows * columns);
    pass->index[which] = index;
}

void rnnat_net_add_state(rnnat_net_builder *build, int32_t rows, int32_t features)
{
    rnnat_net *const net = build->net;
    const int32_t index = net->num_states++;
    if (!build->laid_out) return;
    net->state_rows[index] = rows;
    net->state_features[index] = features;
}

void rnnat_net_copy(const rnnat_net *net, void *to, const void *from, ptrdiff_t elements)
{
    const size_t bytes = (size_t)elements * (size_t)net->kernels->elem;
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

double rnnat_train_work(const rnnat_net *net, int32_t time, int32_t batch)
{
    double work = 0;
    for (int32_t i = 0; i < net->num_weights; ++i) work += (double)net->weight_sizes[i];
    return work * time * batch;
}

int32_t rnnat_train_threads(const rnnat_net *net, int32_t time, int32_t batch, int32_t wanted)
{
    enum { worth = 1 << 18 }; /* multiplications: what a start of threads costs many times over */
    const int32_t sensible = rnnat_threads_sensible(wanted);
    const int32_t most = batch < sensible ? batch : sensible;
    return most > 1 && rnnat_train_work(net, time, batch) >= worth ? most : 1;
}

/* Counts the layers, or lays them out where build->laid_out. */
static rnnat_status build_layers(rnnat_net_builder *build, const rnnat_net_layers *layers)
{
    rnnat_net *const net = build->net;
    net->num_nodes = net->num_states = net->num_weights = 0;
    for (int32_t i = 0; i < layers->count; ++i) {
        const rnnat_layer *layer;
        rnnat_layer_options options;
        rnnat_status status = rnnat_layer_read(layers->texts[i], &layer, &options, NULL);
        if (status != RNNAT_OK) return status;
        if (!layer->training) return RNNAT_ERROR_UNSUPPORTED;
        const int32_t input = layer->takes(&options);
        if (i == 0) net->input = input;
        if (i > 0 && (layer->takes_indices || input != net->output)) return RNNAT_ERROR_FORMAT;
        status = layer->training->build(build, &options);
        if (status != RNNAT_OK) return status;
    }
    return RNNAT_OK;
}

/* Lays the net out in the arena; with none, counts. */
static rnnat_status build(rnnat_arena *arena, const rnnat_net_layers *layers, rnnat_net *net)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    if (status != RNNAT_OK) return status;
    if (layers->count < 1 || (layers->dtype != RNNAT_F32 && layers->dtype != RNNAT_F64))
        return RNNAT_ERROR_ARGUMENT;
    *net = (rnnat_net){.kernels = &kernels[layers->dtype], .train = kernels[layers->dtype].train};
    rnnat_net_builder counting = {.net = net};
    status = build_layers(&counting, layers);
    if (status != RNNAT_OK) return status;
    net->nodes = rnnat_arena_take(arena, (size_t)net->num_nodes, sizeof *net->nodes);
    net->weight_sizes = rnnat_arena_take(arena, (size_t)net->num_weights, sizeof(size_t));
    net->state_rows = rnnat_arena_take(arena, (size_t)net->num_states, sizeof(int32_t));
    net->state_features = rnnat_arena_take(arena, (size_t)net->num_states, sizeof(int32_t));
    rnnat_net_builder b = {.arena = *arena, .net = net, .laid_out = arena->base != NULL};
    status = build_layers(&b, layers);
    *arena = b.arena;
    if (status == RNNAT_OK && arena->overflow) status = RNNAT_ERROR_OVERFLOW;
    return status;
}

rnnat_status rnnat_net_size(const rnnat_net_layers *layers, size_t *need)
{
    rnnat_net net;
    rnnat_arena arena = rnnat_arena_at(NULL);
    rnnat_arena_take(&arena, 1, sizeof net);
    const rnnat_status status = build(&arena, layers, &net);
    if (status == RNNAT_OK) *need = rnnat_arena_need(&arena);
    return status;
}

rnnat_status rnnat_net_init(void *memory, size_t size, const rnnat_net_layers *layers,
                            const void *const *weights, rnnat_net **out)
{
    size_t need;
    rnnat_status status = rnnat_net_size(layers, &need);
    if (status != RNNAT_OK) return status;
    if (size < need) return RNNAT_ERROR_TOO_SMALL;
    memset(memory, 0, need); /* what pads a packed panel stays zero */
    rnnat_arena arena = rnnat_arena_at(memory);
    rnnat_net *const net = rnnat_arena_take(&arena, 1, sizeof *net);
    status = build(&arena, layers, net);
    net->weights = weights;
    if (status == RNNAT_OK) *out = net;
    return status;
}

void rnnat_net_update(rnnat_net *net)
{
    for (int32_t i = 0; i < net->num_nodes; ++i)
        if (net->nodes[i].layer->pack) net->nodes[i].layer->pack(net, &net->nodes[i]);
}
