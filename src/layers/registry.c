/* Which layer runs the lines of a kind. */
#include "layers.h"

#if RNNAT_READER
const rnnat_layer *rnnat_layer_of(rnnat_layer_kind kind)
{
#define RNNAT_KIND(KIND, name)                                                                     \
    if (kind == KIND) return &rnnat_layer_##name;
    RNNAT_LAYERS(RNNAT_KIND)
#undef RNNAT_KIND
    return NULL;
}
#endif
