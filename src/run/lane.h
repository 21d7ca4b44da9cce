/* A lane: the memory with which a model runs over some rows of a batch. Its layers hold the recurrent
 * state; the rest is scratch, bounded whatever the length of the sequence, unless a layer needs a
 * whole sequence before the next one can begin. One thread runs a lane, or a team of a few. */
#ifndef RNNAT_LANE_H
#define RNNAT_LANE_H

#include "../graph/model.h"
#include "../layers/layer.h"

typedef void *rnnat_pointer;

/* One stage of a wavefront: what a thread needs that runs some nodes of a chain. */
typedef struct rnnat_stage {
    rnnat_view *at; /* as of the lane, its chunks in buffers of the stage's own */
    char *scratch;
    char *out[2]; /* [chunk, rows, features] to the next stage: of even and of odd chunks */
} rnnat_stage;

typedef struct rnnat_lane {
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
    rnnat_exit *exits; /* of the crew (also of its side 0), of side 1, of each stage; or NULL:
                        * nothing stops the run */
} rnnat_lane;

/* What a lane is carved for. */
typedef struct rnnat_lane_use {
    int32_t rows;
    int32_t time; /* the longest sequence that it will run at once */
    int32_t team; /* threads that will run it */
    bool wavefront; /* as stages of one */
    bool is_stream; /* to be run again and again, each step as a row's last one */
} rnnat_lane_use;

/* Lays a lane out in the arena. */
void rnnat_lane_carve(rnnat_arena *arena, const rnnat_model *model, const rnnat_lane_use *use,
                      rnnat_lane *lane);
/* From here on it has so many rows, of those that it was carved for. */
void rnnat_lane_set_rows(rnnat_lane *lane, int32_t rows);
/* All states become what they are before the first step. */
void rnnat_lane_reset(rnnat_lane *lane);

/* Where the input and output are of a model that has one of each. */
static inline void rnnat_lane_open(const rnnat_lane *lane, rnnat_view x, rnnat_view y)
{
    lane->at[0] = x;
    lane->at[lane->model->outputs[0]] = y;
}

/* Copies rows first_row .. of state array `index`, dense [its rows, batch, features], into the
 * lane or out of it. */
void rnnat_lane_set_state(rnnat_lane *lane, int32_t index, const void *values, int32_t batch,
                          int32_t first_row);
void rnnat_lane_get_state(const rnnat_lane *lane, int32_t index, void *values, int32_t batch,
                          int32_t first_row);
/* Copies h, as it is now, to where the values are that nodes make of their last step. */
void rnnat_lane_take_last(const rnnat_lane *lane);

#endif
