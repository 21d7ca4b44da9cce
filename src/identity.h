/* What tells models apart: a hash of the lines and arrays of the file, and of the types that these became.
 * Not meant against who forges one. */
#ifndef RNNAT_IDENTITY_H
#define RNNAT_IDENTITY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Mixes one number in. */
static inline uint64_t rnnat_identity_of(uint64_t identity, uint64_t number)
{
    identity = (identity ^ number) * UINT64_C(0x9E3779B97F4A7C15);
    return identity ^ identity >> 29;
}

/* Mixes bytes in, several words side by side, so that no word waits for the one before it. */
static inline uint64_t rnnat_identity_of_bytes(uint64_t identity, const void *bytes, size_t size)
{
    enum { lanes = 4 };
    const unsigned char *const from = bytes;
    uint64_t lane[lanes] = {identity, identity + 1, identity + 2, identity + 3}, word;
    size_t at = 0;
    for (; at + lanes * sizeof word <= size; at += lanes * sizeof word)
        for (int i = 0; i < lanes; ++i) {
            memcpy(&word, from + at + (size_t)i * sizeof word, sizeof word);
            lane[i] = rnnat_identity_of(lane[i], word);
        }
    identity = rnnat_identity_of(size, 0);
    for (int i = 0; i < lanes; ++i) identity = rnnat_identity_of(identity, lane[i]);
    for (; at < size; at += sizeof word) {
        word = 0;
        memcpy(&word, from + at, size - at < sizeof word ? size - at : sizeof word);
        identity = rnnat_identity_of(identity, word);
    }
    return identity;
}

#endif
