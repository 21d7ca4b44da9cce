/* What a layer is to everybody else: a struct of functions. One file of this folder is one kind of
 * layer, and knows alone what its nodes' data are; layers.h has the list of all. */
#ifndef RNNAT_LAYER_H
#define RNNAT_LAYER_H

#include "../cells/cell.h"
#include "../graph/builder.h"
#include "../threads/stop.h"

/* Features of every step and row; strides in elements. Or indices, likewise. */
typedef struct rnnat_view {
    char *base;
    ptrdiff_t time, row;
} rnnat_view;

/* Where a run shows what one cell calculates: arrays [time, rows, features], dense. Steps past a
 * row's length are left alone. */
typedef struct rnnat_cell_trace {
    void *gates[RNNAT_CELL_GATES]; /* [hidden], in the order of weight_ih; NULLs for an RNN */
    void *h; /* [state] */
    void *c; /* LSTM: [hidden] */
    void *o; /* first cell of a stack with an output layer: what that gives, padding and all */
} rnnat_cell_trace;

/* One node, ready to be run by one thread of a team: what does not change from chunk to chunk. */
typedef struct rnnat_task {
    const rnnat_node *node;
    const rnnat_kernels *kernels;
    int32_t rows;
    int32_t pass;
    int32_t output;  /* the value that it writes, at every step */
    const rnnat_view *in, *out; /* where its first input and its output are from step 0 on */
    rnnat_member member; /* which of the threads that share it this is */
    void *memory;    /* what the layer keeps from call to call (carve) */
    char *scratch;   /* what it may use inside a call (scratch); the team's */
    rnnat_gemm_args product; /* what prepare fills, as far as the layer needs it */
    rnnat_step step;
} rnnat_task;

/* A piece of time: what a task is run with. */
typedef struct rnnat_chunk {
    const rnnat_view *in[RNNAT_NODE_INPUTS]; /* from the chunk's first step on */
    const rnnat_view *out;   /* base NULL: nobody reads it */
    int32_t first, steps; /* steps first .. first + steps - 1 of the whole */
    const int32_t *lengths; /* of the rows; NULL: all steps count */
    rnnat_exit *leave;   /* where threads may leave; NULL: nothing stops the run */
    uint32_t place, places; /* the node's number, of so many */
    const rnnat_cell_trace *trace; /* of each cell of the model, or NULL */
} rnnat_chunk;

/* One row of recurrent state for every row of the batch. */
typedef struct rnnat_state_rows {
    char *base;
    ptrdiff_t stride; /* elements */
    int32_t features;
} rnnat_state_rows;

/* Who hears what a node's data are, members of a C struct by name: inspect/emit.h. */
typedef struct rnnat_teller rnnat_teller;

struct rnnat_layer {
    const char *name; /* of its C symbol */
    bool takes_indices; /* it reads an input of indices, and such an input alone */
    bool reads_a_layer; /* it cannot read an input of the model */
    bool takes_several; /* it reads any values, and checks their features itself */
    bool leaves; /* its threads meet after every step themselves, and leave there */
    /* Counts what a line of the file becomes. */
    void (*count)(const rnnat_layer_text *text, rnnat_counts *counts);
    /* Adds its nodes to the graph; the line's own inputs are graph->inputs. */
    rnnat_status (*build)(rnnat_graph *graph, const rnnat_layer_text *text);
    /* Bytes of scratch for `steps` steps at once, taken from an arena; NULL: none. */
    void (*scratch)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                    int32_t steps, rnnat_arena *arena);
    /* Takes what it keeps from call to call; while the arena only counts, returns NULL. */
    void *(*carve)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                   rnnat_arena *arena);
    /* All of that becomes as before the first step. */
    void (*reset)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows, void *memory);
    /* Where its state is now: array 0 .. num_states - 1, of pass 0 .. num_passes - 1. */
    rnnat_state_rows (*state)(const rnnat_node *node, const rnnat_kernels *kernels, void *memory,
                              int32_t array, int32_t pass);
    /* Fills task->product and step; `steps`: the longest chunk. Of task->in and out only the bases
     * change later. NULL: needs neither. */
    void (*prepare)(rnnat_task *task, int32_t steps);
    /* Runs a chunk: all threads of the team call it. False: the run was stopped, and all have
     * left. */
    bool (*run)(rnnat_task *task, const rnnat_chunk *chunk);
    /* The same for one step by one thread, where nothing else is asked: what a stream does again and
     * again. `in`: the first input. NULL: run does it. */
    void (*step)(rnnat_task *task, const char *in, char *out);
    /* Shows what a chunk gave, once its padding is zero; NULL: there is nothing to show. */
    void (*show)(const rnnat_task *task, const rnnat_chunk *chunk);
    /* Writes a weight that only exists packed, as PyTorch lays it out; NULL: it has none. */
    rnnat_status (*unpack)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t pass,
                           const char *name, void *rows);
    /* Tells of the node's data; NULL: it has none. */
    void (*tell)(const rnnat_node *node, const rnnat_kernels *kernels, const rnnat_teller *teller);
};

