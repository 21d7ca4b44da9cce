/* libFuzzer entry: any bytes as a safetensors file. What opens must tile its data, find every
 * tensor again by its name, and read without leaving the bytes (the sanitizers watch). */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/layer_line.h"
#include "file/safetensors.h"
#include "test_layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void read_tensors(const rnnat_safetensors *st)
{
    enum { COUNT = 64 };
    float f[COUNT];
    double d[COUNT];
    char name[256];
    size_t total = 0;
    for (int32_t i = 0; i < st->num_tensors; ++i) {
        rnnat_tensor t;
        rnnat_tensor found;
        require(rnnat_safetensors_at(st, i, NULL, 0, &t) == RNNAT_OK);
        require(t.rank >= 0 && t.rank <= RNNAT_TENSOR_MAX_RANK);
        require(t.data >= st->data && t.bytes <= st->data_size - (size_t)(t.data - st->data));
        total += t.bytes;
        for (size_t first = 0; first <= t.bytes; first += COUNT) {
            rnnat_tensor_read_f32(&t, first, COUNT, f);
            rnnat_tensor_read_f64(&t, first, COUNT, d);
        }
        if (rnnat_safetensors_at(st, i, name, sizeof name, &t) == RNNAT_OK) {
            require(rnnat_safetensors_tensor(st, name, &found) == RNNAT_OK);
            require(found.data == t.data && found.bytes == t.bytes && found.type == t.type);
        }
    }
    require(total == st->data_size);
}

static void read_metadata(const rnnat_safetensors *st)
{
    static const char *const keys[] = {"", "format", "rnn_native.version", "rnn_native.layers"};
    char value[768];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        const rnnat_status status = rnnat_safetensors_metadata(st, keys[i], value, sizeof value);
        require(status != RNNAT_OK || strlen(value) < sizeof value);
    }
    for (int i = 0; i < 4; ++i) {
        char key[32];
        test_layer layer;
        (void)snprintf(key, sizeof key, "rnn_native.layer.%d", i);
        if (rnnat_safetensors_metadata(st, key, value, sizeof value) == RNNAT_OK &&
            test_layer_read(value, &layer) == RNNAT_OK) {
            const int32_t inputs = layer.kind == TEST_MERGE ? 2 : 1;
            if (layer.kind == TEST_COMBINE || layer.kind == TEST_ELEMENTWISE ||
                layer.kind == TEST_POOL || layer.kind == TEST_CONV || layer.kind == TEST_STRIDED ||
                layer.kind == TEST_UPSAMPLE)
                continue; /* no sizes, or products, which are checked when it is built */
            require(layer.input_size >= 1 && layer.input_size <= inputs * RNNAT_LAYER_MAX_SIZE);
            require(layer.output_size >= 1 && layer.output_size <= RNNAT_LAYER_MAX_SIZE);
            require(layer.proj_size >= 0 && layer.proj_size < layer.output_size);
            for (int d = 0; d < 2; ++d) {
                require(layer.functions[d].clip >= 0 && isfinite(layer.functions[d].clip));
                for (int k = 0; k < RNNAT_FUNCTIONS; ++k) {
                    require(isfinite(layer.functions[d].of[k].alpha));
                    require(isfinite(layer.functions[d].of[k].beta));
                }
            }
        }
    }
}

static void open_and_read(const uint8_t *bytes, size_t size)
{
    rnnat_safetensors st;
    const size_t room = size % 99;
    char *const text = malloc(room + 1); /* of which the message may have all but the last byte */
    require(text != NULL);
    text[room] = 'x';
    rnnat_message message = {text, room, 0};
    const rnnat_status opened = rnnat_safetensors_open(bytes, size, &message, &st);
    require(text[room] == 'x' && (opened == RNNAT_OK ? message.used == 0 : message.used <= room));
    require(message.used == 0 || text[message.used] == '\0');
    free(text);
    if (opened == RNNAT_OK) {
        read_tensors(&st);
        read_metadata(&st);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    open_and_read(bytes, size);

    /* Again with the length that the header seems to have, up to the last brace: a change of the
     * header's length alone would otherwise hide everything behind it. */
    size_t end = size;
    while (end > 8 && bytes[end - 1] != '}') {
        --end;
    }
    if (end <= 8) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    require(copy != NULL);
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < 8; ++i) {
        copy[i] = (uint8_t)((uint64_t)(end - 8) >> (8 * i));
    }
    open_and_read(copy, size);
    free(copy);
    return 0;
}
