/* The one function that reads files of the caller's. */
#include "../config.h"
#include "../message.h"
#include "rnn_native.h"

#if RNNAT_FILE_IO
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static rnnat_status read_all(FILE *file, char **bytes, size_t *size)
{
    if (fseek(file, 0, SEEK_END) != 0) return RNNAT_ERROR_IO;
    const long end = ftell(file);
    if (end < 0 || end == LONG_MAX || fseek(file, 0, SEEK_SET) != 0) return RNNAT_ERROR_IO;
    *size = (size_t)end;
    *bytes = malloc(*size ? *size : 1);
    if (!*bytes) return RNNAT_ERROR_NO_MEMORY;
    return fread(*bytes, 1, *size, file) == *size ? RNNAT_OK : RNNAT_ERROR_IO;
}

rnnat_status rnnat_model_load(const char *path, const rnnat_model_options *opt, rnnat_model **out)
{
    rnnat_message message = rnnat_message_of(opt);
    (void)message;
    if (!path || !out)
        return RNNAT_SAY(&message, RNNAT_ERROR_ARGUMENT,
                         RNNAT_TEXT("arguments: expected path, out, none of them NULL"));
    FILE *const file = fopen(path, "rb");
    if (!file)
        return RNNAT_SAY(&message, RNNAT_ERROR_IO, RNNAT_TEXT(path),
                         RNNAT_TEXT(": the file cannot be opened"));
    char *bytes = NULL;
    size_t size = 0;
    rnnat_status status = read_all(file, &bytes, &size);
    fclose(file);
    if (status == RNNAT_OK)
        status = rnnat_model_from_memory(bytes, size, opt, out);
    else
        (void)RNNAT_SAY(&message, status, RNNAT_TEXT(path),
                        RNNAT_TEXT(": the file cannot be read into memory"));
    free(bytes);
    return status;
}
#endif
