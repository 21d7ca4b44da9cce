/* Which cell the line of a recurrent layer means. */
#include <string.h>

#include "../text.h"
#include "cell.h"

#if RNNAT_READER
static const struct {
    const char *kind;
    const rnnat_cell *cell; /* NULL: this build has left it out */
} every_cell[] = {
#define RNNAT_CELL_ROW(word, name, part, other)                                                    \
    {#word, RNNAT_IF(part, RNNAT_IF(other, &rnnat_cell_##name))},
    RNNAT_CELLS(RNNAT_CELL_ROW)
#undef RNNAT_CELL_ROW
};

rnnat_status rnnat_cell_read(const char *pairs, const rnnat_keys *around,
                             rnnat_recurrent_options *layer, rnnat_message *message)
{
    rnnat_slice kind;
    rnnat_status status = RNNAT_ERROR_UNSUPPORTED;
    if (!rnnat_line_find(pairs, "cell", &kind))
        return RNNAT_SAY(message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("expected cell=, got none"));
    for (size_t i = 0, tried = 0; i < sizeof every_cell / sizeof *every_cell; ++i) {
        const rnnat_cell *const cell = every_cell[i].cell;
        if (!rnnat_text_is(kind.at, kind.size, every_cell[i].kind)) continue;
        rnnat_status read = RNNAT_ERROR_UNSUPPORTED;
        if (cell) {
            memset(layer, 0, sizeof *layer);
            layer->cell = cell;
            rnnat_message *const told = tried && status == RNNAT_ERROR_UNSUPPORTED ? NULL : message;
            rnnat_take_back(told);
            read = rnnat_line_read(pairs, around, layer, &cell->keys, &layer->own, told);
            if (read == RNNAT_OK) {
                rnnat_take_back(message);
                return RNNAT_OK;
            }
        }
        if (tried++ == 0 || read == RNNAT_ERROR_UNSUPPORTED) status = read;
    }
    return RNNAT_SAY(message, status, RNNAT_TEXT("cell="), RNNAT_PART(kind.at, kind.size),
                     RNNAT_TEXT(" is nothing that this library has"));
}
#endif
