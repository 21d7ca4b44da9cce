/* An Elman network where it learns, forward and back. Part of rnn.gates.inc.h; the equations are in
 * rnn_gradient.c. */

static void FN(train_rnn_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        const REAL *const a = ROW(s->gates, s->gates_stride);
        if (!FN(is_valid)(s, r)) {
            FN(pass_through)(s, r);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        VEC v = FN(get)(a + u, left);                                                              \
        FN(map)(1, &v, s->activation);                                                             \
        FN(put)(h + u, left, v);                                                                   \
        FN(put)(out + u, left, v);                                                                 \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

static void FN(train_rnn_backward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const da = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        const REAL *const h = ROW(s->h_next, s->state_stride);
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(da, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC d = FN(dh_of)(dy, dh, u, left), v = FN(get)(h + u, left), zero = FN(set1)(0);    \
        const VEC slope = s->activation == RNNAT_TANH   ? FN(tanh_slope)(v)                        \
                          : s->activation == RNNAT_RELU ? FN(if_less)(zero, v, FN(set1)(1), zero)  \
                                                        : FN(sigmoid_slope)(v);                    \
        FN(put)(da + u, left, FN(mul)(d, slope));                                                  \
        FN(put)(dh + u, left, zero);                                                               \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}
