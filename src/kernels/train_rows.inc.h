/* Rows of training's arrays, which are not padded, and what its cells have in common. Part of
 * body.inc.h. */

/* The first `left` of a vector, or all of it. */
INLINE VEC FN(get)(const REAL *p, int32_t left)
{
    return left < LANES ? FN(load_first)(p, left, FN(set1)(0)) : FN(load)(p);
}
INLINE void FN(put)(REAL *p, int32_t left, VEC v)
{
    if (left < LANES)
        FN(store_first)(p, left, v);
    else
        FN(store)(p, v);
}

/* Row r of an array of `stride`. */
#define ROW(pointer, stride) ((REAL *)RNNAT_WRITABLE(pointer) + r * (stride))

/* The body for every vector of the units u of a row; `left` is a constant but for the last one. */
#define FOR_UNITS(body)                                                                            \
    do {                                                                                           \
        int32_t u = 0;                                                                             \
        for (; u + LANES <= H; u += LANES) body(LANES);                                            \
        if (u < H) body(H - u);                                                                    \
    } while (0)

INLINE int32_t FN(is_valid)(const rnnat_train_step *s, int32_t r)
{
    return !s->lengths || s->step < s->lengths[r];
}

INLINE void FN(copy_row)(REAL *to, const REAL *from, int32_t n)
{
    if (to)
        for (int32_t j = 0; j < n; ++j) to[j] = from ? from[j] : 0;
}

/* The state h of row r passes through, and its output is zero. */
INLINE void FN(pass_through)(const rnnat_train_step *s, int32_t r)
{
    FN(copy_row)(ROW(s->h_next, s->state_stride), ROW(s->h_prev, s->state_stride), s->hidden);
    FN(copy_row)(ROW(s->out, s->out_stride), NULL, s->hidden);
}

/* y (1 - y) and 1 - y^2: derivatives of sigmoid and tanh, by their results. */
INLINE VEC FN(sigmoid_slope)(VEC y) { return FN(mul)(y, FN(sub)(FN(set1)(1), y)); }
INLINE VEC FN(tanh_slope)(VEC y) { return FN(sub)(FN(set1)(1), FN(mul)(y, y)); }

/* The gradient that reaches h_t of row r: from the output, and from the step after it. */
INLINE VEC FN(dh_of)(const REAL *dy, const REAL *dh, int32_t u, int32_t left)
{
    const VEC carried = FN(get)(dh + u, left);
    return dy ? FN(add)(FN(get)(dy + u, left), carried) : carried;
}
