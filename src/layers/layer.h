/* What a layer is to everybody else: a struct of functions. One file of this folder is one kind of
 * layer, and knows alone what its nodes' data are; layers.h has the list of all. */
#ifndef RNNAT_LAYER_H
#define RNNAT_LAYER_H

#include "../cells/cell.h"
#include "../graph/builder.h"
#include "../threads/stop.h"

/* Where the features, or the indices, of every step and row are. */
typedef struct rnnat_view {
    char *base;
    ptrdiff_t time, row; /* strides from one step, and one row, to the next; in elements */
} rnnat_view;

/* Where a run shows what one cell calculates: dense arrays [time, rows, features] or NULL. A run does
 * not write steps past a row's length. */
typedef struct rnnat_cell_trace {
    void *
        gates[RNNAT_CELL_GATES]; /* [.., .., hidden], in the order of weight_ih; NULLs for an RNN */
    void *h; /* [.., .., state] */
    void *c; /* [.., .., hidden] of an LSTM */
    void *o; /* what an output layer gives, padding included; of its stack's first cell */
} rnnat_cell_trace;

/* A task: one node made ready for one member of a team, what does not change from chunk to chunk. */
typedef struct rnnat_task {
    const rnnat_node *node;
    const rnnat_kernels *kernels;
    int32_t rows;
    int32_t pass;
    int32_t output; /* number of the value that it writes, at every step */
    const rnnat_view *in, *out; /* where its first input and its output are from step 0 on */
    rnnat_member member; /* the member of the team that runs it */
    void *memory; /* what the layer keeps from call to call (carve) */
    char *scratch; /* what the team may use inside a call (scratch) */
    rnnat_operands operands; /* the member's own */
    rnnat_gemm_args product; /* filled by prepare, where the layer multiplies */
    rnnat_step step; /* filled by prepare, where the layer has steps */
} rnnat_task;

/* A chunk: the piece of time that a task is run over. */
typedef struct rnnat_chunk {
    const rnnat_view *in[RNNAT_NODE_INPUTS]; /* its inputs, from the chunk's first step on */
    const rnnat_view *out; /* its output, likewise; base NULL: nobody reads it */
    int32_t first, steps; /* it is steps first .. first + steps - 1 of what the node reads */
    const int32_t *lengths; /* [rows] steps of that that count; NULL: all do */
    int32_t first_made, made; /* steps of its output likewise, the same unless it has a window */
    const int32_t *lengths_made;
    /* Of a node with a window: where the first of these begins, a position from the chunk's first step
     * on, and the steps before that, [rnnat_window_kept, rows, width]; NULL: before and behind there is
     * padding. */
    int64_t start;
    const char *history;
    int32_t width; /* features of what it reads */
    rnnat_stop_point *stop_point; /* NULL: nothing stops the run */
    uint32_t node, num_nodes; /* the node's number among the model's */
    const rnnat_cell_trace *trace; /* [cells] of the model, or NULL */
} rnnat_chunk;

/* Where one row of an array of state is, such as that of one pass: [batch, features]. */
typedef struct rnnat_state_rows {
    char *base;
    ptrdiff_t stride; /* elements from one row of the batch to the next */
    int32_t features;
    int32_t rows; /* of the array that are this node's */
    int32_t pieces; /* in which these features lie, each of `features` of them; 0: one */
    ptrdiff_t apart; /* elements from one of them to the next */
} rnnat_state_rows;

/* What a workspace keeps for a node with a window (run/history.h). */
typedef struct rnnat_history {
    char *steps; /* [rnnat_window_kept, rows, features] of what it reads, the oldest first */
    char *phases; /* [rows] elements: positions before the next step where the next one begins */
} rnnat_history;

/* A listener, who is told a node's data, member by member: inspect/emit.h. */
typedef struct rnnat_teller rnnat_teller;

