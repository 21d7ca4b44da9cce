/* The kernels' exp, log, erf and what is made of them, of every instruction set this CPU has, against
 * libm in long double, and what is worst, in units in the last place (ULP):
 *
 *   test_elementary                every 4099th of the 2^32 floats, 10^5 doubles
 *   test_elementary --exhaustive   all 2^32 floats
 *
 * Where a function takes exp of a number w that is itself rounded, |w| ULP are allowed for each time:
 * exp of w (1 + u) is off by |w| u of itself. Results below the least normal number may be zero, and so may those that are x times such
 * a number. As in a run, denormal inputs count as zero. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "float_scope.h"
#include "model_file.h"

enum { BLOCK = 4096, MAX_ISAS = 8 };

#define SELU_ALPHA 1.6732632423543772
#define SELU_BETA 1.0507009873554805

static long double silu(long double x) { return x / (1 + expl(-x)); }
static long double gelu(long double x)
{
    return x * erfcl(-x * 0.707106781186547524400844362105L) / 2;
}
static long double bent(long double x)
{
    return 1.59576912160573071175978423973L * (x + 0.044715L * x * x * x);
}
static long double gelu_tanh(long double x) { return x / (1 + expl(-bent(x))); }
static long double mish(long double x)
{
    const long double e = expl(x < 50 ? x : 50), n = e * (e + 2);
    return x * n / (n + 2);
}
static long double selu(long double x)
{
    return (long double)SELU_BETA * (x < 0 ? (long double)SELU_ALPHA * expm1l(x) : x);
}
static long double reciprocal(long double x) { return 1 / x; }
static long double root(long double x) { return powl(x, 1.5L); }
static long double square(long double x) { return x * x; }
static long double half_square(long double x) { return x * x / 2; }

/* A function and what it may be off by. */
typedef struct function {
    const char *name;
    rnnat_function of;
    long double (*exact)(long double);
    double least, most; /* at minus and plus infinity */
    double ulps[2]; /* float, double */
    long double (*rounded[2])(long double); /* w, of float and double; NULL: none */
    double times; /* how often it is rounded */
    bool scaled; /* it is x times a number that may be zero */
} function;

static const function functions[] = {
    {"silu", {RNNAT_GATE_SILU, 1, 0}, silu, 0, INFINITY, {3, 3}, {NULL, NULL}, 0, true},
    {"gelu", {RNNAT_GATE_GELU, 0, 0}, gelu, 0, INFINITY, {7, 4}, {NULL, half_square}, 4, true},
    {"gelu_tanh",
     {RNNAT_GATE_GELU_TANH, 0, 0},
     gelu_tanh,
     0,
     INFINITY,
     {3, 3},
     {bent, bent},
     4,
     true},
    {"mish", {RNNAT_GATE_MISH, 0, 0}, mish, 0, INFINITY, {5, 5}, {NULL, NULL}, 0, true},
    {"selu",
     {RNNAT_GATE_SELU, SELU_ALPHA, SELU_BETA},
     selu,
     -SELU_ALPHA * SELU_BETA,
     INFINITY,
     {4, 4},
     {NULL, NULL},
     0,
     false},
    {"exp", {RNNAT_GATE_EXP, 0, 0}, expl, 0, INFINITY, {2, 2}, {NULL, NULL}, 0, false},
    {"log", {RNNAT_GATE_LOG, 0, 0}, logl, NAN, INFINITY, {2, 2}, {NULL, NULL}, 0, false},
    {"erf", {RNNAT_GATE_ERF, 0, 0}, erfl, -1, 1, {3, 2}, {NULL, NULL}, 0, false},
    {"sqrt", {RNNAT_GATE_SQRT, 0, 0}, sqrtl, NAN, INFINITY, {0.5, 0.5}, {NULL, NULL}, 0, false},
    {"reciprocal",
     {RNNAT_GATE_RECIPROCAL, 0, 0},
     reciprocal,
     -0.0,
     0,
     {0.5, 0.5},
     {NULL, NULL},
     0,
     false},
    {"pow 2",
     {RNNAT_GATE_POW, 2, 0},
     square,
     INFINITY,
     INFINITY,
     {0.5, 0.5},
     {NULL, NULL},
     0,
     false},
    {"pow 1.5",
     {RNNAT_GATE_POW, 1.5, 0},
     root,
     INFINITY,
     INFINITY,
     {0.6, 2},
     {NULL, NULL},
     0,
     false},
};
enum { FUNCTIONS = (int)(sizeof functions / sizeof *functions) };

static rnnat_isa_entry isas[MAX_ISAS];
static int num_isas;

/* What was seen of one function of one instruction set. */
typedef struct record {
    double part, ulps, at; /* the worst of the normal results, as a part of what is allowed */
    double flushed; /* the worst error of the others, as a part of what is allowed */
    long wrong; /* not infinite, or not NaN, for what is, or the other way round */
} record;

