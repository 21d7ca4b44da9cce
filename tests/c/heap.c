/* Counts the calls of the heap, or has them fail, where the linker passes them through here. */
#include "heap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long calls;
static atomic_bool failing;

long heap_calls(void) { return atomic_load(&calls); }
void heap_fail(bool fail) { atomic_store(&failing, fail); }

#ifdef RNNAT_TEST_WRAPS_HEAP
bool heap_watched(void) { return true; }

static bool refused(void)
{
    atomic_fetch_add(&calls, 1);
    return atomic_load(&failing);
}

/* `--wrap=f` makes every call of f one of __wrap_f, and of __real_f one of f. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size) { return refused() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refused() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return refused() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}

void __wrap_free(void *block)
{
    atomic_fetch_add(&calls, 1);
    __real_free(block);
}
#else
bool heap_watched(void) { return false; }
#endif
