/* The kernels' sigmoid and tanh of every instruction set this CPU has, against libm in the next
 * wider type, and what is worst, in units in the last place (ULP):
 *
 *   test_activations                every 4099th of the 2^32 floats, 10^6 doubles
 *   test_activations --exhaustive   all 2^32 floats
 *
 * Results below the least normal number may be flushed to zero: those are held to less than that
 * number, not to ULPs. As in a run, denormal inputs count as zero. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "float_scope.h"
#include "model_file.h"

/* Of every normal result; over all floats, the worst that there is anywhere is 2.56. */
static const double max_ulps[2] = {2.6, 3}; /* float, double */

enum { BLOCK = 4096, MAX_ISAS = 8, FUNCTIONS = 2 };
static const rnnat_activation functions[FUNCTIONS] = {RNNAT_SIGMOID, RNNAT_TANH};
static const char *const names[FUNCTIONS] = {"sigmoid", "tanh"};

static rnnat_isa_entry isas[MAX_ISAS];
static int num_isas;

/* What was seen of one function of one instruction set. */
typedef struct record {
    double ulps, at; /* the worst of the normal results */
    double flushed;  /* the worst error of the others, as a part of the least normal number */
    long wrong;      /* out of range, not NaN for NaN, or a number for it */
} record;

/* In place, as a run does it: in rows of n, one after the other. */
static void apply(const rnnat_kernels *kernels, rnnat_activation activation, void *values,
                  int32_t rows, int32_t n)
{
    const rnnat_rows all = {values, 1, 0, n};
    const rnnat_float_mode mode = rnnat_float_enter();
    kernels->activate(activation, all, rows, n);
    rnnat_float_leave(mode);
}

/* Counts y = f(x): the error is |y - expected|, the other lengths belong to y's type. */
static void note(record *r, int function, double x, double y, double error, double ulp, bool normal,
                 double least)
{
    const double bottom = function == 0 ? 0 : -1;
    if (isnan(x) || isnan(y)) {
        r->wrong += isnan(x) != isnan(y);
        return;
    }
    r->wrong += !(y >= bottom && y <= 1);
    if (normal && error / ulp > r->ulps) {
        r->ulps = error / ulp;
        r->at = x;
    }
    if (!normal) r->flushed = fmax(r->flushed, error / least);
}

static void report(bool of_double, record records[MAX_ISAS][FUNCTIONS])
{
    for (int i = 0; i < num_isas; ++i) {
        for (int f = 0; f < FUNCTIONS; ++f) {
            const record *const r = &records[i][f];
            char line[160];
            snprintf(line, sizeof line,
                     "%-6s %-8s %-7s %.3f ULP at %.9g; below normal %.3g of the least; %ld wrong",
                     of_double ? "double" : "float", isas[i].name, names[f], r->ulps, r->at,
                     r->flushed, r->wrong);
            puts(line);
            CHECK_CASE(r->ulps > 0 && r->ulps <= max_ulps[of_double], line);
            CHECK_CASE(r->flushed < 1, line);
            CHECK_CASE(r->wrong == 0, line);
        }
    }
}

/* ---- float ---- */

static double logistic(double x) { return 1 / (1 + exp(-x)); }

/* The distance of floats around v, which is normal. */
static double float_ulp(double v)
{
    int exponent;
    frexp(v, &exponent);
    return ldexp(1, exponent - FLT_MANT_DIG);
}

static void compare_floats(const float *x, int32_t count, record records[MAX_ISAS][FUNCTIONS])
{
    static double expected[BLOCK];
    static float y[BLOCK];
    for (int f = 0; f < FUNCTIONS; ++f) {
        for (int32_t k = 0; k < count; ++k) expected[k] = f == 0 ? logistic(x[k]) : tanh(x[k]);
        for (int i = 0; i < num_isas; ++i) {
            memcpy(y, x, (size_t)count * sizeof *y);
            apply(&isas[i].kernels[0], functions[f], y, 1, count);
            for (int32_t k = 0; k < count; ++k) {
                const double error = fabs(y[k] - expected[k]);
                if (error == 0 && x[k] == x[k]) continue;
                const bool normal = fabs(expected[k]) >= FLT_MIN;
                note(&records[i][f], f, x[k], y[k], error, normal ? float_ulp(expected[k]) : 1,
                     normal, FLT_MIN);
            }
        }
    }
}

