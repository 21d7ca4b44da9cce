/* What a file's __metadata__ says of a model (docs/file-format.md), and how faults in it are
 * told. */
#ifndef RNNAT_OUTLINE_H
#define RNNAT_OUTLINE_H

#include "../layers/layer.h"
#include "builder.h"

enum { RNNAT_ENTRY_SIZE = 1024 }; /* of an entry, its NUL included */

/* What a file says of its whole model. */
typedef struct rnnat_outline {
    int32_t layers, inputs, outputs;
    bool is_graph; /* lines say what they read; else each layer reads the one before */
} rnnat_outline;

#if RNNAT_READER
/* Copies an entry to text [RNNAT_ENTRY_SIZE]. FORMAT: it is not there, or too long. */
rnnat_status rnnat_entry_read(const rnnat_builder *build, const char *key, char *text);
/* Reads what it says of the whole model. */
rnnat_status rnnat_outline_read(const rnnat_builder *build, rnnat_outline *of);
/* Reads the line of a layer to text [RNNAT_ENTRY_SIZE]; `reads`: what stands behind " inputs=", or
 * "". */
rnnat_status rnnat_outline_layer(const rnnat_builder *build, const rnnat_outline *of, int32_t index,
                                 char *text, const rnnat_layer **layer,
                                 rnnat_layer_options *options, const char **reads);

#if RNNAT_WITH_MESSAGES
/* Says that an entry is not what was expected; gives the status. */
rnnat_status rnnat_entry_wrong(const rnnat_builder *build, rnnat_status status, const char *key,
                               const char *text, const char *expected);
/* Says in which layer's line a fault is; gives the status. */
rnnat_status rnnat_blame_line(const rnnat_builder *build, rnnat_status status, int32_t index,
                              const char *line);
#else
#define rnnat_entry_wrong(build, status, key, text, expected) (status)
#define rnnat_blame_line(build, status, index, line) (status)
#endif
#endif

#endif
