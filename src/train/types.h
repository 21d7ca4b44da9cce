/* The types of a net: operations over the caller's weights, which it keeps packed for both ways. */
#ifndef RNNAT_TRAIN_TYPES_H
#define RNNAT_TRAIN_TYPES_H

#include <stdbool.h>

#include "../arena.h"
#include "../kernels/train.h"
#include "../layers/layers.h"
#include "train.h"

enum { rnnat_max_products = 4, rnnat_max_sources = 3 };

/* The arrays of one direction of one layer, as indices into the caller's list; -1: has none. */
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

/* Where the rows come from whose products with the gates' gradients are a weight's gradient. */
typedef enum rnnat_source {
    RNNAT_FROM_X,
    RNNAT_FROM_H, /* states before the step */
    RNNAT_FROM_C,
    RNNAT_FROM_I,
    RNNAT_FROM_F,
    RNNAT_FROM_AUX,
    RNNAT_FROM_SKIP, /* the input of an output layer's stack */
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

typedef struct rnnat_net_direction {
    int32_t index[RNNAT_NET_WEIGHTS];
    bool reverse;
    rnnat_packed ih, hh, hn, hr, gi, gf, ch; /* [from, gates]: forward */
    rnnat_packed back_ih, back_hh, back_hn, back_hr, back_gi, back_gf, back_ch; /* [gates, to] */
    void *bias; /* what the input projection starts from */
    void *bias_hn; /* GRU, reset after: [hidden] */
    void *peephole; /* LSTM: [3, hidden] */
} rnnat_net_direction;

typedef struct rnnat_net_op {
    const rnnat_layer *layer;
    int32_t input, output;
    rnnat_activation activation;
    const struct rnnat_train_cell *cell; /* recurrent, from here on */
    int32_t hidden, state;
    bool bias, peephole;
    bool adds_skip; /* linear: an output layer, which also sees its stack's input: */
    int32_t bottom; /* that of this operation; of a stack's bottom: its output layer, or -1 */
    bool dropout; /* its output goes into the next layer of its stack */
    int32_t num_directions;
    int32_t first_state, first_row; /* its layer's first state array, and its first row in there */
    rnnat_net_direction direction[2];
    int32_t num_products;
    rnnat_product products[rnnat_max_products];
} rnnat_net_op;

struct rnnat_net {
    const rnnat_kernels *kernels;
    const rnnat_train_kernels *train;
    const void *const *weights;
    int32_t num_ops, num_states, num_weights;
    bool takes_indices;
    int32_t input, output;
    rnnat_net_op *ops;
    size_t *weight_sizes; /* elements of each array */
    int32_t *state_rows, *state_features;
};

static inline int32_t rnnat_net_pad(const rnnat_net *net, int32_t n)
{
    return (n + net->train->panel - 1) / net->train->panel * net->train->panel;
}

static inline const void *rnnat_net_array(const rnnat_net *net, const rnnat_net_direction *d,
                                          rnnat_net_weight which)
{
    return d->index[which] < 0 ? NULL : net->weights[d->index[which]];
}

#endif
