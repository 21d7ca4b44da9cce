/* The schedule: nodes x passes x chunks of time, for the rows of one workspace. It knows of layers what
 * layer.h says, and no kind of them. */
#ifndef RNNAT_SCHEDULE_H
#define RNNAT_SCHEDULE_H

#include "workspace.h"

/* A team as one of its members sees it: whole, and split in two for two passes. */
typedef struct rnnat_team {
    rnnat_member all;
    rnnat_member of_pass; /* the member among those that run pass `pass` */
    int32_t pass; /* 0 or 1 */
} rnnat_team;

/* How many barriers a team needs: one of all, one of pass 0, one of pass 1; none without threads. */
enum { rnnat_team_barriers = RNNAT_THREADS ? 3 : 0 };
rnnat_barrier *rnnat_team_take_barriers(rnnat_arena *arena, size_t teams);
rnnat_team rnnat_team_of(int32_t index, int32_t count, rnnat_barrier *barriers);

/* A workspace's stop points: 0 is that of the team and its pass 0, 1 that of pass 1, and from here on
 * there is one for each stage of a wavefront. */
enum { rnnat_stop_point_of_stages = 2 };

/* Makes node `index` ready for one member of a team, one pass, and scratch 0 or 1 of the workspace. */
void rnnat_task_prepare(const rnnat_workspace *workspace, const rnnat_member *member, int32_t index,
                        int32_t pass, int32_t scratch, rnnat_task *task);

/* Runs nodes begin .. end - 1, all causal, over the chunk that begins at step `first` of `time` steps.
 * False: the run was stopped, and all of the team have left. */
bool rnnat_run_chunk(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                     int32_t end, int32_t first, int32_t time, const int32_t *lengths);

/* Runs one step of all nodes by one thread, in a workspace that keeps its tasks; not where a BLAS
 * multiplies. */
void rnnat_run_step(rnnat_workspace *workspace);

/* Runs `time` steps: moves the workspace's states on, writes what has an axis of time. lengths: of the
 * workspace's rows, or NULL. `time` is at most what the workspace was carved for where the model needs whole
 * sequences. Every thread of the team calls it with the same arguments. */
void rnnat_run_steps(rnnat_workspace *workspace, const rnnat_team *team, int32_t time,
                     const int32_t *lengths);
/* Before that, the nodes of static values, once for each row; those of them that a stream gives are the
 * same at `steps` steps. */
void rnnat_run_static(rnnat_workspace *workspace, const rnnat_member *member, int32_t steps);
/* Then the nodes behind last steps, of begin .. end - 1, which have all run: once for each row. */
void rnnat_run_rows(rnnat_workspace *workspace, const rnnat_member *member, int32_t begin,
                    int32_t end);
/* The first node behind those that rnnat_run_steps has run so, for nodes that wait. */
int32_t rnnat_rows_begin(const rnnat_model *model);

#endif
