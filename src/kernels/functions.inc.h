/* Functions of features: activations of any kind, of a vector and of rows. Part of body.inc.h. */

/* An activation of x, within its bounds where there are any. NaN stays NaN. */
NOINLINE VEC FN(apply)(const rnnat_functions *functions, int32_t which, VEC x)
{
    const rnnat_function *const f = &functions->of[which];
    const VEC alpha = FN(set1)((REAL)f->alpha), beta = FN(set1)((REAL)f->beta);
    const VEC zero = FN(set1)(0);
    if (functions->clip > 0) x = FN(clamp)(x, (REAL)-functions->clip, (REAL)functions->clip);
    switch (f->kind) {
    case RNNAT_GATE_IDENTITY: break;
    case RNNAT_GATE_RELU: return FN(relu)(x);
    case RNNAT_GATE_TANH: return FN(tanh_of)(x);
    case RNNAT_GATE_SIGMOID: return FN(sigmoid_of)(x);
    case RNNAT_GATE_AFFINE: return FN(fma)(alpha, x, beta);
    case RNNAT_GATE_LEAKY_RELU: return FN(if_less)(x, zero, FN(mul)(alpha, x), x);
    case RNNAT_GATE_THRESHOLDED_RELU: return FN(if_less)(x, alpha, zero, x);
    case RNNAT_GATE_SCALED_TANH: return FN(mul)(alpha, FN(tanh_of)(FN(mul)(beta, x)));
    case RNNAT_GATE_HARD_SIGMOID: return FN(clamp)(FN(fma)(alpha, x, beta), 0, 1);
    case RNNAT_GATE_ELU: return FN(if_less)(x, zero, FN(mul)(alpha, FN(expm1)(x)), x);
    case RNNAT_GATE_SOFTSIGN: return FN(softsign)(x);
    case RNNAT_GATE_SOFTPLUS: return FN(softplus)(x);
    default:
#if RNNAT_WITH_ELEMENTWISE
        return FN(apply_more)(f, x);
#endif
        break;
    }
    return x;
}

#if RNNAT_WITH_ELEMENTWISE
/* The functions that take several vectors abreast, as FN(activate) does, go through it. */
static void FN(apply_rows)(const rnnat_function *function, rnnat_rows to, rnnat_rows from,
                           int32_t m, int32_t n)
{
    const rnnat_functions functions = {.of = {*function}};
    const rnnat_activation activation = function->kind == RNNAT_GATE_SIGMOID ? RNNAT_SIGMOID
                                        : function->kind == RNNAT_GATE_TANH  ? RNNAT_TANH
                                        : function->kind == RNNAT_GATE_RELU  ? RNNAT_RELU
                                                                             : RNNAT_IDENTITY;
    for (int32_t r = 0; r < m; ++r) {
        REAL *const y = FN(row_at)(&to, r);
        const REAL *const x = FN(row_at)(&from, r);
        for (int32_t j = 0; j < n; j += LANES) {
            const bool whole = n - j >= LANES;
            VEC v = whole ? FN(load)(x + j) : FN(load_first)(x + j, n - j, FN(set1)(0));
            if (activation == RNNAT_IDENTITY) v = FN(apply)(&functions, 0, v);
            if (whole)
                FN(store)(y + j, v);
            else
                FN(store_first)(y + j, n - j, v);
        }
    }
    FN(activate)(activation, to, m, n);
}
#endif
