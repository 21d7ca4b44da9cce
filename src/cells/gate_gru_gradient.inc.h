/* The gates of the gate-recurrent unit where it learns, forward and back: r, z and r h are gru's,
 * but z is a state. Part of gate_gru.gates.inc.h; the equations are in gate_gru_gradient.c. */

static void FN(train_gate_gru_new_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        REAL *const g = ROW(s->gates, s->gates_stride), *const z_next = ROW(s->c_next, H);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) {
            FN(pass_through)(s, r);
            FN(copy_row)(z_next, ROW(s->c_prev, H), H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC n = FN(tanh_of)(FN(get)(g + u, left)), z = FN(get)(g + 2 * H + u, left);         \
        const VEC v = FN(gate_gru_mix)(z, FN(get)(before + u, left), n);                           \
        FN(put)(g + u, left, n);                                                                   \
        FN(put)(z_next + u, left, z);                                                              \
        FN(put)(h + u, left, v);                                                                   \
        FN(put)(out + u, left, v);                                                                 \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

/* (B1) */
static void FN(train_gate_gru_new_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const dg = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        REAL *const dz_row = ROW(s->dc, H);
        const REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(dg, NULL, 3 * H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC d = FN(dh_of)(dy, dh, u, left), n = FN(get)(g + u, left);                        \
        const VEC z = FN(get)(g + 2 * H + u, left), hp = FN(get)(before + u, left);                \
        const VEC dz = FN(fma)(d, FN(sub)(n, hp), FN(get)(dz_row + u, left));                      \
        FN(put)(dg + u, left, FN(mul)(FN(mul)(d, z), FN(tanh_slope)(n)));                          \
        FN(put)(dg + 2 * H + u, left, FN(mul)(dz, FN(sigmoid_slope)(z)));                          \
        FN(put)(dh + u, left, FN(mul)(d, FN(sub)(FN(set1)(1), z)));                                \
        FN(put)(dz_row + u, left, FN(set1)(0));                                                    \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}
