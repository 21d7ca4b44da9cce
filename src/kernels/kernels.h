/* The kernels that every instruction set offers: a const table for float, and one for double.
 *
 * Weights come packed (weights/matrix.h): columns in panels of a few vectors, row k of a panel
 * contiguous. The columns of a cell's gates are interleaved vector by vector, so that panel p
 * holds all gates of units p * lanes .. p * lanes + lanes - 1. Padded columns are zero.
 *
 * Strides count elements. Sizes ending in `_pad` are rounded up to whole vectors.
 */
#ifndef RNNAT_KERNELS_H
#define RNNAT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "../cells/cell_list.h"
#include "../weight_types.h"

/* How many arrays of state a cell can have. */
#define RNNAT_CELL_STATES 4
/* How many gates a cell can have, its candidate among them. */
#define RNNAT_CELL_GATES 4

/* How many vectors a panel of an rnnat_gemm matrix has. */
#define RNNAT_GEMM_PANEL 4

/* Rows addressed in two levels: row r is at base + (r / inner) * outer_stride
 * + (r % inner) * inner_stride. So rows of time and batch need no copy, whatever their layout. */
typedef struct rnnat_rows {
    const void *base;
    int32_t inner;
    ptrdiff_t inner_stride;
    ptrdiff_t outer_stride;
} rnnat_rows;

/* Where a call of one thread puts rows as some products read them: rounded to what multiplies weights of
 * their type, a scale before each where these are integers. */
typedef struct rnnat_operands {
    char *at; /* aligned; NULL: the model's products read rows as they are */
    int32_t rows; /* how many there is room for; of a step, in each array that it multiplies */
} rnnat_operands;

/* Bytes before the elements of such a row; a float scale is the last of them. */
#define RNNAT_OPERAND_HEAD 64

/* Bytes from one such row to the next, of k elements of `size` bytes. */
static inline size_t rnnat_operand_row(int32_t size, int32_t k)
{
    return RNNAT_OPERAND_HEAD + ((size_t)k * (size_t)size + 63) / 64 * 64;
}

/* Arguments of c[m, n] = bias + a[m, k] b. */
typedef struct rnnat_gemm_args {
    int32_t m, k, n;    /* n: valid columns; the rest of the last vector is not stored */
    int32_t first_panel, last_panel; /* panels of b that this call multiplies: first .. last - 1 */
    rnnat_rows a, c;
    rnnat_stored type; /* what b is stored as */
    rnnat_operands operands;
    const void *b; /* panels of RNNAT_GEMM_PANEL vectors, the last one narrower */
    const void *bias; /* [pad(n)], or NULL for zero */
} rnnat_gemm_args;

/* Arguments of one time step of one direction of one layer, for some rows of the batch. */
typedef struct rnnat_step {
    int32_t rows;
    int32_t first_row; /* 0; a kernel that cannot prepare all rows at once counts them by it */
    int32_t first_panel, last_panel; /* panels of units that this call makes: first .. last - 1 */
    int32_t k; /* features of h_prev that the recurrent product reads */
    int32_t hidden; /* units; they fill ceil(hidden / lanes) panels */
    rnnat_activation activation; /* RNN: tanh, relu or sigmoid */
    int32_t alternates; /* 1: every other step takes the panels from the last to the first */
    int32_t descends; /* 1: this step does; its results are the same */
    rnnat_stored type; /* what its recurrent weights are stored as */
    rnnat_operands operands;
    const void *w; /* recurrent panels, one vector a gate; NULL: the product is in `gh` */
    const void *w_c; /* gate-recurrent LSTM, whose w is i, f, g, o on gates: all on c */
    const void *gx; /* input projection with its bias, gates interleaved [rows, gates * pad] */
    void *gh; /* recurrent product where it is made before, laid out like gx */
    const void *h_prev; /* [rows, pad] */
    void *h_next; /* [rows, pad]; all of it is written, padding included */
    void *out; /* [rows, hidden] a second, exact copy of h_next, or NULL */
    void *c; /* LSTM: the cell state [rows, pad], updated in place */
    const void *prev[RNNAT_CELL_STATES - 1]; /* [rows, pad] states that other units read, not h */
    void *next[RNNAT_CELL_STATES - 1]; /* [rows, pad] what this step makes of them */
    const rnnat_functions *functions; /* general cells: their activations */
    const void *bias_hn; /* GRU, reset after: b_hn [pad] */
    const void *peephole; /* LSTM: diagonals i, f, o [3, pad], or NULL */
    void *z, *rh; /* GRU, reset before: [rows, pad] between its two parts */
    void *unprojected; /* LSTM with a projection: o tanh(c) [rows, pad] */
    void *trace[RNNAT_CELL_GATES]; /* where its gates are shown, dense [rows, hidden], or NULLs */
    ptrdiff_t gx_stride, gh_stride, h_prev_stride, h_next_stride, out_stride, pad_stride;
} rnnat_step;

/* A kernel for each step of a list of them. */
#define RNNAT_STEP_KERNEL(E, name, part, other) void (*name)(const rnnat_step *step);

/* What multiplies weights of one type. */
typedef struct rnnat_products {
    bool (*available)(void); /* whether the CPU has their instructions; NULL: with the others */
    int32_t operand; /* bytes of an element of its operands; 0: it reads rows as they are */
    void (*gemm)(const rnnat_gemm_args *args);
    RNNAT_PRODUCT_STEPS(RNNAT_STEP_KERNEL, )
} rnnat_products;

typedef struct rnnat_kernels {
    const char *isa;
    int32_t lanes; /* elements of a vector */
    int32_t elem; /* bytes of an element */
    const struct rnnat_train_kernels *train; /* train_kernels.h; NULL: compiled without */
    int32_t rows_of_3, rows_of_4; /* rows of a step's block that is 3, and 4, vectors wide */
    void (*activate)(rnnat_activation activation, rnnat_rows rows, int32_t m, int32_t n);
    void (*add)(rnnat_rows to, rnnat_rows from, int32_t m, int32_t n); /* to += from */
    /* Makes rows of n features, elsewhere, of rows of 2 n. */
    void (*merge)(rnnat_merge mode, rnnat_rows to, rnnat_rows from, int32_t m, int32_t n);
    /* Any function of each of m rows of n features. */
    void (*apply)(const rnnat_function *function, rnnat_rows to, rnnat_rows from, int32_t m,
                  int32_t n);
    RNNAT_MEMORY_STEPS(RNNAT_STEP_KERNEL, )
    rnnat_products of[RNNAT_STORED_TYPES]; /* by rnnat_stored; NULLs: compiled without */
} rnnat_kernels;

/* Whether these kernels calculate in float. */
static inline bool rnnat_is_float(const rnnat_kernels *kernels)
{
    return !RNNAT_FLOAT64 || kernels->elem == (int32_t)sizeof(float);
}

/* Each table is [float, double]. */
extern const rnnat_kernels rnnat_kernels_baseline[2];
extern const rnnat_kernels rnnat_kernels_avx2[2];
extern const rnnat_kernels rnnat_kernels_avx512[2];
extern const rnnat_kernels rnnat_kernels_avx512_amx[2];
extern const rnnat_kernels rnnat_kernels_neon[2];

#endif
