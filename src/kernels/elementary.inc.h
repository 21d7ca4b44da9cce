/* Functions of features beside those that ONNX's cells have: exp, log, erf and what is made of them.
 * Part of activations.inc.h, whose constants and exp they use; rnn_native/activations.py has the
 * equations. Errors are stated in units in the last place of the result (ULP), in float, and measured
 * by tests/c/test_elementary.c.
 */
#if RNNAT_DOUBLE
#define LEAST_NORMAL 0x1p-1022
#define LARGEST 0x1.fffffffffffffp+1023
#define GELU_LEAST -39.0 /* below it gelu(x) is no normal number */
#define MISH_MOST 40.0 /* above it mish(x) is x */
#else
#define LEAST_NORMAL 0x1p-126f
#define LARGEST 0x1.fffffep+127f
#define GELU_LEAST -14.5f
#define MISH_MOST 20.0f
#endif

/* A function of the C library, of each element in double: nothing faster is needed so far. */
#define ELEMENTS(name, ...)                                                                        \
    static VEC FN(name)(VEC v, double alpha)                                                       \
    {                                                                                              \
        REAL all[LANES];                                                                           \
        FN(store)(all, v);                                                                         \
        (void)alpha;                                                                               \
        for (int32_t i = 0; i < LANES; ++i) {                                                      \
            const double x = (double)all[i];                                                       \
            all[i] = (REAL)(__VA_ARGS__);                                                          \
        }                                                                                          \
        return FN(load)(all);                                                                      \
    }
ELEMENTS(power, pow(x, alpha))
#if RNNAT_DOUBLE
ELEMENTS(erf_element, erf(x))
ELEMENTS(gelu_element, x < GELU_LEAST ? 0 : 0.5 * x * erfc(x * -0.70710678118654752440))
#endif
#undef ELEMENTS

/* exp(x), within 2 ULP: of a positive x in two factors, since 2^128 is no number. */
NOINLINE VEC FN(exp_of)(VEC x)
{
    const VEC up = FN(if_less)(FN(set1)(0), x, FN(set1)(1), FN(set1)(0));
    VEC pushed, part = FN(clamp)(x, EXP_LEAST, EXP_MOST);
    FN(exp_reduce)(1, &part, &pushed);
    const VEC scale = FN(pow2)(FN(sub)(pushed, up));
    const VEC one = FN(set1)(1);
    const VEC y = FN(mul)(FN(mul)(scale, FN(add)(one, part)), FN(add)(one, up));
    return FN(if_less)(x, FN(set1)(EXP_LEAST), FN(set1)(0), y);
}

/* log(x), within 2 ULP. x = 2^n m, m from 1/sqrt(2) to sqrt(2); with f = m - 1 and s = f / (2 + f),
 * log(m) = 2 s + s R(s^2) = f - (f^2 / 2 - s (f^2 / 2 + R)), after FDLIBM (Sun, 1993). What is no
 * normal number counts as zero. */
NOINLINE VEC FN(log_of)(VEC x)
{
#if RNNAT_DOUBLE
    static const double r[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                               2.857142874366239149e-01, 2.222219843214978396e-01,
                               1.818357216161805012e-01, 1.531383769920937332e-01,
                               1.479819860511658591e-01};
#else
    static const float r[] = {0.66666662693f, 0.40000972152f, 0.28498786688f, 0.24279078841f};
#endif
    const VEC one = FN(set1)(1), zero = FN(set1)(0), half = FN(set1)((REAL)0.5);
    const VEC big = FN(if_less)(one, x, one, zero); /* halved, so that -n is an exponent as well */
    const VEC small = FN(mul)(x, FN(if_less)(one, x, half, one));
    VEC n = FN(exponent)(small);
    VEC m = FN(mul)(small, FN(pow2)(FN(sub)(FN(set1)(MAGIC), n)));
    const VEC up = FN(if_less)(FN(set1)((REAL)1.41421356237309504880), m, one, zero);
    m = FN(if_less)(zero, up, FN(mul)(m, half), m);
    n = FN(add)(FN(add)(n, up), big);
    const VEC f = FN(sub)(m, one), s = FN(div)(f, FN(add)(FN(set1)(2), f)), z = FN(mul)(s, s);
    const int32_t degree = (int32_t)(sizeof r / sizeof r[0]) - 1;
    VEC sum = FN(set1)(r[degree]);
    UNROLL for (int32_t j = degree - 1; j >= 0; --j) sum = FN(fma)(sum, z, FN(set1)(r[j]));
    sum = FN(mul)(sum, z);
    const VEC squared = FN(mul)(half, FN(mul)(f, f));
    const VEC low = FN(fma)(n, FN(set1)(LN2_LOW), FN(mul)(s, FN(add)(squared, sum)));
    VEC y = FN(fma)(n, FN(set1)(LN2_HIGH), FN(sub)(f, FN(sub)(squared, low)));
    y = FN(if_less)(FN(set1)(LARGEST), x, x, y);
    y = FN(if_less)(x, FN(set1)(LEAST_NORMAL), FN(set1)(-(REAL)INFINITY), y);
    return FN(if_less)(x, zero, FN(set1)((REAL)NAN), y);
}

