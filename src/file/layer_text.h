/* One layer of a model file, as its __metadata__ describes it: a kind and key=value pairs,
 * separated by single spaces, for example
 *
 *   embedding num_embeddings=30 embedding_dim=256
 *   recurrent cell=gru input_size=256 hidden_size=256 num_layers=1 direction=forward bias=true
 *             reset_after=true                             (one line in the file)
 *   linear in_features=256 out_features=74 bias=true activation=softmax
 *   merge features=128 mode=sum
 *   combine mode=add                                      (of graphs alone)
 *
 * Every key of its kind is there once, in any order. A recurrent layer has cell, input_size,
 * hidden_size, num_layers, direction and bias, and of its cell: rnn: nonlinearity, and with an
 * output layer output_layer, output_nonlinearity; gru: reset_after; lstm: proj_size, peephole; a
 * gru or lstm whose gates recur on gates has gate_recurrent=true in the place of these. Any other
 * one, without an output layer, may have activations (in the place of nonlinearity) and clip, as
 * functions_text.h reads them, and an lstm input_forget=true. Any without an output layer may have
 * return_sequences=false. */
#ifndef RNNAT_LAYER_TEXT_H
#define RNNAT_LAYER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "../types.h"
#include "rnn_native.h"

#define RNNAT_LAYER_MAX_SIZE (1 << 24) /* of every size in a line */

/* What a kind or a cell does not have is zero. */
typedef struct rnnat_layer_text {
    rnnat_layer_kind kind;
    rnnat_cell_kind cell;
    int32_t input_size;  /* input_size, num_embeddings, in_features, 2 * features: at least 1 */
    int32_t output_size; /* hidden_size, embedding_dim, out_features, features: at least 1 */
    int32_t num_layers;  /* at least 1 */
    int32_t proj_size;   /* 0 (no projection) to hidden_size - 1 */
    rnnat_direction direction;
    rnnat_activation activation; /* a linear layer's; an rnn cell's: tanh, relu or sigmoid */
    bool bias;
    bool reset_after;
    bool peephole;
    bool gate_recurrent;
    int32_t output_layer; /* features of an rnn's output layer; 0: there is none */
    rnnat_activation output_activation;
    bool general; /* a recurrent layer with activations, clip or input_forget, ... */
    rnnat_functions functions[2]; /* ... which are these, by direction */
    bool last_only; /* return_sequences=false */
    rnnat_merge merge;
    rnnat_combine combine;
} rnnat_layer_text;

/* RNNAT_ERROR_FORMAT: the line is not of the form above. RNNAT_ERROR_UNSUPPORTED: it is, but
 * names a cell, an activation, nonlinearity or mode that is not known here, or a size past
 * RNNAT_LAYER_MAX_SIZE. */
rnnat_status rnnat_layer_text_parse(const char *text, rnnat_layer_text *out);

#endif
