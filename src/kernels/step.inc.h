/* What cells make of the sums of one time step, in cells/<cell>.gates.inc.h, and the words that
 * these are written in: of a unit, sums[0], sums[1], ... are those of its gates. Part of
 * body.inc.h. The sums are made by blocks.inc.h or, in small builds, by small.inc.h.
 */

/* Where the gates of n units' vectors abreast go: at row + i and `panel`, or at `row` and
 * panel + i. */
typedef struct FN(place) {
    int32_t row, panel;
    int32_t down; /* 1: rows follow each other; 0: panels do */
} FN(place);

#define ABREAST(i) UNROLL for (int i = 0; i < n; ++i)
#define SHOW(i, first, count, ...)                                                                 \
    FN(show)(s, first, ROW_OF(i), at.panel + i * (1 - at.down), (const VEC[]){__VA_ARGS__}, count)
#define ROW_OF(i) (at.row + i * at.down)
#define UNIT_OF(i) ((ptrdiff_t)(at.panel + i * (1 - at.down)) * LANES)
/* Element of a step's array that has the rows apart by its `name`_stride. */
#define AT(i, name, per_unit)                                                                      \
    ((REAL *)RNNAT_WRITABLE(s->name) + ROW_OF(i) * s->name##_stride + UNIT_OF(i) * per_unit)
#define AT_PAD(i, name) ((REAL *)s->name + ROW_OF(i) * s->pad_stride + UNIT_OF(i))

INLINE void FN(put_h)(const rnnat_step *s, FN(place) at, const int i, VEC h)
{
    FN(store)(AT(i, h_next, 1), h);
    if (s->out) {
        const ptrdiff_t left = s->hidden - UNIT_OF(i);
        if (left >= LANES)
            FN(store)(AT(i, out, 1), h);
        else
            FN(store_first)(AT(i, out, 1), (int32_t)left, h);
    }
}

/* Vector `gate` of one panel of the input projection, which has `gates`. */
INLINE VEC FN(projected)(const rnnat_step *s, int32_t row, int32_t panel, int32_t gate,
                         int32_t gates)
{
    const ptrdiff_t vector = (ptrdiff_t)panel * gates + gate;
    return FN(load)((const REAL *)s->gx + row * s->gx_stride + vector * LANES);
}

/* <name>_postgemm as functions of their own, which the products of every type of weights share: of
 * one unit in small builds; else of SEVERAL units abreast, and of one. */
#if RNNAT_SMALL
#define POST(name, SEVERAL)                                                                        \
    static void FN(name##_post)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)  \
    {                                                                                              \
        FN(name##_postgemm)(s, (FN(place)){row, panel, 1}, 1, sums);                               \
    }
#else
#define POST(name, SEVERAL)                                                                        \
    enum { FN(name##_abreast) = SEVERAL };                                                         \
    NOINLINE void FN(name##_several)(const rnnat_step *s, FN(place) at, const VEC *sums)           \
    {                                                                                              \
        FN(name##_postgemm)(s, at, SEVERAL, sums);                                                 \
    }                                                                                              \
    NOINLINE void FN(name##_one)(const rnnat_step *s, FN(place) at, const VEC *sums)               \
    {                                                                                              \
        FN(name##_postgemm)(s, at, 1, sums);                                                       \
    }
#endif

#include "../cells/gates.inc.h"

#undef POST
#undef ABREAST
#undef SHOW
#undef ROW_OF
#undef UNIT_OF
#undef AT
#undef AT_PAD
