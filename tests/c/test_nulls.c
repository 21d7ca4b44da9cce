/* Every public function is called with NULL in the place of each pointer, the others right: it says
 * RNNAT_ERROR_ARGUMENT, and does nothing. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "model_file.h"

enum { FEATURES = 3, HIDDEN = 4 };

static test_bytes file;
static rnnat_model *model;
static rnnat_stream *stream;
static int32_t one = 1, got, number;
static float x[FEATURES], y[HIDDEN], state[HIDDEN];
static double x_f64[FEATURES], y_f64[HIDDEN];
static const void *inputs[] = {x};
static void *outputs[] = {y};
static _Alignas(64) char memory[1 << 16];
static rnnat_model *made;
static rnnat_stream *made_stream;
static size_t need;
#if RNNAT_WITH_SHARING
static size_t more;
#endif
static rnnat_run run = {.struct_size = sizeof run, .time = 1, .batch = 1, .x = x, .y = y};
static rnnat_run_f64 run_f64 = {
    .struct_size = sizeof run_f64, .time = 1, .batch = 1, .x = x_f64, .y = y_f64};
static rnnat_value_info value = {.struct_size = sizeof value};
static rnnat_model_info info = {.struct_size = sizeof info};

/* P(i, p): pointer `i` of a call, NULL where that one is missing. */
static int missing;
#define P(i, pointer) (missing == (i) ? NULL : (pointer))

