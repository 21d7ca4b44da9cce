/* The gates of the gate-recurrent unit, from the sums of its products. Part of gates.inc.h; the
 * equations are in gate_gru.c. */
#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
#ifndef WEIGHT /* what is made of sums */
/* h' = (1 - z) h + z n; training's too. */
INLINE VEC FN(gate_gru_mix)(VEC z, VEC h, VEC n) { return FN(fma)(z, FN(sub)(n, h), h); }

/* First r, z of all units and r h, */
NOINLINE void FN(gate_gru_gates_post)(const rnnat_step *s, int32_t row, int32_t panel,
                                      const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES, at = row * s->pad_stride + unit;
    const VEC h = FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + unit);
    const VEC r = FN(sigmoid_of)(FN(add)(sums[0], FN(projected)(s, row, panel, 0, 3)));
    const VEC z = FN(sigmoid_of)(FN(add)(sums[1], FN(projected)(s, row, panel, 1, 3)));
    FN(store)((REAL *)s->rh + at, FN(mul)(r, h));
    FN(store)((REAL *)s->next[0] + at, z);
    if (TRACED(s)) FN(show)(s, 0, row, panel, (const VEC[]){r, z}, 2);
}

/* then n and h'. */
NOINLINE void FN(gate_gru_new_post)(const rnnat_step *s, int32_t row, int32_t panel,
                                    const VEC *sums)
{
    const ptrdiff_t unit = (ptrdiff_t)panel * LANES;
    const VEC h = FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + unit);
    const VEC z = FN(load)((const REAL *)s->next[0] + row * s->pad_stride + unit);
    const VEC n = FN(tanh_of)(FN(add)(sums[0], FN(projected)(s, row, panel, 2, 3)));
    FN(put_h)(s, (FN(place)){row, panel, 1}, 0, FN(gate_gru_mix)(z, h, n));
    if (TRACED(s)) FN(show)(s, 2, row, panel, &n, 1);
}

#if RNNAT_TRAIN
#include "gate_gru_gradient.inc.h"
#endif
#else /* how sums are made */
GATE_SUMS(gate_gru_gates, 2, prev[0])
GATE_SUMS(gate_gru_new, 1, rh)
GATE_BLOCKS(gate_gru_gates, 4, 2)
GATE_BLOCKS(gate_gru_new, 8, 4)
#endif
#endif
