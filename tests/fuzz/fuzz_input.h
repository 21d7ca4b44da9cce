/* The bytes of a fuzz input, taken one after the other as choices; past their end all are zero. The
 * choices a call usually makes are those of zero, so that one that is wrong is wrong in little. */
#ifndef RNNAT_FUZZ_INPUT_H
#define RNNAT_FUZZ_INPUT_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct fuzz_input {
    const uint8_t *at, *end;
} fuzz_input;

static inline uint8_t fuzz_byte(fuzz_input *in) { return in->at < in->end ? *in->at++ : 0; }

static inline bool fuzz_rarely(fuzz_input *in) { return fuzz_byte(in) % 16 == 15; }

static inline int32_t fuzz_choose(fuzz_input *in, int32_t low, int32_t high)
{
    return low + fuzz_byte(in) % (high - low + 1);
}

/* A number of things: nearly always 0..most. */
static inline int32_t fuzz_count(fuzz_input *in, int32_t most)
{
    static const int32_t others[] = {-1,      INT32_MIN, INT32_MAX,     INT32_MAX - 1, 1 << 16,
                                     1 << 24, 1 << 30,   INT32_MAX / 2, INT32_MIN + 1, -2,
                                     65537,   1000};
    return fuzz_rarely(in) ? others[fuzz_byte(in) % 12] : fuzz_choose(in, 0, most);
}

/* A block of exactly so many bytes, `shift` past the heap's alignment, so that the address
 * sanitizer sees whoever leaves it at its end. */
typedef struct fuzz_block {
    unsigned char *heap, *body;
    size_t size;
} fuzz_block;

enum { FUZZ_FILL = 0xA5 };

static inline fuzz_block fuzz_take(size_t size, size_t shift)
{
    fuzz_block block = {.heap = malloc(size + shift), .size = size};
    REQUIRE(block.heap || size + shift == 0);
    block.body = block.heap + shift;
    if (size + shift) memset(block.heap, FUZZ_FILL, size + shift);
    return block;
}

static inline bool fuzz_unwritten(const fuzz_block *block)
{
    for (size_t i = 0; i < block->size; ++i)
        if (block->body[i] != FUZZ_FILL) return false;
    return true;
}

/* The same bits, or two NaNs: which of its operands' NaN a sum passes on is nobody's promise. */
static inline bool fuzz_same(const void *a, const void *b, size_t count, size_t elem)
{
    for (size_t i = 0; i < count; ++i) {
        const unsigned char *const x = (const unsigned char *)a + i * elem;
        const unsigned char *const y = (const unsigned char *)b + i * elem;
        if (memcmp(x, y, elem) == 0) continue;
        float f[2];
        double d[2];
        if (elem == sizeof *f) {
            memcpy(&f[0], x, elem);
            memcpy(&f[1], y, elem);
            if (!isnan(f[0]) || !isnan(f[1])) return false;
        } else {
            memcpy(&d[0], x, elem);
            memcpy(&d[1], y, elem);
            if (!isnan(d[0]) || !isnan(d[1])) return false;
        }
    }
    return true;
}

/* `count` numbers of `elem` bytes by chance; rarely one that is hard to calculate with. */
static inline void fuzz_numbers(fuzz_input *in, void *to, size_t count, size_t elem)
{
    static const double hard[] = {NAN, INFINITY, -INFINITY, FLT_MAX, FLT_MIN / 4, -0.0, 1e30, 90};
    uint64_t random = fuzz_byte(in);
    const size_t odd = fuzz_rarely(in) ? fuzz_byte(in) : SIZE_MAX;
    for (size_t i = 0; i < count; ++i) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double value = (double)(int32_t)(random >> 33) / 0x1p29 - 2;
        if (i == odd) value = hard[fuzz_byte(in) % 8];
        const float narrow = (float)value;
        memcpy((unsigned char *)to + i * elem, elem == 4 ? (const void *)&narrow : &value, elem);
    }
}

#endif
