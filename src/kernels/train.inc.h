/* The elementwise part of a training step: gates and states forward, their gradients backward.
 * Part of body.inc.h. The equations are in train/cells/<cell>.c, and their numbers here.
 */

/* Row r of an array of `stride`. */
#define ROW(pointer, stride) ((REAL *)RNNAT_WRITABLE(pointer) + r * (stride))

/* The body for every vector of the units u of a row; `left` is a constant but for the last one. */
#define FOR_UNITS(body)                                                                            \
    do {                                                                                           \
        int32_t u = 0;                                                                             \
        for (; u + LANES <= H; u += LANES) body(LANES);                                            \
        if (u < H) body(H - u);                                                                    \
    } while (0)

INLINE int32_t FN(is_valid)(const rnnat_train_step *s, int32_t r)
{
    return !s->lengths || s->step < s->lengths[r];
}

INLINE void FN(copy_row)(REAL *to, const REAL *from, int32_t n)
{
    if (to)
        for (int32_t j = 0; j < n; ++j) to[j] = from ? from[j] : 0;
}

/* y (1 - y) and 1 - y^2: derivatives of sigmoid and tanh, by their results. */
INLINE VEC FN(sigmoid_slope)(VEC y) { return FN(mul)(y, FN(sub)(FN(set1)(1), y)); }
INLINE VEC FN(tanh_slope)(VEC y) { return FN(sub)(FN(set1)(1), FN(mul)(y, y)); }

/* The gradient that reaches h_t of row r: from the output, and from the step after it. */
INLINE VEC FN(dh_of)(const REAL *dy, const REAL *dh, int32_t u, int32_t left)
{
    const VEC carried = FN(get)(dh + u, left);
    return dy ? FN(add)(FN(get)(dy + u, left), carried) : carried;
}

/* ---- RNN ---- */

static void FN(train_rnn_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        const REAL *const a = ROW(s->gates, s->gates_stride);
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(h, ROW(s->h_prev, s->state_stride), H);
            FN(copy_row)(out, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC sum = FN(get)(a + u, left);                                                      \
        const VEC v = s->activation == RNNAT_TANH   ? FN(tanh_of)(sum)                             \
                      : s->activation == RNNAT_RELU ? FN(relu)(sum)                                \
                                                    : FN(sigmoid_of)(sum);                         \
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

/* ---- GRU: gates n, r, z and, with reset after the product, q = W_hn h + b_hn ---- */

static void FN(train_gru_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        REAL *const g = ROW(s->gates, s->gates_stride);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(h, before, H);
            FN(copy_row)(out, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC reset = FN(sigmoid_of)(FN(get)(g + H + u, left));                                \
        const VEC z = FN(sigmoid_of)(FN(get)(g + 2 * H + u, left));                                \
        const VEC q = FN(get)(g + 3 * H + u, left);                                                \
        const VEC n = FN(tanh_of)(FN(fma)(reset, q, FN(get)(g + u, left)));                        \
        const VEC v = FN(fma)(z, FN(sub)(FN(get)(before + u, left), n), n);                        \
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

/* (B1) of train/cells/gru.c: dn and dz, and what h_{t-1} gets through z. */
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
            FN(copy_row)(h, before, H);
            FN(copy_row)(out, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC n = FN(tanh_of)(FN(get)(g + u, left)), z = FN(get)(g + 2 * H + u, left);         \
        const VEC v = FN(fma)(z, FN(sub)(FN(get)(before + u, left), n), n);                        \
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

/* ---- gate-recurrent GRU: the same gates, but z is a state, and mixes the other way round ---- */

static void FN(train_gate_gru_new_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        REAL *const g = ROW(s->gates, s->gates_stride), *const z_next = ROW(s->c_next, H);
        const REAL *const before = ROW(s->h_prev, s->state_stride);
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(h, before, H);
            FN(copy_row)(z_next, ROW(s->c_prev, H), H);
            FN(copy_row)(out, NULL, H);
            continue;
        }
#define BODY(left)                                                                                 \
    do {                                                                                           \
        const VEC n = FN(tanh_of)(FN(get)(g + u, left)), z = FN(get)(g + 2 * H + u, left);         \
        const VEC hp = FN(get)(before + u, left), v = FN(fma)(z, FN(sub)(n, hp), hp);              \
        FN(put)(g + u, left, n);                                                                   \
        FN(put)(z_next + u, left, z);                                                              \
        FN(put)(h + u, left, v);                                                                   \
        FN(put)(out + u, left, v);                                                                 \
    } while (0)
        FOR_UNITS(BODY);
#undef BODY
    }
}

/* (B1) of train/cells/gate_gru.c. */
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

/* ---- LSTM: gates i, f, g, o; gate-recurrent, i and f are states too ---- */

static void FN(train_lstm_forward)(const rnnat_train_step *s)
{
    const int32_t H = s->hidden;
    const REAL *const w = s->peephole;
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = s->aux ? ROW(s->aux, H) : ROW(s->h_next, s->state_stride);
        REAL *const out = s->aux ? NULL : ROW(s->out, s->out_stride);
        REAL *const a = ROW(s->gates, s->gates_stride), *const c_next = ROW(s->c_next, H);
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
        const VEC before = FN(get)(c_prev + u, left);                                              \
        VEC i = FN(get)(a + u, left), f = FN(get)(a + H + u, left);                                \
        VEC o = FN(get)(a + 3 * H + u, left);                                                      \
        const VEC g = FN(tanh_of)(FN(get)(a + 2 * H + u, left));                                   \
        if (w) {                                                                                   \
            i = FN(fma)(FN(get)(w + u, left), before, i);                                          \
            f = FN(fma)(FN(get)(w + H + u, left), before, f);                                      \
        }                                                                                          \
        i = FN(sigmoid_of)(i);                                                                     \
        f = FN(sigmoid_of)(f);                                                                     \
        const VEC c = FN(fma)(f, before, FN(mul)(i, g));                                           \
        if (w) o = FN(fma)(FN(get)(w + 2 * H + u, left), c, o);                                    \
        o = FN(sigmoid_of)(o);                                                                     \
        const VEC v = FN(mul)(o, FN(tanh_of)(c));                                                  \
        FN(put)(a + u, left, i);                                                                   \
        FN(put)(a + H + u, left, f);                                                               \
        FN(put)(a + 2 * H + u, left, g);                                                           \
        FN(put)(a + 3 * H + u, left, o);                                                           \
        FN(put)(c_next + u, left, c);                                                              \
        if (i_next) {                                                                              \
            FN(put)(i_next + u, left, i);                                                          \
            FN(put)(f_next + u, left, f);                                                          \
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

#include "train_layers.inc.h"

#undef FOR_UNITS
#undef GRU_NEW
#undef ROW
