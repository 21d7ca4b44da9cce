/* A walk over the header of a safetensors file, one entry after the other: for the files of that
 * name. */
#ifndef RNNAT_SAFETENSORS_HEADER_H
#define RNNAT_SAFETENSORS_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "safetensors.h"

/* A tensor's name and where it lies in the data, or the key of a pair of __metadata__. */
typedef struct rnnat_header_entry {
    rnnat_json_text name;
    uint64_t begin;
    uint64_t end;
} rnnat_header_entry;

/* A walk over the tensors, or over the pairs of __metadata__. Each walk checks the grammar and the
 * bounds anew, so no view leaves the file even if its bytes changed since it was opened. */
typedef struct rnnat_header_walk {
    rnnat_json json;
    bool first;
    bool pairs;
    const unsigned char *data;
    size_t data_size;
#if RNNAT_WITH_MESSAGES
    const unsigned char *header; /* where it begins */
    rnnat_message *message; /* what a fault is told to, or NULL */
#endif
    rnnat_json metadata; /* what follows the '{' of __metadata__ once passed; NULL before */
} rnnat_header_walk;

rnnat_header_walk rnnat_header_tensors(const rnnat_safetensors *st);
rnnat_header_walk rnnat_header_pairs(rnnat_json metadata); /* from a finished walk's `metadata` */

/* The next tensor, every rule of rnnat_safetensors_open checked that concerns it alone. On OK
 * either `*done`, or the rest is written; never `*done` on another status. */
rnnat_status rnnat_header_next_tensor(rnnat_header_walk *w, rnnat_tensor *tensor,
                                      rnnat_header_entry *e, bool *done);
rnnat_status rnnat_header_next_pair(rnnat_header_walk *w, rnnat_json_text *key,
                                    rnnat_json_text *value, bool *done);

/* Counts the tensors, and checks all that rnnat_safetensors_open says, but the parts of
 * rnnat_safetensors_open_parts: safetensors_check.c. */
rnnat_status rnnat_header_check(rnnat_safetensors *st);

#endif
