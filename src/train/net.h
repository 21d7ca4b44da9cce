/* The types of a net: nodes over the caller's weights, which it keeps packed for both ways. */
#ifndef RNNAT_TRAIN_NET_H
#define RNNAT_TRAIN_NET_H

#include <stdbool.h>

#include "../arena.h"
#include "../kernels/train_kernels.h"
#include "train.h"

enum { rnnat_max_products = 4, rnnat_max_sources = 3 };

/* The arrays of one pass of one node, as indices into the caller's list; -1: it has none. */
typedef enum rnnat_net_weight {
    RNNAT_NET_IH, /* also the weight of an embedding or a linear layer */
    RNNAT_NET_HH, /* also an output layer's W_xo */
    RNNAT_NET_GH, /* gate-recurrent cells */
    RNNAT_NET_CH,
    RNNAT_NET_BIAS_IH, /* also a linear layer's bias */
    RNNAT_NET_BIAS_HH,
    RNNAT_NET_HR,
    RNNAT_NET_CI,
    RNNAT_NET_CF,
    RNNAT_NET_CO,
    RNNAT_NET_WEIGHTS
} rnnat_net_weight;

/* A packed matrix [k, n]. */
typedef struct rnnat_packed {
    int32_t k, n;
    void *data;
} rnnat_packed;

/* A weight [n, k], packed for each way. */
typedef struct rnnat_packed_weight {
    rnnat_packed forward; /* [k, n] */
    rnnat_packed back; /* [n, k] */
} rnnat_packed_weight;

/* Where the rows come from whose products with the gates' gradients are a weight's gradient. */
typedef enum rnnat_source {
    RNNAT_FROM_X,
    RNNAT_FROM_H, /* states before the step */
    RNNAT_FROM_C,
    RNNAT_FROM_I,
    RNNAT_FROM_F,
    RNNAT_FROM_AUX,
    RNNAT_FROM_STACK, /* what an output layer's stack reads */
    RNNAT_FROM_ONE
} rnnat_source;

/* dW[row(j), i] = sum over rows of gradient[first + j] * source[i], j < columns, where
 * row(j) = (j + shift) % rows; several sources share one pass over the gradients. */
typedef struct rnnat_product {
    bool of_projection; /* gradients of the projected state, not of the gates */
    int32_t first, columns;
    int32_t shift, rows;
    int32_t num_sources;
    struct rnnat_product_source {
        rnnat_source from;
        int32_t n;
        int32_t to[2]; /* rnnat_net_weight, or -1 */
    } sources[rnnat_max_sources];
} rnnat_product;

/* One direction of a node; of one that is not recurrent, all of it. */
typedef struct rnnat_net_pass {
    int32_t index[RNNAT_NET_WEIGHTS];
    bool reverse;
    rnnat_packed_weight ih, hh, hn, hr, gi, gf, ch;
    void *bias; /* what the input's product starts from */
    void *bias_hn; /* GRU, reset after: [hidden] */
    void *peephole; /* LSTM: [3, hidden] */
} rnnat_net_pass;

typedef struct rnnat_net_node {
    const struct rnnat_layer_training *layer; /* what trains it: layer_training.h */
    int32_t input, output; /* features */
    int32_t gates; /* columns of the gradients of its sums: of all its gates, or of its outputs */
    rnnat_activation activation;
    bool bias;
    int32_t stack; /* an output layer: the first node of its stack, whose input it reads, too; -1 */
    int32_t stack_input; /* features of that */
    int32_t output_layer; /* the first node of a stack: its output layer; -1: it has none */
    const struct rnnat_cell_training *cell; /* recurrent, from here on */
    int32_t hidden, state;
    bool peephole;
    bool dropout; /* its output goes into the next node of its stack */
    int32_t num_passes;
    int32_t first_state, first_row; /* its layer's first state array, and its first row in there */
    rnnat_net_pass pass[2];
    int32_t num_products;
    rnnat_product products[rnnat_max_products];
} rnnat_net_node;

struct rnnat_net {
    const rnnat_kernels *kernels;
    const rnnat_train_kernels *train;
    const void *const *weights;
    int32_t num_nodes, num_states, num_weights;
    bool takes_indices;
    int32_t input, output; /* features, or how many indices there are */
    rnnat_net_node *nodes; /* each reads what the one before gives */
    size_t *weight_sizes; /* elements of each array */
    int32_t *state_rows, *state_features;
};

/* A net while it is counted or laid out. */
typedef struct rnnat_net_builder {
    rnnat_arena arena;
    rnnat_net *net;
    bool laid_out; /* the net's arrays exist; else it is only counted */
} rnnat_net_builder;

/* A node that so many features come into, of no stack, without weights. */
rnnat_net_node rnnat_net_node_of(const struct rnnat_layer_training *layer, int32_t input,
                                 int32_t output);
/* Adds it behind those that are there. */
void rnnat_net_add(rnnat_net_builder *build, const rnnat_net_node *node);
/* The next array of the caller's list, rows * columns elements, is this weight of a pass. */
void rnnat_net_add_weight(rnnat_net_builder *build, rnnat_net_pass *pass, rnnat_net_weight which,
                          int64_t rows, int64_t columns);
/* The next array of state [rows, batch, features]. */
void rnnat_net_add_state(rnnat_net_builder *build, int32_t rows, int32_t features);

/* Multiplications of forward; backward has twice as many. */
double rnnat_train_work(const rnnat_net *net, int32_t time, int32_t batch);
/* Threads worth their start for so many steps and rows, of at most `wanted`. */
int32_t rnnat_train_threads(const rnnat_net *net, int32_t time, int32_t batch, int32_t wanted);

static inline int32_t rnnat_net_pad(const rnnat_net *net, int32_t n)
{
    return (n + net->train->panel - 1) / net->train->panel * net->train->panel;
}

static inline const void *rnnat_net_array(const rnnat_net *net, const rnnat_net_pass *pass,
                                          rnnat_net_weight which)
{
    return pass->index[which] < 0 ? NULL : net->weights[pass->index[which]];
}

/* Element `at` of an array of the net's dtype. */
static inline void *rnnat_at(const rnnat_net *net, const void *base, ptrdiff_t at)
{
    return (char *)RNNAT_WRITABLE(base) + at * net->kernels->elem;
}

/* Copies elements; from NULL: zeros. */
void rnnat_net_copy(const rnnat_net *net, void *to, const void *from, ptrdiff_t elements);

/* Rows of one stride. */
static inline rnnat_rows rnnat_plain_rows(const void *base, ptrdiff_t stride, int32_t rows)
{
    return (rnnat_rows){base, rows > 0 ? rows : 1, stride, 0};
}

#endif