/* A function of the struct that some builds lack: NULL then. */
#if RNNAT_READER
#define RNNAT_IF_READER(function) function
#else
#define RNNAT_IF_READER(function) NULL
#endif
#if RNNAT_INSPECT
#define RNNAT_IF_INSPECT(function) function
#else
#define RNNAT_IF_INSPECT(function) NULL
#endif

/* What runs the lines of a kind in a file: layers/registry.c. */
const rnnat_layer *rnnat_layer_of(rnnat_layer_kind kind);

/* Where a step of a row of features is. */
static inline char *rnnat_view_at(const rnnat_kernels *kernels, rnnat_view view, int32_t step,
                                  int32_t row)
{
    return view.base + (step * view.time + row * view.row) * kernels->elem;
}

/* A buffer as a view: dense [steps, rows, width]. */
static inline rnnat_view rnnat_dense(char *base, int32_t rows, int32_t width)
{
    return (rnnat_view){base, (ptrdiff_t)rows * width, width};
}

/* A view as the kernels take it: `rows` rows of a step, one step after the other. */
static inline rnnat_rows rnnat_rows_of(rnnat_view view, int32_t rows)
{
    return (rnnat_rows){view.base, rows, view.row, view.time};
}

/* Steps of a chunk that a thread of the team takes, where each takes some of them. */
typedef struct rnnat_some_steps {
    int32_t first, steps;
} rnnat_some_steps;
static inline rnnat_some_steps rnnat_share_steps(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_member *const member = &task->member;
    const int32_t first = rnnat_first(member, member->index, chunk->steps);
    return (rnnat_some_steps){first, rnnat_first(member, member->index + 1, chunk->steps) - first};
}

/* A name for the meeting after a step: another one than that of the meeting before. */
static inline uint32_t rnnat_exit_place(const rnnat_chunk *chunk, int32_t pass, int32_t step)
{
    return ((((uint32_t)step * chunk->places + chunk->place) * 2 + (uint32_t)pass) & INT32_MAX) + 1;
}

/* ---- products of a whole chunk ---- */

/* Prepares y [steps, rows, n] = bias + x matrix. */
rnnat_gemm_args rnnat_multiply_prepare(const rnnat_task *task, const rnnat_matrix *matrix,
                                       int32_t n, const void *bias, rnnat_view in, rnnat_view out);
/* The thread's share of it, for a chunk that begins at `in` and `out`; where the run may be stopped,
 * in pieces, after each of which a thread does no more of it. */
void rnnat_multiply(const rnnat_task *task, const rnnat_chunk *chunk, const rnnat_matrix *matrix,
                    rnnat_gemm_args *args, const char *in, char *out);
/* task->product for one step by one thread; not for a BLAS. */
static inline void rnnat_multiply_step(rnnat_task *task, const char *in, const void *out)
{
    if (task->product.m != task->rows) task->product.m = task->rows; /* after a longer chunk */
    task->product.a.base = in;
    task->product.c.base = out;
    task->kernels->gemm(&task->product);
}

#endif
