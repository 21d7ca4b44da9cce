/* The part of JSON (RFC 8259) that a safetensors header is made of: strings, unsigned integers,
 * objects and arrays, read from a cursor. Nothing is copied and nothing recurses: the caller,
 * who knows the header's fixed nesting, opens and closes each object and array itself.
 *
 * A string stays as it stands in the file, escapes included, and is decoded to UTF-8 byte by
 * byte where it is compared or copied. Bytes from 0x80 up are taken as they are. */
#ifndef RNNAT_JSON_H
#define RNNAT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../config.h"

typedef struct rnnat_json {
    const unsigned char *at;
    const unsigned char *end;
} rnnat_json;

/* What stands between the quotes of a string that rnnat_json_string accepted. */
typedef struct rnnat_json_text {
    const unsigned char *bytes;
    size_t size;
} rnnat_json_text;

typedef enum rnnat_json_step {
    RNNAT_JSON_ITEM,   /* an item must follow */
    RNNAT_JSON_CLOSED, /* the closing symbol was taken */
    RNNAT_JSON_BAD
} rnnat_json_step;

/* Each skips white space first, and returns false where something else comes; the cursor is then
 * anywhere up to the fault. */
bool rnnat_json_take(rnnat_json *json, unsigned char symbol);
bool rnnat_json_string(rnnat_json *json, rnnat_json_text *out);
bool rnnat_json_uint64(rnnat_json *json, uint64_t *out); /* no sign, fraction, exponent */
bool rnnat_json_at_end(rnnat_json *json);                /* nothing but white space is left */

/* Steps to the next item of the object or array that `close` ends. `*first` is true before the
 * first step; the step makes it false. */
rnnat_json_step rnnat_json_next(rnnat_json *json, unsigned char close, bool *first);

/* Order of the decoded bytes: < 0, 0, > 0 as memcmp, a prefix before what it begins. */
int rnnat_json_compare(rnnat_json_text a, rnnat_json_text b);
bool rnnat_json_equals(rnnat_json_text text, const char *string);

/* The decoded string and a NUL. False, with nothing written, where that does not fit `size` or
 * the string itself holds a NUL. */
bool rnnat_json_copy(rnnat_json_text text, char *out, size_t size);

#endif