#if !RNNAT_DOUBLE
/* erfc(z) exp(z^2) / 2 for z >= 0: Q(s) / (z + 2), s = (z - 2) / (z + 2), Q minimax of the degree 9
 * (relative error 2.3e-8 up to z = 10.6, beyond which erfc is no normal number). */
INLINE vec_f32 half_erfcx_f32(vec_f32 z)
{
    static const float q[] = {0.510791358f,     -0.343580469f,    0.139735664f,   -0.0182178206f,
                              -0.0107503419f,   0.00321726825f,   0.00151757687f, -0.000364194083f,
                              -0.000260063126f, -0.0000205679508f};
    const vec_f32 two = set1_f32(2), t = div_f32(set1_f32(1), add_f32(z, two));
    const vec_f32 s = mul_f32(sub_f32(z, two), t);
    vec_f32 sum = set1_f32(q[9]);
    UNROLL for (int j = 8; j >= 0; --j) sum = fma_f32(sum, s, set1_f32(q[j]));
    return mul_f32(t, sum);
}
#endif

/* erf(x), within 3 ULP: below 1 x Q(x^2), Q minimax of the degree 6 (error 1.3e-9). */
static VEC FN(erf_of)(VEC x)
{
#if RNNAT_DOUBLE
    return FN(erf_element)(x, 0);
#else
    static const float q[] = {1.12837917f,    -0.376126258f,    0.112835851f,    -0.0268538119f,
                              0.00518832768f, -0.000801019361f, 0.0000785386131f};
    const vec_f32 z = abs_f32(x), x2 = mul_f32(x, x), one = set1_f32(1);
    vec_f32 sum = set1_f32(q[6]);
    UNROLL for (int j = 5; j >= 0; --j) sum = fma_f32(sum, x2, set1_f32(q[j]));
    const vec_f32 e = exp_of_f32(sub_f32(set1_f32(0), x2));
    const vec_f32 tail = mul_f32(half_erfcx_f32(min_f32(set1_f32(11), z)), e);
    const vec_f32 large = fma_f32(set1_f32(-2), tail, one);
    return if_less_f32(z, one, mul_f32(x, sum), copysign_f32(large, x));
#endif
}

/* x Phi(x), within 7 ULP, Phi the normal distribution's: Phi(-a) = erfc(a / sqrt(2)) / 2. What is lost
 * of a a when it is rounded would be that many times as much of exp(-a a / 2): Dekker's product (1971)
 * finds it. */
