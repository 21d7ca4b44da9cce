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

static void pack_table(const rnnat_builder *build, const rnnat_tensor *tensor, size_t size,
                       const rnnat_table *table)
{
#if RNNAT_WITH_NARROW
    if (!rnnat_table_is_own(table)) {
        rnnat_table_pack(table, tensor);
        return;
    }
#endif
    rnnat_build_read(build, tensor, 0, size, RNNAT_WRITABLE(table->rows));
}

static rnnat_status build_embedding(rnnat_graph *graph, const void *options)
{
    const rnnat_embedding_options *const line = options;
    rnnat_builder *const build = graph->build;
    rnnat_tensor tensor;
    rnnat_status status =
        rnnat_build_tensor(build, "weight", line->num_embeddings, line->embedding_dim, &tensor);
    if (status != RNNAT_OK) return status;
    const size_t rows = (size_t)line->num_embeddings, columns = (size_t)line->embedding_dim;
    const rnnat_table table =
        rnnat_table_take(rnnat_build_weights(build), build->kernels, rows, columns, build->type);
    build->num_parameters += rows * columns;
    if (!rnnat_build_is_packed(build)) {
        if (!table.rows && !rnnat_tensor_fits(build->type, &tensor))
            return rnnat_build_unfit(build, "weight");
        if (table.rows) pack_table(build, &tensor, rows * columns, &table);
    }
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
            rnnat_table_copy(&embedding->table, kernels, known, (size_t)embedding->features,
                             rnnat_view_at(kernels, *chunk->out, step, row));
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
    const size_t columns = (size_t)embedding->features;
    for (size_t row = 0; row < (size_t)embedding->known; ++row)
        rnnat_table_copy(&embedding->table, kernels, row, columns,
                         (char *)rows + row * columns * (size_t)kernels->elem);
    return RNNAT_OK;
}

static void tell_table(const rnnat_teller *teller, const rnnat_table *table, size_t rows,
                       size_t columns)
{
    teller->begin(teller->arg, "table");
#if RNNAT_WITH_NARROW
    if (!rnnat_table_is_own(table)) teller->number(teller->arg, "type", (int64_t)table->type);
    rnnat_tell_stored(teller, "rows", table->rows, rows * columns, table->type);
    rnnat_tell_array(teller, "scales", table->scales, rows);
#else
    rnnat_tell_array(teller, "rows", table->rows, rows * columns);
#endif
    teller->end(teller->arg);
}

static void tell_embedding(const rnnat_node *node, const rnnat_kernels *kernels,
                           const rnnat_teller *teller)
{
    const rnnat_embedding *const embedding = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_embedding");
    teller->number(teller->arg, "known", embedding->known);
    teller->number(teller->arg, "features", embedding->features);
    tell_table(teller, &embedding->table, (size_t)embedding->known, (size_t)embedding->features);
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
