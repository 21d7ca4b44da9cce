/* The schedule: nodes x passes x chunks of time, for the rows of one lane. It knows of layers what
 * layer.h says, and no kind of them. */
#ifndef RNNAT_SCHEDULE_H
#define RNNAT_SCHEDULE_H

#include "lane.h"

/* The threads that run one lane: all together, and split in two for two passes. */
typedef struct rnnat_crew {
    rnnat_part all;
    rnnat_part half; /* part of those that run pass `side` */
    int32_t side;
} rnnat_crew;

/* Barriers that a crew needs: of all, of side 0, of side 1; none without threads. */
enum { rnnat_crew_barriers = RNNAT_THREADS ? 3 : 0 };
rnnat_barrier *rnnat_crew_take_barriers(rnnat_arena *arena, size_t crews);
rnnat_crew rnnat_crew_of(int32_t index, int32_t count, rnnat_barrier *barriers);

/* A lane's exits: of the crew and its side 0, of side 1, then of the stages of a wavefront. */
enum { rnnat_exit_of_stages = 2 };

/* Makes node `index` ready: for one thread of a team, a pass, and one of the lane's scratches. */
void rnnat_task_prepare(const rnnat_lane *lane, const rnnat_part *part, int32_t index, int32_t pass,
                        int32_t scratch, rnnat_task *task);

/* Nodes begin .. end - 1, all causal, over the chunk from step `first` on of `time` steps. False: the
 * run was stopped, and all of the part have left. */
bool rnnat_run_chunk(rnnat_lane *lane, const rnnat_part *part, int32_t begin, int32_t end,
                     int32_t first, int32_t time, const int32_t *lengths);

/* One step of all nodes by one thread, of a lane that keeps its tasks; not where a BLAS multiplies. */
void rnnat_run_step(rnnat_lane *lane);

/* Runs `time` steps: moves the lane's states on, writes what has an axis of time. lengths: of the
 * lane's rows, or NULL. `time` is at most what the lane was carved for where the model needs whole
 * sequences. Every thread of the crew calls it with the same arguments. */
void rnnat_run_steps(rnnat_lane *lane, const rnnat_crew *crew, int32_t time,
                     const int32_t *lengths);
/* Then the nodes behind last steps, once a row. */
void rnnat_run_rows(rnnat_lane *lane, const rnnat_part *part);

#endif
