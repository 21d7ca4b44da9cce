/* What gates make of their sums, and states of gates, vector by vector: the same text where a cell runs
 * and where it learns. Part of body.inc.h. */

/* GRU: h' = (1 - z) n + z h; */
INLINE VEC FN(gru_mix)(VEC z, VEC h, VEC n) { return FN(fma)(z, FN(sub)(h, n), n); }
/* gate-recurrent: h' = (1 - z) h + z n. */
INLINE VEC FN(gate_gru_mix)(VEC z, VEC h, VEC n) { return FN(fma)(z, FN(sub)(n, h), h); }

/* LSTM: sums of i, f, g, o become these, and c becomes c' = f c + i g; returns h' = o tanh(c').
 * `peepholes`: of i and f, which see c, and of o, which sees c'; NULL: it has none. */
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
