/* The public functions of pools: they check arguments and delegate. */
#include "config.h"
#if RNNAT_HEAP
#include <stdlib.h>
#endif
#include <string.h>

#include "run/run.h"
#include "run/stream_pool_snapshot.h"
#include "run/windows.h"
#include "threads/threads.h"

#if RNNAT_WITH_POOL

/* ---- making ---- */

static rnnat_status check_new_pool(const rnnat_model *model, int32_t capacity, int32_t max_threads)
{
    if (!model || capacity < 1 || max_threads < 1) return RNNAT_ERROR_ARGUMENT;
    if (!model->info.streamable || model->info.matmul == RNNAT_MATMUL_BLAS)
        return RNNAT_ERROR_UNSUPPORTED;
    return RNNAT_OK;
}

rnnat_status rnnat_pool_size(const rnnat_model *model, int32_t capacity, int32_t max_threads,
                             size_t *need)
{
    if (!need) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = check_new_pool(model, capacity, max_threads);
    if (status != RNNAT_OK) return status;
    rnnat_arena arena = rnnat_arena_at(NULL);
    rnnat_pool_carve(&arena, model, capacity, rnnat_threads_sensible(max_threads));
    if (arena.overflow) return RNNAT_ERROR_OVERFLOW;
    *need = rnnat_arena_need(&arena);
    return RNNAT_OK;
}

rnnat_status rnnat_pool_init(void *mem, size_t mem_size, const rnnat_model *model, int32_t capacity,
                             int32_t max_threads, rnnat_pool **out)
{
    size_t need;
    if (!mem || !out) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = rnnat_pool_size(model, capacity, max_threads, &need);
    if (status != RNNAT_OK) return status;
    if (mem_size < need) return RNNAT_ERROR_TOO_SMALL;
    rnnat_arena arena = rnnat_arena_at(mem);
    rnnat_pool *const pool =
        rnnat_pool_carve(&arena, model, capacity, rnnat_threads_sensible(max_threads));
    pool->max_threads = max_threads; /* of which it has lanes for those that are sensible */
    *out = pool;
    return RNNAT_OK;
}

#if RNNAT_HEAP
rnnat_status rnnat_pool_create(const rnnat_model *model, int32_t capacity, int32_t max_threads,
                               rnnat_pool **out)
{
    size_t need;
    if (!out) return RNNAT_ERROR_ARGUMENT;
    rnnat_status status = rnnat_pool_size(model, capacity, max_threads, &need);
    if (status != RNNAT_OK) return status;
    void *const mem = malloc(need);
    if (!mem) return RNNAT_ERROR_NO_MEMORY;
    status = rnnat_pool_init(mem, need, model, capacity, max_threads, out);
    if (status == RNNAT_OK)
        (*out)->heap = mem;
    else
        free(mem);
    return status;
}

void rnnat_pool_free(rnnat_pool *pool)
{
    if (pool) free(pool->heap);
}
#endif

rnnat_status rnnat_pool_describe(const rnnat_pool *pool, rnnat_pool_info *info)
{
    if (!pool || !info || info->struct_size != sizeof *info) return RNNAT_ERROR_ARGUMENT;
    *info = (rnnat_pool_info){.struct_size = sizeof *info,
                              .capacity = pool->capacity,
                              .num_open = pool->num_open,
                              .max_threads = pool->max_threads,
                              .num_threads = pool->num_threads,
                              .bytes_per_stream = rnnat_pool_bytes_per_stream(pool),
                              .state_size = pool->state_size};
    return RNNAT_OK;
}

/* ---- streams of it ---- */

rnnat_status rnnat_pool_open(rnnat_pool *pool, int32_t *id)
{
    if (!pool || !id) return RNNAT_ERROR_ARGUMENT;
    if (pool->num_open == pool->capacity) return RNNAT_ERROR_FULL;
    *id = pool->num_closed ? pool->closed[--pool->num_closed] : pool->used++;
    rnnat_pool_begin(pool, *id);
    return RNNAT_OK;
}

rnnat_status rnnat_pool_close(rnnat_pool *pool, int32_t id)
{
    if (!pool) return RNNAT_ERROR_ARGUMENT;
    if (!rnnat_pool_has(pool, id)) return RNNAT_ERROR_ID;
    rnnat_pool_end(pool, id);
    return RNNAT_OK;
}

rnnat_status rnnat_pool_reset(rnnat_pool *pool, int32_t id)
{
    if (!pool) return RNNAT_ERROR_ARGUMENT;
    if (!rnnat_pool_has(pool, id)) return RNNAT_ERROR_ID;
    memcpy(rnnat_pool_slot(pool, id), pool->initial, pool->state_size);
    return RNNAT_OK;
}

int32_t rnnat_pool_is_open(const rnnat_pool *pool, int32_t id)
{
    return pool && rnnat_pool_has(pool, id);
}

