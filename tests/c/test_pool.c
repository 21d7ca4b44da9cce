/* Pools: a stream of one gives the bits of a stream by itself, whatever its id, its company, the order of ids
 * and the threads; nothing is taken from the heap; every wrong argument has its status and changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "heap.h"
#include "model_file.h"

#if RNNAT_WITH_POOL
enum { CAPACITY = 150, FEATURES = 5, HIDDEN = 33, OUTPUT = 7, MOST_STEPS = 23, ROUNDS = 12 };

static rnnat_model *make(uint64_t seed, test_cell cell, bool wide)
{
    static test_model file;
    test_model_start(&file, seed);
    test_model_add(&file, (test_layer){.kind = TEST_RECURRENT,
                                       .cell = cell,
                                       .activation = cell == TEST_RNN ? RNNAT_TANH : 0,
                                       .input_size = FEATURES,
                                       .output_size = wide ? 320 : HIDDEN,
                                       .num_layers = 2,
                                       .bias = true});
    test_model_add(&file, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = wide ? 320 : HIDDEN,
                                       .output_size = OUTPUT,
                                       .bias = true});
    rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_model_end(&file);
    return model;
}

static float x[CAPACITY][MOST_STEPS * FEATURES], y[CAPACITY][MOST_STEPS * OUTPUT];
static float want[MOST_STEPS * OUTPUT];

static void fill(uint64_t *random)
{
    for (int32_t r = 0; r < CAPACITY; ++r)
        for (int32_t i = 0; i < MOST_STEPS * FEATURES; ++i) x[r][i] = test_random(random, 1);
}

/* Some of the ids, in any order; returns how many. */
static int32_t shuffle(uint64_t *random, int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) ids[i] = i;
    for (int32_t i = count - 1; i > 0; --i) {
        const int32_t k = test_choose(random, 0, i), id = ids[i];
        ids[i] = ids[k];
        ids[k] = id;
    }
    return test_choose(random, 0, count);
}

/* Ragged chunks, single steps, resets and streams that are closed and opened again. */
static void check_company(test_cell cell, bool wide, int32_t count, int32_t threads)
{
    uint64_t random = 5;
    rnnat_model *const model = make(1, cell, wide);
    rnnat_pool *pool = NULL;
    rnnat_stream *alone[CAPACITY];
    size_t need = 0;
    CHECK(rnnat_pool_size(model, count, 4, &need) == RNNAT_OK);
    char *const memory = malloc(need + 1);
    CHECK(rnnat_pool_init(memory, need - 1, model, count, 4, &pool) == RNNAT_ERROR_TOO_SMALL);
    CHECK(rnnat_pool_init(memory + 1, need, model, count, 4, &pool) == RNNAT_OK);
    for (int32_t i = 0, id = -1; i < count; ++i) {
        CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK && id == i);
        CHECK(rnnat_stream_create(model, 1, 4, &alone[i]) == RNNAT_OK);
    }
    CHECK(rnnat_pool_set_num_threads(pool, threads) == RNNAT_OK);
    for (int32_t round = 0; round < (is_brief || is_sanitized ? 4 : ROUNDS); ++round) {
        int32_t ids[CAPACITY], steps[CAPACITY], room[CAPACITY], got[CAPACITY];
        const void *from[CAPACITY];
        void *to[CAPACITY];
        const int32_t n = shuffle(&random, ids, count);
        fill(&random);
        const long calls = heap_calls();
        for (int32_t r = 0; r < n; ++r) {
            steps[r] = round % 3 ? test_choose(&random, 0, MOST_STEPS) : 1;
            room[r] = steps[r];
            from[r] = x[r];
            to[r] = y[r];
        }
        CHECK(rnnat_pool_push(pool, n, ids, steps, from, to, room, got) == RNNAT_OK);
        if (threads == 1) CHECK(heap_calls() == calls);
        for (int32_t r = 0; r < n; ++r) {
            CHECK(rnnat_stream_run(alone[ids[r]], x[r], steps[r], want) == RNNAT_OK);
            CHECK(got[r] == steps[r]);
            CHECK(memcmp(y[r], want, (size_t)(steps[r] * OUTPUT) * sizeof *want) == 0);
        }
        static float rows[CAPACITY * FEATURES], made[CAPACITY * OUTPUT];
        for (int32_t i = 0; i < n * FEATURES; ++i) rows[i] = test_random(&random, 1);
        const void *inputs[] = {rows};
        void *outputs[] = {made};
        CHECK(rnnat_pool_step(pool, n, ids, inputs, outputs) == RNNAT_OK);
        for (int32_t r = 0; r < n; ++r) {
            CHECK(rnnat_stream_run(alone[ids[r]], rows + (ptrdiff_t)r * FEATURES, 1, want) ==
                  RNNAT_OK);
            CHECK(memcmp(made + (ptrdiff_t)r * OUTPUT, want, OUTPUT * sizeof *want) == 0);
        }
        for (int32_t r = 0, id; r < n && r < 3; ++r) {
            if (r == 0) CHECK(rnnat_pool_reset(pool, ids[r]) == RNNAT_OK);
            if (r > 0) CHECK(rnnat_pool_close(pool, ids[r]) == RNNAT_OK);
            if (r > 0) CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK && id == ids[r]);
            CHECK(rnnat_stream_reset(alone[ids[r]]) == RNNAT_OK);
        }
    }
    for (int32_t i = 0; i < count; ++i) rnnat_stream_free(alone[i]);
    free(memory);
    rnnat_model_free(model);
}

