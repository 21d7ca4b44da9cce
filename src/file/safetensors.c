/* Opens and checks a safetensors file, and finds its arrays and entries by name. */
#include "safetensors.h"

#include <stdbool.h>
#include <string.h>

#include "json.h"
#include "safetensors_header.h"

#if RNNAT_READER
/* A file that is open has nothing to tell, and outlives the message. */
static void forget_message(rnnat_safetensors *st)
{
#if RNNAT_WITH_MESSAGES
    st->message = NULL;
#else
    (void)st;
#endif
}

/* Reads N and checks that the header is there; `*out` has nothing of the data yet. */
static rnnat_status open_header(const unsigned char *file, size_t size, rnnat_message *message,
                                rnnat_safetensors *out)
{
    (void)message;
    if (size < 8) {
        return RNNAT_SAY(message, RNNAT_ERROR_FORMAT,
                         RNNAT_TEXT("file: expected the 8 bytes that say how long a safetensors "
                                    "header is, got "),
                         RNNAT_NUMBER(size));
    }
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) {
        length = length << 8 | file[i];
    }
    if (length == 0 || length > size - 8 || file[8] != '{') {
        return RNNAT_SAY(
            message, RNNAT_ERROR_FORMAT,
            RNNAT_TEXT("file: expected a safetensors header, which says its length and "
                       "begins with {, got none in "),
            RNNAT_NUMBER(size), RNNAT_TEXT(" bytes"));
    }
    if (length > RNNAT_SAFETENSORS_MAX_HEADER) {
        return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED, RNNAT_TEXT("header: expected at most "),
                         RNNAT_NUMBER(RNNAT_SAFETENSORS_MAX_HEADER), RNNAT_TEXT(" bytes, got "),
                         RNNAT_NUMBER(length));
    }
    *out = (rnnat_safetensors){.header = file + 8, .header_size = (size_t)length};
#if RNNAT_WITH_MESSAGES
    out->message = message;
#endif
    return RNNAT_OK;
}

