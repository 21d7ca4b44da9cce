/* Gates for somebody to look at, where a step has somewhere to show them. Part of body.inc.h. */

/* Only the Python package asks for it. */
#define TRACED(s) (RNNAT_INSPECT && (s)->trace[0])
#if RNNAT_INSPECT
#define SHOWER NOINLINE
#else
#define SHOWER INLINE
#endif

/* Puts `count` gates of one row and panel, from gate `first` on, into their dense arrays. */
SHOWER void FN(show)(const rnnat_step *s, int32_t first, int32_t row, int32_t panel,
                     const VEC *gates, int32_t count)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    const ptrdiff_t left = s->hidden - unit;
    for (int32_t g = 0; g < count; ++g) {
        REAL *to = (REAL *)s->trace[first + g] + row * (ptrdiff_t)s->hidden + unit;
        if (left >= LANES)
            FN(store)(to, gates[g]);
        else
            FN(store_first)(to, (int32_t)left, gates[g]);
    }
}
