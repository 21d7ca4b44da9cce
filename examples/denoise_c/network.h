/* A trained network from a .safetensors file, in memory that is taken once. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "rnn_native.h"

typedef struct network {
    rnnat_stream *stream; /* of one row and one step at a time */
    void *model_memory, *stream_memory;
    size_t model_size, stream_size; /* bytes */
} network;

/* A network that takes and gives `features` numbers a step. Complains and is false where the file
 * has no such network; network_close is due in either case. */
bool network_open(network *n, const char *path, int features);
void network_close(network *n);

#endif /* NETWORK_H */