/* Whether two pools have the same streams in the same states. */
static bool are_alike(const rnnat_pool *a, const rnnat_pool *b)
{
    static char first[1 << 16], second[1 << 16];
    size_t size = 0, other = 0;
    return rnnat_pool_snapshot(a, -1, first, sizeof first, &size) == RNNAT_OK &&
           rnnat_pool_snapshot(b, -1, second, sizeof second, &other) == RNNAT_OK && size == other &&
           memcmp(first, second, size) == 0;
}

static void check_snapshots(void)
{
    rnnat_model *const model = make(1, TEST_LSTM, false), *const other = make(2, TEST_LSTM, false);
    rnnat_pool *pool = NULL, *second = NULL, *foreign = NULL;
    CHECK(rnnat_pool_create(model, 5, 1, &pool) == RNNAT_OK);
    CHECK(rnnat_pool_create(model, 9, 2, &second) == RNNAT_OK);
    CHECK(rnnat_pool_create(other, 9, 2, &foreign) == RNNAT_OK);
    uint64_t random = 9;
    fill(&random);
    for (int32_t i = 0, id; i < 5; ++i) CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK);
    const int32_t ids[] = {4, 0, 3};
    const void *inputs[] = {x};
    void *outputs[] = {y};
    CHECK(rnnat_pool_step(pool, 3, ids, inputs, outputs) == RNNAT_OK);
    CHECK(rnnat_pool_close(pool, 1) == RNNAT_OK);
    static char bytes[1 << 16], damaged[1 << 16];
    size_t size = 0;
    CHECK(rnnat_pool_snapshot(pool, -1, NULL, 0, &size) == RNNAT_ERROR_TOO_SMALL);
    CHECK(rnnat_pool_snapshot(pool, -1, bytes + 1, size - 1, &size) == RNNAT_ERROR_TOO_SMALL);
    CHECK(rnnat_pool_snapshot(pool, -1, bytes + 1, size, &size) == RNNAT_OK);
    CHECK(rnnat_pool_restore(second, -1, bytes + 1, size) == RNNAT_OK && are_alike(pool, second));
    CHECK(rnnat_pool_restore(foreign, -1, bytes + 1, size) == RNNAT_ERROR_MODEL);
    CHECK(rnnat_pool_restore(second, 0, bytes + 1, size) == RNNAT_ERROR_SHAPE);
    for (size_t i = 0; i < size; ++i) {
        memcpy(damaged, bytes + 1, size);
        damaged[i] = (char)(damaged[i] ^ 4);
        CHECK(rnnat_pool_restore(second, -1, damaged, size) != RNNAT_OK);
        CHECK(rnnat_pool_restore(second, -1, bytes + 1, i) == RNNAT_ERROR_FORMAT);
    }
    CHECK(are_alike(pool, second));
    CHECK(rnnat_pool_snapshot(pool, 4, bytes, sizeof bytes, &size) == RNNAT_OK);
    CHECK(rnnat_pool_restore(second, 2, bytes, size) == RNNAT_OK && !are_alike(pool, second));
    CHECK(rnnat_pool_restore(pool, 2, bytes, size) == RNNAT_OK && are_alike(pool, second));
    CHECK(rnnat_pool_restore(pool, 1, bytes, size) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_restore(pool, -1, bytes, size) == RNNAT_ERROR_SHAPE);
    rnnat_pool_free(pool);
    rnnat_pool_free(second);
    rnnat_pool_free(foreign);
    rnnat_model_free(model);
    rnnat_model_free(other);
}

