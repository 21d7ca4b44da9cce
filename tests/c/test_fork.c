/* After fork, a child runs what its parent ran, with as many threads, and gets the same bits: the
 * parent's threads are not in it, and nobody waits for them. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "run_case.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_THREADS = 3, PATIENCE = 20 /* seconds, of a child that should take none */ };

static test_model model;
static test_inputs in[2]; /* six rows, which threads divide; one, where each has a direction */
static rnnat_model *made;
static test_outcome expected[2];

/* With every number of threads: true where the bits are as expected. */
static bool runs(const rnnat_model *shared)
{
    bool all = true;
    for (int32_t i = 0; i < 2 * MOST_THREADS; ++i) {
        test_outcome outcome =
            test_run(shared, &in[i % 2], LAYOUT_DENSE, LAYOUT_DENSE, MOST_THREADS - i / 2);
        all = all && outcome.status == RNNAT_OK && test_outcome_same(&outcome, &expected[i % 2]);
        test_outcome_end(&outcome);
    }
    return all;
}

/* A model of its own, too. */
static bool makes_and_runs(void)
{
    rnnat_model *const own = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    const bool same = runs(own);
    rnnat_model_free(own);
    return same;
}

/* A child, and `generations` - 1 more below it: 0 where every one of them gets what it should. */
static int child(int generations)
{
    fflush(NULL);
    const pid_t id = fork();
    if (id < 0) return 1;
    if (id > 0) {
        int status = 0;
        return waitpid(id, &status, 0) == id && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    alarm(PATIENCE); /* ends it, where it hangs */
    int result = runs(made) && makes_and_runs() ? 0 : 1;
    if (generations > 1 && result == 0) result = child(generations - 1);
    _exit(result);
}

int main(void)
{
    uint64_t random = 9;
    test_model_start(&model, 9);
    /* enough work that three threads are worth it */
    test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                        .cell = TEST_GRU,
                                        .input_size = 40,
                                        .output_size = 40,
                                        .num_layers = 2,
                                        .direction = RNNAT_BIDIRECTIONAL,
                                        .bias = true});
    made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    for (int i = 0; i < 2; ++i) {
        in[i] = test_inputs_make(&model, &random, i ? 60 : 12, i ? 1 : 6, true, true);
        expected[i] = test_run(made, &in[i], LAYOUT_DENSE, LAYOUT_DENSE, 1);
        CHECK(expected[i].status == RNNAT_OK);
    }
    CHECK(child(1) == 0); /* before there were threads */
    CHECK(runs(made));
    CHECK(child(2) == 0);
    CHECK(runs(made)); /* and the parent goes on */
    CHECK(child(1) == 0);
    for (int i = 0; i < 2; ++i) {
        test_outcome_end(&expected[i]);
        test_inputs_end(&in[i]);
    }
    rnnat_model_free(made);
    test_model_end(&model);
    return check_result();
}
#else
int main(void) { return 77; }
#endif
