/* A table: rows that are looked up and not multiplied, one after the other, each as it is stored. */
#ifndef RNNAT_TABLE_H
#define RNNAT_TABLE_H

#include <string.h>

#include "../arena.h"
#include "stored.h"

typedef struct rnnat_table {
    const void *rows; /* [rows, columns] */
#if RNNAT_WITH_NARROW
    rnnat_stored type; /* of their elements */
    const float *scales; /* of int8, one for each row */
#endif
} rnnat_table;

#if RNNAT_WITH_NARROW
/* Fills a table whose type is not the own one from a tensor of its shape. */
void rnnat_table_pack(const rnnat_table *table, const rnnat_tensor *tensor);
/* Writes one of its rows as floats: widened, exactly; of int8 times its scale, rounded once. */
void rnnat_table_widen(const rnnat_table *table, size_t row, size_t columns, float *to);
#endif

/* Takes memory for a table [rows, columns] where matrices are stored as `type`: its elements are the same,
 * however these are multiplied. Its rows are NULL while the arena only counts. */
static inline rnnat_table rnnat_table_take(rnnat_arena *arena, const rnnat_kernels *kernels,
                                           size_t rows, size_t columns, rnnat_stored type)
{
    rnnat_table table = {0};
#if RNNAT_WITH_NARROW
    table.type = rnnat_stored_is_int8(type)      ? RNNAT_STORED_INT8
                 : type == RNNAT_STORED_BF16_DOT ? RNNAT_STORED_BF16
                                                 : type;
    if (rnnat_stored_is_int8(type)) table.scales = rnnat_arena_take(arena, rows, sizeof(float));
#endif
    table.rows = rnnat_arena_take(arena, rows * columns, rnnat_stored_size(type, kernels));
    return table;
}

/* Whether its rows are as they are computed with. */
static inline bool rnnat_table_is_own(const rnnat_table *table)
{
#if RNNAT_WITH_NARROW
    return table->type == RNNAT_STORED_OWN;
#else
    return (void)table, true;
#endif
}

/* Writes one of its rows as it is computed with. */
static inline void rnnat_table_copy(const rnnat_table *table, const rnnat_kernels *kernels,
                                    size_t row, size_t columns, void *to)
{
#if RNNAT_WITH_NARROW
    if (!rnnat_table_is_own(table)) {
        rnnat_table_widen(table, row, columns, to);
        return;
    }
#endif
    const size_t bytes = columns * (size_t)kernels->elem;
    memcpy(to, (const char *)table->rows + row * bytes, bytes);
}

#endif
