/* Sigmoid, tanh, softmax and other functions of features alone. Part of body.inc.h.
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
#define EXP_MOST 709.8
#define EXP_LEAST -708.4
#else
#define LOG2E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define MAGIC 12582912.0f /* 1.5 * 2^23 */
#define EXP_MAX 88.0f
#define EXP_MIN -87.0f
#define TANH_MAX 10.0f
#define EXP_MOST 88.8f /* exp is infinite above, ... */
#define EXP_LEAST -87.34f /* ... and below no normal number */
#endif

/* Each function below takes n vectors abreast: one alone is a chain of some thirty dependent
 * operations, and a core waits for most of them. n is a constant where it is called. */
#define ABREAST(i) UNROLL for (int i = 0; i < n; ++i)

/* exp(x) = 2^whole * (1 + part); EXP_LEAST <= x <= EXP_MOST. x becomes `part`, and `whole` the power,
 * pushed into the low bits by MAGIC. */
INLINE void FN(exp_reduce)(const int n, VEC *x, VEC *pushed)
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
    const VEC magic = FN(set1)(MAGIC);
    VEC whole[max_abreast], sum[max_abreast];
    ABREAST(i) pushed[i] = FN(fma)(x[i], FN(set1)(LOG2E), magic);
    ABREAST(i) whole[i] = FN(sub)(pushed[i], magic);
    ABREAST(i) x[i] = FN(fma)(whole[i], FN(set1)(-LN2_HIGH), x[i]);
    ABREAST(i) x[i] = FN(fma)(whole[i], FN(set1)(-LN2_LOW), x[i]);
    ABREAST(i) sum[i] = FN(set1)(q[degree]);
    UNROLL for (int32_t j = degree - 1; j >= 0; --j)
    {
        ABREAST(i) sum[i] = FN(fma)(sum[i], x[i], FN(set1)(q[j]));
    }
    ABREAST(i) x[i] = FN(fma)(FN(mul)(x[i], x[i]), sum[i], x[i]);
}

/* exp(x) = scale * (1 + part), scale a power of two; EXP_MIN <= x <= EXP_MAX. x becomes `part`. */
INLINE void FN(expm1_abreast)(const int n, VEC *x, VEC *scale)
{
    FN(exp_reduce)(n, x, scale);
    ABREAST(i) scale[i] = FN(pow2)(scale[i]);
}

#if RNNAT_SMALL
NOINLINE VEC FN(expm1_alone)(VEC x, VEC *scale)
{
    FN(expm1_abreast)(1, &x, scale);
    return x;
}

INLINE void FN(expm1_split)(const int n, VEC *x, VEC *scale)
{
    for (int i = 0; i < n; ++i) x[i] = FN(expm1_alone)(x[i], &scale[i]);
}
#else
INLINE void FN(expm1_split)(const int n, VEC *x, VEC *scale) { FN(expm1_abreast)(n, x, scale); }
#endif

/* NaN passes both bounds. */
INLINE VEC FN(clamp)(VEC x, REAL low, REAL high)
{
    return FN(min)(FN(set1)(high), FN(max)(FN(set1)(low), x));
}

/* For x <= 0; zero below EXP_MIN. */
INLINE VEC FN(exp)(VEC x)
{
    VEC scale, part = FN(clamp)(x, EXP_MIN, EXP_MAX);
    FN(expm1_split)(1, &part, &scale);
    return FN(if_less)(x, FN(set1)(EXP_MIN), FN(set1)(0), FN(fma)(scale, part, scale));
}

/* What sigmoid and tanh take exp of, ... */
INLINE VEC FN(minus_clamped)(VEC x) { return FN(clamp)(FN(sub)(FN(set1)(0), x), EXP_MIN, EXP_MAX); }
/* factor |x|, |x| not so large that tanh is 1. */
INLINE VEC FN(size_times)(VEC x, REAL factor)
{
    return FN(mul)(FN(min)(FN(set1)(TANH_MAX), FN(abs)(x)), FN(set1)(factor));
}
/* ... and what they make of exp = scale + scale * part: 1 + exp, where 1 + scale is exact while it
 * matters beside 1, and expm1. */
