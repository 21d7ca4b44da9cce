/* Functions for instructions that a kernel's own file is not compiled for: what stands between BEGIN and END
 * may use them, and is called where the CPU has them alone. */
#ifndef RNNAT_TARGET_H
#define RNNAT_TARGET_H

#include "../cpu_features.h"
#include "../types.h"

/* Whether the compiler is GCC, Clang or Apple's, of these versions or later. */
#if defined(__apple_build_version__)
#define RNNAT_COMPILER(gcc, clang, apple) (__clang_major__ >= (apple))
#elif defined(__clang__)
#define RNNAT_COMPILER(gcc, clang, apple) (__clang_major__ >= (clang))
#elif defined(__GNUC__)
#define RNNAT_COMPILER(gcc, clang, apple) (__GNUC__ >= (gcc))
#else
#define RNNAT_COMPILER(gcc, clang, apple) 0
#endif

/* An operand of assembly that may be in memory. Clang, where it may, puts it there. */
#ifdef __clang__
#define RNNAT_IN(registers) registers
#else
#define RNNAT_IN(registers) registers "m"
#endif

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
