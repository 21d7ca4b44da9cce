/* The rows of the batch that one thread takes through a net, forward or back, and what every layer
 * does with them. */
#ifndef RNNAT_TRAIN_ROWS_H
#define RNNAT_TRAIN_ROWS_H

#include "gradient.h"
#include "packing.h"

typedef struct rnnat_forward_rows {
    const rnnat_net *net;
    const rnnat_train_forward *args;
    rnnat_tape *tape;
    int32_t first, count;
    bool asks; /* its thread began the call */
} rnnat_forward_rows;

typedef struct rnnat_backward_rows {
    const rnnat_net *net;
    const rnnat_train_backward *args;
    const rnnat_tape *tape;
    rnnat_member member;
    int32_t first, count;
    void *dstates[rnnat_max_states]; /* of one pass: [rows, state]; others [rows, hidden] */
    void *between; /* inside a step [rows, hidden] */
} rnnat_backward_rows;

/* Whether a thread is to leave out what is next, after so many multiplications of a row. */
static inline bool rnnat_forward_stops(const rnnat_forward_rows *own, double work)
{
    return rnnat_stops(own->args->stop, own->asks, (work + RNNAT_STOP_ROW) * own->count);
}
static inline bool rnnat_backward_stops(const rnnat_backward_rows *own, double work)
{
    return rnnat_stops(own->args->stop, own->member.index == 0,
                       (work + RNNAT_STOP_ROW) * own->count);
}

/* Steps whose inputs are multiplied at once: rows enough that the weights are not read too often. */
static inline int32_t rnnat_forward_chunk(const rnnat_forward_rows *own)
{
    enum { chunk_rows = 128 };
    return own->count < chunk_rows ? chunk_rows / own->count : 1;
}

/* c (+)= bias + a matrix for own rows of some steps; `a` and `c` are [time, batch, stride]. */
static inline void rnnat_forward_multiply(const rnnat_forward_rows *own, int32_t first_step,
                                          int32_t steps, const rnnat_packed *matrix,
                                          const void *bias, const void *a, ptrdiff_t a_stride,
                                          void *c, ptrdiff_t c_stride, bool add)
{
    const ptrdiff_t batch = own->tape->batch, row = first_step * batch + own->first;
    const rnnat_train_gemm args = {
        .m = steps * own->count,
        .n = matrix->n,
        .k = matrix->k,
        .a = {rnnat_at(own->net, a, row * a_stride), own->count, a_stride, batch * a_stride},
        .c = {rnnat_at(own->net, c, row * c_stride), own->count, c_stride, batch * c_stride},
        .b = matrix->data,
        .bias = bias,
        .add = add};
    rnnat_train_multiply_pieces(own->net, args, own->args->stop, own->asks);
}

#endif