INLINE VEC FN(one_and_exp)(VEC scale, VEC part)
{
    return FN(fma)(scale, part, FN(add)(FN(set1)(1), scale));
}
INLINE VEC FN(expm1_join)(VEC scale, VEC part)
{
    return FN(fma)(scale, part, FN(sub)(scale, FN(set1)(1)));
}

INLINE void FN(sigmoid_abreast)(const int n, VEC *x)
{
    VEC scale[max_abreast];
    ABREAST(i) x[i] = FN(minus_clamped)(x[i]);
    FN(expm1_split)(n, x, scale);
    ABREAST(i) x[i] = FN(div)(FN(set1)(1), FN(one_and_exp)(scale[i], x[i]));
}

/* t = e / (e + 2), e = expm1(2 |x|), with the sign of x. Below 1/2 t is taken as half - half t,
 * half = e / 2: the same number, but an error of t now shrinks with half. */
INLINE void FN(tanh_abreast)(const int n, VEC *x)
{
    VEC scale[max_abreast], e[max_abreast];
    ABREAST(i) e[i] = FN(size_times)(x[i], 2);
    FN(expm1_split)(n, e, scale);
    ABREAST(i)
    {
        e[i] = FN(expm1_join)(scale[i], e[i]);
        const VEC half = FN(mul)(e[i], FN(set1)((REAL)0.5));
        const VEC t = FN(div)(e[i], FN(add)(e[i], FN(set1)(2)));
        const VEC small = FN(fma)(FN(sub)(FN(set1)(0), half), t, half);
        x[i] = FN(copysign)(FN(if_less)(FN(abs)(x[i]), FN(set1)((REAL)0.5), small, t), x[i]);
    }
}

/* sigmoid(x) tanh(y) with one division: tanh(|y|) = -e / (e + 2), e = expm1(-2 |y|), whose
 * denominator is at most 2, so that the product of both does not overflow. In x; y holds what
 * expm1_split made of size_times(y, -2), and so does x of minus_clamped(x). */
INLINE VEC FN(sigmoid_tanh)(VEC x_scale, VEC x_part, VEC y_scale, VEC y_part, VEC y)
{
    const VEC e = FN(expm1_join)(y_scale, y_part);
    const VEC below = FN(mul)(FN(one_and_exp)(x_scale, x_part), FN(add)(e, FN(set1)(2)));
    return FN(copysign)(FN(div)(FN(sub)(FN(set1)(0), e), below), y);
}

RARELY_INLINE VEC FN(sigmoid_of)(VEC x)
{
    FN(sigmoid_abreast)(1, &x);
    return x;
}

RARELY_INLINE VEC FN(tanh_of)(VEC x)
{
    FN(tanh_abreast)(1, &x);
    return x;
}

/* Small builds have them once. */
INLINE void FN(sigmoid)(const int n, VEC *x)
{
    if (RNNAT_SMALL)
        for (int i = 0; i < n; ++i) x[i] = FN(sigmoid_of)(x[i]);
    else
        FN(sigmoid_abreast)(n, x);
}

INLINE void FN(tanh)(const int n, VEC *x)
{
    if (RNNAT_SMALL)
        for (int i = 0; i < n; ++i) x[i] = FN(tanh_of)(x[i]);
    else
        FN(tanh_abreast)(n, x);
}

/* exp(x) - 1, for x <= 0. */
INLINE VEC FN(expm1)(VEC x)
{
    VEC scale, part = FN(clamp)(x, EXP_MIN, 0);
    FN(expm1_split)(1, &part, &scale);
    return FN(expm1_join)(scale, part);
}

/* x / (1 + |x|), whose limits are reached long before infinity. */
INLINE VEC FN(softsign)(VEC x)
{
    x = FN(clamp)(x, (REAL)-1e30, (REAL)1e30);
    return FN(div)(x, FN(add)(FN(set1)(1), FN(abs)(x)));
}

