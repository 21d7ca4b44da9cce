/* What training calculates elementwise outside of a cell's step: sums behind peepholes, around
 * a projection, behind a linear layer, dropout. Part of train.inc.h.
 */

static void FN(train_peephole)(void *sums, int32_t hidden, int32_t first, int32_t last,
                               const void *dgates, ptrdiff_t stride, const void *c_prev,
                               const void *c_next, int32_t first_step, int32_t steps, int32_t batch,
                               const int32_t *lengths)
{
    REAL *const i = sums, *const f = i + hidden, *const o = f + hidden;
    for (int32_t t = 0; t < steps; ++t)
        for (int32_t b = 0; b < batch; ++b) {
            if (lengths && first_step + t >= lengths[b]) continue;
            const ptrdiff_t r = (ptrdiff_t)t * batch + b;
            const REAL *const dg = (const REAL *)dgates + r * stride;
            const REAL *const before = (const REAL *)c_prev + r * hidden;
            const REAL *const after = (const REAL *)c_next + r * hidden;
            for (int32_t u = first; u < last; ++u) {
                i[u] += dg[u] * before[u];
                f[u] += dg[hidden + u] * before[u];
                o[u] += dg[3 * hidden + u] * after[u];
            }
        }
}

/* ---- around a projection ---- */

static void FN(train_keep)(const rnnat_train_step *s)
{
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const h = ROW(s->h_next, s->state_stride), *const out = ROW(s->out, s->out_stride);
        const int32_t valid = FN(is_valid)(s, r);
        if (!valid) FN(copy_row)(h, ROW(s->h_prev, s->state_stride), s->hidden);
        FN(copy_row)(out, valid ? h : NULL, s->hidden);
    }
}

static void FN(train_gather)(const rnnat_train_step *s)
{
    for (int32_t r = 0; r < s->rows; ++r) {
        REAL *const d = ROW(s->dgates, s->dgates_stride), *const dh = ROW(s->dh, s->state_stride);
        const REAL *const dy = s->dy ? ROW(s->dy, s->out_stride) : NULL;
        if (!FN(is_valid)(s, r)) {
            FN(copy_row)(d, NULL, s->hidden);
            continue;
        }
        for (int32_t j = 0; j < s->hidden; ++j) {
            d[j] = dy ? dy[j] + dh[j] : dh[j];
            dh[j] = 0;
        }
    }
}

/* ---- linear layers, dropout ---- */

static void FN(train_activation_backward)(rnnat_activation activation, int32_t rows, int32_t n,
                                          const void *y, const void *dy, void *dz, int32_t step,
                                          const int32_t *lengths)
{
    for (int32_t row = 0; row < rows; ++row) {
        const ptrdiff_t at = (ptrdiff_t)row * n;
        const REAL *const v = (const REAL *)y + at, *const d = (const REAL *)dy + at;
        REAL *const to = (REAL *)dz + at;
        if (lengths && step >= lengths[row]) {
            for (int32_t j = 0; j < n; ++j) to[j] = 0;
            continue;
        }
        REAL sum = 0;
        switch (activation) {
        case RNNAT_IDENTITY:
            for (int32_t j = 0; j < n; ++j) to[j] = d[j];
            break;
        case RNNAT_SIGMOID:
            for (int32_t j = 0; j < n; ++j) to[j] = d[j] * (v[j] * (1 - v[j]));
            break;
        case RNNAT_TANH:
            for (int32_t j = 0; j < n; ++j) to[j] = d[j] * (1 - v[j] * v[j]);
            break;
        case RNNAT_RELU:
            for (int32_t j = 0; j < n; ++j) to[j] = v[j] > 0 ? d[j] : 0;
            break;
        case RNNAT_SOFTMAX: /* dz = y (dy - sum(dy y)) */
            for (int32_t j = 0; j < n; ++j) sum += d[j] * v[j];
            for (int32_t j = 0; j < n; ++j) to[j] = v[j] * (d[j] - sum);
            break;
        case RNNAT_LOG_SOFTMAX: /* dz = dy - exp(y) sum(dy) */
            for (int32_t j = 0; j < n; ++j) sum += d[j];
            for (int32_t j = 0; j < n; j += LANES) {
                const int32_t left = n - j;
                const VEC e = FN(exp)(FN(get)(v + j, left));
                FN(put)(to + j, left, FN(sub)(FN(get)(d + j, left), FN(mul)(e, FN(set1)(sum))));
            }
            break;
        }
    }
}

static void FN(train_dropout)(void *x, int32_t rows, int32_t n, uint64_t key, int32_t first_row,
                              double dropout)
{
    const REAL scale = (REAL)(1 / (1 - dropout));
    const double below = dropout * 9007199254740992.0; /* 2^53 */
    for (int32_t r = 0; r < rows; ++r) {
        REAL *const row = (REAL *)x + (ptrdiff_t)r * n;
        const uint64_t base = rnnat_mix_in(key, first_row + r);
        for (int32_t u = 0; u < n; ++u) {
            const uint64_t bits = rnnat_mix_in(base, u) >> 11;
            row[u] = (double)bits < below ? 0 : row[u] * scale;
        }
    }
}
