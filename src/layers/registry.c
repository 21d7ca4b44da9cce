/* Which layer a line of a file is for. */
#include <string.h>

#include "layers.h"

#if RNNAT_READER
static const struct {
    const char *kind;
    const rnnat_layer *layer;
} every_layer[] = {
#define RNNAT_LAYER_ROW(name) {#name, &rnnat_layer_##name},
    RNNAT_LAYERS(RNNAT_LAYER_ROW)
#undef RNNAT_LAYER_ROW
};

rnnat_status rnnat_layer_read(const char *line, const rnnat_layer **layer,
                              rnnat_layer_options *options, rnnat_message *message)
{
    rnnat_slice kind;
    const char *pairs;
    size_t i = 0;
    if (!rnnat_line_split(line, &kind, &pairs))
        return RNNAT_SAY(message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("expected a kind of layer"));
    while (!rnnat_text_is(kind.at, kind.size, every_layer[i].kind))
        if (++i == sizeof every_layer / sizeof *every_layer)
            return RNNAT_SAY(message, RNNAT_ERROR_FORMAT, RNNAT_PART(kind.at, kind.size),
                             RNNAT_TEXT(" is no kind of layer"));
    const rnnat_layer *const found = every_layer[i].layer;
    if (!found->build)
        return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED,
                         RNNAT_TEXT("this library was built without such layers"));
    memset(options, 0, sizeof *options);
    *layer = found;
    return found->read ? found->read(pairs, options, message)
                       : rnnat_line_read(pairs, &found->keys, options, NULL, NULL, message);
}
#endif
