/* The gates of a long short-term memory, from the sums of its products. Part of gates.inc.h; the
 * equations are in lstm.c. */
#if RNNAT_WITH_LSTM
#ifndef WEIGHT /* what is made of sums */
/* Sums of i, f, g, o become these, and c becomes c' = f c + i g; returns h' = o tanh(c'). It is
 * for training and for gate_lstm. `peepholes`: of i and f, which see c, and of o, which sees c';
 * NULL: none. */
INLINE VEC FN(lstm_gates)(VEC *a, VEC *c, const VEC *peepholes)
{
    if (peepholes) {
        a[0] = FN(fma)(peepholes[0], *c, a[0]);
        a[1] = FN(fma)(peepholes[1], *c, a[1]);
    }
    a[0] = FN(sigmoid_of)(a[0]);
    a[1] = FN(sigmoid_of)(a[1]);
    a[2] = FN(tanh_of)(a[2]);
    *c = FN(fma)(a[1], *c, FN(mul)(a[0], a[2]));
    if (peepholes) a[3] = FN(fma)(peepholes[2], *c, a[3]);
    a[3] = FN(sigmoid_of)(a[3]);
    return FN(mul)(a[3], FN(tanh_of)(*c));
}

/* Shows i, f and g, from their sums: a step does not need each of them by itself. */
SHOWER void FN(show_ifg)(const rnnat_step *s, int32_t row, int32_t panel, VEC i, VEC f, VEC g)
{
    const VEC gates[] = {FN(sigmoid_of)(i), FN(sigmoid_of)(f), FN(tanh_of)(g)};
    FN(show)(s, 0, row, panel, gates, 3);
}

/* c' = f c + i g, h' = o tanh(c'); peepholes: i and f see c, o sees c'. */
INLINE void FN(lstm_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    const REAL *const w_ci = (const REAL *)s->peephole;
    const REAL *const w_cf = w_ci + s->pad_stride, *const w_co = w_cf + s->pad_stride;
    VEC x[max_abreast], scale[max_abreast], c[max_abreast]; /* x: of n i, n f, n g; of n o, n c' */
    ABREAST(k)
    {
        VEC i = sums[k * 4], f = sums[k * 4 + 1];
        c[k] = FN(load)(AT_PAD(k, c));
        if (s->peephole) {
            i = FN(fma)(FN(load)(w_ci + UNIT_OF(k)), c[k], i);
            f = FN(fma)(FN(load)(w_cf + UNIT_OF(k)), c[k], f);
        }
        if (TRACED(s))
            FN(show_ifg)(s, ROW_OF(k), at.panel + k * (1 - at.down), i, f, sums[k * 4 + 2]);
        x[k] = FN(minus_clamped)(i);
        x[n + k] = FN(minus_clamped)(f);
        x[2 * n + k] = FN(size_times)(sums[k * 4 + 2], -2);
    }
    FN(expm1_split)(3 * n, x, scale);
    ABREAST(k)
    {
        const VEC f = FN(div)(FN(set1)(1), FN(one_and_exp)(scale[n + k], x[n + k]));
        const VEC ig =
            FN(sigmoid_tanh)(scale[k], x[k], scale[2 * n + k], x[2 * n + k], sums[k * 4 + 2]);
        c[k] = FN(fma)(f, c[k], ig);
        FN(store)(AT_PAD(k, c), c[k]);
    }
    ABREAST(k)
    {
        VEC o = sums[k * 4 + 3];
        if (s->peephole) o = FN(fma)(FN(load)(w_co + UNIT_OF(k)), c[k], o);
        if (TRACED(s)) SHOW(k, 3, 1, FN(sigmoid_of)(o));
        x[k] = FN(minus_clamped)(o);
        x[n + k] = FN(size_times)(c[k], -2);
    }
    FN(expm1_split)(2 * n, x, scale);
    ABREAST(k)
    FN(put_h)(s, at, k, FN(sigmoid_tanh)(scale[k], x[k], scale[n + k], x[n + k], c[k]));
}

POST(lstm, 2)

#if RNNAT_TRAIN
#include "lstm_gradient.inc.h"
#endif
#else /* how sums are made */
STEP_SUMS(lstm, 4, 4, 0, 4, h_prev, h_prev_stride, NULL)
STEP_BLOCKS(lstm, 2, 1, rows_of_4, rows_of_4)
#endif
#endif
