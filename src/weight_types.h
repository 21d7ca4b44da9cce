/* What weights can be stored as beside what is computed in, float: the one list of such types, and
 * how a number of each is rounded and widened. */
#ifndef RNNAT_WEIGHT_TYPES_H
#define RNNAT_WEIGHT_TYPES_H

#include "float16.h"
#include "types.h"

/* X(its rnnat_weight_dtype, the ending of its names in C, its name in Python, its largest number, what
 * one number is stored as, the option of the build that has it). By its ending e there are rnnat_<e>_widen, exact,
 * rnnat_<e>_round, to the nearest and of two as near to the even one, and the kernels that
 * kernels/weights.inc.h makes. */
#define RNNAT_EACH_WEIGHT_TYPE(X)                                                                  \
    X(RNNAT_WEIGHT_F16, f16, "float16", 65504.0, uint16_t, RNNAT_WITH_FLOAT16)                     \
    X(RNNAT_WEIGHT_BF16, bf16, "bfloat16", 0x1.FEp127, uint16_t, RNNAT_WITH_BFLOAT16)

/* X(...) where the build has the option, else nothing. */
#define RNNAT_IF_WITH(with, ...) RNNAT_IF_WITH_(with, __VA_ARGS__)
#define RNNAT_IF_WITH_(with, ...) RNNAT_IF_WITH_##with(__VA_ARGS__)
#define RNNAT_IF_WITH_1(...) __VA_ARGS__
#define RNNAT_IF_WITH_0(...)

/* How many there are, with the one that is computed in: codes are 0 .. RNNAT_WEIGHT_TYPES - 1. */
#define RNNAT_WEIGHT_TYPE_ADDS_ONE(code, ending, name, most, stored, with) +1
enum { RNNAT_WEIGHT_TYPES = 1 RNNAT_EACH_WEIGHT_TYPE(RNNAT_WEIGHT_TYPE_ADDS_ONE) };

#endif
