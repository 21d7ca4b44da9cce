/* Safetensors files for tests. Each lies in a heap block of exactly its size, so that the address
 * sanitizer sees a read one byte past it. */
#ifndef RNNAT_TEST_SAFETENSORS_FILE_H
#define RNNAT_TEST_SAFETENSORS_FILE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors.h"

typedef struct st_file {
    unsigned char *bytes;
    size_t size;
} st_file;

static inline st_file make_file(const char *header, size_t header_size, size_t data_size)
{
    st_file f = {.size = 8 + header_size + data_size};
    f.bytes = malloc(f.size);
    if (f.bytes == NULL) {
        abort();
    }
    for (size_t i = 0; i < 8; ++i) {
        f.bytes[i] = (unsigned char)(header_size >> (8 * i));
    }
    memcpy(f.bytes + 8, header, header_size);
    for (size_t i = 0; i < data_size; ++i) {
        f.bytes[8 + header_size + i] = (unsigned char)i;
    }
    return f;
}

/* Header text, grown by printf. */
static char text[4 << 20];
static size_t text_size;

static inline void append(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(text + text_size, sizeof text - text_size, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof text - text_size) {
        abort();
    }
    text_size += (size_t)n;
}

static inline rnnat_status open_header(const char *header, size_t header_size, size_t data_size)
{
    st_file f = make_file(header, header_size, data_size);
    rnnat_safetensors st;
    const rnnat_status status = rnnat_safetensors_open(f.bytes, f.size, &st);
    free(f.bytes);
    return status;
}

static inline rnnat_status open_text(size_t data_size)
{
    return open_header(text, text_size, data_size);
}

#endif
