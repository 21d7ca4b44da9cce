/* Walks over the entries of a safetensors header, and checks each of them. */
#include "safetensors_header.h"

#if RNNAT_READER
/* Pieces of a text: what it is about. */
#define RNNAT_NAMED_TENSOR(name)                                                                   \
    RNNAT_TEXT("tensor \""), RNNAT_PART((name).bytes, (name).size), RNNAT_TEXT("\": ")

static const char metadata_name[] = "__metadata__";

/* Every dtype of safetensors 0.8, those with a reader first. */
static const struct dtype {
    const char *name;
    rnnat_tensor_type type;
    uint32_t bits;
} dtypes[] = {
    {"F32", RNNAT_TENSOR_F32, 32},
    {"F64", RNNAT_TENSOR_F64, 64},
    {"F16", RNNAT_TENSOR_F16, 16},
    {"BF16", RNNAT_TENSOR_BF16, 16},
    {"I8", RNNAT_TENSOR_I8, 8},
    {"BOOL", RNNAT_TENSOR_OTHER, 8},
    {"U8", RNNAT_TENSOR_OTHER, 8},
    {"U16", RNNAT_TENSOR_OTHER, 16},
    {"I16", RNNAT_TENSOR_OTHER, 16},
    {"U32", RNNAT_TENSOR_OTHER, 32},
    {"I32", RNNAT_TENSOR_OTHER, 32},
    {"U64", RNNAT_TENSOR_OTHER, 64},
    {"I64", RNNAT_TENSOR_OTHER, 64},
    {"C64", RNNAT_TENSOR_OTHER, 64},
    {"F8_E4M3", RNNAT_TENSOR_OTHER, 8},
    {"F8_E5M2", RNNAT_TENSOR_OTHER, 8},
    {"F8_E4M3FNUZ", RNNAT_TENSOR_OTHER, 8},
    {"F8_E5M2FNUZ", RNNAT_TENSOR_OTHER, 8},
    {"F8_E8M0", RNNAT_TENSOR_OTHER, 8},
    {"F6_E2M3", RNNAT_TENSOR_OTHER, 6},
    {"F6_E3M2", RNNAT_TENSOR_OTHER, 6},
    {"F4", RNNAT_TENSOR_OTHER, 4},
};

static rnnat_status read_dtype(rnnat_header_walk *w, rnnat_json_text name, const struct dtype **out)
{
    rnnat_json *const json = &w->json;
    rnnat_json_text text;
    if (!rnnat_json_string(json, &text)) {
        return RNNAT_ERROR_FORMAT;
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i) {
        if (rnnat_json_equals(text, dtypes[i].name)) {
            *out = &dtypes[i];
            return RNNAT_OK;
        }
    }
    (void)name;
    return RNNAT_SAY(w->message, RNNAT_ERROR_UNSUPPORTED, RNNAT_NAMED_TENSOR(name),
                     RNNAT_TEXT("expected a dtype of safetensors, got "),
                     RNNAT_PART(text.bytes, text.size));
}

/* An array of at most `limit` integers; `too_many` is the status of a longer one. */
static rnnat_status read_integers(rnnat_json *json, int32_t limit, rnnat_status too_many,
                                  uint64_t *out, int32_t *count)
{
    if (!rnnat_json_take(json, '[')) {
        return RNNAT_ERROR_FORMAT;
    }
    bool first = true;
    *count = 0;
    for (;;) {
        const rnnat_json_step step = rnnat_json_next(json, ']', &first);
        if (step == RNNAT_JSON_CLOSED) {
            return RNNAT_OK;
        }
        uint64_t value;
        if (step == RNNAT_JSON_BAD || !rnnat_json_uint64(json, &value)) {
            return RNNAT_ERROR_FORMAT;
        }
        if (*count == limit) {
            return too_many;
        }
        out[(*count)++] = value;
    }
}

/* The bytes that dims and type need. False on overflow or a part of a byte. */
static bool needed_bytes(const rnnat_tensor *t, uint32_t bits, uint64_t *out)
{
    uint64_t total = bits;
    bool empty = false;
    for (int32_t i = 0; i < t->rank; ++i) {
        if (t->dims[i] == 0) {
            empty = true;
        } else if (total > UINT64_MAX / t->dims[i]) {
            return false;
        } else {
            total *= t->dims[i];
        }
    }
    *out = empty ? 0 : total / 8;
    return empty || total % 8 == 0;
}

/* {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, the fields in any order, checked
 * against the data's size. */
