/* The rows of a table: packed, and widened one at a time. */
#include "table.h"

#include "int8_rows.h"

#if RNNAT_WITH_NARROW
#if RNNAT_READER
/* Elements that can be read at once of those that are left. */
static size_t piece_left(size_t left)
{
    return left < rnnat_read_at_once ? left : (size_t)rnnat_read_at_once;
}

#if RNNAT_WITH_INT8
static void fill_int8_table(const rnnat_table *table, const rnnat_tensor *tensor)
{
    const size_t rows = (size_t)tensor->dims[0], columns = (size_t)tensor->dims[1];
    int8_t *to = RNNAT_WRITABLE(table->rows);
    float *const scales = RNNAT_WRITABLE(table->scales);
    for (size_t row = 0; row < rows; ++row) {
        const rnnat_int8_row packed = rnnat_int8_row_of(tensor, row * columns, columns);
        scales[row] = packed.scale;
        for (size_t first = 0; first < columns; first += rnnat_read_at_once) {
            float values[rnnat_read_at_once];
            const size_t count = piece_left(columns - first);
            rnnat_tensor_read_f32(tensor, row * columns + first, count, values);
            for (size_t i = 0; i < count; ++i) *to++ = rnnat_int8_of(&packed, values[i]);
        }
    }
}
#endif

void rnnat_table_pack(const rnnat_table *table, const rnnat_tensor *tensor)
{
#if RNNAT_WITH_INT8
    if (rnnat_stored_is_int8(table->type)) {
        fill_int8_table(table, tensor);
        return;
    }
#endif
    const size_t size = (size_t)(tensor->dims[0] * tensor->dims[1]);
    uint16_t *const to = RNNAT_WRITABLE(table->rows);
    for (size_t first = 0; first < size; first += rnnat_read_at_once) {
        double values[rnnat_read_at_once];
        const size_t count = piece_left(size - first);
        rnnat_read_exactly(tensor, first, count, values);
        for (size_t i = 0; i < count; ++i) to[first + i] = rnnat_narrowed(table->type, values[i]);
    }
}
#endif

/* A loop for each type, of which compilers make vectors. */
void rnnat_table_widen(const rnnat_table *table, size_t row, size_t columns, float *to)
{
    float *restrict const wide = to;
#if RNNAT_WITH_INT8
    if (table->type == RNNAT_STORED_INT8) {
        const int8_t *restrict const from = (const int8_t *)table->rows + row * columns;
        const float scale = table->scales[row];
        for (size_t i = 0; i < columns; ++i) wide[i] = (float)((float)from[i] * scale);
    }
#endif
#if RNNAT_WITH_FLOAT16 || RNNAT_WITH_BFLOAT16
    const uint16_t *restrict const from = (const uint16_t *)table->rows + row * columns;
#define WIDEN(code, ending, name, most, stored, with)                                              \
    if (with && table->type == (rnnat_stored)code)                                                 \
        for (size_t i = 0; i < columns; ++i) wide[i] = rnnat_##ending##_widen(from[i]);
    RNNAT_EACH_WEIGHT_TYPE(WIDEN)
#undef WIDEN
#endif
}
#endif
