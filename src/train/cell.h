/* What every cell kind offers to training, and what it is built from. */
#ifndef RNNAT_TRAIN_CELL_H
#define RNNAT_TRAIN_CELL_H

#include "types.h"

/* A thread's rows of one direction of one layer at one step. */
typedef struct rnnat_train_at {
    const rnnat_net *net;
    const rnnat_net_op *op;
    const rnnat_net_direction *direction;
    rnnat_train_step step;
    void *part;     /* scratch [rows, hidden] */
    void *dstate; /* backward, with a projection: gradient of the projected state [rows, state] */
} rnnat_train_at;

typedef struct rnnat_train_cell {
    int32_t gates; /* width of a row of gates, in hidden units; */
    int32_t num_states; /* h; c (or z); i, f */
    bool gates_are_h; /* the tape holds them in h's own place */
    bool has_aux; /* the tape holds step.aux, */
    bool aux_if_projected; /* or does so with a projection */

    /* Takes memory for what is packed, and states the products that are the weights' gradients. */
    void (*build)(rnnat_arena *arena, const rnnat_net *net, rnnat_net_op *op,
                  rnnat_net_direction *direction);
    void (*pack)(const rnnat_net *net, const rnnat_net_op *op,
                 const rnnat_net_direction *direction);
    void (*forward)(rnnat_train_at *at);
    void (*backward)(rnnat_train_at *at);
} rnnat_train_cell;

extern const rnnat_train_cell rnnat_train_rnn;
extern const rnnat_train_cell rnnat_train_gru;
extern const rnnat_train_cell rnnat_train_gru_before;
extern const rnnat_train_cell rnnat_train_lstm;
extern const rnnat_train_cell rnnat_train_gate_gru;
extern const rnnat_train_cell rnnat_train_gate_lstm;

/* NULL: the cell cannot be trained. */
const rnnat_train_cell *rnnat_train_cell_find(const rnnat_cell *cell);

/* Element `at` of an array of the net's dtype. */
static inline void *rnnat_at(const rnnat_net *net, const void *base, ptrdiff_t at)
{
    return (char *)RNNAT_WRITABLE(base) + at * net->kernels->elem;
}

/* Rows of one stride. */
static inline rnnat_rows rnnat_plain_rows(const void *base, ptrdiff_t stride, int32_t rows)
{
    return (rnnat_rows){base, rows > 0 ? rows : 1, stride, 0};
}

/* c [rows, matrix's n] += a [rows, matrix's k] matrix; not `add`: from zero. */
void rnnat_train_multiply(const rnnat_net *net, const rnnat_packed *matrix, int32_t rows,
                          const void *a, ptrdiff_t a_stride, void *c, ptrdiff_t c_stride, bool add);

/* Takes both packed forms of a weight [n, k], and of vectors. */
void rnnat_train_take_both(rnnat_arena *arena, const rnnat_net *net, int32_t k, int32_t n,
                           rnnat_packed *forward, rnnat_packed *back);
void *rnnat_train_take_vector(rnnat_arena *arena, const rnnat_net *net, int32_t n);
/* Packs rows from .. from + count - 1 of a weight [all, k] as columns `to` .. of `forward` and rows
 * `to` .. of `back`. */
void rnnat_train_pack_both(const rnnat_net *net, const void *weight, int32_t from, int32_t count,
                           int32_t to, const rnnat_packed *forward, const rnnat_packed *back);
/* vector[to + i] = bias_ih[from + i] + bias_hh[from + i], i < count; either may be NULL. */
void rnnat_train_pack_bias(const rnnat_net *net, void *vector, int32_t to, const void *bias_ih,
                           const void *bias_hh, int32_t from, int32_t count);

/* Adds a product of the op, without sources, and returns it; then its sources. */
rnnat_product *rnnat_train_product(rnnat_net_op *op, rnnat_product product);
void rnnat_train_source(rnnat_product *product, rnnat_source from, int32_t n, int32_t to);
/* The source of ones, where the layer has a bias; its gradient goes to both where `also` >= 0. */
void rnnat_train_ones(const rnnat_net_op *op, rnnat_product *product, int32_t to, int32_t also);

#endif