/* Room for the options of any layer, the struct that its keys are read into. */
enum { RNNAT_LAYER_OPTIONS = 640 };
typedef union rnnat_layer_options {
    char bytes[RNNAT_LAYER_OPTIONS];
    double number; /* aligned as what a struct may have */
    const void *pointer;
} rnnat_layer_options;

struct rnnat_layer {
    const char *name; /* of its C symbol */
    bool takes_indices; /* it reads an input of indices, and such an input alone */
    bool reads_a_layer; /* it cannot read an input of the model */
    bool takes_several; /* it reads any number of values */
    bool mixes_time; /* some with time and some without: build checks them */
    bool stops_within; /* its threads wait for each other inside `run`, and stop there */
    rnnat_keys keys; /* of its line in a file */
    /* Fills the options, which are zero, out of a line's pairs; NULL: they are what the keys say. */
    rnnat_status (*read)(const char *pairs, void *options, rnnat_message *message);
    /* Features that it takes, of indices how many there are; NULL: any, which build checks. */
    int32_t (*takes)(const void *options);
    /* Counts what a line of the file becomes. */
    void (*count)(const void *options, rnnat_counts *counts);
    /* Adds its nodes to the graph; the line's own inputs are graph->inputs. */
    rnnat_status (*build)(rnnat_graph *graph, const void *options);
    /* Takes its scratch for chunks of `steps` steps from an arena; NULL: it needs none. */
    void (*scratch)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                    int32_t steps, rnnat_arena *arena);
    /* Takes what it keeps from call to call; returns NULL while the arena only counts. NULL: it keeps
     * nothing. */
    void *(*carve)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                   rnnat_arena *arena);
    /* Makes all of that what it is before the first step. */
    void (*reset)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows, void *memory);
    /* Says where its state is now: array 0 .. num_states - 1, of pass 0 .. num_passes - 1. */
    rnnat_state_rows (*state)(const rnnat_node *node, const rnnat_kernels *kernels, void *memory,
                              int32_t array, int32_t pass);
    /* Writes what it gives of each row's last step, where that is not array 0 of its state. */
    void (*last)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t rows,
                 const void *memory, rnnat_view to);
    /* Fills task->product and task->step, for chunks of up to `steps` steps. Of task->in and out only
     * the bases change later. NULL: it needs neither. */
    void (*prepare)(rnnat_task *task, int32_t steps);
    /* Runs a chunk: all members of the team call it. False: the run was stopped, and all have left. */
    bool (*run)(rnnat_task *task, const rnnat_chunk *chunk);
    /* Runs one step by one thread, without lengths and traces, as a stream does again and again.
     * `in`: its first input. NULL: run does it. */
    void (*step)(rnnat_task *task, const char *in, char *out);
    /* Shows what a chunk gave, once its padding is zero; NULL: there is nothing to show. */
    void (*show)(const rnnat_task *task, const rnnat_chunk *chunk);
    /* Writes a weight that only exists packed, as PyTorch lays it out; NULL: it has none. */
    rnnat_status (*unpack)(const rnnat_node *node, const rnnat_kernels *kernels, int32_t pass,
                           const char *name, void *rows);
    /* NULL: it only runs (train/layer_training.h). */
    const struct rnnat_layer_training *training;
    /* Tells the node's data to a listener; NULL: it has none. */
    void (*tell)(const rnnat_node *node, const rnnat_kernels *kernels, const rnnat_teller *teller);
};

/* A function of the struct that some builds lack, where it is NULL. */
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

/* .keys = RNNAT_LAYER_KEYS(table, options): none where some builds lack them. */
#define RNNAT_LAYER_KEYS(table, options) RNNAT_KEYS(table, options, RNNAT_LAYER_OPTIONS)

#if RNNAT_READER
/* Which layer a line of a file is for, and what it says: layers/registry.c. RNNAT_ERROR_FORMAT: the
 * line is not of the form that docs/file-format.md states. RNNAT_ERROR_UNSUPPORTED: it is, but names
 * what is not known or not here, or a size past RNNAT_LAYER_MAX_SIZE. */
