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

/* What a matrix is: how it is packed, and which kernels multiply it. Those of the list above have the
 * same codes here and in the public header. */
typedef enum rnnat_stored {
    RNNAT_STORED_OWN = RNNAT_WEIGHT_AS_DTYPE,
    RNNAT_STORED_F16 = RNNAT_WEIGHT_F16, /* widened when it is multiplied */
    RNNAT_STORED_BF16 = RNNAT_WEIGHT_BF16, /* likewise, in pairs of a column */
    RNNAT_STORED_INT8 = RNNAT_WEIGHT_INT8, /* integers, in groups of four of a column */
    RNNAT_STORED_INT8_DOT, /* the same bytes, for a CPU that multiplies four at once */
    RNNAT_STORED_INT8_TILES, /* for one that multiplies rows by columns: groups of eight for two by two, and
                                the same bytes for AMX's 16 by 16 */
    RNNAT_STORED_BF16_DOT, /* the same pairs, for one that multiplies two at once */
    RNNAT_STORED_TYPES
} rnnat_stored;

/* Whether some matrix may have groups, and whether some may be stored as something else at all. */
#define RNNAT_WITH_GROUPS (RNNAT_WITH_INT8 || RNNAT_WITH_BFLOAT16)
#define RNNAT_WITH_NARROW (RNNAT_WITH_GROUPS || RNNAT_WITH_FLOAT16)

/* Elements of a column that lie side by side in a matrix, and how many more rows a panel has behind its
 * own, which are zero: of int8 a float scale and an int32 for each column, four bytes each. */
static inline int32_t rnnat_stored_group(rnnat_stored type)
{
    if (!RNNAT_WITH_GROUPS) return 1;
    if (type == RNNAT_STORED_BF16 || type == RNNAT_STORED_BF16_DOT) return 2;
#ifndef __x86_64__
    if (type == RNNAT_STORED_INT8_TILES) return 8;
#endif
    return type >= RNNAT_STORED_INT8 ? 4 : 1;
}
static inline bool rnnat_stored_is_int8(rnnat_stored type)
{
    return RNNAT_WITH_INT8 && type >= RNNAT_STORED_INT8 && type <= RNNAT_STORED_INT8_TILES;
}
/* Rows of a panel for k features, those behind its own included. */
static inline int32_t rnnat_stored_rows(rnnat_stored type, int32_t k)
{
    const int32_t group = rnnat_stored_group(type);
    return (k + group - 1) / group * group + (rnnat_stored_is_int8(type) ? 8 : 0);
}
/* How long a multiplication takes, in those of floats: measured, where a row's state is rounded too. */
static inline double rnnat_stored_cost(rnnat_stored type)
{
    if (!RNNAT_WITH_GROUPS) return 1;
    if (type == RNNAT_STORED_INT8 || type == RNNAT_STORED_BF16_DOT) return 1.0 / 2;
    return rnnat_stored_is_int8(type) ? 1.0 / 6 : 1;
}

#endif