#if RNNAT_WITH_GENERAL
/* log(1 + exp(x)), without taking exp of a positive number. */
static VEC FN(softplus)(VEC v)
{
    REAL all[LANES];
    FN(store)(all, v);
    for (int32_t i = 0; i < LANES; ++i) {
        const double x = (double)all[i];
        all[i] = (REAL)((x > 0 ? x : 0) + log1p(exp(-fabs(x))));
    }
    return FN(load)(all);
}

#endif

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

INLINE void FN(map)(const int n, VEC *x, const rnnat_activation activation)
{
    switch (activation) {
    case RNNAT_SIGMOID: FN(sigmoid)(n, x); break;
    case RNNAT_TANH: FN(tanh)(n, x); break;
    default: ABREAST(i) x[i] = FN(relu)(x[i]);
    }
}

INLINE void FN(map_row)(REAL *row, int32_t n, const rnnat_activation activation)
{
    enum { abreast = RNNAT_SMALL ? 1 : max_abreast, several = abreast * LANES };
    VEC x[abreast];
    for (; n >= several; n -= several, row += several) {
        UNROLL for (int i = 0; i < abreast; ++i) x[i] = FN(load)(row + i * LANES);
        FN(map)(abreast, x, activation);
        UNROLL for (int i = 0; i < abreast; ++i) FN(store)(row + i * LANES, x[i]);
    }
    for (; n > 0; n -= LANES, row += LANES) {
        x[0] = n < LANES ? FN(load_first)(row, n, FN(set1)(0)) : FN(load)(row);
        FN(map)(1, x, activation);
        if (n < LANES)
            FN(store_first)(row, n, x[0]);
        else
            FN(store)(row, x[0]);
    }
}

/* Each with a loop of its own, but in small builds. */
#if RNNAT_SMALL
#define MAP_ROW(kind) FN(map_row)(row, n, activation)
#else
#define MAP_ROW(kind) FN(map_row)(row, n, kind)
#endif

/* Applies an activation to m rows of n features in place. */
static void FN(activate)(rnnat_activation activation, rnnat_rows rows, int32_t m, int32_t n)
{
    for (int32_t r = 0; r < m; ++r) {
        REAL *row = FN(row_at)(&rows, r);
        switch (activation) {
        case RNNAT_SIGMOID: MAP_ROW(RNNAT_SIGMOID); break;
        case RNNAT_TANH: MAP_ROW(RNNAT_TANH); break;
        case RNNAT_RELU: MAP_ROW(RNNAT_RELU); break;
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

/* Makes one of two: the first n features of each row, a, and the n behind them, b. */
static void FN(merge_rows)(rnnat_merge mode, rnnat_rows to, rnnat_rows from, int32_t m, int32_t n)
{
    for (int32_t r = 0; r < m; ++r) {
        REAL *restrict const c = FN(row_at)(&to, r);
        const REAL *restrict const a = FN(row_at)(&from, r);
        const REAL *restrict const b = a + n;
        switch (mode) {
        case RNNAT_MERGE_SUM:
            for (int32_t j = 0; j < n; ++j) c[j] = a[j] + b[j];
            break;
        case RNNAT_MERGE_MUL:
            for (int32_t j = 0; j < n; ++j) c[j] = a[j] * b[j];
            break;
        case RNNAT_MERGE_AVE:
            for (int32_t j = 0; j < n; ++j) c[j] = (a[j] + b[j]) * (REAL)0.5;
            break;
        }
    }
}

#if RNNAT_WITH_ELEMENTWISE
#include "elementary.inc.h"
#endif

#undef MAP_ROW
#undef ABREAST
#undef LOG2E
#undef LN2_HIGH
#undef LN2_LOW
#undef MAGIC
#undef EXP_MAX
#undef EXP_MIN
#undef EXP_MOST
#undef EXP_LEAST
#undef TANH_MAX
