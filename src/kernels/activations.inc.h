/* Sigmoid, tanh, softmax. Part of body.inc.h.
 *
 * expm1(r) on |r| <= ln(2) / 2 is r + r^2 q(r), q a minimax polynomial (relative error of expm1:
 * float 1.4e-8, double 2.7e-19). Range reduction after Cody and Waite (1980): n * ln2_high is exact.
 */
#if RNNAT_DOUBLE
#define LOG2E 1.4426950408889634074
#define LN2_HIGH 0.693145751953125
#define LN2_LOW 1.42860682030941723212e-6
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define EXP_MAX 709.0
#define EXP_MIN -708.0
#define TANH_MAX 22.0
#else
#define LOG2E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define MAGIC 12582912.0f /* 1.5 * 2^23 */
#define EXP_MAX 88.0f
#define EXP_MIN -87.0f
#define TANH_MAX 10.0f
#endif

INLINE VEC FN(expm1_core)(VEC r)
{
#if RNNAT_DOUBLE
    static const double q[] = {
        0.49999999999999999985,   0.1666666666666667679,    0.04166666666666670204,
        0.0083333333333214363747, 0.0013888888888866496213, 0.00019841269886673112224,
        2.4801587361239067746e-5, 2.7557243609465182746e-6, 2.7557242170849548644e-7,
        2.5109261713454391468e-8, 2.0924626535631526596e-9};
#else
    static const float q[] = {0.500000006265f, 0.166665420484f, 0.0416662790781f, 0.00836671064651f,
                              0.00139466703512f};
#endif
    const int32_t degree = (int32_t)(sizeof q / sizeof q[0]) - 1;
    VEC sum = FN(set1)(q[degree]);
    UNROLL for (int32_t i = degree - 1; i >= 0; --i) sum = FN(fma)(sum, r, FN(set1)(q[i]));
    return FN(fma)(FN(mul)(r, r), sum, r);
}

/* exp(x) = scale * (1 + part), scale a power of two; EXP_MIN <= x <= EXP_MAX. */
INLINE VEC FN(expm1_split)(VEC x, VEC *scale)
{
    const VEC magic = FN(set1)(MAGIC);
    const VEC shifted = FN(fma)(x, FN(set1)(LOG2E), magic);
    const VEC n = FN(sub)(shifted, magic);
    const VEC high = FN(fma)(n, FN(set1)(-LN2_HIGH), x);
    *scale = FN(pow2)(shifted);
    return FN(expm1_core)(FN(fma)(n, FN(set1)(-LN2_LOW), high));
}

/* NaN passes both bounds. */
INLINE VEC FN(clamp)(VEC x, REAL low, REAL high)
{
    return FN(min)(FN(set1)(high), FN(max)(FN(set1)(low), x));
}

/* For x <= 0; zero below EXP_MIN. */
INLINE VEC FN(exp)(VEC x)
{
    VEC scale;
    const VEC part = FN(expm1_split)(FN(clamp)(x, EXP_MIN, EXP_MAX), &scale);
    return FN(if_less)(x, FN(set1)(EXP_MIN), FN(set1)(0), FN(fma)(scale, part, scale));
}

/* 1 + exp(-x), exp(-x) = scale + scale * part: 1 + scale is exact while it matters beside 1. */
INLINE VEC FN(one_and_exp)(VEC x)
{
    VEC scale;
    const VEC minus = FN(clamp)(FN(sub)(FN(set1)(0), x), EXP_MIN, EXP_MAX);
    const VEC part = FN(expm1_split)(minus, &scale);
    return FN(fma)(scale, part, FN(add)(FN(set1)(1), scale));
}

/* expm1(factor |x|), where |x| is not so large that tanh is 1. */
INLINE VEC FN(expm1_of)(VEC size, REAL factor)
{
    VEC scale;
    const VEC part = FN(expm1_split)(FN(mul)(size, FN(set1)(factor)), &scale);
    return FN(fma)(scale, part, FN(sub)(scale, FN(set1)(1)));
}

INLINE VEC FN(sigmoid)(VEC x) { return FN(div)(FN(set1)(1), FN(one_and_exp)(x)); }

/* t = e / (e + 2), e = expm1(2 |x|), with the sign of x. Below 1/2 t is taken as half - half t,
 * half = e / 2: the same number, but an error of t now shrinks with half. */
INLINE VEC FN(tanh)(VEC x)
{
    const VEC size = FN(min)(FN(set1)(TANH_MAX), FN(abs)(x)), e = FN(expm1_of)(size, 2);
    const VEC half = FN(mul)(e, FN(set1)((REAL)0.5)), t = FN(div)(e, FN(add)(e, FN(set1)(2)));
    const VEC small = FN(fma)(FN(sub)(FN(set1)(0), half), t, half);
    return FN(copysign)(FN(if_less)(size, FN(set1)((REAL)0.5), small, t), x);
}

