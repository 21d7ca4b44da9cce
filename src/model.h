/* A model: layers -> operations over packed, immutable weights. */
#ifndef RNNAT_MODEL_H
#define RNNAT_MODEL_H

#include "cells/cell.h"
#include "rnn_native.h"

/* One operation of the chain: a layer of the file, or one of a recurrent layer's stack. */
typedef struct rnnat_op {
    rnnat_layer_kind kind;
    int32_t input, output; /* features; an embedding's input is how many indices it knows */

    const void *table;   /* embedding: [input, output] */
    rnnat_matrix weight; /* linear */
    const void *bias;
    bool adds_skip; /* linear: the output layer of a stack, whose bottom has `skip` */
    rnnat_activation activation; /* linear, and RNN */
    rnnat_merge merge;

    const rnnat_cell_ops *ops; /* recurrent, from here on */
    int32_t hidden, state;     /* units; features of h: less with a projection */
    int32_t num_directions;
    bool reverse[2]; /* of each direction */
    bool last_only;  /* it gives h after a row's last step alone */
    rnnat_cell cell[2];
    int32_t first_state; /* its layer's first state array, */
    int32_t first_row;   /* its first row in there */
    int32_t first_cell;  /* its first cell of all the model's; an output layer's: its stack's */
    rnnat_matrix skip; /* bottom of a stack with an output layer: W_xo [input, pad(skip_size)] */
    const void *skip_bias;
    int32_t skip_size; /* features of the output layer */
} rnnat_op;

struct rnnat_model {
    const rnnat_kernels *kernels;
    rnnat_model_info info;
    int32_t num_ops;
    int32_t over_time; /* operations that run over all steps; behind one that is last_only, others
                        * run once, on what it gives */
    int32_t num_cells;
    const rnnat_op *ops; /* constant, so that a model can lie in read-only memory */
    const struct rnnat_state_shape {
        int32_t rows, features;
    } *states;
    int32_t max_width;    /* features of the widest output, */
    int32_t max_gates;    /* columns of the widest input projection (gates * pad(hidden)), */
    int32_t max_products; /* columns of all recurrent products of an operation together, */
    int32_t max_hidden;   /* pad(hidden), over all operations */
    int32_t max_skip;     /* features of output layers behind causal stacks, 0 without any, */
    int32_t max_whole_skip; /* and behind others */
    void *heap;           /* what rnnat_model_free frees, or NULL */
};

/* Lays the model out in build->arena; while that only counts, *model is scratch of the caller's. */
rnnat_status rnnat_model_build(rnnat_builder *build, int32_t matmul, rnnat_model *model);

/* As rnnat_model_from_memory, of a file that is open; it may end when the model is made. */
rnnat_status rnnat_model_from_file(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                   rnnat_model **out);

/* The weights that only exist packed. */
typedef enum rnnat_weight {
    RNNAT_WEIGHT, /* of an embedding or a linear layer */
    RNNAT_WEIGHT_IH,
    RNNAT_WEIGHT_HH,
    RNNAT_WEIGHT_HR,
    RNNAT_WEIGHT_GH,
    RNNAT_WEIGHT_CH,
    RNNAT_WEIGHT_XO /* the output layer's, of the first operation of its stack */
} rnnat_weight;

/* Writes one of them as PyTorch lays it out, bit for bit, in the model's dtype: of operation `op`
 * (a layer that is an embedding or linear is one; one that is recurrent, as many as its stack is
 * high, and one more for an output layer, whose weight_ho is its RNNAT_WEIGHT) and, where that is
 * recurrent, of one of its directions. */
rnnat_status rnnat_model_unpack(const rnnat_model *model, int32_t op, int32_t direction,
                                rnnat_weight which, void *rows);

/* Features of state array `index` of a recurrent operation: 0 is h. */
static inline int32_t rnnat_op_features(const rnnat_op *op, int32_t index)
{
    return index == 0 ? op->state : op->hidden;
}

/* True where a step changes state array `index` in place: no other unit reads it. */
static inline bool rnnat_op_in_place(const rnnat_op *op, int32_t index)
{
    return index > 0 && op->ops->in_place;
}

/* Multiplications of one row and step of an operation, all its directions. */
static inline double rnnat_op_work(const rnnat_op *op)
{
    double work = (double)op->input * op->skip_size;
    if (op->kind == RNNAT_LAYER_LINEAR) work += (double)op->input * op->output;
    for (int32_t d = 0; d < op->num_directions; ++d)
        work += op->hidden *
                ((double)op->ops->gates * op->input + (double)op->ops->products * op->state);
    return work;
}

/* The same of the operations begin .. end - 1. */
static inline double rnnat_ops_work(const rnnat_model *model, int32_t begin, int32_t end)
{
    double work = 0;
    for (int32_t i = begin; i < end; ++i) work += rnnat_op_work(&model->ops[i]);
    return work;
}

/* True where operation `op` can run a chunk of time before the next chunk's input exists. */
static inline bool rnnat_op_is_causal(const rnnat_op *op)
{
    return op->kind != RNNAT_LAYER_RECURRENT || (op->num_directions == 1 && !op->reverse[0]);
}

#endif
