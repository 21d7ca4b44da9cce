/* Checks the header of a safetensors file as a whole: its grammar, names that come once, arrays
 * that tile the data. */
#include <string.h>

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
            return RNNAT_SAY(s->start.message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("header: \""),
                             RNNAT_PART(e->name.bytes, e->name.size), RNNAT_TEXT("\" comes twice"));
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
                return RNNAT_SAY(start.message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("tensor \""),
                                 RNNAT_PART(s.round[i].name.bytes, s.round[i].name.size),
                                 RNNAT_TEXT("\": expected data_offsets from "),
                                 RNNAT_NUMBER(position), RNNAT_TEXT(" on, got "),
                                 RNNAT_NUMBER(s.round[i].begin));
            }
            position = s.round[i].end;
        }
    } while (s.count == ROUND);
    if (position == start.data_size) {
        return RNNAT_OK;
    }
    return RNNAT_SAY(start.message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("file: expected "),
                     RNNAT_NUMBER(position), RNNAT_TEXT(" bytes of arrays, got "),
                     RNNAT_NUMBER(start.data_size));
}

/* ---- the header ---- */

/* Counts what a walk meets. `ascending`: the tensors tile the data in the order of the file, as the
 * format's own writer leaves them. */
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
            return RNNAT_SAY(w->message, status, RNNAT_TEXT("header: what stands before byte "),
                             RNNAT_NUMBER(w->json.at - w->header),
                             RNNAT_TEXT(" of it is not as JSON of a safetensors file has it"));
        }
        if (done) {
            *ascending = *ascending && position == w->data_size;
            return RNNAT_OK;
        }
        if (++*count > RNNAT_SAFETENSORS_MAX_ENTRIES) {
            return RNNAT_SAY(w->message, RNNAT_ERROR_UNSUPPORTED,
                             RNNAT_TEXT("header: expected at most "),
                             RNNAT_NUMBER(RNNAT_SAFETENSORS_MAX_ENTRIES),
                             RNNAT_TEXT(" arrays, and as many strings, got more"));
        }
        *ascending = *ascending && e.begin == position;
        position = e.end;
    }
}

#if RNNAT_WITH_MESSAGES
/* A walk over the pairs of __metadata__ that tells faults, too. */
static rnnat_header_walk metadata_of(const rnnat_safetensors *st, rnnat_json metadata)
{
    rnnat_header_walk pairs = rnnat_header_pairs(metadata);
    pairs.header = st->header;
    pairs.message = st->message;
    return pairs;
}
#else
#define metadata_of(st, metadata) rnnat_header_pairs(metadata)
#endif

rnnat_status rnnat_header_check(rnnat_safetensors *st)
{
    rnnat_header_walk tensors = rnnat_header_tensors(st);
    bool ascending;
    rnnat_status status = count_entries(&tensors, &st->num_tensors, &ascending);
    if (status == RNNAT_OK && !rnnat_json_at_end(&tensors.json)) {
        status = RNNAT_SAY(st->message, RNNAT_ERROR_FORMAT,
                           RNNAT_TEXT("header: expected nothing behind its object, got more"));
    }
    if (status == RNNAT_OK && tensors.metadata.at != NULL) {
        rnnat_header_walk pairs = metadata_of(st, tensors.metadata);
        int32_t num_pairs;
        bool unused;
        status = count_entries(&pairs, &num_pairs, &unused);
        if (status == RNNAT_OK) {
            status = check_names(metadata_of(st, tensors.metadata));
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
#endif
