/* The gates of LSTMs where they learn, forward and back: i, f, g, o; gate-recurrent, i and f are
 * states too. Part of lstm.gates.inc.h; the equations are in lstm_gradient.c and
 * gate_lstm_gradient.c. */

static void FN(train_lstm_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    const REAL *const w = s->peephole;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = s->aux ? ROW(s->aux, H) : ROW(s->h_next, s->state_stride);
        REAL *const out = s->aux ? NULL : ROW(s->out, s->out_stride);
        REAL *const sums = ROW(s->gates, s->gates_stride), *const c_next = ROW(s->c_next, H);
        const REAL *const c_prev = ROW(s->c_prev, H);
        REAL *const i_next = s->i_next ? ROW(s->i_next, H) : NULL;
        REAL *const f_next = s->f_next ? ROW(s->f_next, H) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(c_next, c_prev, H);
            FN(copy_row)(i_next, i_next ? ROW(s->i_prev, H) : NULL, H);
            FN(copy_row)(f_next, f_next ? ROW(s->f_prev, H) : NULL, H);
            FN(copy_row)(h, s->aux ? NULL : ROW(s->h_prev, s->state_stride), H);
            FN(copy_row)(out, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        VEC a[] = {FN(get)(sums + u, left), FN(get)(sums + H + u, left),                           \
                   FN(get)(sums + 2 * H + u, left), FN(get)(sums + 3 * H + u, left)};              \
        VEC c = FN(get)(c_prev + u, left), peepholes[3];                                           \
        for (int32_t g = 0; w && g < 3; ++g) peepholes[g] = FN(get)(w + g * H + u, left);          \
        const VEC v = FN(lstm_gates)(a, &c, w ? peepholes : NULL);                                 \
        UNROLL for (int32_t g = 0; g < 4; ++g) FN(put)(sums + g * H + u, left, a[g]);              \
        FN(put)(c_next + u, left, c);                                                              \
        if (i_next) {                                                                              \
            FN(put)(i_next + u, left, a[0]);                                                       \
            FN(put)(f_next + u, left, a[1]);                                                       \
        }                                                                                          \
        FN(put)(h + u, left, v);                                                                   \
        if (out) FN(put)(out + u, left, v);                                                        \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_lstm_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    const REAL *const w = s->peephole;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const dg = ROW(s->dgates, s->dgates_stride), *const dc_row = ROW(s->dc, H);
        REAL *const dh = ROW(s->dh, s->state_stride);
        const REAL *const a = ROW(s->gates, s->gates_stride);
        const REAL *const c_prev = ROW(s->c_prev, H), *const c_next = ROW(s->c_next, H);
        REAL *const di_row = s->di ? ROW(s->di, H) : NULL;
        REAL *const df_row = s->df ? ROW(s->df, H) : NULL;
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(dg, NULL, 4 * H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC i = FN(get)(a + u, left), f = FN(get)(a + H + u, left);                          \
        const VEC g = FN(get)(a + 2 * H + u, left), o = FN(get)(a + 3 * H + u, left);              \
        const VEC d = FN(dh_of)(dy, dh, u, left), t = FN(tanh_of)(FN(get)(c_next + u, left));      \
        const VEC dout = FN(mul)(FN(mul)(d, t), FN(sigmoid_slope)(o));                             \
        VEC dc = FN(fma)(FN(mul)(d, o), FN(tanh_slope)(t), FN(get)(dc_row + u, left));             \
        if (w) dc = FN(fma)(dout, FN(get)(w + 2 * H + u, left), dc);                               \
        VEC di = FN(mul)(dc, g), df = FN(mul)(dc, FN(get)(c_prev + u, left));                      \
        if (di_row) {                                                                              \
            di = FN(add)(di, FN(get)(di_row + u, left));                                           \
            df = FN(add)(df, FN(get)(df_row + u, left));                                           \
            FN(put)(di_row + u, left, FN(set1)(0));                                                \
            FN(put)(df_row + u, left, FN(set1)(0));                                                \
        }                                                                                          \
        di = FN(mul)(di, FN(sigmoid_slope)(i));                                                    \
        df = FN(mul)(df, FN(sigmoid_slope)(f));                                                    \
        FN(put)(dg + u, left, di);                                                                 \
        FN(put)(dg + H + u, left, df);                                                             \
        FN(put)(dg + 2 * H + u, left, FN(mul)(FN(mul)(dc, i), FN(tanh_slope)(g)));                 \
        FN(put)(dg + 3 * H + u, left, dout);                                                       \
        dc = FN(mul)(dc, f);                                                                       \
        if (w) dc = FN(fma)(di, FN(get)(w + u, left), FN(fma)(df, FN(get)(w + H + u, left), dc));  \
        FN(put)(dc_row + u, left, dc);                                                             \
        FN(put)(dh + u, left, FN(set1)(0));                                                        \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}
