/* What stands before weights that lie apart from their model, so that no others are taken for them. */
#ifndef RNNAT_STAMP_H
#define RNNAT_STAMP_H

#include <string.h>

#include "../identity.h"
#include "builder.h"

/* How weights are packed: a change of it counts this up. */
enum { RNNAT_PACKED_LAYOUT = 1 };

/* Everything that their bytes depend on, but the numbers of the arrays. The byte order and the size of
 * its members are those of the machine. */
typedef struct rnnat_stamp {
    char magic[8];
    uint64_t layout;
    uint16_t lanes, elem, type, blas;
    uint64_t size; /* bytes, the stamp included */
    /* A hash of the file's header: its lines, and the names and shapes of its arrays. */
    uint64_t header;
    uint64_t identity; /* of the model, which is of the arrays' numbers, too */
} rnnat_stamp;

#if RNNAT_WITH_SHARING
/* That of what was built; the identity is right where the weights were packed. */
static inline rnnat_stamp rnnat_stamp_of(const rnnat_builder *build, const rnnat_model *model)
{
    const rnnat_safetensors *const file = build->file;
    rnnat_stamp stamp = {.layout = RNNAT_PACKED_LAYOUT,
                         .lanes = (uint16_t)build->kernels->lanes,
                         .elem = (uint16_t)build->kernels->elem,
                         .type = (uint16_t)build->type,
                         .blas = build->blas,
                         .size = build->weights.used,
                         .header = rnnat_identity_of_bytes(0, file->header, file->header_size),
                         .identity = model->identity};
    memcpy(stamp.magic, "rnnatwts", sizeof stamp.magic);
    return stamp;
}

/* Whether what stands before some weights is this one, but for the identity, which takes them over. */
static inline bool rnnat_stamp_matches(rnnat_stamp *stamp, const void *weights)
{
    rnnat_stamp there;
    memcpy(&there, weights, sizeof there);
    stamp->identity = there.identity;
    return memcmp(&there, stamp, sizeof there) == 0;
}
#endif

#endif