static void test_floats(uint32_t stride)
{
    static record records[MAX_ISAS][FUNCTIONS];
    static float x[BLOCK];
    int32_t count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride) {
        const uint32_t pattern = (uint32_t)bits;
        memcpy(&x[count++], &pattern, sizeof pattern);
        if (count == BLOCK || bits + stride > UINT32_MAX) {
            compare_floats(x, count, records);
            count = 0;
        }
    }
    report(false, records);
}

/* ---- double ---- */

#if LDBL_MANT_DIG > DBL_MANT_DIG
/* Some C libraries calculate in double what they call long double. */
static bool libm_is_wider(void)
{
    const volatile double one = 1;
    return expl(one) != exp(one) && tanhl(one) != tanh(one);
}

static void compare_doubles(const double *x, record records[MAX_ISAS][FUNCTIONS])
{
    static long double expected[BLOCK];
    static double y[BLOCK];
    for (int f = 0; f < FUNCTIONS; ++f) {
        for (int32_t k = 0; k < BLOCK; ++k)
            expected[k] = f == 0 ? 1 / (1 + expl(-(long double)x[k])) : tanhl(x[k]);
        for (int i = 0; i < num_isas; ++i) {
            memcpy(y, x, sizeof y);
            apply(&isas[i].kernels[1], functions[f], y, 1, BLOCK);
            for (int32_t k = 0; k < BLOCK; ++k) {
                const long double error = fabsl(y[k] - expected[k]);
                int exponent;
                frexpl(expected[k], &exponent);
                note(&records[i][f], f, x[k], y[k], (double)error,
                     ldexp(1, exponent < -1021 ? -1074 : exponent - DBL_MANT_DIG),
                     fabsl(expected[k]) >= DBL_MIN, DBL_MIN);
            }
        }
    }
}

/* Uniform where the functions bend, and of every magnitude there is. */
static void test_doubles(void)
{
    static record records[MAX_ISAS][FUNCTIONS];
    static const double special[] = {0,   -0.0,    INFINITY, -INFINITY,
                                     NAN, DBL_MAX, -DBL_MAX, 0x1p-1074};
    static double x[BLOCK];
    uint64_t random = 1;
    if (!libm_is_wider()) return;
    for (int32_t block = 0; block < 1000000 / BLOCK + 1; ++block) {
        for (int32_t k = 0; k < BLOCK; ++k) {
            const double wide =
                (double)test_random(&random, 1) + (double)test_random(&random, 0x1p-24f);
            x[k] = k % 4 == 0   ? wide
                   : k % 4 == 1 ? wide * 40
                   : k % 4 == 2 ? wide * 800
                                : ldexp(wide, test_choose(&random, -1080, 1024));
        }
        for (size_t i = 0; i < sizeof special / sizeof *special; ++i) x[i * 7] = special[i];
        compare_doubles(x, records);
    }
    report(true, records);
}
#else
static void test_doubles(void) {} /* nothing here is wider */
#endif

/* ---- the rest ---- */

/* An element has the same bits alone and among any number of others, and those behind the row
 * stay what they are. */