/* Calls `function` with each of its pointers missing, `count` of them. */
#define REFUSES(count, call)                                                                       \
    for (missing = 0; missing < (count); ++missing)                                                \
    CHECK_CASE((call) == RNNAT_ERROR_ARGUMENT, #call)

/* The same of a function for another kind of model, which may say that first. */
#define REFUSES_ANYWAY(count, call)                                                                \
    for (missing = 0; missing < (count); ++missing) CHECK_CASE((call) != RNNAT_OK, #call)

static void test_models(void)
{
    REFUSES(2, rnnat_model_load(P(0, "none"), NULL, P(1, &made)));
    REFUSES(2, rnnat_model_from_memory(P(0, file.bytes), file.size, NULL, P(1, &made)));
    REFUSES(2, rnnat_model_size(P(0, file.bytes), file.size, NULL, P(1, &need)));
    REFUSES(3, rnnat_model_init(P(0, memory), sizeof memory, P(1, file.bytes), file.size, NULL,
                                P(2, &made)));
#if RNNAT_WITH_SHARING
    REFUSES(3,
            rnnat_model_shared_size(P(0, file.bytes), file.size, NULL, P(1, &need), P(2, &more)));
    REFUSES(2, rnnat_model_share(P(0, memory), sizeof memory, P(1, file.bytes), file.size, NULL));
    REFUSES(4, rnnat_model_init_shared(P(0, memory), sizeof memory, P(1, memory), sizeof memory,
                                       P(2, file.bytes), file.size, NULL, P(3, &made)));
#endif
    REFUSES(2, rnnat_model_describe(P(0, model), P(1, &info)));
    REFUSES(2, rnnat_model_input(P(0, model), 0, P(1, &value)));
    REFUSES(2, rnnat_model_output(P(0, model), 0, P(1, &value)));
    REFUSES(3, rnnat_model_state(P(0, model), 0, P(1, &number), P(2, &got)));
    REFUSES(3, rnnat_model_run_size(P(0, model), P(1, &run), P(2, &need)));
    REFUSES(2, rnnat_model_run(P(0, model), P(1, &run), memory, sizeof memory));
    REFUSES(3, rnnat_model_run_steps(P(0, model), P(1, &run), 0, P(2, &number)));
#if RNNAT_FLOAT64
    REFUSES(3, rnnat_model_run_size_f64(P(0, model), P(1, &run_f64), P(2, &need)));
    REFUSES(2, rnnat_model_run_f64(P(0, model), P(1, &run_f64), memory, sizeof memory));
    REFUSES(3, rnnat_model_run_steps_f64(P(0, model), P(1, &run_f64), 0, P(2, &number)));
#endif
    rnnat_model_free(NULL);
}

static void test_streams(void)
{
    REFUSES(2, rnnat_stream_size(P(0, model), 1, 1, P(1, &need)));
    REFUSES(3,
            rnnat_stream_init(P(0, memory), sizeof memory, P(1, model), 1, 1, P(2, &made_stream)));
    REFUSES(2, rnnat_stream_create(P(0, model), 1, 1, P(1, &made_stream)));
    REFUSES(3, rnnat_stream_run(P(0, stream), P(1, x), 1, P(2, y)));
    REFUSES_ANYWAY(3, rnnat_stream_run_indices(P(0, stream), P(1, &one), 1, P(2, y)));
    REFUSES(3, rnnat_stream_run_values(P(0, stream), P(1, inputs), 1, P(2, outputs)));
    REFUSES(4, rnnat_stream_push(P(0, stream), P(1, x), 1, P(2, y), 1, P(3, &got)));
    REFUSES_ANYWAY(4,
                   rnnat_stream_push_indices(P(0, stream), P(1, &one), 1, P(2, y), 1, P(3, &got)));
    REFUSES(5, rnnat_stream_push_values(P(0, stream), P(1, inputs), 1, P(2, outputs), P(3, &one),
                                        P(4, &got)));
#if RNNAT_FLOAT64
    REFUSES_ANYWAY(3, rnnat_stream_run_f64(P(0, stream), P(1, x_f64), 1, P(2, y_f64)));
    REFUSES_ANYWAY(3, rnnat_stream_run_indices_f64(P(0, stream), P(1, &one), 1, P(2, y_f64)));
    REFUSES_ANYWAY(4,
                   rnnat_stream_push_f64(P(0, stream), P(1, x_f64), 1, P(2, y_f64), 1, P(3, &got)));
    REFUSES_ANYWAY(
        4, rnnat_stream_push_indices_f64(P(0, stream), P(1, &one), 1, P(2, y_f64), 1, P(3, &got)));
#endif
    REFUSES(1, rnnat_stream_set_num_threads(P(0, stream), 1));
    REFUSES(1, rnnat_stream_reset(P(0, stream)));
    REFUSES(2, rnnat_stream_get_state(P(0, stream), 0, P(1, state)));
    REFUSES(2, rnnat_stream_set_state(P(0, stream), 0, P(1, state)));
    rnnat_stream_free(NULL);
    const void *const no_input[] = {NULL};
    void *const no_output[] = {NULL};
    CHECK(rnnat_stream_run_values(stream, no_input, 1, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_stream_run_values(stream, inputs, 1, no_output) == RNNAT_ERROR_ARGUMENT);
}

#if RNNAT_WITH_POOL
static void test_pools(void)
{
    rnnat_pool *pool = NULL, *made_pool = NULL;
    rnnat_pool_info pool_info = {.struct_size = sizeof pool_info};
    int32_t id = 0;
    CHECK(rnnat_pool_create(model, 2, 1, &pool) == RNNAT_OK);
    CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK);
    REFUSES(2, rnnat_pool_size(P(0, model), 2, 1, P(1, &need)));
    REFUSES(3, rnnat_pool_init(P(0, memory), sizeof memory, P(1, model), 2, 1, P(2, &made_pool)));
    REFUSES(2, rnnat_pool_create(P(0, model), 2, 1, P(1, &made_pool)));
    REFUSES(2, rnnat_pool_describe(P(0, pool), P(1, &pool_info)));
    REFUSES(2, rnnat_pool_open(P(0, pool), P(1, &number)));
    REFUSES(1, rnnat_pool_close(P(0, pool), id));
    REFUSES(1, rnnat_pool_reset(P(0, pool), id));
    REFUSES(4, rnnat_pool_step(P(0, pool), 1, P(1, &id), P(2, inputs), P(3, outputs)));
    REFUSES(7, rnnat_pool_push(P(0, pool), 1, P(1, &id), P(2, &one), P(3, inputs), P(4, outputs),
                               P(5, &one), P(6, &got)));
    REFUSES(1, rnnat_pool_set_num_threads(P(0, pool), 1));
    REFUSES(2, rnnat_pool_get_state(P(0, pool), id, 0, P(1, state)));
    REFUSES(2, rnnat_pool_set_state(P(0, pool), id, 0, P(1, state)));
    REFUSES(3, rnnat_pool_snapshot(P(0, pool), id, P(1, memory), sizeof memory, P(2, &need)));
    REFUSES(2, rnnat_pool_restore(P(0, pool), id, P(1, memory), sizeof memory));
    CHECK(rnnat_pool_is_open(NULL, 0) == 0);
    rnnat_pool_free(NULL);
    const void *const no_input[] = {NULL};
    void *const no_output[] = {NULL};
    CHECK(rnnat_pool_step(pool, 1, &id, no_input, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_step(pool, 1, &id, inputs, no_output) == RNNAT_ERROR_ARGUMENT);
    CHECK(!made_pool);
    rnnat_pool_free(pool);
}
#endif

int main(void)
{
    static test_model of;
    test_model_start(&of, 1);
    test_model_add(&of, (test_layer){.kind = TEST_RECURRENT,
                                     .cell = TEST_GRU,
                                     .input_size = FEATURES,
                                     .output_size = HIDDEN,
                                     .num_layers = 1,
                                     .bias = true});
    file = test_model_bytes(&of);
    model = test_model_make(&of, RNNAT_F32, RNNAT_MATMUL_AUTO);
    CHECK(rnnat_stream_create(model, 1, 1, &stream) == RNNAT_OK);
    test_models();
    test_streams();
#if RNNAT_WITH_POOL
    test_pools();
#endif
    CHECK(!made && !made_stream && !need);
    CHECK(rnnat_stream_run(stream, x, 1, y) == RNNAT_OK);
    rnnat_stream_free(stream);
    rnnat_model_free(model);
    free(file.bytes);
    test_model_end(&of);
    return check_result();
}