/* sigmoid(x) tanh(y) with one division: tanh(|y|) = -e / (e + 2), e = expm1(-2 |y|), whose
 * denominator is at most 2, so that the product of both does not overflow. */
INLINE VEC FN(sigmoid_tanh)(VEC x, VEC y)
{
    const VEC e = FN(expm1_of)(FN(min)(FN(set1)(TANH_MAX), FN(abs)(y)), -2);
    const VEC below = FN(mul)(FN(one_and_exp)(x), FN(add)(e, FN(set1)(2)));
    return FN(copysign)(FN(div)(FN(sub)(FN(set1)(0), e), below), y);
}

INLINE VEC FN(relu)(VEC x) { return FN(max)(FN(set1)(0), x); }

INLINE REAL FN(lane)(VEC v, int32_t i)
{
    REAL all[LANES];
    FN(store)(all, v);
    return all[i];
}

/* Shifts a row by its largest value and returns log(sum(exp(row))); its order of summation
 * depends on n alone. With `normal`, exp(row) / sum is left in place, else row - log(sum). */
static void FN(softmax_row)(REAL *row, int32_t n, int32_t normal)
{
    VEC top = FN(set1)(-(REAL)INFINITY), sum = FN(set1)(0);
    for (int32_t j = 0; j < n; j += LANES)
        top = FN(max)(top, n - j < LANES ? FN(load_first)(row + j, n - j, top) : FN(load)(row + j));
    REAL largest = FN(lane)(top, 0), total = 0;
    for (int32_t i = 1; i < LANES; ++i)
        if (FN(lane)(top, i) > largest) largest = FN(lane)(top, i);
    const VEC shift = FN(set1)(largest), nothing = FN(set1)(-(REAL)INFINITY);
    for (int32_t j = 0; j < n; j += LANES) {
        if (n - j < LANES) {
            const VEC x = FN(sub)(FN(load_first)(row + j, n - j, nothing), shift);
            const VEC e = FN(exp)(x);
            sum = FN(add)(sum, FN(load_first)((const REAL *)&e, n - j, FN(set1)(0)));
            FN(store_first)(row + j, n - j, normal ? e : x);
        } else {
            const VEC x = FN(sub)(FN(load)(row + j), shift);
            const VEC e = FN(exp)(x);
            sum = FN(add)(sum, e);
            FN(store)(row + j, normal ? e : x);
        }
    }
    for (int32_t i = 0; i < LANES; ++i) total += FN(lane)(sum, i);
    if (normal) {
        for (int32_t j = 0; j < n; ++j) row[j] /= total;
    } else {
        const REAL log_total = (REAL)log((double)total);
        for (int32_t j = 0; j < n; ++j) row[j] -= log_total;
    }
}

INLINE void FN(map_row)(REAL *row, int32_t n, const rnnat_activation activation)
{
    for (int32_t j = 0; j < n; j += LANES) {
        const int32_t left = n - j;
        VEC v = left < LANES ? FN(load_first)(row + j, left, FN(set1)(0)) : FN(load)(row + j);
        v = activation == RNNAT_SIGMOID ? FN(sigmoid)(v)
            : activation == RNNAT_TANH  ? FN(tanh)(v)
                                        : FN(relu)(v);
        if (left < LANES)
            FN(store_first)(row + j, left, v);
        else
            FN(store)(row + j, v);
    }
}

/* Applies an activation to m rows of n features in place. */
static void FN(activate)(rnnat_activation activation, rnnat_rows rows, int32_t m, int32_t n)
{
    for (int32_t r = 0; r < m; ++r) {
        REAL *row = FN(row_at)(&rows, r);
        switch (activation) {
        case RNNAT_SIGMOID: FN(map_row)(row, n, RNNAT_SIGMOID); break;
        case RNNAT_TANH: FN(map_row)(row, n, RNNAT_TANH); break;
        case RNNAT_RELU: FN(map_row)(row, n, RNNAT_RELU); break;
        case RNNAT_SOFTMAX: FN(softmax_row)(row, n, 1); break;
        case RNNAT_LOG_SOFTMAX: FN(softmax_row)(row, n, 0); break;
        case RNNAT_IDENTITY: break;
        }
    }
}

/* Adds m rows of n features to others. */
static void FN(add_rows)(rnnat_rows to, rnnat_rows from, int32_t m, int32_t n)
{
    for (int32_t r = 0; r < m; ++r) {
        REAL *a = FN(row_at)(&to, r);
        const REAL *b = FN(row_at)(&from, r);
        for (int32_t j = 0; j < n; ++j) a[j] += b[j];
    }
}

#undef LOG2E
#undef LN2_HIGH
#undef LN2_LOW
#undef MAGIC
#undef EXP_MAX
#undef EXP_MIN
#undef TANH_MAX