static rnnat_status read_tensor(rnnat_header_walk *w, rnnat_tensor *out, rnnat_header_entry *place)
{
    rnnat_json *const json = &w->json;
    const struct dtype *dtype = NULL;
    uint64_t offsets[2] = {0, 0};
    int32_t num_offsets = -1;
    rnnat_tensor t = {.rank = -1};
    rnnat_json_step step;
    bool first = true;

    if (!rnnat_json_take(json, '{')) {
        return RNNAT_ERROR_FORMAT;
    }
    while ((step = rnnat_json_next(json, '}', &first)) == RNNAT_JSON_ITEM) {
        rnnat_json_text field;
        rnnat_status status = RNNAT_ERROR_FORMAT;
        if (!rnnat_json_string(json, &field) || !rnnat_json_take(json, ':')) {
            return RNNAT_ERROR_FORMAT;
        }
        if (rnnat_json_equals(field, "dtype") && dtype == NULL) {
            status = read_dtype(w, place->name, &dtype);
        } else if (rnnat_json_equals(field, "shape") && t.rank < 0) {
            status = read_integers(json, RNNAT_TENSOR_MAX_RANK, RNNAT_ERROR_UNSUPPORTED, t.dims,
                                   &t.rank);
        } else if (rnnat_json_equals(field, "data_offsets") && num_offsets < 0) {
            status = read_integers(json, 2, RNNAT_ERROR_FORMAT, offsets, &num_offsets);
        }
        if (status == RNNAT_ERROR_UNSUPPORTED) {
            return RNNAT_SAY(w->message, status, RNNAT_NAMED_TENSOR(place->name),
                             RNNAT_TEXT("expected at most "), RNNAT_NUMBER(RNNAT_TENSOR_MAX_RANK),
                             RNNAT_TEXT(" dimensions, got more"));
        }
        if (status != RNNAT_OK) {
            return RNNAT_SAY(w->message, status, RNNAT_NAMED_TENSOR(place->name),
                             RNNAT_TEXT("expected dtype, shape and data_offsets once each, got "),
                             RNNAT_PART(field.bytes, field.size));
        }
    }
    if (step == RNNAT_JSON_BAD || dtype == NULL || t.rank < 0 || num_offsets != 2) {
        return RNNAT_SAY(w->message, RNNAT_ERROR_FORMAT, RNNAT_NAMED_TENSOR(place->name),
                         RNNAT_TEXT("expected dtype, shape and data_offsets, got fewer"));
    }
    uint64_t need;
    if (offsets[0] > offsets[1] || offsets[1] > w->data_size) {
        return RNNAT_SAY(w->message, RNNAT_ERROR_FORMAT, RNNAT_NAMED_TENSOR(place->name),
                         RNNAT_TEXT("expected data_offsets within "), RNNAT_NUMBER(w->data_size),
                         RNNAT_TEXT(" bytes, got ["), RNNAT_NUMBER(offsets[0]), RNNAT_TEXT(", "),
                         RNNAT_NUMBER(offsets[1]), RNNAT_TEXT("]"));
    }
    if (!needed_bytes(&t, dtype->bits, &need) || need != offsets[1] - offsets[0]) {
        return RNNAT_SAY(w->message, RNNAT_ERROR_FORMAT, RNNAT_NAMED_TENSOR(place->name),
                         RNNAT_TEXT("expected as many bytes as its shape and "),
                         RNNAT_TEXT(dtype->name), RNNAT_TEXT(" need, got "),
                         RNNAT_NUMBER(offsets[1] - offsets[0]));
    }
    t.type = dtype->type;
    t.data =
        w->data == NULL ? NULL : w->data + (size_t)offsets[0]; /* NULL: arrays that lie apart */
    t.bytes = (size_t)need;
    place->begin = offsets[0];
    place->end = offsets[1];
    *out = t;
    return RNNAT_OK;
}

rnnat_header_walk rnnat_header_tensors(const rnnat_safetensors *st)
{
    return (rnnat_header_walk){
        .json = {.at = st->header + 1, .end = st->header + st->header_size}, /* past the '{' */
        .first = true,
        .data = st->data,
        .data_size = st->data_size,
#if RNNAT_WITH_MESSAGES
        .header = st->header,
        .message = st->message,
#endif
    };
}

rnnat_header_walk rnnat_header_pairs(rnnat_json metadata)
{
    return (rnnat_header_walk){.json = metadata, .first = true, .pairs = true};
}

rnnat_status rnnat_header_next_pair(rnnat_header_walk *w, rnnat_json_text *key,
                                    rnnat_json_text *value, bool *done)
{
    const rnnat_json_step step = rnnat_json_next(&w->json, '}', &w->first);
    *done = step == RNNAT_JSON_CLOSED;
    if (*done) {
        return RNNAT_OK;
    }
    if (step == RNNAT_JSON_BAD || !rnnat_json_string(&w->json, key) ||
        !rnnat_json_take(&w->json, ':') || !rnnat_json_string(&w->json, value)) {
        return RNNAT_ERROR_FORMAT;
    }
    return RNNAT_OK;
}

/* Notes where __metadata__ is and goes past it. */
static rnnat_status pass_metadata(rnnat_header_walk *w)
{
    if (w->metadata.at != NULL || !rnnat_json_take(&w->json, '{')) {
        return RNNAT_ERROR_FORMAT;
    }
    w->metadata = w->json;
    rnnat_header_walk pairs = rnnat_header_pairs(w->json);
    rnnat_status status = RNNAT_OK;
    bool done = false;
    while (status == RNNAT_OK && !done) {
        rnnat_json_text key;
        rnnat_json_text value;
        status = rnnat_header_next_pair(&pairs, &key, &value, &done);
    }
    w->json = pairs.json;
    return status;
}

rnnat_status rnnat_header_next_tensor(rnnat_header_walk *w, rnnat_tensor *tensor,
                                      rnnat_header_entry *e, bool *done)
{
    for (;;) {
        const rnnat_json_step step = rnnat_json_next(&w->json, '}', &w->first);
        *done = step == RNNAT_JSON_CLOSED;
        if (*done) {
            return RNNAT_OK;
        }
        if (step == RNNAT_JSON_BAD || !rnnat_json_string(&w->json, &e->name) ||
            !rnnat_json_take(&w->json, ':')) {
            return RNNAT_ERROR_FORMAT;
        }
        if (!rnnat_json_equals(e->name, metadata_name)) {
            return read_tensor(w, tensor, e);
        }
        const rnnat_status status = pass_metadata(w);
        if (status != RNNAT_OK) {
            return status;
        }
    }
}
#endif
