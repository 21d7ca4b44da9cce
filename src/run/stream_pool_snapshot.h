/* Snapshots: what streams of a pool have become, as bytes that another process goes on from. */
#ifndef RNNAT_STREAM_POOL_SNAPSHOT_H
#define RNNAT_STREAM_POOL_SNAPSHOT_H

#include "stream_pool.h"

/* Every stream of the pool, in the place of one. */
enum { RNNAT_ALL_STREAMS = -1 };

/* Bytes of a snapshot of stream `id`. */
size_t rnnat_pool_snapshot_size(const rnnat_pool *pool, int32_t id);
void rnnat_pool_write_snapshot(const rnnat_pool *pool, int32_t id, void *bytes);
/* Checks everything that a snapshot says, then takes the state of one stream out of it, or, where it has all,
 * has those open that it has and no others. */
rnnat_status rnnat_pool_read_snapshot(rnnat_pool *pool, int32_t id, const void *bytes, size_t size);

#endif
