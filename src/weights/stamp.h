/* What stands before weights that lie apart from their model, so that no others are taken for them. */
#ifndef RNNAT_STAMP_H
#define RNNAT_STAMP_H

#include <string.h>

#include "../cells/cell.h"

/* How weights are packed: a change of it counts this up. */
enum { RNNAT_PACKED_LAYOUT = 1 };

/* Everything that their bytes depend on, but the numbers of the arrays. The byte order and the size of
 * its members are those of the machine. */
typedef struct rnnat_stamp {
    char magic[8];
    uint64_t layout;
    uint16_t lanes, elem, type, blas;
    uint64_t size; /* bytes, the stamp included */
    uint64_t header; /* a sum of the file's header: its lines, and names and shapes of its arrays */
} rnnat_stamp;

#if RNNAT_WITH_SHARING
/* FNV-1a. */
static inline uint64_t rnnat_sum_of(const unsigned char *text, size_t size)
{
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; ++i) sum = (sum ^ text[i]) * 0x100000001B3u;
    return sum;
}

/* That of what was built. */
static inline rnnat_stamp rnnat_stamp_of(const rnnat_builder *build)
{
    rnnat_stamp stamp = {.layout = RNNAT_PACKED_LAYOUT,
                         .lanes = (uint16_t)build->kernels->lanes,
                         .elem = (uint16_t)build->kernels->elem,
                         .type = (uint16_t)build->type,
                         .blas = build->blas,
                         .size = build->weights.used,
                         .header = rnnat_sum_of(build->file->header, build->file->header_size)};
    memcpy(stamp.magic, "rnnatwts", sizeof stamp.magic);
    return stamp;
}
#endif

#endif
