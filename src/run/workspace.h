/* A workspace: the memory with which a model runs over some rows of a batch. Its layers hold the recurrent
 * state; the rest is scratch, bounded whatever the length of the sequence, unless a layer needs a
 * whole sequence before the next one can begin. One thread runs a workspace, or a team of a few. */
#ifndef RNNAT_WORKSPACE_H
#define RNNAT_WORKSPACE_H

#include "../graph/model.h"
#include "../layers/layer.h"

typedef void *rnnat_pointer;

/* One stage of a wavefront: what a thread needs that runs some nodes of a chain. */
typedef struct rnnat_stage {
    rnnat_view *at; /* as of the workspace, its chunks in buffers of the stage's own */
    char *scratch;
    char *out[2]; /* [chunk, rows, features] to the next stage: of even and of odd chunks */
} rnnat_stage;

typedef struct rnnat_workspace {
    const rnnat_model *model;
    int32_t rows;
    int32_t chunk; /* steps that are run at once */
    bool is_stream; /* after every step there is what a row's last step gives */
    rnnat_view *at; /* where each value is, from step 0 on */
    rnnat_pointer *memory; /* what the layer of each node keeps from call to call */
    char *scratch[2]; /* the second one where a team runs two passes side by side */
    rnnat_task *tasks; /* one a node, ready for one thread; NULL: they are made for each chunk */
    rnnat_stage *stages; /* where its team runs the model as a wavefront, one a thread; or NULL */
    const rnnat_cell_trace *trace; /* of each cell, or NULL */
    rnnat_exit *exits; /* of the team (also of its pass 0), of pass 1, of each stage; or NULL:
                        * nothing stops the run */
} rnnat_workspace;

/* What a workspace is carved for. */
typedef struct rnnat_workspace_use {
    int32_t rows;
    int32_t time; /* the longest sequence that it will run at once */
    int32_t team_size; /* threads that will run it */
    bool wavefront; /* as stages of one */
    bool is_stream; /* to be run again and again, each step as a row's last one */
} rnnat_workspace_use;

/* Lays a workspace out in the arena. */
void rnnat_workspace_carve(rnnat_arena *arena, const rnnat_model *model,
                           const rnnat_workspace_use *use, rnnat_workspace *workspace);
/* From here on it has so many rows, of those that it was carved for. */
void rnnat_workspace_set_rows(rnnat_workspace *workspace, int32_t rows);
/* All states become what they are before the first step. */
void rnnat_workspace_reset(rnnat_workspace *workspace);

/* Where the input and output are of a model that has one of each. */
static inline void rnnat_workspace_open(const rnnat_workspace *workspace, rnnat_view x,
                                        rnnat_view y)
{
    workspace->at[0] = x;
    workspace->at[workspace->model->outputs[0]] = y;
}

/* Copies rows first_row .. of state array `index`, dense [its rows, batch, features], into the
 * workspace or out of it. */
void rnnat_workspace_set_state(rnnat_workspace *workspace, int32_t index, const void *values,
                               int32_t batch, int32_t first_row);
void rnnat_workspace_get_state(const rnnat_workspace *workspace, int32_t index, void *values,
                               int32_t batch, int32_t first_row);
/* Copies h, as it is now, to where the values are that nodes make of their last step. */
void rnnat_workspace_take_last(const rnnat_workspace *workspace);

#endif