rnnat_status rnnat_layer_read(const char *line, const rnnat_layer **layer,
                              rnnat_layer_options *options, rnnat_message *message);
/* Adds a node that copies a value, which it returns: layers/combine.c. */
int32_t rnnat_combine_add_copy(rnnat_graph *graph, int32_t value);
#endif

/* Where the features of one step and row are. */
static inline char *rnnat_view_at(const rnnat_kernels *kernels, rnnat_view view, int32_t step,
                                  int32_t row)
{
    return view.base + (step * view.time + row * view.row) * kernels->elem;
}

/* Where the features of one row at a position of a window's input are; NULL: that is padding. Of a node
 * that needs all of time, it ends with the row. */
static inline const char *rnnat_window_at(const rnnat_task *task, const rnnat_chunk *chunk,
                                          int64_t position, int32_t row)
{
    const rnnat_window *const window = &task->node->window;
    const int64_t repeat = window->repeat;
    const int64_t step = (position >= 0 ? position : position - repeat + 1) / repeat;
    if (step >= 0) {
        const int32_t end = chunk->history || !chunk->lengths ? chunk->steps : chunk->lengths[row];
        return step < end ? rnnat_view_at(task->kernels, *chunk->in[0], (int32_t)step, row) : NULL;
    }
    const int64_t kept = rnnat_window_kept(window) + step;
    if (!chunk->history || kept < 0) return NULL;
    return chunk->history + (kept * task->rows + row) * chunk->width * task->kernels->elem;
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

/* Elements from one row of the batch, at one time, to the next one of those: rows first. */
static inline ptrdiff_t rnnat_view_apart(rnnat_view view, int32_t rows)
{
    return rows == 1 ? view.time : view.row;
}

/* Whether that is so from the last row at a time to the first one at the next, too. */
static inline bool rnnat_view_is_even(rnnat_view view, int32_t rows)
{
    return rows == 1 || view.time == rows * view.row;
}

/* Steps made of a chunk that one member of the team takes, where each takes some of them. */
typedef struct rnnat_some_steps {
    int32_t first, steps;
} rnnat_some_steps;
static inline rnnat_some_steps rnnat_own_steps(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_member *const member = &task->member;
    const int32_t first = rnnat_first(member, member->index, chunk->made);
    return (rnnat_some_steps){first, rnnat_first(member, member->index + 1, chunk->made) - first};
}

/* A number for the barrier after a step: not that of the barrier before it. */
static inline uint32_t rnnat_barrier_number(const rnnat_chunk *chunk, int32_t pass, int32_t step)
{
    const uint32_t number = ((uint32_t)step * chunk->num_nodes + chunk->node) * 2 + (uint32_t)pass;
    return (number & INT32_MAX) + 1;
}

/* ---- products of a whole chunk ---- */

/* Prepares y [steps, rows, n] = bias + x matrix. */
rnnat_gemm_args rnnat_multiply_prepare(const rnnat_task *task, const rnnat_matrix *matrix,
                                       int32_t n, const void *bias, rnnat_view in, rnnat_view out);
/* Makes the member's columns of it, for a chunk that begins at `in` and `out`; where the run can be
 * stopped, in pieces, after each of which a member can do no more of it. */
void rnnat_multiply(const rnnat_task *task, const rnnat_chunk *chunk, const rnnat_matrix *matrix,
                    rnnat_gemm_args *args, const char *in, char *out);
/* Makes task->product of one step by one thread; not for a BLAS. */
static inline void rnnat_multiply_step(rnnat_task *task, const char *in, const void *out)
{
    if (task->product.m != task->rows) task->product.m = task->rows; /* after a longer chunk */
    task->product.a.base = in;
    task->product.c.base = out;
    task->kernels->of[task->product.type].gemm(&task->product);
}

#endif