/* ---- running ---- */

/* Gives the call that begins a number, and takes its ids, each read once: open ones, each once. */
static rnnat_status take_ids(rnnat_pool *pool, int32_t n, const int32_t *ids)
{
    if (pool->call == UINT32_MAX) {
        for (int32_t id = 0; id < pool->used; ++id) pool->marks[id] = pool->marks[id] != 0;
        pool->call = 1;
    }
    ++pool->call;
    for (int32_t row = 0; row < n; ++row) {
        const int32_t id = *(const volatile int32_t *)&ids[row];
        if (!rnnat_pool_has(pool, id) || pool->marks[id] == pool->call) return RNNAT_ERROR_ID;
        pool->marks[id] = pool->call;
        pool->ids[row] = id;
    }
    return RNNAT_OK;
}

/* Checks arrays of one step of all rows. */
static rnnat_status check_step(const rnnat_pool *pool, int32_t n, const void *const *inputs,
                               void *const *outputs)
{
    const rnnat_model *const model = pool->model;
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        if (!inputs[i]) return RNNAT_ERROR_ARGUMENT;
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        if (!outputs[i]) return RNNAT_ERROR_ARGUMENT;
        if (model->values[model->outputs[i]].paced_by >= 0) return RNNAT_ERROR_UNSUPPORTED;
    }
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const int32_t known = model->values[i].known;
        const rnnat_view view = rnnat_dense(RNNAT_WRITABLE(inputs[i]), n, 1);
        if (known && rnnat_check_indices(known, view, 1, n, NULL) != RNNAT_OK)
            return RNNAT_ERROR_INDEX;
    }
    return RNNAT_OK;
}

rnnat_status rnnat_pool_step(rnnat_pool *pool, int32_t n, const int32_t *ids,
                             const void *const *inputs, void *const *outputs)
{
    if (!pool || n < 0) return RNNAT_ERROR_ARGUMENT;
    if (n > 0 && (!ids || !inputs || !outputs)) return RNNAT_ERROR_ARGUMENT;
    if (n > pool->capacity) return RNNAT_ERROR_ID; /* some id comes twice */
    rnnat_status status = n ? check_step(pool, n, inputs, outputs) : RNNAT_OK;
    if (status == RNNAT_OK) status = take_ids(pool, n, ids);
    if (status != RNNAT_OK || n == 0) return status;
    rnnat_pool_call call = {.pool = pool, .rows = n, .inputs = inputs, .outputs = outputs};
    rnnat_pool_go(&call);
    return RNNAT_OK;
}

/* Checks the arrays of one row, whose `steps` are at least one. */
static rnnat_status check_row(const rnnat_pool *pool, int32_t steps, const void *const *inputs)
{
    const rnnat_model *const model = pool->model;
    for (int32_t i = 0; i < model->info.num_inputs; ++i) {
        const int32_t known = model->values[i].known;
        const int32_t own = RNNAT_IS_STATIC(&model->values[i]) ? 1 : steps;
        if (!inputs[i]) return RNNAT_ERROR_ARGUMENT;
        const rnnat_view view = rnnat_dense(RNNAT_WRITABLE(inputs[i]), 1, 1);
        if (known && rnnat_check_indices(known, view, own, 1, NULL) != RNNAT_OK)
            return RNNAT_ERROR_INDEX;
    }
    return RNNAT_OK;
}

/* Counts the steps that each output of a stream will have. */
static rnnat_status count_row(const rnnat_pool *pool, int32_t id, int32_t steps, int32_t *got)
{
    const rnnat_model *const model = pool->model;
    const bool paced = RNNAT_HAS_PACES(model);
    const rnnat_phases phases = {NULL,
                                 paced ? rnnat_pool_look(pool, rnnat_pool_slot(pool, id)) : NULL};
    if (paced && !rnnat_phases_agree(model, phases)) return RNNAT_ERROR_LENGTH;
    for (int32_t i = 0; i < model->info.num_outputs; ++i) {
        const int64_t ready =
            paced ? rnnat_steps_of(model, phases, model->outputs[i], steps) : steps;
        if (ready > INT32_MAX) return RNNAT_ERROR_OVERFLOW;
        got[i] = (int32_t)ready;
    }
    return RNNAT_OK;
}

