/* The heap as the core sees it: every call of this program's own objects passes through here,
 * where the linker can arrange that (--wrap). What shared libraries do among themselves, OpenMP's
 * threads for one, is theirs. */
#ifndef RNNAT_TEST_HEAP_H
#define RNNAT_TEST_HEAP_H

#include <stdbool.h>

bool heap_watched(void);   /* false: the linker cannot, and the others do nothing */
long heap_calls(void);     /* so far; of malloc, free and all in between */
void heap_fail(bool fail); /* from now on every request is refused, or no longer */

#endif
