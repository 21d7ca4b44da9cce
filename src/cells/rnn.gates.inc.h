/* The gates of an Elman network, from the sums of its products. Part of gates.inc.h; the equations
 * are in rnn.c. */
#if RNNAT_WITH_RNN
#ifndef WEIGHT /* what is made of sums */
INLINE void FN(rnn_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC h[max_abreast];
    ABREAST(i) h[i] = sums[i];
    FN(map)(n, h, s->activation);
    ABREAST(i) FN(put_h)(s, at, i, h[i]);
}

POST(rnn, 4)

#if RNNAT_TRAIN
#include "rnn_gradient.inc.h"
#endif
#else /* how sums are made */
STEP_SUMS(rnn, 1, 1, 0, 1, h_prev, h_prev_stride, NULL)
STEP_BLOCKS(rnn, 8, 4, rows_of_4, rows_of_1)
#endif
#endif