rnnat_status rnnat_safetensors_open(const void *bytes, size_t size, rnnat_message *message,
                                    rnnat_safetensors *out)
{
    if (bytes == NULL || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_safetensors st;
    rnnat_status status = open_header(bytes, size, message, &st);
    if (status != RNNAT_OK) {
        return status;
    }
    st.data = st.header + st.header_size;
    st.data_size = size - 8 - st.header_size;
    status = rnnat_header_check(&st);
    if (status == RNNAT_OK) {
        forget_message(&st);
        *out = st;
    }
    return status;
}

#if RNNAT_INSPECT
/* The tensors are as many as the parts, each of its part's size, in the order of the data. */
static rnnat_status check_parts(const rnnat_safetensors *st, int32_t num_parts)
{
    rnnat_header_walk w = rnnat_header_tensors(st);
    uint64_t position = 0;
    for (int32_t i = 0;; ++i) {
        rnnat_tensor tensor;
        rnnat_header_entry e;
        bool done;
        const rnnat_status status = rnnat_header_next_tensor(&w, &tensor, &e, &done);
        if (status != RNNAT_OK) {
            return status;
        }
        if (done || i == num_parts) {
            return done && i == num_parts ? RNNAT_OK : RNNAT_ERROR_FORMAT;
        }
        if (e.begin != position || tensor.bytes != st->parts[i].size) {
            return RNNAT_ERROR_FORMAT;
        }
        position = e.end;
    }
}

rnnat_status rnnat_safetensors_open_parts(const void *header, size_t size, const rnnat_span *parts,
                                          int32_t num_parts, rnnat_message *message,
                                          rnnat_safetensors *out)
{
    if (header == NULL || parts == NULL || num_parts < 0 || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_safetensors st;
    rnnat_status status = open_header(header, size, message, &st);
    if (status == RNNAT_OK && st.header_size != size - 8) {
        status = RNNAT_ERROR_FORMAT;
    }
    if (status != RNNAT_OK) {
        return status;
    }
    for (int32_t i = 0; i < num_parts; ++i) {
        if (parts[i].size > SIZE_MAX - st.data_size) {
            return RNNAT_ERROR_OVERFLOW;
        }
        st.data_size += parts[i].size;
    }
    st.parts = parts;
    status = rnnat_header_check(&st);
    if (status == RNNAT_OK) {
        status = check_parts(&st, num_parts);
    }
    if (status == RNNAT_OK) {
        forget_message(&st);
        *out = st;
    }
    return status;
}

/* Points a tensor to its part, where arrays lie apart. */
static rnnat_status find_part(const rnnat_safetensors *st, int32_t index, rnnat_tensor *tensor)
{
    if (st->parts == NULL) {
        return RNNAT_OK;
    }
    if (index >= st->num_tensors || tensor->bytes != st->parts[index].size) {
        return RNNAT_ERROR_FORMAT;
    }
    tensor->data = st->parts[index].data;
    return RNNAT_OK;
}
#else
#define find_part(st, index, tensor) RNNAT_OK
#endif

rnnat_status rnnat_safetensors_tensor(const rnnat_safetensors *st, const char *name,
                                      rnnat_tensor *out)
{
    if (st == NULL || name == NULL || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_header_walk w = rnnat_header_tensors(st);
    for (int32_t i = 0;; ++i) {
        rnnat_tensor tensor;
        rnnat_header_entry e;
        bool done;
        rnnat_status status = rnnat_header_next_tensor(&w, &tensor, &e, &done);
        if (status != RNNAT_OK || done) {
            return done ? RNNAT_ERROR_NOT_FOUND : status;
        }
        if (rnnat_json_equals(e.name, name)) {
            status = find_part(st, i, &tensor);
            if (status == RNNAT_OK) {
                *out = tensor;
            }
            return status;
        }
    }
}

rnnat_status rnnat_safetensors_at(const rnnat_safetensors *st, int32_t index, char *name,
                                  size_t name_size, rnnat_tensor *out)
{
    if (st == NULL || out == NULL || index < 0 || index >= st->num_tensors) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_header_walk w = rnnat_header_tensors(st);
    rnnat_tensor tensor;
    rnnat_header_entry e;
    for (int32_t i = 0; i <= index; ++i) {
        bool done;
        const rnnat_status status = rnnat_header_next_tensor(&w, &tensor, &e, &done);
        if (status != RNNAT_OK || done) {
            return done ? RNNAT_ERROR_FORMAT : status;
        }
    }
    if (name != NULL && !rnnat_json_copy(e.name, name, name_size)) {
        return RNNAT_ERROR_FORMAT;
    }
    const rnnat_status status = find_part(st, index, &tensor);
    if (status != RNNAT_OK) {
        return status;
    }
    *out = tensor;
    return RNNAT_OK;
}

rnnat_status rnnat_safetensors_metadata(const rnnat_safetensors *st, const char *key, char *value,
                                        size_t value_size)
{
    if (st == NULL || key == NULL || value == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_header_walk w = rnnat_header_tensors(st);
    bool done = false;
    while (w.metadata.at == NULL && !done) {
        rnnat_tensor tensor;
        rnnat_header_entry e;
        const rnnat_status status = rnnat_header_next_tensor(&w, &tensor, &e, &done);
        if (status != RNNAT_OK) {
            return status;
        }
    }
    if (w.metadata.at == NULL) {
        return RNNAT_ERROR_NOT_FOUND;
    }
    rnnat_header_walk pairs = rnnat_header_pairs(w.metadata);
    for (;;) {
        rnnat_json_text name;
        rnnat_json_text text;
        const rnnat_status status = rnnat_header_next_pair(&pairs, &name, &text, &done);
        if (status != RNNAT_OK || done) {
            return done ? RNNAT_ERROR_NOT_FOUND : status;
        }
        if (rnnat_json_equals(name, key)) {
            return rnnat_json_copy(text, value, value_size) ? RNNAT_OK : RNNAT_ERROR_FORMAT;
        }
    }
}
#endif
