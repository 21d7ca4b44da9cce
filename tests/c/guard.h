/* Memory with guard bytes on both sides. */
#ifndef RNNAT_TEST_GUARD_H
#define RNNAT_TEST_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_BYTES = 64, GUARD_VALUE = 0xA5 };

typedef struct guarded {
    unsigned char *block;
    unsigned char *body; /* `size` bytes, GUARD_VALUE as well at first */
    size_t size;
    size_t block_size;
} guarded;

/* The body begins `shift` bytes past a multiple of GUARD_BYTES. */
static inline guarded guard_make(size_t size, size_t shift)
{
    guarded g = {.size = size, .block_size = size + shift + 3 * GUARD_BYTES};
    g.block = malloc(g.block_size);
    if (!g.block) abort();
    memset(g.block, GUARD_VALUE, g.block_size);
    g.body = g.block + 2 * GUARD_BYTES - (uintptr_t)g.block % GUARD_BYTES + shift;
    return g;
}

static inline bool guard_untouched(const unsigned char *from, const unsigned char *end)
{
    for (; from < end; ++from)
        if (*from != GUARD_VALUE) return false;
    return true;
}

/* Nothing outside the body was written. */
static inline bool guard_intact(const guarded *g)
{
    return guard_untouched(g->block, g->body) &&
           guard_untouched(g->body + g->size, g->block + g->block_size);
}

/* Nor inside. */
static inline bool guard_unwritten(const guarded *g)
{
    return guard_untouched(g->block, g->block + g->block_size);
}

static inline void guard_end(guarded *g)
{
    free(g->block);
    g->block = NULL;
}

#endif
