/* In place of the C library's heap: one that only grows, and tells at the end how often it was
 * asked. */
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { room = 64 << 20, alignment = 16 };

static alignas(alignment) unsigned char memory[room]; /* zero, and never given out twice */
static size_t used;
static unsigned long calls;

/* The size lies before each block, for realloc. */
void *malloc(size_t size)
{
    ++calls;
    const size_t need = alignment + (size + alignment - 1) / alignment * alignment;
    if (size > room || need > room - used) return NULL;
    unsigned char *const block = memory + used + alignment;
    memcpy(block - alignment, &size, sizeof size);
    used += need;
    return block;
}

void *calloc(size_t n, size_t size)
{
    return size != 0 && n > SIZE_MAX / size ? NULL : malloc(n * size);
}

void *realloc(void *old, size_t size)
{
    void *const block = malloc(size);
    size_t old_size = 0;
    if (old) memcpy(&old_size, (unsigned char *)old - alignment, sizeof old_size);
    if (block && old) memcpy(block, old, old_size < size ? old_size : size);
    return block;
}

void free(void *block) { (void)block; }

__attribute__((destructor)) static void tell(void) { fprintf(stderr, "heap: %lu calls\n", calls); }
