/* Safetensors files for tests. Each lies in a heap block of exactly its size, so that the address
 * sanitizer sees a read one byte past it. */
#ifndef RNNAT_TEST_SAFETENSORS_FILE_H
#define RNNAT_TEST_SAFETENSORS_FILE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "file/safetensors.h"

/* An entry of a header; all four are string literals. */
#define TENSOR(name, dtype, shape, span)                                                           \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" span "]}"

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
        f.bytes[i] = (unsigned char)((uint64_t)header_size >> (8 * i));
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
    const rnnat_status status = rnnat_safetensors_open(f.bytes, f.size, NULL, &st);
    free(f.bytes);
    return status;
}

static inline rnnat_status open_text(size_t data_size)
{
    return open_header(text, text_size, data_size);
}

/* Opens, and where that works reads all there is and checks that it tiles the data. */
static inline rnnat_status open_and_read(const unsigned char *bytes, size_t size)
{
    rnnat_safetensors st = {.num_tensors = -1};
    const rnnat_status status = rnnat_safetensors_open(bytes, size, NULL, &st);
    if (status != RNNAT_OK) {
        CHECK(st.num_tensors == -1); /* nothing written */
        return status;
    }
    CHECK(st.header == bytes + 8 && st.data + st.data_size == bytes + size);
    size_t total = 0;
    for (int32_t i = 0; i < st.num_tensors; ++i) {
        rnnat_tensor t;
        rnnat_tensor found;
        char name[64];
        float values[16];
        if (!CHECK(rnnat_safetensors_at(&st, i, NULL, 0, &t) == RNNAT_OK)) {
            continue;
        }
        CHECK(t.data >= st.data && t.bytes <= st.data_size);
        CHECK((size_t)(t.data - st.data) <= st.data_size - t.bytes);
        CHECK(t.rank >= 0 && t.rank <= RNNAT_TENSOR_MAX_RANK);
        total += t.bytes;
        rnnat_tensor_read_f32(&t, 0, 16, values);
        if (rnnat_safetensors_at(&st, i, name, sizeof name, &t) == RNNAT_OK) {
            CHECK(rnnat_safetensors_tensor(&st, name, &found) == RNNAT_OK);
            CHECK(found.data == t.data && found.bytes == t.bytes && found.type == t.type);
        }
    }
    CHECK(total == st.data_size);
    char value[64];
    (void)rnnat_safetensors_metadata(&st, "key", value, sizeof value);
    return RNNAT_OK;
}

#endif
