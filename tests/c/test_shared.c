/* One model for streams in several threads at once, of every cell, option and kind of layer: each
 * gives the bits that it gives alone, and none knows of another. What the thread sanitizer sees in
 * here is what users do: a model is made, its threads come and go, the model is freed. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "every_model.h"
#include "run_case.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 4, TIME = 12, BATCH = 2, ROUNDS = is_brief ? 2 : 40 };

typedef struct user {
    const rnnat_model *model;
    const test_inputs *in;
    const test_outcome *expected;
    int32_t piece; /* steps at once */
    atomic_int *waiting; /* for all to begin at once */
    bool right;
} user;

/* Its own sequence from begin to end, again and again. */
static void *use(void *arg)
{
    user *const u = arg;
    rnnat_model_info info = {.struct_size = sizeof info};
    rnnat_stream *stream = NULL;
    u->right = rnnat_model_describe(u->model, &info) == RNNAT_OK &&
               rnnat_stream_create(u->model, BATCH, 3, &stream) == RNNAT_OK;
    const size_t bytes = (size_t)BATCH * (size_t)info.output_size * sizeof(float);
    float *const y = malloc(TIME * bytes);
    if (!y) abort();
    atomic_fetch_sub(u->waiting, 1);
    while (atomic_load(u->waiting) > 0) sched_yield();
    for (int round = 0; u->right && round < ROUNDS; ++round) {
        for (int32_t t = 0; u->right && t < TIME; t += u->piece) {
            const ptrdiff_t at = (ptrdiff_t)t * BATCH * u->in->width;
            float *const to = y + (size_t)t * bytes / sizeof *y;
            const int32_t steps = TIME - t < u->piece ? TIME - t : u->piece;
            u->right =
                (u->in->indices ? rnnat_stream_run_indices(stream, u->in->indices + at, steps, to)
                                : rnnat_stream_run(stream, u->in->x + at, steps, to)) == RNNAT_OK;
        }
        const size_t first = info.return_sequences ? 0 : TIME - 1; /* the last state alone */
        u->right = u->right &&
                   memcmp((char *)y + first * bytes, u->expected->y, u->expected->y_bytes) == 0;
        u->right = rnnat_stream_reset(stream) == RNNAT_OK && u->right;
    }
    free(y);
    rnnat_stream_free(stream);
    return NULL;
}

static void test_users(const test_model *model, const char *name)
{
    rnnat_model *const made = test_model_make(model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_inputs in[THREADS];
    test_outcome expected[THREADS];
    user users[THREADS];
    pthread_t threads[THREADS];
    atomic_int waiting = THREADS;
    uint64_t random = 3;
    for (int32_t i = 0; i < THREADS; ++i) {
        in[i] = test_inputs_make(model, &random, TIME, BATCH, false, false);
        expected[i] = test_run(made, &in[i], LAYOUT_DENSE, LAYOUT_DENSE, 1);
        users[i] = (user){made, &in[i], &expected[i], 1 + i, &waiting, false};
    }
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, use, &users[i]) == 0);
    for (int i = 0; i < THREADS; ++i) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_CASE(users[i].right, name);
        test_outcome_end(&expected[i]);
        test_inputs_end(&in[i]);
    }
    rnnat_model_free(made);
}

int main(void)
{
    test_model model;
    const char *name;
    for (int32_t i = 0; every_model_start(i, &model, &name); ++i) {
        rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
        rnnat_model_info info = {.struct_size = sizeof info};
        CHECK(rnnat_model_describe(made, &info) == RNNAT_OK);
        if (info.streamable) test_users(&model, name);
        rnnat_model_free(made);
        test_model_end(&model);
    }
    return check_result();
}
#else
int main(void) { return 77; }
#endif
