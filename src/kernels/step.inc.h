/* The gates of each cell, from the sums of one time step: of a unit, sums[0], sums[1], ... are those
 * of its gates. Part of body.inc.h. The equations are in cells/<cell>.c; the sums are made by
 * blocks.inc.h or, in small builds, by small.inc.h.
 */

/* Where the gates of n units' vectors abreast go: at row + i and `panel`, or at `row` and
 * panel + i. */
typedef struct FN(place) {
    int32_t row, panel;
    int32_t down; /* 1: rows follow each other; 0: panels do */
} FN(place);

#define ABREAST(i) UNROLL for (int i = 0; i < n; ++i)
#define SHOW(i, first, count, ...)                                                                 \
    FN(show)(s, first, ROW(i), at.panel + i * (1 - at.down), (const VEC[]){__VA_ARGS__}, count)
#define ROW(i) (at.row + i * at.down)
#define UNIT(i) ((ptrdiff_t)(at.panel + i * (1 - at.down)) * LANES)
/* Element of a step's array that has the rows apart by its `name`_stride. */
#define AT(i, name, per_unit)                                                                      \
    ((REAL *)RNNAT_WRITABLE(s->name) + ROW(i) * s->name##_stride + UNIT(i) * per_unit)
#define AT_PAD(i, name) ((REAL *)s->name + ROW(i) * s->pad_stride + UNIT(i))

INLINE void FN(put_h)(const rnnat_step *s, FN(place) at, const int i, VEC h)
{
    FN(store)(AT(i, h_next, 1), h);
    if (s->out) {
        const ptrdiff_t left = s->hidden - UNIT(i);
        if (left >= LANES)
            FN(store)(AT(i, out, 1), h);
        else
            FN(store_first)(AT(i, out, 1), (int32_t)left, h);
    }
}

#if RNNAT_WITH_RNN
/* ---- RNN: h' = act(W_ih x + W_hh h + b) ---- */

INLINE void FN(rnn_postgemm)(const rnnat_step *s, FN(place) at, const int n, const VEC *sums)
{
    VEC h[max_abreast];
    ABREAST(i) h[i] = sums[i];
    FN(map)(n, h, s->activation);
    ABREAST(i) FN(put_h)(s, at, i, h[i]);
}

#endif
#if RNNAT_WITH_GRU
/* ---- GRU, reset after: n = tanh(gx_n + r (W_hn h + b_hn)), h' = n + z (h - n) ---- */

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

/* ---- GRU, reset before: first r and z of all units, then n = tanh(gx_n + W_hn (r h)) ---- */

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

#endif
#if RNNAT_WITH_LSTM
/* ---- LSTM: c' = f c + i g, h' = o tanh(c'); peepholes: i and f see c, o sees c' ---- */

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
            i = FN(fma)(FN(load)(w_ci + UNIT(k)), c[k], i);
            f = FN(fma)(FN(load)(w_cf + UNIT(k)), c[k], f);
        }
        if (TRACED(s)) FN(show_ifg)(s, ROW(k), at.panel + k * (1 - at.down), i, f, sums[k * 4 + 2]);
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
        if (s->peephole) o = FN(fma)(FN(load)(w_co + UNIT(k)), c[k], o);
        if (TRACED(s)) SHOW(k, 3, 1, FN(sigmoid_of)(o));
        x[k] = FN(minus_clamped)(o);
        x[n + k] = FN(size_times)(c[k], -2);
    }
    FN(expm1_split)(2 * n, x, scale);
    ABREAST(k)
    FN(put_h)(s, at, k, FN(sigmoid_tanh)(scale[k], x[k], scale[n + k], x[n + k], c[k]));
}

#endif

/* The same as functions of their own, which the products of every type of weights share: of one unit
 * in small builds; else of SEVERAL units abreast, and of one. */
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
#if RNNAT_WITH_RNN
POST(rnn, 4)
#endif
#if RNNAT_WITH_GRU
POST(gru, 2)
POST(gru_gates, 2)
POST(gru_new, 4)
#endif
#if RNNAT_WITH_LSTM
POST(lstm, 2)
#endif

#undef POST
#undef ABREAST
#undef SHOW
#undef ROW
#undef UNIT
#undef AT
#undef AT_PAD
