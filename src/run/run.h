/* One run over whole sequences: its arguments checked, its rows divided among workspaces. */
#ifndef RNNAT_RUN_H
#define RNNAT_RUN_H

#include "schedule.h"

/* A run that was checked and planned, in float or double, its strides filled in. */
typedef struct rnnat_job {
    int32_t time, batch;
    rnnat_view in, out; /* x and y, of a model with one input and one output */
    const void *const *inputs; /* [inputs] dense arrays, in the place of x; or NULL */
    void *const *outputs; /* [outputs] dense arrays, in the place of y; or NULL */
    const int32_t *lengths;
    const void *const *state_in;
    void *const *state_out;
    const rnnat_cell_trace *trace;
    rnnat_stop *stop;
    int32_t workspaces; /* among which the rows are divided */
    int32_t team_size;  /* threads of each workspace */
    bool wavefront; /* a team's threads are the stages of one, and divide no layer */
    double work;    /* multiplications */
    size_t need;    /* bytes of memory that the run takes */
} rnnat_job;

/* What rnnat_run and rnnat_run_f64 have in common, pointers untyped. */
typedef struct rnnat_run_args {
    rnnat_dtype dtype;
    int32_t time, batch;
    const void *x;
    const int32_t *indices;
    ptrdiff_t x_stride_time, x_stride_batch;
    void *y;
    ptrdiff_t y_stride_time, y_stride_batch;
    const void *const *inputs; /* [inputs] dense arrays, in the place of x; or NULL */
    void *const *outputs; /* [outputs] dense arrays, in the place of y; or NULL */
    const int32_t *lengths;
    const void *const *state_in;
    void *const *state_out;
    const rnnat_cell_trace *trace; /* [cells] where to show them, by one thread; or NULL */
    rnnat_stop *stop; /* with RNNAT_STOP: how it can be stopped, or NULL */
    int32_t num_threads;
} rnnat_run_args;

/* Checks the shape of the run and plans it; reads no array. */
rnnat_status rnnat_run_plan(const rnnat_model *model, const rnnat_run_args *args, rnnat_job *job);
/* Checks what arrays say, but indices, of a planned run: lengths and states. */
rnnat_status rnnat_run_check(const rnnat_model *model, const rnnat_job *job);
/* Takes what a planned run needs, from an arena that only counts. */
void rnnat_run_carve(rnnat_arena *arena, const rnnat_model *model, const rnnat_job *job);
/* Checks lengths, indices and pointers, then runs; may divide the job anew, for fewer threads. */
rnnat_status rnnat_run_go(const rnnat_model *model, rnnat_job *job, void *scratch,
                          size_t scratch_size);

#if RNNAT_THREADS
/* Divides the batch among threads and, where rows are few, the units or directions of each layer. */
void rnnat_run_divide(const rnnat_model *model, int32_t threads, rnnat_job *job);
/* How many of `threads` one step of so many rows keeps busy; *work = its multiplications. */
int32_t rnnat_run_team(const rnnat_model *model, int32_t rows, int32_t threads, double *work);
#else
static inline void rnnat_run_divide(const rnnat_model *model, int32_t threads, rnnat_job *job)
{
    (void)model, (void)threads;
    job->work = 0;
    job->workspaces = 1;
    job->team_size = 1;
    job->wavefront = false;
}
static inline int32_t rnnat_run_team(const rnnat_model *model, int32_t rows, int32_t threads,
                                     double *work)
{
    (void)model, (void)rows, (void)threads;
    *work = 0;
    return 1;
}
#endif

/* Checks that every index of the steps that count is in 0..known - 1. */
rnnat_status rnnat_check_indices(int32_t known, rnnat_view indices, int32_t time, int32_t batch,
                                 const int32_t *lengths);

#endif
