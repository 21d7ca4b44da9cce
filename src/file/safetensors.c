/* Opens and checks a safetensors file, and finds its arrays and entries by name. */
#include "safetensors.h"

#include <stdbool.h>
#include <string.h>

#include "json.h"
#include "safetensors_header.h"

#if RNNAT_READER
static rnnat_status next_entry(rnnat_header_walk *w, rnnat_header_entry *e, bool *done)
{
    if (w->pairs) {
        rnnat_json_text value;
        return rnnat_header_next_pair(w, &e->name, &value, done);
    }
    rnnat_tensor tensor;
    return rnnat_header_next_tensor(w, &tensor, e, done);
}

/* ---- entries in another order than the file's ---- */

/* Total orders: names are unique wherever by_span is used. */
typedef int (*entry_order)(const rnnat_header_entry *a, const rnnat_header_entry *b);

static int by_name(const rnnat_header_entry *a, const rnnat_header_entry *b)
{
    return rnnat_json_compare(a->name, b->name);
}

static int by_span(const rnnat_header_entry *a, const rnnat_header_entry *b)
{
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end < b->end ? -1 : 1;
    }
    return by_name(a, b);
}

/* Sorting without a heap: each round walks the whole header and keeps the smallest entries past
 * those of the rounds before. MAX_ENTRIES / ROUND + 1 rounds at most, one for a usual file. */
#define ROUND 128

typedef struct sorter {
    rnnat_header_walk start;
    entry_order order;
    bool began;
    rnnat_header_entry last; /* the greatest of the rounds before */
    rnnat_header_entry round[ROUND];
    size_t count;
} sorter;

/* Puts `e` in its place among the round's. Equal to another: RNNAT_ERROR_FORMAT. */
static rnnat_status sorter_insert(sorter *s, const rnnat_header_entry *e)
{
    if (s->began && s->order(e, &s->last) <= 0) {
        return RNNAT_OK; /* an earlier round's */
    }
    if (s->count == ROUND && s->order(e, &s->round[ROUND - 1]) > 0) {
        return RNNAT_OK; /* a later round's */
    }
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int c = s->order(e, &s->round[middle]);
        if (c == 0) {
            return RNNAT_ERROR_FORMAT;
        }
        if (c < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (s->count < ROUND) {
        ++s->count;
    }
    memmove(&s->round[low + 1], &s->round[low], (s->count - low - 1) * sizeof *s->round);
    s->round[low] = *e;
    return RNNAT_OK;
}

/* Fills the next round; none is left when it is not full. */
static rnnat_status sorter_next_round(sorter *s)
{
    if (s->count > 0) {
        s->began = true;
        s->last = s->round[s->count - 1];
    }
    s->count = 0;
    rnnat_header_walk w = s->start;
    for (;;) {
        rnnat_header_entry e = {.begin = 0};
        bool done;
        rnnat_status status = next_entry(&w, &e, &done);
        if (status != RNNAT_OK || done) {
            return status;
        }
        status = sorter_insert(s, &e);
        if (status != RNNAT_OK) {
            return status;
        }
    }
}

static rnnat_status check_names(rnnat_header_walk start)
{
    sorter s = {.start = start, .order = by_name};
    do {
        const rnnat_status status = sorter_next_round(&s);
        if (status != RNNAT_OK) {
            return status;
        }
    } while (s.count == ROUND);
    return RNNAT_OK;
}

/* The spans follow each other from 0 to data_size. */
static rnnat_status check_spans(rnnat_header_walk start)
{
    sorter s = {.start = start, .order = by_span};
    uint64_t position = 0;
    do {
        const rnnat_status status = sorter_next_round(&s);
        if (status != RNNAT_OK) {
            return status;
        }
        for (size_t i = 0; i < s.count; ++i) {
            if (s.round[i].begin != position) {
                return RNNAT_ERROR_FORMAT;
            }
            position = s.round[i].end;
        }
    } while (s.count == ROUND);
    return position == start.data_size ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

/* ---- the file ---- */

/* Counts what a walk meets. `ascending`: the tensors tile the data in the order of the file, as
 * the format's own writer leaves them. */
static rnnat_status count_entries(rnnat_header_walk *w, int32_t *count, bool *ascending)
{
    uint64_t position = 0;
    *count = 0;
    *ascending = true;
    for (;;) {
        rnnat_header_entry e = {.begin = 0};
        bool done;
        const rnnat_status status = next_entry(w, &e, &done);
        if (status != RNNAT_OK) {
            return status;
        }
        if (done) {
            *ascending = *ascending && position == w->data_size;
            return RNNAT_OK;
        }
        if (++*count > RNNAT_SAFETENSORS_MAX_ENTRIES) {
            return RNNAT_ERROR_UNSUPPORTED;
        }
        *ascending = *ascending && e.begin == position;
        position = e.end;
    }
}

static rnnat_status check_header(rnnat_safetensors *st)
{
    rnnat_header_walk tensors = rnnat_header_tensors(st);
    bool ascending;
    rnnat_status status = count_entries(&tensors, &st->num_tensors, &ascending);
    if (status == RNNAT_OK && !rnnat_json_at_end(&tensors.json)) {
        status = RNNAT_ERROR_FORMAT;
    }
    if (status == RNNAT_OK && tensors.metadata.at != NULL) {
        rnnat_header_walk pairs = rnnat_header_pairs(tensors.metadata);
        int32_t num_pairs;
        bool unused;
        status = count_entries(&pairs, &num_pairs, &unused);
        if (status == RNNAT_OK) {
            status = check_names(rnnat_header_pairs(tensors.metadata));
        }
    }
    if (status == RNNAT_OK) {
        status = check_names(rnnat_header_tensors(st));
    }
    if (status == RNNAT_OK && !ascending) {
        status = check_spans(rnnat_header_tensors(st));
    }
    return status;
}

/* Reads N and checks that the header is there; `*out` has nothing of the data yet. */
static rnnat_status open_header(const unsigned char *file, size_t size, rnnat_safetensors *out)
{
    if (size < 8) {
        return RNNAT_ERROR_FORMAT;
    }
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) {
        length = length << 8 | file[i];
    }
    if (length == 0 || length > size - 8 || file[8] != '{') {
        return RNNAT_ERROR_FORMAT;
    }
    if (length > RNNAT_SAFETENSORS_MAX_HEADER) {
        return RNNAT_ERROR_UNSUPPORTED;
    }
    *out = (rnnat_safetensors){.header = file + 8, .header_size = (size_t)length};
    return RNNAT_OK;
}

rnnat_status rnnat_safetensors_open(const void *bytes, size_t size, rnnat_safetensors *out)
{
    if (bytes == NULL || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_safetensors st;
    rnnat_status status = open_header(bytes, size, &st);
    if (status != RNNAT_OK) {
        return status;
    }
    st.data = st.header + st.header_size;
    st.data_size = size - 8 - st.header_size;
    status = check_header(&st);
    if (status == RNNAT_OK) {
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
                                          int32_t num_parts, rnnat_safetensors *out)
{
    if (header == NULL || parts == NULL || num_parts < 0 || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    rnnat_safetensors st;
    rnnat_status status = open_header(header, size, &st);
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
    status = check_header(&st);
    if (status == RNNAT_OK) {
        status = check_parts(&st, num_parts);
    }
    if (status == RNNAT_OK) {
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
