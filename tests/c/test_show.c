/* What a layer shows of a run it shows of every step once, whatever its node needs of time, and once
 * padding is zero. */
#undef RNNAT_INSPECT
#define RNNAT_INSPECT 1 /* without which the library of these tests is, and shows nothing: */
#include "run/schedule.c" /* the schedule is compiled once more, and takes the place of its own */

#include <stdlib.h>

#include "check.h"
#include "layers/layers.h"
#include "model_file.h"
#include "run/run.h"

enum { TIME = 130, BATCH = 2, HIDDEN = 3, MOST = 4 };

static int32_t shown[MOST][TIME]; /* of each node, how often each step was */
static bool was_zero = true;
static const rnnat_node *first_node;

static void show(const rnnat_task *task, const rnnat_chunk *chunk)
{
    const int32_t features = task->node->num_passes * HIDDEN;
    for (int32_t step = 0; step < chunk->steps; ++step) {
        ++shown[task->node - first_node][chunk->first + step];
        const float *const row =
            (const float *)(const void *)rnnat_view_at(task->kernels, *chunk->out, step, 1);
        for (int32_t i = 0; chunk->first + step >= chunk->lengths[1] && i < features; ++i)
            was_zero = was_zero && row[i] == 0;
    }
}

int main(void)
{
    static test_model file;
    static float x[TIME * BATCH * 2], y[TIME * BATCH * HIDDEN];
    static const rnnat_direction directions[] = {RNNAT_FORWARD, RNNAT_REVERSE, RNNAT_BIDIRECTIONAL,
                                                 RNNAT_FORWARD};
    test_model_start(&file, 1);
    for (int32_t i = 0; i < MOST; ++i)
        test_model_add(&file, (test_layer){.kind = TEST_RECURRENT,
                                           .cell = TEST_GRU,
                                           .input_size = i == 0   ? 2
                                                         : i == 3 ? 2 * HIDDEN
                                                                  : HIDDEN,
                                           .output_size = HIDDEN,
                                           .num_layers = 1,
                                           .direction = directions[i],
                                           .bias = true});
    rnnat_model *const made = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    rnnat_layer layer = rnnat_layer_recurrent;
    layer.show = show;
    rnnat_node nodes[MOST];
    CHECK(made->num_nodes == MOST);
    for (int32_t i = 0; i < MOST; ++i) {
        nodes[i] = made->nodes[i];
        nodes[i].layer = &layer;
    }
    rnnat_model model = *made;
    model.nodes = first_node = nodes;
    for (int32_t i = 0; i < TIME * BATCH * 2; ++i) x[i] = (float)(i % 7) / 7;

    static const rnnat_cell_trace none[MOST * 2]; /* the cells themselves show nothing here */
    const int32_t lengths[BATCH] = {TIME, 70};
    const rnnat_run_args args = {.dtype = RNNAT_F32,
                                 .time = TIME,
                                 .batch = BATCH,
                                 .x = x,
                                 .y = y,
                                 .lengths = lengths,
                                 .trace = none,
                                 .num_threads = 1};
    rnnat_job job;
    CHECK(rnnat_run_plan(&model, &args, &job) == RNNAT_OK);
    void *const scratch = malloc(job.need);
    CHECK(scratch && rnnat_run_go(&model, &job, scratch, job.need) == RNNAT_OK);
    for (int32_t i = 0; i < MOST; ++i)
        for (int32_t t = 0; t < TIME; ++t) CHECK(shown[i][t] == 1);
    CHECK(was_zero);
    free(scratch);
    rnnat_model_free(made);
    test_model_end(&file);
    return check_result();
}
