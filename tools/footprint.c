/* Prints the bytes of a model and of a stream of it, one row and one step at a time, as the library
 * states them: for a GRU of 256 units on 256 features, as g2p_en's encoder is, then for one of 16 on
 * 16. For tools/size_table.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rnn_native.h"

/* A safetensors file of such a GRU, its weights zero. */
static char *make_file(int units, size_t *size)
{
    const long weight = 3L * units * units * 4, bias = 3L * units * 4;
    char text[1024];
    const int length = snprintf(
        text, sizeof text,
        "{\"__metadata__\":{\"rnn_native.version\":\"1\",\"rnn_native.layers\":\"1\","
        "\"rnn_native.layer.0\":\"recurrent cell=gru input_size=%d hidden_size=%d num_layers=1 "
        "direction=forward bias=true reset_after=true\"},"
        "\"0.weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%ld]},"
        "\"0.weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%ld,%ld]},"
        "\"0.bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%ld,%ld]},"
        "\"0.bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%ld,%ld]}}",
        units, units, 3 * units, units, weight, 3 * units, units, weight, 2 * weight, 3 * units,
        2 * weight, 2 * weight + bias, 3 * units, 2 * weight + bias, 2 * (weight + bias));
    *size = 8 + (size_t)length + (size_t)(2 * (weight + bias));
    char *const file = calloc(*size, 1);
    if (!file) exit(1);
    for (int i = 0; i < 4; ++i) file[i] = (char)(length >> 8 * i & 0xFF);
    memcpy(file + 8, text, (size_t)length);
    return file;
}

static void check(rnnat_status status)
{
    if (status == RNNAT_OK) return;
    fprintf(stderr, "footprint: %s\n", rnnat_status_name(status));
    exit(1);
}

int main(void)
{
    static const int units[] = {256, 16};
    for (int i = 0; i < 2; ++i) {
        size_t size, model_bytes, stream_bytes;
        char *const file = make_file(units[i], &size);
        rnnat_model *model;
        check(rnnat_model_size(file, size, NULL, &model_bytes));
        void *const memory = malloc(model_bytes);
        if (!memory) return 1;
        check(rnnat_model_init(memory, model_bytes, file, size, NULL, &model));
        check(rnnat_stream_size(model, 1, 1, &stream_bytes));
        printf("%lu %lu\n", (unsigned long)model_bytes, (unsigned long)stream_bytes);
        free(memory);
        free(file);
    }
    return 0;
}
