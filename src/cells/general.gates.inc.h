/* The gates of cells with any activations. Part of gates.inc.h; the equations are in general.c.
 *
 * The recurrent products are in memory, in s->gh, gates interleaved like the input projection's;
 * what remains is done vector by vector: no unit, and no row, knows of another one.
 */
#if RNNAT_WITH_GENERAL && !defined(WEIGHT)
/* Gate `gate` of `gates` of a panel's recurrent product. */
INLINE VEC FN(made)(const rnnat_step *s, int32_t row, int32_t panel, int32_t gate, int32_t gates)
{
    const ptrdiff_t vector = (ptrdiff_t)panel * gates + gate;
    return FN(load)((const REAL *)s->gh + row * s->gh_stride + vector * LANES);
}

/* Where a panel's units begin in an array [rows, pad] of the step. */
INLINE REAL *FN(units)(const rnnat_step *s, void *array, int32_t row, int32_t panel)
{
    return (REAL *)array + row * s->pad_stride + (ptrdiff_t)panel * LANES;
}

INLINE VEC FN(h_before)(const rnnat_step *s, int32_t row, int32_t panel)
{
    return FN(load)((const REAL *)s->h_prev + row * s->h_prev_stride + (ptrdiff_t)panel * LANES);
}

/* All rows and units of a thread's share. */
#define GENERAL(name)                                                                              \
    static void FN(name)(const rnnat_step *s)                                                      \
    {                                                                                              \
        for (int32_t row = 0; row < s->rows; ++row)                                                \
            for (int32_t panel = s->first_panel; panel < s->last_panel; ++panel)                   \
                FN(name##_at)(s, (FN(place)){row, panel, 1});                                      \
    }

#if RNNAT_WITH_RNN
INLINE void FN(general_rnn_at)(const rnnat_step *s, FN(place) at)
{
    const VEC a =
        FN(add)(FN(made)(s, at.row, at.panel, 0, 1), FN(projected)(s, at.row, at.panel, 0, 1));
    FN(put_h)(s, at, 0, FN(apply)(s->functions, 0, a));
}
GENERAL(general_rnn)
#endif

#if RNNAT_WITH_GRU
/* r or z, of a product that has `gates`. */
INLINE VEC FN(general_gru_gate)(const rnnat_step *s, FN(place) at, int32_t gate, int32_t gates)
{
    const VEC a = FN(add)(FN(made)(s, at.row, at.panel, gate, gates),
                          FN(projected)(s, at.row, at.panel, gate, 3));
    return FN(apply)(s->functions, 0, a);
}

/* h' = (1 - z) n + z h as it stands: n need not be bounded, so that n + z (h - n) could be no
 * number where this is infinite. */
INLINE void FN(general_gru_mix)(const rnnat_step *s, FN(place) at, VEC z, VEC n)
{
    const VEC h = FN(h_before)(s, at.row, at.panel), rest = FN(sub)(FN(set1)(1), z);
    FN(put_h)(s, at, 0, FN(fma)(rest, n, FN(mul)(z, h)));
}

INLINE void FN(general_gru_at)(const rnnat_step *s, FN(place) at)
{
    const VEC r = FN(general_gru_gate)(s, at, 0, 3), z = FN(general_gru_gate)(s, at, 1, 3);
    VEC q = FN(made)(s, at.row, at.panel, 2, 3);
    if (s->bias_hn)
        q = FN(add)(q, FN(load)((const REAL *)s->bias_hn + (ptrdiff_t)at.panel * LANES));
    const VEC n =
        FN(apply)(s->functions, 1, FN(fma)(r, q, FN(projected)(s, at.row, at.panel, 2, 3)));
    FN(general_gru_mix)(s, at, z, n);
    if (TRACED(s)) FN(show)(s, 0, at.row, at.panel, (const VEC[]){r, z, n}, 3);
}

INLINE void FN(general_gru_gates_at)(const rnnat_step *s, FN(place) at)
{
    const VEC r = FN(general_gru_gate)(s, at, 0, 2), z = FN(general_gru_gate)(s, at, 1, 2);
    FN(store)(FN(units)(s, s->rh, at.row, at.panel), FN(mul)(r, FN(h_before)(s, at.row, at.panel)));
    FN(store)(FN(units)(s, s->z, at.row, at.panel), z);
    if (TRACED(s)) FN(show)(s, 0, at.row, at.panel, (const VEC[]){r, z}, 2);
}

INLINE void FN(general_gru_new_at)(const rnnat_step *s, FN(place) at)
{
    const VEC z = FN(load)(FN(units)(s, s->z, at.row, at.panel));
    const VEC a =
        FN(add)(FN(made)(s, at.row, at.panel, 0, 1), FN(projected)(s, at.row, at.panel, 2, 3));
    const VEC n = FN(apply)(s->functions, 1, a);
    FN(general_gru_mix)(s, at, z, n);
    if (TRACED(s)) FN(show)(s, 2, at.row, at.panel, &n, 1);
}

GENERAL(general_gru)
GENERAL(general_gru_gates)
GENERAL(general_gru_new)
#endif

#if RNNAT_WITH_LSTM
INLINE void FN(general_lstm_at)(const rnnat_step *s, FN(place) at)
{
    const rnnat_functions *const functions = s->functions;
    const REAL *const w_ci =
        s->peephole ? (const REAL *)s->peephole + (ptrdiff_t)at.panel * LANES : NULL;
    REAL *const c_at = FN(units)(s, s->c, at.row, at.panel);
    VEC c = FN(load)(c_at), a[4];
    for (int32_t gate = 0; gate < 4; ++gate)
        a[gate] = FN(add)(FN(made)(s, at.row, at.panel, gate, 4),
                          FN(projected)(s, at.row, at.panel, gate, 4));
    if (w_ci) {
        a[0] = FN(fma)(FN(load)(w_ci), c, a[0]);
        a[1] = FN(fma)(FN(load)(w_ci + s->pad_stride), c, a[1]);
    }
    const VEC i = FN(apply)(functions, 0, a[0]);
    const VEC f = functions->input_forget ? FN(sub)(FN(set1)(1), i) : FN(apply)(functions, 0, a[1]);
    const VEC g = FN(apply)(functions, 1, a[2]);
    c = FN(fma)(f, c, FN(mul)(i, g));
    if (functions->cell_clip > 0)
        c = FN(clamp)(c, (REAL)-functions->cell_clip, (REAL)functions->cell_clip);
    FN(store)(c_at, c);
    if (w_ci) a[3] = FN(fma)(FN(load)(w_ci + 2 * s->pad_stride), c, a[3]);
    const VEC o = FN(apply)(functions, 0, a[3]);
    FN(put_h)(s, at, 0, FN(mul)(o, FN(apply)(functions, 2, c)));
    if (TRACED(s)) FN(show)(s, 0, at.row, at.panel, (const VEC[]){i, f, g, o}, 4);
}
GENERAL(general_lstm)
#endif

#undef GENERAL
#endif
