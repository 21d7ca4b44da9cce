/* What training asks of every instruction set: one const table for float, one for double.
 *
 * A packed matrix [k, n] lies in panels of two vectors of columns, row k of a panel contiguous; the
 * last panel is padded with zeros. Everything else is plain: rows of features, not padded. `gates`
 * and `dgates` are rows of a cell's gates one after the other, each `hidden` wide, in the order that
 * cells/<cell>_gradient.c states.
 *
 * Strides count elements. Every sum runs over k = 0, 1, 2, ... in that order, whatever block it
 * falls into: no bit of a result depends on how rows or columns were divided.
 */
#ifndef RNNAT_TRAIN_KERNELS_H
#define RNNAT_TRAIN_KERNELS_H

#include "kernels.h"

/* c[m, n] = start + a[m, k] b. */
typedef struct rnnat_train_gemm {
    int32_t m, n, k;
    rnnat_rows a, c;
    const void *b;    /* packed [k, n] */
    const void *bias; /* [n padded] start, or NULL: zero */
    int32_t add;      /* start from c itself instead */
} rnnat_train_gemm;

/* c[m, n] (+)= a^T b for columns of some panels: the product behind every gradient of a weight. */
typedef struct rnnat_train_outer {
    int32_t first_panel, last_panel; /* of b: this call's share of the columns */
    int32_t k, m, n;
    int32_t depth;  /* k that a panel of a has room for */
    const void *a;  /* packed by pack_columns: panels of `height` columns */
    const void *b;  /* rows [k, n] */
    ptrdiff_t b_stride;
    void *panel;    /* scratch [outer_depth, two vectors] */
    void *c;        /* [m padded to height, c_stride], c_stride at least n padded */
    ptrdiff_t c_stride;
    int32_t add;    /* onto c; else from zero */
} rnnat_train_outer;

/* One time step of one direction of one layer for some rows of the batch. Row r is valid where
 * `lengths` is NULL or step < lengths[r]; elsewhere states pass through and nothing has a
 * gradient. What a cell has no use for is not read. */
typedef struct rnnat_train_step {
    int32_t rows, hidden, step;
    rnnat_activation activation; /* RNN: tanh, relu or sigmoid */
    const int32_t *lengths;
    void *gates;          /* forward: sums in, activated gates out */
    const void *h_prev;   /* [rows, state] */
    void *h_next;
    const void *c_prev; /* LSTM: c; gate-recurrent GRU: z; [rows, hidden] */
    void *c_next;
    void *i_next, *f_next; /* gate-recurrent LSTM [rows, hidden], or NULL */
    const void *i_prev, *f_prev;
    void *out;            /* the layer's output: h, zero where a row is not valid */
    void *aux;            /* LSTM: o tanh(c) before its projection, or NULL; GRU: r h */
    const void *peephole; /* LSTM: i, f, o [3, hidden], or NULL */
    const void *dy;       /* of `out`, or NULL: zero */
    void *dh, *dc; /* gradients of the state: in of h_t, out what of h_{t-1} is elementwise */
    void *di, *df; /* gate-recurrent LSTM */
    void *dgates; /* out: gradients of the gates' sums */
    const void *daux; /* GRU, reset before: gradient of r h */
    ptrdiff_t gates_stride, state_stride, out_stride, dgates_stride;
} rnnat_train_step;

/* What a step's sums become, forward, and its gradient back, of each of a list of them. */
#define RNNAT_TRAINING_STEP(S, name)                                                               \
    void (*name##_forward)(const rnnat_train_step *step);                                          \
    void (*name##_backward)(const rnnat_train_step *step);

typedef struct rnnat_train_kernels {
    int32_t panel; /* columns of a packed panel: two vectors */
    int32_t height; /* columns of a panel of pack_columns */
    int32_t outer_depth; /* k that outer multiplies at once */

    void (*gemm)(const rnnat_train_gemm *args);
    void (*outer)(const rnnat_train_outer *args);

    /* Column `column` + j, row `row` + i of dst, packed with k = `depth`: from src[i * ld + j],
     * i < k, j < n; transposed: from src[j * ld + i]. */
    void (*pack)(void *dst, int32_t depth, int32_t row, int32_t column, const void *src,
                 ptrdiff_t ld, int32_t k, int32_t n);
    void (*pack_transposed)(void *dst, int32_t depth, int32_t row, int32_t column, const void *src,
                            ptrdiff_t ld, int32_t k, int32_t n);
    /* dst[i] = a[i] + b[i]; NULL is zero. */
    void (*sum_vectors)(void *dst, const void *a, const void *b, int32_t n);

    /* Rows src [rows, n] become k = first .. of columns `column` .. of outer's `a`; a row that is
     * not valid becomes zero. src NULL: all ones. */
    void (*pack_columns)(void *dst, int32_t depth, int32_t first, int32_t column, const void *src,
                         ptrdiff_t stride, int32_t rows, int32_t n, int32_t step,
                         const int32_t *lengths);
    /* dst[j * ld + i] = src[i * stride + j], i < m, j < n. */
    void (*transpose)(void *dst, ptrdiff_t ld, const void *src, ptrdiff_t stride, int32_t m,
                      int32_t n);

    RNNAT_TRAINING_STEPS(RNNAT_TRAINING_STEP, )

    /* After a projection: out = h_next; where a row is not valid h_next = h_prev, out = 0.
     * `hidden` is the width of the state. */
    void (*keep)(const rnnat_train_step *step);
    /* Before one: dgates = dy + dh and dh = 0; where a row is not valid dgates = 0. */
    void (*gather)(const rnnat_train_step *step);

    /* Diagonal peepholes: sums[g, hidden] += gradient of gate * cell, of units first .. last, over
     * k valid rows in [steps, batch]; g: i and f with c_{t-1}, o with c_t. */
    void (*peephole)(void *sums, int32_t hidden, int32_t first, int32_t last, const void *dgates,
                     ptrdiff_t stride, const void *c_prev, const void *c_next, int32_t first_step,
                     int32_t steps, int32_t batch, const int32_t *lengths);
    /* dz [rows, n] from y = activation(z) and dy; zero where a row is not valid. */
    void (*activation_backward)(rnnat_activation activation, int32_t rows, int32_t n, const void *y,
                                const void *dy, void *dz, int32_t step, const int32_t *lengths);
    /* Rows of x [rows, n] become zero or x * scale by a mask that (key, row, unit) decide. */
    void (*dropout)(void *x, int32_t rows, int32_t n, uint64_t key, int32_t first_row,
                    double dropout);
    /* dst[j] += src[j], j < n. */
    void (*add_row)(void *dst, const void *src, int32_t n);
} rnnat_train_kernels;

/* A counter's 64 bits, mixed: the finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
static inline uint64_t rnnat_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
/* The key of member `index` of the family that `key` names. */
static inline uint64_t rnnat_mix_in(uint64_t key, int32_t index)
{
    return rnnat_mix(key + UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)(uint32_t)index + 1));
}

/* [0] float, [1] double. */
extern const rnnat_train_kernels rnnat_train_baseline[2];
extern const rnnat_train_kernels rnnat_train_avx2[2];
extern const rnnat_train_kernels rnnat_train_avx512[2];
extern const rnnat_train_kernels rnnat_train_neon[2];

#endif
