/* The gates of a gated recurrent unit where it learns, forward and back: n, r, z and, with reset
 * after the product, q = W_hn h + b_hn. Part of gru.gates.inc.h; the equations are in
 * gru_gradient.c. */

static void FN(train_gru_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) {
            FN(pass_through)(s, r);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC reset = FN(sigmoid_of)(FN(get)(g + H + u, left));                                \
        const VEC z = FN(sigmoid_of)(FN(get)(g + 2 * H + u, left));                                \
        const VEC q = FN(get)(g + 3 * H + u, left);                                                \
        const VEC n = FN(tanh_of)(FN(fma)(reset, q, FN(get)(g + u, left)));                        \
        const VEC v = FN(gru_mix)(z, FN(get)(before + u, left), n);                                \
        FN(put)(g + u, left, n);                                                                   \
        FN(put)(g + H + u, left, reset);                                                           \
        FN(put)(g + 2 * H + u, left, z);                                                           \
        FN(put)(h + u, left, v);                                                                   \
        FN(put)(out + u, left, v);                                                                 \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

/* (B1): dn and dz, and what h_{t-1} gets through z. */
#define GRU_NEW(left)                                                                              \
    const VEC d = FN(dh_of)(dy, dh, u, left), n = FN(get)(g + u, left);                            \
    const VEC z = FN(get)(g + 2 * H + u, left), hp = FN(get)(before + u, left);                    \
    const VEC dn = FN(mul)(FN(mul)(d, FN(sub)(FN(set1)(1), z)), FN(tanh_slope)(n));                \
    const VEC dz = FN(mul)(FN(mul)(d, FN(sub)(hp, n)), FN(sigmoid_slope)(z));                      \
    FN(put)(dg + u, left, dn);                                                                     \
    FN(put)(dg + 2 * H + u, left, dz);                                                             \
    FN(put)(dh + u, left, FN(mul)(d, z))

static void FN(train_gru_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const dg = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        const REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(dg, NULL, 4 * H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        GRU_NEW(left);                                                                             \
        const VEC reset = FN(get)(g + H + u, left), q = FN(get)(g + 3 * H + u, left);              \
        FN(put)(dg + H + u, left, FN(mul)(FN(mul)(dn, q), FN(sigmoid_slope)(reset)));              \
        FN(put)(dg + 3 * H + u, left, FN(mul)(dn, reset));                                         \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_gru_gates_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const g = ROW(s->gates, s->gates_stride), *const rh = ROW(s->aux, H);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC reset = FN(sigmoid_of)(FN(get)(g + H + u, left));                                \
        FN(put)(g + H + u, left, reset);                                                           \
        FN(put)(g + 2 * H + u, left, FN(sigmoid_of)(FN(get)(g + 2 * H + u, left)));                \
        FN(put)(rh + u, left, FN(mul)(reset, FN(get)(before + u, left)));                          \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_gru_new_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) {
            FN(pass_through)(s, r);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC n = FN(tanh_of)(FN(get)(g + u, left)), z = FN(get)(g + 2 * H + u, left);         \
        const VEC v = FN(gru_mix)(z, FN(get)(before + u, left), n);                                \
        FN(put)(g + u, left, n);                                                                   \
        FN(put)(h + u, left, v);                                                                   \
        FN(put)(out + u, left, v);                                                                 \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_gru_new_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const dg = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        const REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(dg, NULL, 3 * H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        GRU_NEW(left);                                                                             \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_gru_gates_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const dg = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        const REAL *const g = ROW(s->gates, s->gates_stride), *const daux = ROW(s->daux, H);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) continue;
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC d = FN(get)(daux + u, left), reset = FN(get)(g + H + u, left);                   \
        const VEC hp = FN(get)(before + u, left);                                                  \
        FN(put)(dg + H + u, left, FN(mul)(FN(mul)(d, hp), FN(sigmoid_slope)(reset)));              \
        FN(put)(dh + u, left, FN(fma)(d, reset, FN(get)(dh + u, left)));                           \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

#undef GRU_NEW
