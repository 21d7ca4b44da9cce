/* Reads JSON from a cursor: strings, unsigned integers, objects and arrays. */
#include "json.h"

#include "../text.h"

#if RNNAT_READER
/* Loops keep the cursor in a local: bytes may alias the cursor itself, which would otherwise be
 * stored and loaded again for each of them. */
static void skip_space(rnnat_json *json)
{
    const unsigned char *at = json->at;
    const unsigned char *const end = json->end;
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        ++at;
    }
    json->at = at;
}

bool rnnat_json_take(rnnat_json *json, unsigned char symbol)
{
    skip_space(json);
    if (json->at == json->end || *json->at != symbol) {
        return false;
    }
    ++json->at;
    return true;
}

bool rnnat_json_at_end(rnnat_json *json)
{
    skip_space(json);
    return json->at == json->end;
}

rnnat_json_step rnnat_json_next(rnnat_json *json, unsigned char close, bool *first)
{
    const bool was_first = *first;
    *first = false;
    if (rnnat_json_take(json, close)) {
        return RNNAT_JSON_CLOSED;
    }
    /* After a comma the caller reads an item, so a closing symbol there fails as it should. */
    return was_first || rnnat_json_take(json, ',') ? RNNAT_JSON_ITEM : RNNAT_JSON_BAD;
}

bool rnnat_json_uint64(rnnat_json *json, uint64_t *out)
{
    skip_space(json);
    const unsigned char *const start = json->at;
    uint64_t value = 0;
    for (; json->at != json->end && *json->at >= '0' && *json->at <= '9'; ++json->at) {
        const uint64_t digit = (uint64_t)(*json->at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (json->at == start || (*start == '0' && json->at - start > 1)) {
        return false;
    }
    *out = value;
    return true;
}

/* The four hexadecimal digits after a backslash and a u; false where they are not there. */
static bool unicode_escape(const unsigned char *at, const unsigned char *end, uint32_t *out)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') {
        return false;
    }
    uint32_t value = 0;
    for (int i = 2; i < 6; ++i) {
        const uint32_t c = at[i];
        const uint32_t letter = c | 0x20; /* to lower case */
        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value * 16 + (letter - 'a' + 10);
        } else {
            return false;
        }
    }
    *out = value;
    return true;
}

/* Length of the escape that begins with the backslash at `at`, and its code point; 0 where it is
 * none. A surrogate counts only as half of a pair, high before low. */
static size_t read_escape(const unsigned char *at, const unsigned char *end, uint32_t *code)
{
    static const char symbols[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2) {
        return 0;
    }
    for (size_t i = 0; symbols[i] != '\0'; ++i) {
        if (at[1] == (unsigned char)symbols[i]) {
            *code = (unsigned char)meanings[i];
            return 2;
        }
    }
    uint32_t high;
    uint32_t low;
    if (!unicode_escape(at, end, &high) || (high >= 0xDC00 && high <= 0xDFFF)) {
        return 0;
    }
    if (high < 0xD800 || high > 0xDFFF) {
        *code = high;
        return 6;
    }
    if (!unicode_escape(at + 6, end, &low) || low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    *code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

bool rnnat_json_string(rnnat_json *json, rnnat_json_text *out)
{
    if (!rnnat_json_take(json, '"')) {
        return false;
    }
    const unsigned char *const start = json->at;
    const unsigned char *const end = json->end;
    const unsigned char *at = start;
    while (at != end && *at >= 0x20 && *at != '"') {
        size_t length = 1;
        if (*at == '\\') {
            uint32_t code;
            length = read_escape(at, end, &code);
            if (length == 0) {
                return false;
            }
        }
        at += length;
    }
    if (at == end || *at != '"') {
        return false;
    }
    out->bytes = start;
    out->size = (size_t)(at - start);
    json->at = at + 1;
    return true;
}

/* The decoded bytes of a string, one at a time. */
typedef struct decoder {
    const unsigned char *at;
    const unsigned char *end;
    unsigned char pending[3]; /* the UTF-8 bytes of the last escape, last byte first */
    int num_pending;
} decoder;

static decoder decode(rnnat_json_text text, size_t first)
{
    return (decoder){.at = text.bytes + first, .end = text.bytes + text.size};
}

/* The next byte, or -1 at the end. */
static int next_byte(decoder *d)
{
    if (d->num_pending > 0) {
        return d->pending[--d->num_pending];
    }
    if (d->at == d->end) {
        return -1;
    }
    if (*d->at != '\\') {
        return *d->at++;
    }
    uint32_t code = 0;
    const size_t length = read_escape(d->at, d->end, &code);
    if (length == 0) { /* the bytes changed since they were checked: end here, in bounds */
        d->at = d->end;
        return -1;
    }
    d->at += length;
    if (code < 0x80) {
        return (int)code;
    }
    /* UTF-8: six bits to each byte from the last on, what is left beside the length mark. */
    uint32_t limit = 0x20;
    uint32_t mark = 0xC0;
    d->pending[d->num_pending++] = (unsigned char)(0x80 | (code & 0x3F));
    for (code >>= 6; code >= limit; code >>= 6) {
        d->pending[d->num_pending++] = (unsigned char)(0x80 | (code & 0x3F));
        limit >>= 1;
        mark = 0x80 | (mark >> 1);
    }
    return (int)(mark | code);
}

static bool same_bytes(const unsigned char *a, const unsigned char *b, size_t size)
{
    while (size > 0 && a[size - 1] == b[size - 1]) {
        --size;
    }
    return size == 0;
}

/* How many bytes the two have in common as they stand, up to the start of an escape or a byte. */
static size_t common_prefix(rnnat_json_text a, rnnat_json_text b)
{
    const size_t shorter = a.size < b.size ? a.size : b.size;
    size_t same = 0;
    while (same < shorter && a.bytes[same] == b.bytes[same]) {
        size_t length = 1;
        if (a.bytes[same] == '\\') {
            uint32_t code;
            length = read_escape(a.bytes + same, a.bytes + a.size, &code);
            if (length == 0 || length > shorter - same ||
                !same_bytes(a.bytes + same, b.bytes + same, length)) {
                break;
            }
        }
        same += length;
    }
    return same;
}

int rnnat_json_compare(rnnat_json_text a, rnnat_json_text b)
{
    const size_t same = common_prefix(a, b);
    decoder left = decode(a, same);
    decoder right = decode(b, same);
    int x;
    int y;
    do {
        x = next_byte(&left);
        y = next_byte(&right);
    } while (x == y && x >= 0);
    return x - y;
}

bool rnnat_json_equals(rnnat_json_text text, const char *string)
{
    const char *const bytes = (const char *)text.bytes;
    if (rnnat_text_find(bytes, text.size, '\\') == text.size) {
        return rnnat_text_is(bytes, text.size, string);
    }
    decoder d = decode(text, 0);
    for (; *string; ++string) {
        if (next_byte(&d) != (unsigned char)*string) {
            return false;
        }
    }
    return next_byte(&d) < 0;
}

bool rnnat_json_copy(rnnat_json_text text, char *out, size_t size)
{
    size_t length = 0;
    decoder d = decode(text, 0);
    for (int c = next_byte(&d); c >= 0; c = next_byte(&d)) {
        if (c == 0) {
            return false;
        }
        ++length;
    }
    if (length >= size) {
        return false;
    }
    d = decode(text, 0);
    for (size_t i = 0; i < length; ++i) {
        out[i] = (char)next_byte(&d);
    }
    out[length] = '\0';
    return true;
}
#endif