rnnat_status rnnat_pool_push(rnnat_pool *pool, int32_t n, const int32_t *ids, const int32_t *steps,
                             const void *const *inputs, void *const *outputs,
                             const int32_t *capacities, int32_t *got)
{
    if (!pool || n < 0) return RNNAT_ERROR_ARGUMENT;
    if (n == 0) return RNNAT_OK;
    if (!ids || !steps || !inputs || !outputs || !capacities || !got) return RNNAT_ERROR_ARGUMENT;
    if (n > pool->capacity) return RNNAT_ERROR_ID;
    const size_t num_inputs = (size_t)pool->model->info.num_inputs;
    const size_t num_outputs = (size_t)pool->model->info.num_outputs;
    bool have_room = true;
    for (int32_t row = 0; row < n; ++row) {
        if (steps[row] < 0) return RNNAT_ERROR_ARGUMENT;
        if (!steps[row]) continue;
        const rnnat_status status = check_row(pool, steps[row], inputs + (size_t)row * num_inputs);
        if (status != RNNAT_OK) return status;
    }
    rnnat_status status = take_ids(pool, n, ids);
    for (int32_t row = 0; row < n && status == RNNAT_OK; ++row) {
        int32_t *const ready = got + (size_t)row * num_outputs;
        status = count_row(pool, pool->ids[row], steps[row], ready);
        for (size_t i = 0; i < num_outputs && status == RNNAT_OK; ++i) {
            const size_t at = (size_t)row * num_outputs + i;
            if (ready[i] > capacities[at])
                have_room = false;
            else if (ready[i] && !outputs[at])
                status = RNNAT_ERROR_ARGUMENT;
        }
    }
    if (status != RNNAT_OK) return status;
    if (!have_room) return RNNAT_ERROR_TOO_SMALL;
    rnnat_pool_call call = {
        .pool = pool, .rows = n, .steps = steps, .inputs = inputs, .outputs = outputs};
    rnnat_pool_go(&call);
    return RNNAT_OK;
}

rnnat_status rnnat_pool_set_num_threads(rnnat_pool *pool, int32_t num_threads)
{
    if (!pool || num_threads < 1 || num_threads > pool->max_threads) return RNNAT_ERROR_ARGUMENT;
    if (num_threads > 1 && rnnat_threads_check() != RNNAT_OK) return RNNAT_ERROR_ARGUMENT;
    pool->num_threads = rnnat_threads_sensible(num_threads);
    return RNNAT_OK;
}

/* ---- states ---- */

/* Bytes of state array `index` of one stream. */
static size_t size_of_state(const rnnat_pool *pool, int32_t index)
{
    const rnnat_state_shape *const shape = &pool->model->states[index];
    return (size_t)shape->rows * (size_t)shape->features * (size_t)pool->model->kernels->elem;
}

static rnnat_status check_state(const rnnat_pool *pool, int32_t id, int32_t index,
                                const void *values)
{
    if (!pool || !values || index < 0 || index >= pool->model->info.num_states)
        return RNNAT_ERROR_ARGUMENT;
    return rnnat_pool_has(pool, id) ? RNNAT_OK : RNNAT_ERROR_ID;
}

rnnat_status rnnat_pool_get_state(const rnnat_pool *pool, int32_t id, int32_t index, void *values)
{
    const rnnat_status status = check_state(pool, id, index, values);
    if (status != RNNAT_OK) return status;
    memcpy(values, rnnat_pool_slot(pool, id) + pool->offsets[index], size_of_state(pool, index));
    return RNNAT_OK;
}

rnnat_status rnnat_pool_set_state(rnnat_pool *pool, int32_t id, int32_t index, const void *values)
{
    const rnnat_status status = check_state(pool, id, index, values);
    if (status != RNNAT_OK) return status;
    const rnnat_model *const model = pool->model;
    for (int32_t n = 0; RNNAT_HAS_WINDOWS(model) && n < model->num_nodes; ++n) {
        int32_t phase;
        if (rnnat_phase_array(&model->nodes[n]) == index &&
            !rnnat_take_phase(model, n, values, 1, &phase))
            return RNNAT_ERROR_LENGTH;
    }
    memcpy(rnnat_pool_slot(pool, id) + pool->offsets[index], values, size_of_state(pool, index));
    return RNNAT_OK;
}

rnnat_status rnnat_pool_snapshot(const rnnat_pool *pool, int32_t id, void *bytes, size_t capacity,
                                 size_t *size)
{
    if (!pool || !size || (!bytes && capacity)) return RNNAT_ERROR_ARGUMENT;
    if (id != RNNAT_ALL_STREAMS && !rnnat_pool_has(pool, id)) return RNNAT_ERROR_ID;
    *size = rnnat_pool_snapshot_size(pool, id);
    if (capacity < *size) return RNNAT_ERROR_TOO_SMALL;
    rnnat_pool_write_snapshot(pool, id, bytes);
    return RNNAT_OK;
}

rnnat_status rnnat_pool_restore(rnnat_pool *pool, int32_t id, const void *bytes, size_t size)
{
    if (!pool || !bytes) return RNNAT_ERROR_ARGUMENT;
    if (id != RNNAT_ALL_STREAMS && !rnnat_pool_has(pool, id)) return RNNAT_ERROR_ID;
    return rnnat_pool_read_snapshot(pool, id, bytes, size);
}
#endif