static void check_arguments(void)
{
    rnnat_model *const model = make(1, TEST_GRU, false);
    rnnat_pool *pool = NULL;
    rnnat_pool_info info = {.struct_size = sizeof info};
    size_t need = 0;
    int32_t id = -1, got[2];
    float state[2 * HIDDEN];
    CHECK(rnnat_pool_size(NULL, 1, 1, &need) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_size(model, 0, 1, &need) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_size(model, 1, 0, &need) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_size(model, 1, 1, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_create(model, 2, 1, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_create(model, 2, 2, &pool) == RNNAT_OK);
    CHECK(rnnat_pool_describe(pool, &info) == RNNAT_OK);
    CHECK(info.capacity == 2 && info.num_open == 0 && info.max_threads == 2);
    CHECK(info.num_threads == 1 && info.state_size == sizeof state);
    size_t more = 0;
    CHECK(rnnat_pool_size(model, 200, 2, &need) == RNNAT_OK);
    CHECK(rnnat_pool_size(model, 10200, 2, &more) == RNNAT_OK);
    CHECK(more - need == 10000 * info.bytes_per_stream);
    CHECK(rnnat_pool_open(pool, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK && id == 0);
    CHECK(rnnat_pool_open(pool, &id) == RNNAT_OK && id == 1);
    CHECK(rnnat_pool_open(pool, &id) == RNNAT_ERROR_FULL && id == 1);
    CHECK(rnnat_pool_close(pool, 2) == RNNAT_ERROR_ID &&
          rnnat_pool_reset(pool, -1) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_set_num_threads(pool, 0) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_set_num_threads(pool, 3) == RNNAT_ERROR_ARGUMENT);
    const int32_t twice[] = {1, 1}, beyond[] = {0, 2}, both[] = {1, 0}, one[] = {1, 1};
    const int32_t negative[] = {1, -1};
    const void *inputs[] = {x[0], x[1]}, *none[] = {NULL, x[1]};
    void *outputs[] = {y[0], y[1]};
    CHECK(rnnat_pool_step(pool, 2, twice, inputs, outputs) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_step(pool, 2, beyond, inputs, outputs) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_step(pool, 3, both, inputs, outputs) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_step(pool, -1, both, inputs, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_step(pool, 2, both, none, outputs) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_step(pool, 0, NULL, NULL, NULL) == RNNAT_OK);
    CHECK(rnnat_pool_push(pool, 2, twice, one, inputs, outputs, one, got) == RNNAT_ERROR_ID);
    CHECK(rnnat_pool_push(pool, 2, both, negative, inputs, outputs, one, got) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_push(pool, 2, both, one, none, outputs, one, got) == RNNAT_ERROR_ARGUMENT);
    static const int32_t room[] = {0, 1};
    CHECK(rnnat_pool_push(pool, 2, both, one, inputs, outputs, room, got) == RNNAT_ERROR_TOO_SMALL);
    CHECK(got[0] == 1 && got[1] == 1);
    CHECK(rnnat_pool_get_state(pool, 1, 1, state) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_pool_get_state(pool, 5, 0, state) == RNNAT_ERROR_ID);
    for (id = 0; id < 2; ++id) {
        CHECK(rnnat_pool_get_state(pool, id, 0, state) == RNNAT_OK);
        for (int32_t i = 0; i < 2 * HIDDEN; ++i) CHECK(state[i] == 0);
    }
    CHECK(rnnat_pool_push(pool, 2, both, one, inputs, outputs, one, got) == RNNAT_OK);
    rnnat_pool_free(pool);
    rnnat_model_free(model);
}

int main(void)
{
    for (int32_t threads = 1; threads <= 4; ++threads) {
        check_company(TEST_LSTM, false, CAPACITY, threads);
        check_company(TEST_GRU, true, 3, threads);
    }
    check_company(TEST_RNN, false, 1, 2);
    check_snapshots();
    check_arguments();
    return check_result();
}
#else
int main(void) { return 77; }
#endif