static VEC FN(gelu)(VEC x)
{
#if RNNAT_DOUBLE
    return FN(gelu_element)(x, 0);
#else
    const vec_f32 zero = set1_f32(0), one = set1_f32(1), minus_half = set1_f32(-0.5f);
    const vec_f32 a = min_f32(set1_f32(-GELU_LEAST), abs_f32(x)), aa = mul_f32(a, a);
    const vec_f32 split = mul_f32(set1_f32(4097), a); /* 2^12 + 1: a's digits in two halves */
    const vec_f32 high = sub_f32(split, sub_f32(split, a)), low = sub_f32(a, high);
    const vec_f32 twice = mul_f32(add_f32(high, high), low);
    const vec_f32 lost =
        add_f32(add_f32(sub_f32(mul_f32(high, high), aa), twice), mul_f32(low, low));
    const vec_f32 e = exp_of_f32(mul_f32(minus_half, aa));
    const vec_f32 near = mul_f32(half_erfcx_f32(mul_f32(set1_f32(0.707106781f), a)), e);
    const vec_f32 tail = mul_f32(near, fma_f32(minus_half, lost, one));
    const vec_f32 y = mul_f32(x, if_less_f32(x, zero, tail, sub_f32(one, tail)));
    return if_less_f32(x, set1_f32(GELU_LEAST), zero, y);
#endif
}

/* x sigmoid(w); 0 where sigmoid(w) is no normal number, whatever x: its own limit, EXP_MIN, is above. */
INLINE VEC FN(gated)(VEC x, VEC w)
{
    return FN(if_less)(w, FN(set1)(EXP_LEAST), FN(set1)(0), FN(mul)(x, FN(sigmoid_of)(w)));
}

/* x (1 + tanh(u)) / 2 = x sigmoid(w), w = 2 u = sqrt(8 / pi) (x + 0.044715 x^3), within 3 + 4 |w| ULP
 * for w < 0: w is rounded four times. */
static VEC FN(gelu_tanh)(VEC x)
{
    const VEC a = FN(set1)((REAL)1.59576912160573071176), b = FN(set1)((REAL)0.07135481627260025);
    return FN(gated)(x, FN(mul)(x, FN(fma)(b, FN(mul)(x, x), a)));
}

/* x tanh(log(1 + e)) = x n / (n + 2), e = exp(x), n = e (e + 2), within 5 ULP. */
static VEC FN(mish)(VEC x)
{
    const VEC e = FN(exp_of)(FN(min)(FN(set1)(MISH_MOST), x)), two = FN(set1)(2);
    const VEC n = FN(mul)(e, FN(add)(e, two));
    const VEC y = FN(mul)(x, FN(div)(n, FN(add)(n, two)));
    return FN(if_less)(x, FN(set1)(EXP_LEAST), FN(set1)(0), y);
}

/* A function that cells alone do not have. */
static VEC FN(apply_more)(const rnnat_function *f, VEC x)
{
    const VEC alpha = FN(set1)((REAL)f->alpha), beta = FN(set1)((REAL)f->beta);
    const VEC zero = FN(set1)(0);
    switch ((int)f->kind) {
    case RNNAT_GATE_SILU: return FN(gated)(x, FN(mul)(alpha, x));
    case RNNAT_GATE_GELU: return FN(gelu)(x);
    case RNNAT_GATE_GELU_TANH: return FN(gelu_tanh)(x);
    case RNNAT_GATE_MISH: return FN(mish)(x);
    case RNNAT_GATE_HARD_SWISH: return FN(mul)(x, FN(clamp)(FN(fma)(alpha, x, beta), 0, 1));
    case RNNAT_GATE_SELU:
        return FN(mul)(beta, FN(if_less)(x, zero, FN(mul)(alpha, FN(expm1)(x)), x));
    case RNNAT_GATE_CLIP: return FN(min)(beta, FN(max)(alpha, x));
    case RNNAT_GATE_MAX: return FN(max)(alpha, x);
    case RNNAT_GATE_MIN: return FN(min)(alpha, x);
    case RNNAT_GATE_ABS: return FN(abs)(x);
    case RNNAT_GATE_EXP: return FN(exp_of)(x);
    case RNNAT_GATE_LOG: return FN(log_of)(x);
    case RNNAT_GATE_SQRT: return FN(sqrt)(x);
    case RNNAT_GATE_RECIPROCAL: return FN(div)(FN(set1)(1), x);
    case RNNAT_GATE_POW: return f->alpha == 2 ? FN(mul)(x, x) : FN(power)(x, f->alpha);
    case RNNAT_GATE_ERF: return FN(erf_of)(x);
    default: return x;
    }
}

#undef LEAST_NORMAL
#undef LARGEST
#undef GELU_LEAST
#undef MISH_MOST