/* Of every instruction set: what is worst, of float and double. */
static record records[2][MAX_ISAS][FUNCTIONS];

/* In rows of n, one after the other, as a run does it. */
static void apply(const rnnat_kernels *kernels, const function *f, void *y, void *x, int32_t rows,
                  int32_t n)
{
    const rnnat_rows from = {x, 1, 0, n}, to = {y, 1, 0, n};
    const rnnat_float_mode mode = rnnat_float_enter();
    kernels->apply(&f->of, to, from, rows, n);
    rnnat_float_leave(mode);
}

static long double value(const function *f, double x)
{
    return !isinf(x) ? f->exact(x) : x < 0 ? f->least : f->most;
}

/* Notes y = f(x), of float or double, where `expected` is right. */
static void note(record *r, const function *f, bool of_double, double x, double y,
                 long double expected)
{
    const int digits = of_double ? DBL_MANT_DIG : FLT_MANT_DIG;
    const double tiny = of_double ? DBL_MIN : FLT_MIN;
    const long double ulp = ldexpl(1, of_double ? 971 : 104); /* of the largest numbers */
    const long double limit =
        (of_double ? DBL_MAX : FLT_MAX) + ulp / 2; /* infinite from there on */
    if (isnan(expected) || isnan(y)) {
        r->wrong += !isnan(expected) != !isnan(y);
        return;
    }
    if (isinf(y) || fabsl(expected) >= limit) {
        r->wrong +=
            isinf(y) ? fabsl(expected) < limit - 8 * ulp : fabsl(expected) > limit + 8 * ulp;
        r->wrong += (y > 0) != (expected > 0);
        return;
    }
    const long double error = fabsl(y - expected);
    const double least = tiny * (f->scaled ? 1 + fabs(x) : 1);
    if (fabsl(expected) < least) {
        r->flushed = fmax(r->flushed, (double)(error / least));
        return;
    }
    int exponent;
    frexpl(expected, &exponent);
    const double ulps = (double)(error / ldexpl(1, exponent - digits));
    const double w = f->rounded[of_double] ? (double)fabsl(f->rounded[of_double](x)) : 0;
    const double part = ulps / (f->ulps[of_double] + f->times * w);
    if (part <= r->part) return;
    r->part = part;
    r->ulps = ulps;
    r->at = x;
}

static void report(bool of_double)
{
    for (int i = 0; i < num_isas; ++i) {
        for (int f = 0; f < FUNCTIONS; ++f) {
            const record *const r = &records[of_double][i][f];
            char line[200];
            snprintf(
                line, sizeof line,
                "%-6s %-8s %-10s %.3f ULP at %.9g, %.3g of what is allowed; below normal %.3g; "
                "%ld wrong",
                of_double ? "double" : "float", isas[i].name, functions[f].name, r->ulps, r->at,
                r->part, r->flushed, r->wrong);
            puts(line);
            CHECK_CASE(r->part > 0 && r->part <= 1, line);
            CHECK_CASE(r->flushed <= 1, line);
            CHECK_CASE(r->wrong == 0, line);
        }
    }
}

static void compare(bool of_double, double *x, int32_t count)
{
    static long double expected[BLOCK];
    static float small_x[BLOCK], small_y[BLOCK];
    static double y[BLOCK];
    const double tiny = of_double ? DBL_MIN : FLT_MIN;
    for (int32_t k = 0; k < count; ++k) {
        if (!of_double) x[k] = (double)(float)x[k];
        if (fabs(x[k]) < tiny) x[k] = copysign(0, x[k]);
        small_x[k] = (float)x[k];
    }
    for (int f = 0; f < FUNCTIONS; ++f) {
        for (int32_t k = 0; k < count; ++k) expected[k] = value(&functions[f], x[k]);
        for (int i = 0; i < num_isas; ++i) {
            const rnnat_kernels *const kernels = &isas[i].kernels[of_double];
            apply(kernels, &functions[f], of_double ? (void *)y : small_y,
                  of_double ? (void *)x : small_x, 1, count);
            for (int32_t k = 0; k < count; ++k)
                note(&records[of_double][i][f], &functions[f], of_double, x[k],
                     of_double ? y[k] : (double)small_y[k], expected[k]);
        }
    }
}

/* Numbers that are ends of something. */
static const double special[] = {0,       -0.0,     INFINITY, -INFINITY, NAN,   FLT_MAX, -FLT_MAX,
                                 FLT_MIN, -FLT_MIN, 1,        -1,        88.72, 88.73,   -87.33,
                                 -87.34,  1e30,     -1e30,    200,       -200,  14.5,    -14.5};

