/* Functions of features alone, applied to rows. Part of body.inc.h. */

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
