/* Snapshots of pools, written and read. In the byte order of the machine, which the head tells:
 *
 *   head                        see below
 *   int32 [count]               ids, ascending; 8 bytes are full
 *   [count, state_size] bytes   state arrays of each, one behind the other, dense, a batch of one
 */
#include "stream_pool_snapshot.h"

#include <string.h>

#include "../identity.h"
#include "history.h"

#if RNNAT_WITH_POOL

static const char pool_magic[8] = {'r', 'n', 'n', 'a', 't', 'p', 'o', 'l'};
enum { pool_version = 1, pool_byte_order = 0x01020304 };

typedef struct snapshot_head {
    char magic[8];
    uint32_t byte_order, version;
    uint64_t identity; /* of the model */
    uint64_t state_size;
    uint32_t count; /* of streams */
    uint32_t has_all; /* 1: it is of a pool, 0: of one stream */
    uint64_t check; /* of all else */
} snapshot_head;

/* A hash of the head, but for that of itself, and of what follows. */
static uint64_t check_of(snapshot_head head, const char *behind, size_t size)
{
    head.check = 0;
    return rnnat_identity_of_bytes(rnnat_identity_of_bytes(0, &head, sizeof head), behind, size);
}

static size_t size_of_ids(size_t count) { return (count * sizeof(int32_t) + 7) / 8 * 8; }

static size_t size_of(const rnnat_pool *pool, size_t count)
{
    return sizeof(snapshot_head) + size_of_ids(count) + count * pool->state_size;
}

size_t rnnat_pool_snapshot_size(const rnnat_pool *pool, int32_t id)
{
    return size_of(pool, id == RNNAT_ALL_STREAMS ? (size_t)pool->num_open : 1);
}

void rnnat_pool_write_snapshot(const rnnat_pool *pool, int32_t id, void *bytes)
{
    const bool has_all = id == RNNAT_ALL_STREAMS;
    const size_t count = has_all ? (size_t)pool->num_open : 1, size = size_of(pool, count);
    char *const ids = (char *)bytes + sizeof(snapshot_head);
    char *states = ids + size_of_ids(count);
    size_t written = 0;
    memset(bytes, 0, sizeof(snapshot_head) + size_of_ids(count));
    for (int32_t i = has_all ? 0 : id; i < (has_all ? pool->used : id + 1); ++i) {
        if (!pool->marks[i]) continue;
        memcpy(ids + written++ * sizeof i, &i, sizeof i);
        memcpy(states, rnnat_pool_slot(pool, i), pool->state_size);
        states += pool->state_size;
    }
    snapshot_head head = {.byte_order = pool_byte_order,
                          .version = pool_version,
                          .identity = pool->model->identity,
                          .state_size = pool->state_size,
                          .count = (uint32_t)count,
                          .has_all = has_all};
    memcpy(head.magic, pool_magic, sizeof pool_magic);
    head.check = check_of(head, ids, size - sizeof head);
    memcpy(bytes, &head, sizeof head);
}

/* Looks at what the head says. */
static rnnat_status check_head(const rnnat_pool *pool, const snapshot_head *head, bool all,
                               const char *behind, size_t size)
{
    if (memcmp(head->magic, pool_magic, sizeof pool_magic) != 0) return RNNAT_ERROR_FORMAT;
    if (head->byte_order != pool_byte_order || head->version != pool_version)
        return RNNAT_ERROR_UNSUPPORTED;
    if (head->identity != pool->model->identity || head->state_size != pool->state_size)
        return RNNAT_ERROR_MODEL;
    if (head->has_all > 1 || (!head->has_all && head->count != 1)) return RNNAT_ERROR_FORMAT;
    if ((head->has_all != 0) != all) return RNNAT_ERROR_SHAPE;
    const size_t each = pool->state_size + sizeof(int32_t), left = size - sizeof *head;
    if (head->count > left / each || size_of(pool, head->count) != size) return RNNAT_ERROR_FORMAT;
    return check_of(*head, behind, left) == head->check ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

/* Takes stream `index` out of a snapshot of so many; returns its id. */
static int32_t take_stream(const rnnat_pool *pool, const char *ids, size_t count, size_t index,
                           const char **state)
{
    int32_t id;
    memcpy(&id, ids + index * sizeof id, sizeof id);
    *state = ids + size_of_ids(count) + index * pool->state_size;
    return id;
}

/* Whether windows have phases in it that go together. A snapshot's numbers may lie at any address. */
static bool state_agrees(const rnnat_pool *pool, const char *state)
{
#if RNNAT_WITH_WINDOWS
    if (!RNNAT_HAS_WINDOWS(pool->model)) return true;
    memcpy(pool->spare, state, pool->state_size);
    return rnnat_take_phases(pool->model, rnnat_pool_look(pool, pool->spare), 1, NULL);
#else
    (void)pool, (void)state;
    return true;
#endif
}

rnnat_status rnnat_pool_read_snapshot(rnnat_pool *pool, int32_t id, const void *bytes, size_t size)
{
    snapshot_head head;
    const char *const ids = (const char *)bytes + sizeof head, *state;
    if (size < sizeof head) return RNNAT_ERROR_FORMAT;
    memcpy(&head, bytes, sizeof head);
    const bool all = id == RNNAT_ALL_STREAMS;
    const rnnat_status status = check_head(pool, &head, all, ids, size);
    if (status != RNNAT_OK) return status;
    for (size_t i = 0, count = head.count; i < count; ++i) {
        const int32_t own = take_stream(pool, ids, count, i, &state);
        const int32_t before = i ? take_stream(pool, ids, count, i - 1, &state) : -1;
        if (own <= before) return RNNAT_ERROR_FORMAT;
        if (all && own >= pool->capacity) return RNNAT_ERROR_FULL;
        take_stream(pool, ids, count, i, &state);
        if (!state_agrees(pool, state)) return RNNAT_ERROR_FORMAT;
    }
    if (!all) {
        take_stream(pool, ids, 1, 0, &state);
        memcpy(rnnat_pool_slot(pool, id), state, pool->state_size);
        return RNNAT_OK;
    }
    for (int32_t i = 0; i < pool->used; ++i)
        if (pool->marks[i]) rnnat_pool_end(pool, i);
    pool->used = pool->num_closed = 0;
    for (size_t i = 0; i < head.count; ++i) {
        const int32_t own = take_stream(pool, ids, head.count, i, &state);
        while (pool->used < own) {
            pool->marks[pool->used] = 0;
            pool->closed[pool->num_closed++] = pool->used++;
        }
        rnnat_pool_begin(pool, pool->used++);
        memcpy(rnnat_pool_slot(pool, own), state, pool->state_size);
    }
    return RNNAT_OK;
}
#endif
