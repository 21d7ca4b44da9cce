/* An embedding: rows of a table by index. */
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const rnnat_key embedding_keys[] = {
    RNNAT_SIZE_KEY(rnnat_embedding_options, num_embeddings),
    RNNAT_SIZE_KEY(rnnat_embedding_options, embedding_dim),
};

static int32_t takes_embedding(const void *options)
{
    const rnnat_embedding_options *const line = options;
    return line->num_embeddings;
}

static rnnat_status build_embedding(rnnat_graph *graph, const void *options)
{
    const rnnat_embedding_options *const line = options;
    rnnat_builder *const build = graph->build;
    rnnat_tensor tensor;
    rnnat_status status =
        rnnat_build_tensor(build, "weight", line->num_embeddings, line->embedding_dim, &tensor);
    if (status != RNNAT_OK) return status;
    const size_t count = (size_t)line->num_embeddings * (size_t)line->embedding_dim;
    void *const table = rnnat_arena_take(&build->arena, count, (size_t)build->kernels->elem);
    build->num_parameters += count;
    if (table) rnnat_build_read(build, &tensor, 0, count, table);
    const rnnat_embedding data = {
        .known = line->num_embeddings, .features = line->embedding_dim, .table = table};
    rnnat_graph_add_one(graph, &rnnat_layer_embedding, &data, sizeof data, data.features);
    return RNNAT_OK;
}
#endif

static bool run_embedding(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_embedding *const embedding = task->node->data;
    const rnnat_kernels *const kernels = task->kernels;
    const size_t bytes = (size_t)embedding->features * (size_t)kernels->elem;
    const rnnat_view in = *chunk->in[0];
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step) {
        for (int32_t row = 0; row < task->rows; ++row) {
            if (chunk->lengths && chunk->first + step >= chunk->lengths[row]) continue;
            int32_t index;
            memcpy(&index, in.base + (step * in.time + row * in.row) * (ptrdiff_t)sizeof index,
                   sizeof index);
            /* It was checked, but may have changed: no index reads what is not the table's. */
            const size_t known = (uint32_t)index < (uint32_t)embedding->known ? (size_t)index : 0;
            memcpy(rnnat_view_at(kernels, *chunk->out, step, row),
                   (const char *)embedding->table + known * bytes, bytes);
        }
    }
    return true;
}

#if RNNAT_INSPECT
static rnnat_status unpack_embedding(const rnnat_node *node, const rnnat_kernels *kernels,
                                     int32_t pass, const char *name, void *rows)
{
    const rnnat_embedding *const embedding = node->data;
    (void)pass;
    if (!rnnat_text_is(name, rnnat_text_size(name), "weight")) return RNNAT_ERROR_ARGUMENT;
    memcpy(rows, embedding->table,
           (size_t)embedding->known * (size_t)embedding->features * (size_t)kernels->elem);
    return RNNAT_OK;
}

static void tell_embedding(const rnnat_node *node, const rnnat_kernels *kernels,
                           const rnnat_teller *teller)
{
    const rnnat_embedding *const embedding = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_embedding");
    teller->number(teller->arg, "known", embedding->known);
    teller->number(teller->arg, "features", embedding->features);
    rnnat_tell_array(teller, "table", embedding->table,
                     (size_t)embedding->known * (size_t)embedding->features);
}
#endif

const rnnat_layer rnnat_layer_embedding = {
    .name = "rnnat_layer_embedding",
    .takes_indices = true,
    .keys = RNNAT_LAYER_KEYS(embedding_keys, rnnat_embedding_options),
    .takes = RNNAT_IF_READER(takes_embedding),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_embedding),
    .run = run_embedding,
    .training = RNNAT_IF_TRAIN(&rnnat_embedding_training),
    .unpack = RNNAT_IF_INSPECT(unpack_embedding),
    .tell = RNNAT_IF_INSPECT(tell_embedding)};
