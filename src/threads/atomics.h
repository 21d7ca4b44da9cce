/* C11's atomics, or plain variables where the compiler has none: then each run has one thread, and
 * the program makes its first model before it has threads. */
#ifndef RNNAT_ATOMICS_H
#define RNNAT_ATOMICS_H

#include "../config.h"

#ifndef __STDC_NO_ATOMICS__
#include <stdatomic.h>
#define RNNAT_ATOMIC(type) _Atomic(type)
#elif RNNAT_THREADS || RNNAT_BLAS
#error "RNNAT_THREADS=1 or RNNAT_BLAS=1: expected a compiler with atomics, got __STDC_NO_ATOMICS__"
#else
#define RNNAT_ATOMIC(type) type
#define atomic_load(object) (*(object))
#define atomic_store(object, value) ((void)(*(object) = (value)))
#endif

#endif