static void test_floats(uint32_t stride)
{
    static double x[BLOCK];
    int32_t count = sizeof special / sizeof *special;
    memcpy(x, special, sizeof special);
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride) {
        const uint32_t pattern = (uint32_t)bits;
        float number;
        memcpy(&number, &pattern, sizeof number);
        x[count++] = number;
        if (count == BLOCK || bits + stride > UINT32_MAX) {
            compare(false, x, count);
            count = 0;
        }
    }
    report(false);
}

#if LDBL_MANT_DIG > DBL_MANT_DIG
/* Some C libraries calculate in double what they call long double. */
static bool libm_is_wider(void)
{
    const volatile double one = 1;
    return expl(one) != exp(one) && erfcl(one) != erfc(one);
}

/* Uniform where the functions bend, near 1, and of every magnitude there is. */
static void test_doubles(void)
{
    static double x[BLOCK];
    uint64_t random = 1;
    if (!libm_is_wider()) return;
    for (int32_t block = 0; block < 100000 / BLOCK + 1; ++block) {
        for (int32_t k = 0; k < BLOCK; ++k) {
            const double wide =
                (double)test_random(&random, 1) + (double)test_random(&random, 0x1p-24f);
            x[k] = k % 5 == 0   ? wide
                   : k % 5 == 1 ? wide * 40
                   : k % 5 == 2 ? wide * 720
                   : k % 5 == 3 ? 1 + wide / 1000
                                : ldexp(wide, test_choose(&random, -1020, 1024));
        }
        memcpy(x, special, sizeof special);
        x[100] = DBL_MAX;
        x[101] = -DBL_MAX;
        x[102] = DBL_MIN;
        compare(true, x, BLOCK);
    }
    report(true);
}
#else
static void test_doubles(void) {} /* nothing here is wider */
#endif

/* An element has the same bits alone and among any number of others, those behind the row stay what
 * they are, and a row may be written where it is read. */
static void test_rows(void)
{
    enum { MOST = 40 };
    uint64_t random = 3;
    float x[MOST], y[2 * MOST];
    for (int k = 0; k < MOST; ++k) x[k] = test_random(&random, 6);
    for (int i = 0; i < num_isas; ++i) {
        for (int f = 0; f < FUNCTIONS; ++f) {
            float alone[MOST];
            apply(&isas[i].kernels[0], &functions[f], alone, x, MOST, 1);
            for (int32_t n = 1; n < MOST; ++n) {
                for (int k = 0; k < 2 * MOST; ++k) y[k] = k < n ? x[k] : 9;
                apply(&isas[i].kernels[0], &functions[f], y, y, 1, n);
                CHECK_CASE(memcmp(y, alone, (size_t)n * sizeof *y) == 0, functions[f].name);
                CHECK_CASE(y[n] == 9 && y[2 * MOST - 1] == 9, functions[f].name);
            }
        }
    }
}

/* What is only compared is exact, and NaN is passed on. */
static void test_compared(void)
{
    static const struct {
        rnnat_function of;
        float of_minus_2, of_half, of_9;
    } cases[] = {{{RNNAT_GATE_CLIP, -1, 6}, -1, 0.5f, 6},
                 {{RNNAT_GATE_MAX, -1, 0}, -1, 0.5f, 9},
                 {{RNNAT_GATE_MIN, -1, 0}, -2, -1, -1},
                 {{RNNAT_GATE_ABS, 0, 0}, 2, 0.5f, 9},
                 {{RNNAT_GATE_HARD_SWISH, 0.25, 0.5}, 0, 0.3125f, 9},
                 {{RNNAT_GATE_POW, 1, 0}, -2, 0.5f, 9}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        const function f = {.of = cases[c].of};
        for (int i = 0; i < num_isas; ++i) {
            float x[] = {-2, 0.5f, 9, NAN}, y[4];
            apply(&isas[i].kernels[0], &f, y, x, 1, 4);
            CHECK_CASE(y[0] == cases[c].of_minus_2, isas[i].name);
            CHECK_CASE(y[1] == cases[c].of_half && y[2] == cases[c].of_9, isas[i].name);
            CHECK_CASE(isnan(y[3]), isas[i].name);
        }
    }
}

int main(int argc, char **argv)
{
    const bool exhaustive = argc > 1 && strcmp(argv[1], "--exhaustive") == 0;
    if (argc > (exhaustive ? 2 : 1)) {
        fputs("usage: test_elementary [--exhaustive]\n", stderr);
        return 2;
    }
    rnnat_isa_entry entry;
    for (int32_t i = 0; rnnat_isa_at(i, &entry) && num_isas < MAX_ISAS; ++i)
        if (entry.available && entry.kernels[0].apply) isas[num_isas++] = entry;
    if (num_isas == 0) return 77; /* a build without them */
    test_floats(exhaustive ? 1 : 4099);
    test_doubles();
    test_rows();
    test_compared();
    return check_result();
}