static void test_rows(void)
{
    enum { MOST = 40 };
    uint64_t random = 3;
    float x[MOST], y[3 * MOST];
    for (int k = 0; k < MOST; ++k) x[k] = test_random(&random, 6);
    for (int i = 0; i < num_isas; ++i) {
        for (int f = 0; f < FUNCTIONS; ++f) {
            float alone[MOST];
            memcpy(alone, x, sizeof x);
            apply(&isas[i].kernels[0], functions[f], alone, MOST, 1);
            for (int32_t n = 1; n < MOST; ++n) {
                for (int k = 0; k < 3 * MOST; ++k) y[k] = 9;
                for (int k = 0; k < n; ++k) y[k] = y[n + k] = x[k];
                apply(&isas[i].kernels[0], functions[f], y, 2, n);
                CHECK_CASE(memcmp(y, alone, (size_t)n * sizeof *y) == 0, isas[i].name);
                CHECK_CASE(memcmp(y + n, alone, (size_t)n * sizeof *y) == 0, isas[i].name);
                CHECK_CASE(y[2 * n] == 9 && y[3 * MOST - 1] == 9, isas[i].name);
            }
        }
    }
}

/* max(0, x) with NaN passed on. */
static void test_relu(void)
{
    for (int i = 0; i < num_isas; ++i) {
        float y[] = {-1, 1, -INFINITY, INFINITY, NAN, 0, -FLT_MAX, FLT_MAX, -0.5f, 0.5f, NAN};
        apply(&isas[i].kernels[0], RNNAT_RELU, y, 1, 11);
        CHECK_CASE(y[0] == 0 && y[1] == 1 && y[2] == 0 && y[3] == INFINITY, isas[i].name);
        CHECK_CASE(isnan(y[4]) && y[5] == 0 && y[6] == 0 && y[7] == FLT_MAX, isas[i].name);
        CHECK_CASE(y[8] == 0 && y[9] == 0.5f && isnan(y[10]), isas[i].name);
    }
}

/* Softmax of logits that differ by more than exp can tell: what is shut out has a share below the
 * least normal number, the rest is 1, and NaN or two infinities make all of it NaN. */
static void test_softmax(void)
{
    for (int i = 0; i < num_isas; ++i) {
        bool shares = true, logs = true, all_nan = true;
        for (int32_t n = 2; n < 40; ++n) {
            float y[40], logarithm[40], nan[40], infinite[40];
            const int32_t top = n / 2;
            for (int32_t k = 0; k < n; ++k) {
                y[k] = logarithm[k] = k == top ? 300 : k % 2 ? -INFINITY : (float)-k;
                nan[k] = k == top ? NAN : (float)k;
                infinite[k] = k == top ? INFINITY : (float)k;
            }
            apply(&isas[i].kernels[0], RNNAT_SOFTMAX, y, 1, n);
            apply(&isas[i].kernels[0], RNNAT_LOG_SOFTMAX, logarithm, 1, n);
            apply(&isas[i].kernels[0], RNNAT_SOFTMAX, nan, 1, n);
            apply(&isas[i].kernels[0], RNNAT_SOFTMAX, infinite, 1, n);
            for (int32_t k = 0; k < n; ++k) {
                const float log_share = k == top ? 0 : k % 2 ? -INFINITY : (float)-k - 300;
                shares = shares && (k == top ? y[k] == 1 : y[k] >= 0 && y[k] < FLT_MIN);
                logs = logs && logarithm[k] == log_share;
                all_nan = all_nan && isnan(nan[k]) && isnan(infinite[k]);
            }
        }
        CHECK_CASE(shares, isas[i].name);
        CHECK_CASE(logs, isas[i].name);
        CHECK_CASE(all_nan, isas[i].name);
    }
}

int main(int argc, char **argv)
{
    const bool exhaustive = argc > 1 && strcmp(argv[1], "--exhaustive") == 0;
    if (argc > (exhaustive ? 2 : 1)) {
        fputs("usage: test_activations [--exhaustive]\n", stderr);
        return 2;
    }
    rnnat_isa_entry entry;
    for (int32_t i = 0; rnnat_isa_at(i, &entry) && num_isas < MAX_ISAS; ++i)
        if (entry.available) isas[num_isas++] = entry;
    test_floats(exhaustive ? 1 : 4099);
    test_doubles();
    test_rows();
    test_relu();
    test_softmax();
    return check_result();
}
