/* An arena: it carves one block of memory into aligned arrays. With no block (base NULL) it only
 * counts, so that the same lines which lay something out also tell its size. */
#ifndef RNNAT_ARENA_H
#define RNNAT_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define RNNAT_ALIGN ((size_t)64)

typedef struct rnnat_arena {
    char *base; /* aligned, or NULL: it only counts */
    size_t used; /* bytes */
    bool overflow; /* a size did not fit size_t */
    /* Is told every array of structs that is taken, whose sizes depend on the target; or NULL. */
    void (*told)(void *arg, const char *type, size_t count, size_t size);
    void *arg;
} rnnat_arena;

/* The first aligned byte of the caller's memory; a need stated by rnnat_arena_need covers it. */
static inline rnnat_arena rnnat_arena_at(void *mem)
{
    const size_t slack =
        mem ? (RNNAT_ALIGN - (size_t)((uintptr_t)mem % RNNAT_ALIGN)) % RNNAT_ALIGN : 0;
    return (rnnat_arena){.base = mem ? (char *)mem + slack : NULL};
}

/* Takes `count` elements of `size` bytes; returns NULL while it only counts. */
static inline void *rnnat_arena_take(rnnat_arena *arena, size_t count, size_t size)
{
    const size_t most = SIZE_MAX / 4 - arena->used;
    if (arena->overflow || most < RNNAT_ALIGN || (size && count > (most - RNNAT_ALIGN) / size)) {
        arena->overflow = true;
        return NULL;
    }
    void *const taken = arena->base ? arena->base + arena->used : NULL;
    arena->used += (count * size + RNNAT_ALIGN - 1) / RNNAT_ALIGN * RNNAT_ALIGN;
    return taken;
}

/* Takes rows times columns elements, a product that need not fit size_t either. */
static inline void *rnnat_arena_take_table(rnnat_arena *arena, size_t rows, size_t columns,
                                           size_t size)
{
    if (size && columns && rows > SIZE_MAX / columns) arena->overflow = true;
    return rnnat_arena_take(arena, rows * columns, size);
}

/* Takes `count` structs of a type, or pointers. */
#define RNNAT_TAKE(arena, count, type) rnnat_arena_take_structs(arena, count, sizeof(type), #type)
static inline void *rnnat_arena_take_structs(rnnat_arena *arena, size_t count, size_t size,
                                             const char *type)
{
    if (RNNAT_INSPECT && arena->told) arena->told(arena->arg, type, count, size);
    return rnnat_arena_take(arena, count, size);
}

/* Bytes that a block needs whose first byte may be at any address. */
static inline size_t rnnat_arena_need(const rnnat_arena *arena)
{
    return arena->used + RNNAT_ALIGN - 1;
}

#endif
