/* A pool: many streams of one model, each with a state of its own, and what some of them step together with.
 *
 * A stream's state lies in a slot: its state arrays for one row, dense, one behind the other. A call takes
 * rows in blocks; a lane copies a block's states into a stream of as many rows, runs that, and copies them
 * back. So it is the same whatever slots a block's rows have, and a slot is what a snapshot holds. */
#ifndef RNNAT_STREAM_POOL_H
#define RNNAT_STREAM_POOL_H

#include "stream.h"

/* Rows of a block at most: enough that weights pass through the cache seldom, and few enough that their
 * states stay in it. */
enum { RNNAT_POOL_BLOCK = 128 };

/* Who runs blocks: a team of threads, with a stream that is laid out for as many rows as a block has. */
typedef struct rnnat_pool_lane {
    rnnat_barrier *barrier; /* of its team */
    char *memory; /* of the stream */
    char *stage; /* x and y of a block whose rows lie apart */
    int32_t *made; /* [outputs] steps of the block that are there already */
    rnnat_stream *stream; /* NULL: none is laid out yet */
    int32_t rows; /* those of it */
} rnnat_pool_lane;

struct rnnat_pool {
    const rnnat_model *model;
    int32_t capacity, num_open;
    int32_t
        used; /* slots that were ever open: 0 .. used - 1, so that nobody touches the others before */
    int32_t num_closed; /* of those, how many are not open now */
    int32_t max_threads, num_threads;
    bool has_phases; /* streams may be at different steps of the model's strides */
    uint32_t call; /* number of the last call that stepped */
    int32_t block_rows; /* rows of a block, at most */
    size_t state_size; /* bytes of a stream's state */
    size_t stride; /* bytes from one slot to the next */
    size_t *offsets; /* [states] bytes before each array of a slot */
    const void **arrays; /* [states] where they are of the stream that is looked at */
    char *initial; /* the state before the first step */
    char *spare; /* room for the state of one more stream */
    char *slots; /* [capacity] */
    uint32_t *marks; /* [capacity] number of the call that named a stream last; 0: it is closed */
    int32_t *closed; /* [num_closed] slots to open next, the last one first */
    int32_t *order; /* [capacity] rows of a call in the order in which they run */
    int32_t *cuts; /* [capacity + 1] where blocks begin in it */
    int32_t *ids; /* [capacity] whose rows these are, as the caller has them, then in that order */
    rnnat_barrier *barriers; /* [max_threads, rnnat_team_barriers] of the lanes' teams */
    rnnat_pool_lane *lanes; /* [max_threads] */
    void *heap; /* what rnnat_pool_free frees, or NULL */
};

/* Lays a pool out in the arena; returns NULL while that only counts. */
rnnat_pool *rnnat_pool_carve(rnnat_arena *arena, const rnnat_model *model, int32_t capacity,
                             int32_t max_threads);

/* Steps that are run at once of a block of so many rows, at most. */
int32_t rnnat_pool_steps(const rnnat_model *model, int32_t rows);

/* Bytes of one step and row of a value. */
static inline size_t rnnat_pool_width(const rnnat_model *model, int32_t value)
{
    const rnnat_value *const of = &model->values[value];
    return of->known ? sizeof(int32_t) : (size_t)of->features * (size_t)model->kernels->elem;
}
static inline char *rnnat_pool_slot(const rnnat_pool *pool, int32_t id)
{
    return pool->slots + (size_t)id * pool->stride;
}
static inline bool rnnat_pool_has(const rnnat_pool *pool, int32_t id)
{
    return id >= 0 && id < pool->used && pool->marks[id];
}
/* Bytes that one stream more adds to a pool's memory. */
static inline size_t rnnat_pool_bytes_per_stream(const rnnat_pool *pool)
{
    return pool->stride + sizeof *pool->marks + sizeof *pool->closed + sizeof *pool->order +
           sizeof *pool->cuts + sizeof *pool->ids;
}
/* Points pool->arrays at the arrays of a stream's state, or of one that lies elsewhere in the same form. */
const void *const *rnnat_pool_look(const rnnat_pool *pool, const char *state);
/* Opens slot `id`, which is closed and which the pool counts as used; closes it, and wipes it. */
void rnnat_pool_begin(rnnat_pool *pool, int32_t id);
void rnnat_pool_end(rnnat_pool *pool, int32_t id);

/* What one call runs, checked, of the streams in pool->ids. */
typedef struct rnnat_pool_call {
    rnnat_pool *pool;
    int32_t rows;
    const int32_t *steps; /* [rows]; NULL: one each, and */
    const void *const
        *inputs; /* [inputs] arrays of all rows, one behind the other; else [rows, inputs] */
    void *const *outputs; /* likewise */
    bool sorted; /* rows run in another order than the caller's */
    int32_t blocks, lanes, team_size;
    double work; /* multiplications of all rows and steps */
} rnnat_pool_call;

/* Runs it. */
void rnnat_pool_go(rnnat_pool_call *call);

#endif
