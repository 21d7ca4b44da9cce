/* A workspace: the memory with which a model runs over some rows of a batch. Its nodes' memory holds
 * the recurrent state; the rest is scratch and buffers, of the same size whatever the length of the
 * sequence, unless a node needs a whole sequence before the next one can begin. One thread runs a
 * workspace, or a team of a few. */
#ifndef RNNAT_WORKSPACE_H
#define RNNAT_WORKSPACE_H

#include "../graph/model.h"
#include "../layers/layer.h"

typedef void *rnnat_pointer;

/* Threads of a stream's team at most, where products prepare rows: each does so in memory of its own, which a
 * stream has from the beginning. */
enum { RNNAT_STREAM_TEAM = RNNAT_THREADS ? 8 : 1 };

/* One stage of a wavefront: what the thread needs that runs some of the chain's nodes. */
typedef struct rnnat_stage {
    rnnat_view *at; /* [values] as the workspace's, but chunks lie in buffers of the stage's own */
    char *scratch;
    char *out[2]; /* [chunk, rows, features] to the next stage: even chunks, and odd ones */
} rnnat_stage;

typedef struct rnnat_workspace {
    const rnnat_model *model;
    int32_t rows; /* rows of the batch that it runs */
    int32_t chunk; /* steps that each node runs before the next node does */
    bool is_stream; /* after every step there is what a row's last step gives */
    bool copies_last; /* in a stream some node gives that beside its outputs */
    rnnat_view *at; /* [values] where each one is, from step 0 on */
    rnnat_history *histories; /* [nodes] of those with windows; NULL: no node has one */
    int32_t *phases; /* [nodes] of their windows before the first step of a call */
    int32_t *lengths; /* [nodes, rows] steps that count of what such a node makes, in a run */
    rnnat_pointer *memory; /* [nodes] what its layer keeps from call to call */
    char *scratch[2]; /* the second one is there where a team runs two passes side by side */
    size_t operands_at; /* bytes of scratch before what its members prepare rows in, */
    int32_t operand_rows; /* so many of them each */
    rnnat_task *tasks; /* [nodes] ready for one thread; NULL: they are made for each chunk */
    rnnat_stage *stages; /* [threads] of its wavefront, or NULL */
    const rnnat_cell_trace *trace; /* [cells] where the run shows them, or NULL */
    rnnat_stop_point *stop_points; /* see rnnat_stop_point_of_stages; NULL: nothing stops the run */
} rnnat_workspace;

/* What a workspace is carved for. */
typedef struct rnnat_workspace_use {
    int32_t rows;
    int32_t time; /* steps of the longest sequence that one call will run */
    int32_t team_size; /* threads that will run it */
    bool wavefront; /* they are the stages of one */
    bool is_stream; /* it will be run again and again, each step as a row's last one */
} rnnat_workspace_use;

/* Lays a workspace out in the arena. */
void rnnat_workspace_carve(rnnat_arena *arena, const rnnat_model *model,
                           const rnnat_workspace_use *use, rnnat_workspace *workspace);
/* Where member `member` of those that share scratch number `scratch` prepares rows, of a model whose
 * products do. */
rnnat_operands rnnat_workspace_operands(const rnnat_workspace *workspace, int32_t scratch,
                                        int32_t member);
/* The most steps of a chunk that node `index` reads or makes. */
int32_t rnnat_workspace_chunk_of(const rnnat_workspace *workspace, int32_t index);
/* Sets how many rows it has from now on, at most those that it was carved for. */
void rnnat_workspace_set_rows(rnnat_workspace *workspace, int32_t rows);
/* All states become what they are before the first step. */
void rnnat_workspace_reset(rnnat_workspace *workspace);

/* Says where the input and the output of a chain are. */
static inline void rnnat_workspace_open(const rnnat_workspace *workspace, rnnat_view x,
                                        rnnat_view y)
{
    workspace->at[0] = x;
    workspace->at[workspace->model->outputs[0]] = y;
}

/* Copies state array `index`, dense [rnnat_state_shape.rows, batch, features], into the workspace or
 * out of it: the workspace's rows of the batch, from first_row on. */
void rnnat_workspace_set_state(rnnat_workspace *workspace, int32_t index, const void *values,
                               int32_t batch, int32_t first_row);
void rnnat_workspace_get_state(const rnnat_workspace *workspace, int32_t index, void *values,
                               int32_t batch, int32_t first_row);
/* Where rows have all their state elsewhere, each in a slot of its own, its arrays dense as those of a batch of
 * one. */
typedef struct rnnat_slots {
    char *base;
    size_t stride; /* bytes from one slot to the next */
    const int32_t *ids; /* [rows] which slots these rows have; NULL: 0, 1, 2 ... */
    const size_t *offsets; /* [states] bytes before each array of a slot */
} rnnat_slots;
/* Copies the states of all rows into the workspace or out of it. */
void rnnat_workspace_move_states(const rnnat_workspace *workspace, const rnnat_slots *slots,
                                 bool into_workspace);
/* Copies h as it is now to the values that nodes begin .. end - 1 make of each row's last step. */
void rnnat_workspace_take_last(const rnnat_workspace *workspace, int32_t begin, int32_t end);

#endif
