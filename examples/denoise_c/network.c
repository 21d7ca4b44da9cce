/* Loads a trained network from a file, and makes the one stream of it. */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complain.h"

/* All of a file, to be freed; NULL where it cannot be read. */
static void *bytes_of(const char *path, size_t *size)
{
    FILE *const file = fopen(path, "rb");
    long length = -1;
    if (file && getc(file) != EOF && fseek(file, 0, SEEK_END) == 0) length = ftell(file);
    void *bytes = NULL;
    if (length > 0 && fseek(file, 0, SEEK_SET) == 0) {
        *size = (size_t)length;
        bytes = malloc(*size);
        if (bytes && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file) fclose(file);
    return bytes;
}

/* Says why a network cannot be run; `text`: what the library says of it, or "". */
static bool well(const char *path, rnnat_status status, const char *text)
{
    return status == RNNAT_OK ||
           complain(path, "cannot be run, %s %s", rnnat_status_name(status), text);
}

static bool memory_for(const char *path, size_t size, void **memory)
{
    *memory = malloc(size);
    return *memory || complain(path, "expected %zu bytes of free memory", size);
}

/* A device would do the same with the file in its flash and two static arrays. */
static bool build(network *n, const char *path, const void *bytes, size_t size, int features)
{
    rnnat_model *model = NULL;
    rnnat_model_info info = {.struct_size = sizeof info};
    char text[512] = "";
    const rnnat_model_options options = {
        .struct_size = sizeof options, .message = text, .message_size = sizeof text};
    if (!well(path, rnnat_model_size(bytes, size, &options, &n->model_size), text) ||
        !memory_for(path, n->model_size, &n->model_memory) ||
        !well(path, rnnat_model_init(n->model_memory, n->model_size, bytes, size, &options, &model),
              text) ||
        !well(path, rnnat_model_describe(model, &info), ""))
        return false;
    if (info.takes_indices || !info.return_sequences || info.input_size != features ||
        info.output_size != features)
        return complain(path,
                        "expected a network of %d features and as many gains a step, got %d%s"
                        " and %d%s",
                        features, (int)info.input_size, info.takes_indices ? " indices" : "",
                        (int)info.output_size, info.return_sequences ? "" : " at the end alone");
    return well(path, rnnat_stream_size(model, 1, 1, &n->stream_size), "") &&
           memory_for(path, n->stream_size, &n->stream_memory) &&
           well(path, rnnat_stream_init(n->stream_memory, n->stream_size, model, 1, 1, &n->stream),
                "");
}

bool network_open(network *n, const char *path, int features)
{
    memset(n, 0, sizeof *n);
    size_t size = 0;
    void *const bytes = bytes_of(path, &size);
    if (!bytes) return complain(path, "cannot be read");
    const bool built = build(n, path, bytes, size, features);
    free(bytes); /* the model has what it needs */
    return built;
}

void network_close(network *n)
{
    free(n->stream_memory);
    free(n->model_memory);
}
