/* The gates of the cells whose gates recur on gates, from the sums of their recurrent products. Part
 * of body.inc.h. The equations are in cells/gate_gru.c and gate_lstm.c; the sums are made by
 * blocks_gate_recurrent.inc.h or, in small builds, by small.inc.h.
 */

/* Vector `gate` of one panel of the input projection, which has `gates`. */
INLINE VEC FN(projected)(const rnnat_step *s, int32_t row, int32_t panel, int32_t gate,
                         int32_t gates)
{
    const ptrdiff_t vector = (ptrdiff_t)panel * gates + gate;
    return FN(load)((const REAL *)s->gx + row * s->gx_stride + vector * LANES);
}

#if RNNAT_WITH_GATE && RNNAT_WITH_GRU
/* ---- GRU: first r, z of all units and r h; then n, h' = h + z (n - h) ---- */

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

#endif
#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
/* ---- LSTM: i, f, g, o, then c' = f c + i g, h' = o tanh(c'); states after h: c, i, f ---- */

NOINLINE void FN(gate_lstm_post)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    const ptrdiff_t at = row * s->pad_stride + (ptrdiff_t)panel * LANES;
    VEC c = FN(load)((const REAL *)s->prev[0] + at), a[4];
    for (int g = 0; g < 4; ++g) a[g] = FN(add)(sums[g], FN(projected)(s, row, panel, g, 4));
    const VEC h = FN(lstm_gates)(a, &c, NULL);
    FN(store)((REAL *)s->next[0] + at, c);
    FN(store)((REAL *)s->next[1] + at, a[0]);
    FN(store)((REAL *)s->next[2] + at, a[1]);
    FN(put_h)(s, (FN(place)){row, panel, 1}, 0, h);
    if (TRACED(s)) FN(show)(s, 0, row, panel, a, 4);
}
#endif
