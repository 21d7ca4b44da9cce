/* How many threads a run or a step is worth, and what each of them does. */
#include "../graph/pace.h"
#include "run.h"
#include "wavefront.h"

#if RNNAT_THREADS
/* Measured: multiplications below which another thread costs more than it brings, of a whole run, of
 * one step of many after which a team waits at a barrier, and of one step of a stream. */
static const double worth_a_thread = 100e3, worth_a_barrier = 10e3, worth_a_stream_thread = 45e3;

/* Measured too, for stacked layers: the step of a layer whose units are better divided, and how many
 * steps, and threads' worth of work, make up for the stages that wait at both ends. */
static const double too_large_for_a_wavefront = 40e3, worth_a_wavefront = 3;
enum { shortest_wavefront = 48 };

/* And each thread's multiplications of a step, of all rows, beside which a barrier is nothing. */
static const double worth_filling_blocks = 1e6;

/* The costliest recurrent product: multiplications of one row and step, and rows of its blocks. */
typedef struct product {
    double work;
    int32_t block_rows;
} product;

static product recurrent_product(const rnnat_model *model)
{
    product most = {0, 1};
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        const rnnat_node *const node = &model->nodes[i];
        if (node->product <= most.work) continue;
        most.work = node->product;
        most.block_rows = node->panel == 3 ? model->kernels->rows_of_3 : model->kernels->rows_of_4;
    }
    return most;
}

/* Multiplications of one row, of everything. */
static double row_work(const rnnat_model *model, int32_t time)
{
    double step_work = 0, last_work = 0;
    for (int32_t i = 0; i < model->num_nodes; ++i) {
        rnnat_rate rate = {1, 1, 0};
        if (RNNAT_HAS_PACES(model)) rate = rnnat_rate_of(model, model->nodes[i].output);
        if (rnnat_node_has_time(model, i))
            step_work += model->nodes[i].work * rate.repeat / rate.stride;
        else
            last_work += model->nodes[i].work;
    }
    return step_work * time + last_work;
}

/* True where a team of two has a direction each in every recurrent layer. */
static bool all_bidirectional(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->num_nodes; ++i)
        if (model->nodes[i].product > 0 && model->nodes[i].num_passes == 1) return false;
    return model->num_cells > 0;
}

/* Blocks that a step of the widest workspace takes. */
static int32_t blocks_of(int32_t batch, int32_t workspaces, int32_t block_rows)
{
    const int32_t rows = batch / workspaces + (batch % workspaces != 0);
    return rows / block_rows + (rows % block_rows != 0);
}

/* Workspaces that `threads` threads run: one each or, where a workspace's rows would leave the last of its
 * blocks half empty, fewer, whose teams divide the units. */
static int32_t workspaces_of(product p, int32_t threads, int32_t batch)
{
    const double gain = 0.8; /* a time that is so much shorter pays for the barriers */
    int32_t best = threads < batch ? threads : batch;
    if (best < 1) return 1;
    double least = (double)blocks_of(batch, best, p.block_rows);
    for (int32_t workspaces = best - 1; workspaces > 0; --workspaces) {
        const int32_t team_size = threads / workspaces;
        const double rows = (double)batch / workspaces;
        if (threads % workspaces || p.work * rows < team_size * worth_filling_blocks) continue;
        const double time = (double)blocks_of(batch, workspaces, p.block_rows) / team_size;
        if (time > gain * least) continue;
        least = time;
        best = workspaces;
    }
    return best;
}

void rnnat_run_divide(const rnnat_model *model, int32_t threads, rnnat_job *job)
{
    job->work = row_work(model, job->time) * job->batch;
    const double worth = job->work / worth_a_thread;
    if (worth < threads) threads = worth < 1 ? 1 : (int32_t)worth;
    job->workspaces = threads < job->batch ? threads : job->batch;
    if (job->workspaces < 1) job->workspaces = 1;
    job->team_size = 1;
    job->wavefront = false;
    if (model->info.matmul == RNNAT_MATMUL_BLAS || job->batch == 0) return;
    const product p = recurrent_product(model);
    job->workspaces = workspaces_of(p, threads, job->batch);
    const int32_t left = threads / job->workspaces;
    const double step = p.work * ((double)job->batch / job->workspaces);
    if (left > 1 && all_bidirectional(model)) job->team_size = 2;
    if (step >= 2 * worth_a_barrier)
        job->team_size = step < left * worth_a_barrier ? (int32_t)(step / worth_a_barrier) : left;
    if (left > 1 && step < too_large_for_a_wavefront && job->time >= shortest_wavefront &&
        worth >= worth_a_wavefront) {
        const int32_t stages = rnnat_wavefront_stages(model, left);
        job->wavefront = stages > 1 && stages >= job->team_size;
        if (job->wavefront) job->team_size = stages;
    }
}

int32_t rnnat_run_team(const rnnat_model *model, int32_t rows, int32_t threads, double *work)
{
    *work = row_work(model, 1) * rows;
    if (model->info.matmul == RNNAT_MATMUL_BLAS) return 1;
    const double team_size = *work / worth_a_stream_thread;
    if (team_size < threads) threads = team_size < 1 ? 1 : (int32_t)team_size;
    return model->operands && threads > RNNAT_STREAM_TEAM ? RNNAT_STREAM_TEAM : threads;
}
#endif
