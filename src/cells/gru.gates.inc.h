/* The gates of a gated recurrent unit, from the sums of its products. Part of gates.inc.h; the
 * equations are in gru.c. */
#if RNNAT_WITH_GRU
#ifndef WEIGHT /* what is made of sums */
/* h' = (1 - z) n + z h; training's too. */
INLINE VEC FN(gru_mix)(VEC z, VEC h, VEC n) { return FN(fma)(z, FN(sub)(h, n), n); }

/* Reset after: n = tanh(gx_n + r (W_hn h + b_hn)), h' = n + z (h - n). */
INLINE void FN(gru_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC rz[max_abreast], new[max_abreast];
    ABREAST(i)
    {
        rz[i] = sums[i * 3];
        rz[n + i] = sums[i * 3 + 1];
    }
    FN(sigmoid)(2 * n, rz);
    ABREAST(i) new[i] = FN(fma)(rz[i], sums[i * 3 + 2], FN(load)(AT(i, gx, 3) + 2 * LANES));
    FN(tanh)(n, new);
    ABREAST(i)
    {
        const VEC h = FN(load)(AT(i, h_prev, 1));
        FN(put_h)(s, at, i, FN(gru_mix)(rz[n + i], h, new[i]));
        if (TRACED(s)) SHOW(i, 0, 3, rz[i], rz[n + i], new[i]);
    }
}

/* Reset before: first r and z of all units, which stores r h and z, */
INLINE void FN(gru_gates_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC rz[max_abreast];
    ABREAST(i)
    {
        rz[i] = sums[i * 2];
        rz[n + i] = sums[i * 2 + 1];
    }
    FN(sigmoid)(2 * n, rz);
    ABREAST(i)
    {
        FN(store)(AT_PAD(i, rh), FN(mul)(rz[i], FN(load)(AT(i, h_prev, 1))));
        FN(store)(AT_PAD(i, z), rz[n + i]);
        if (TRACED(s)) SHOW(i, 0, 2, rz[i], rz[n + i]);
    }
}

/* then n = tanh(gx_n + W_hn (r h)) and h'. */
INLINE void FN(gru_new_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC new[max_abreast];
    ABREAST(i) new[i] = sums[i];
    FN(tanh)(n, new);
    ABREAST(i)
    {
        const VEC h = FN(load)(AT(i, h_prev, 1)), z = FN(load)(AT_PAD(i, z));
        FN(put_h)(s, at, i, FN(gru_mix)(z, h, new[i]));
        if (TRACED(s)) SHOW(i, 2, 1, new[i]);
    }
}

POST(gru, 2)
POST(gru_gates, 2)
POST(gru_new, 4)

#if RNNAT_TRAIN
#include "gru_gradient.inc.h"
#endif
#else /* how sums are made */
STEP_SUMS(gru, 3, 3, 0, 2, h_prev, h_prev_stride, s->bias_hn)
STEP_SUMS(gru_gates, 2, 3, 0, 2, h_prev, h_prev_stride, NULL)
STEP_SUMS(gru_new, 1, 3, 2, 1, rh, pad_stride, NULL)
STEP_BLOCKS(gru, 3, 1, rows_of_3, rows_of_3)
STEP_BLOCKS(gru_gates, 4, 2, rows_of_4, rows_of_2)
STEP_BLOCKS(gru_new, 8, 4, rows_of_4, rows_of_1)
#endif
#endif
