/* A safetensors file of one recurrent layer whose weights are small numbers, for programs that measure. */
#ifndef RNNAT_TOOLS_ONE_LAYER_H
#define RNNAT_TOOLS_ONE_LAYER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `cell`: "rnn", "gru" or "lstm", of `units` units on as many features. Exits where there is no memory. */
static inline char *one_layer(const char *cell, int units, size_t *size)
{
    const int gates = *cell == 'r' ? 1 : *cell == 'g' ? 3 : 4;
    const char *const own = *cell == 'r'   ? "nonlinearity=tanh"
                            : *cell == 'g' ? "reset_after=true"
                                           : "proj_size=0 peephole=false";
    const long weight = 4L * gates * units * units, bias = 4L * gates * units;
    const long all = 2 * (weight + bias);
    char text[1024];
    const int length = snprintf(
        text, sizeof text,
        "{\"__metadata__\":{\"rnn_native.version\":\"1\",\"rnn_native.layers\":\"1\","
        "\"rnn_native.layer.0\":\"recurrent cell=%s input_size=%d hidden_size=%d num_layers=1 "
        "direction=forward bias=true %s\"},"
        "\"0.weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%ld]},"
        "\"0.weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%ld,%ld]},"
        "\"0.bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%ld,%ld]},"
        "\"0.bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%ld,%ld]}}",
        cell, units, units, own, gates * units, units, weight, gates * units, units, weight,
        2 * weight, gates * units, 2 * weight, 2 * weight + bias, gates * units, 2 * weight + bias,
        all);
    *size = 8 + (size_t)length + (size_t)all;
    unsigned char *const file = calloc(*size, 1);
    if (!file) exit(1);
    for (int i = 0; i < 4; ++i) file[i] = (unsigned char)(length >> 8 * i & 0xFF);
    memcpy(file + 8, text, (size_t)length);
    for (long i = 0; i < all; i += 4) { /* +- 2^-8 times 1 to 2, little-endian */
        unsigned char *const number = file + 8 + length + i;
        number[0] = (unsigned char)(i * 7);
        number[1] = (unsigned char)(i / 4 * 37);
        number[2] = (unsigned char)(i / 4 * 11 & 0x7F);
        number[3] = (unsigned char)(i / 4 % 3 ? 0xBB : 0x3B);
    }
    return (char *)file;
}

#endif
