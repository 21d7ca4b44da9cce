/* Functions for instructions that a kernel's own file is not compiled for: what stands between BEGIN and END
 * may use them, and is called where the CPU has them alone. */
#ifndef RNNAT_TARGET_H
#define RNNAT_TARGET_H

#include "../types.h"

#define RNNAT_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define RNNAT_TARGET_BEGIN(name)                                                                   \
    RNNAT_PRAGMA(clang attribute push(__attribute__((target(name))), apply_to = function))
#define RNNAT_TARGET_END RNNAT_PRAGMA(clang attribute pop)
#else
#define RNNAT_TARGET_BEGIN(name) RNNAT_PRAGMA(GCC push_options) RNNAT_PRAGMA(GCC target(name))
#define RNNAT_TARGET_END RNNAT_PRAGMA(GCC pop_options)
#endif

#endif
