/* Takes the memory of packed weights from the heap, in huge pages where there are such. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* madvise */
#endif

#include "heap.h"

#include "config.h"

#if RNNAT_HEAP
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__) && defined(MADV_HUGEPAGE)
enum { huge_page = 2 * 1024 * 1024 };

void *rnnat_heap_take(size_t size)
{
    void *block;
    if (size < huge_page) return malloc(size);
    if (posix_memalign(&block, huge_page, size) != 0) return NULL;
    rnnat_heap_advise(block, size);
    return block;
}

/* Of whole huge pages alone, for the rest would be unused. Refused, small ones serve as well. */
void rnnat_heap_advise(void *block, size_t size)
{
    const size_t before = (huge_page - (uintptr_t)block % huge_page) % huge_page;
    if (size < before + huge_page) return;
    (void)madvise((char *)block + before, (size - before) / huge_page * huge_page, MADV_HUGEPAGE);
}
#else
void *rnnat_heap_take(size_t size) { return malloc(size); }

void rnnat_heap_advise(void *block, size_t size) { (void)block, (void)size; }
#endif
#endif
