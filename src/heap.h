/* Memory for packed weights, which are read from one end to the other at every step. */
#ifndef RNNAT_HEAP_H
#define RNNAT_HEAP_H

#include <stddef.h>

/* `size` bytes for free(), or NULL. Large blocks ask the system for huge pages, where there are
 * such: with small ones a core looks up an address every 4 KiB, and finds it in no cache. */
void *rnnat_heap_take(size_t size);

/* Asks for such pages where whole ones lie in a block that nothing has been written to yet. */
void rnnat_heap_advise(void *block, size_t size);

#endif
