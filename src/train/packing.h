/* What nodes are built from: weights that are packed for both ways, their products with rows, and the
 * products that are their gradients. */
#ifndef RNNAT_PACKING_H
#define RNNAT_PACKING_H

#include "../threads/stop.h"
#include "net.h"

/* c [rows, matrix's n] += a [rows, matrix's k] matrix; not `add`: from zero. */
void rnnat_train_multiply(const rnnat_net *net, const rnnat_packed *matrix, int32_t rows,
                          const void *a, ptrdiff_t a_stride, void *c, ptrdiff_t c_stride, bool add);
/* A product of a matrix packed whole; where the call may be stopped, in pieces of its columns, after
 * each of which a thread does no more of it. */
void rnnat_train_multiply_pieces(const rnnat_net *net, rnnat_train_gemm args, rnnat_stop *stop,
                                 bool asks);

/* Names W_ih, W_hh and, with a bias, b_ih and b_hh, of so many rows each, as a pass's next weights. */
void rnnat_train_name_weights(rnnat_net_builder *build, const rnnat_net_node *node,
                              rnnat_net_pass *pass, int32_t rows);
/* Takes both packed forms of a weight [n, k], and of vectors. */
void rnnat_train_take_weight(rnnat_net_builder *build, int32_t k, int32_t n,
                             rnnat_packed_weight *weight);
void *rnnat_train_take_vector(rnnat_net_builder *build, int32_t n);
/* Packs rows from .. from + count - 1 of an array [all, k] as columns `to` .. of the form for
 * forward, and rows `to` .. of that for back. */
void rnnat_train_pack_weight(const rnnat_net *net, const void *array, int32_t from, int32_t count,
                             int32_t to, const rnnat_packed_weight *weight);
/* vector[to + i] = bias_ih[from + i] + bias_hh[from + i], i < count; either may be NULL. */
void rnnat_train_pack_bias(const rnnat_net *net, void *vector, int32_t to, const void *bias_ih,
                           const void *bias_hh, int32_t from, int32_t count);

/* Adds a product of the node, without sources, and returns it; then its sources. */
rnnat_product *rnnat_train_product(rnnat_net_node *node, rnnat_product product);
void rnnat_train_source(rnnat_product *product, rnnat_source from, int32_t n, int32_t to);
/* The source of ones, where the node has a bias; its gradient goes to both where `also` >= 0. */
void rnnat_train_ones(const rnnat_net_node *node, rnnat_product *product, int32_t to, int32_t also);

#endif
