/* Numbers that carry their error, and the operations on them; naive.h has their rules. */
#ifndef RNNAT_TEST_NAIVE_NUMBER_H
#define RNNAT_TEST_NAIVE_NUMBER_H

#include <math.h>

#include "naive.h"

typedef naive_number num;

static const double u = 0x1p-24, tiny = 0x1p-126, ulps = 4;

static inline double gamma_of(double n) { return n * u / (1 - n * u); }
static inline num exactly(double value) { return (num){value, 0}; }

/* ---- sums: 1 and 4 ---- */

typedef struct sum {
    double value, carried, size, weights;
    int32_t terms;
} sum;

static inline void add_product(sum *s, double w, num x)
{
    s->value += w * x.value;
    s->carried += fabs(w) * x.error;
    s->size += fabs(w) * (fabs(x.value) + x.error);
    s->weights += fabs(w);
    ++s->terms;
}

static inline void add_dot(sum *s, const float *w, const num *x, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) add_product(s, w[i], x[i]);
}

static inline void add_bias(sum *s, double b)
{
    s->value += b;
    s->size += fabs(b);
    ++s->terms;
}

static inline num total(const sum *s)
{
    const double flushed = (2 * s->terms + s->weights) * tiny;
    return (num){s->value, s->carried + gamma_of(s->terms) * s->size + flushed};
}

/* ---- single operations: 3 and 4 ---- */

static inline num rounded(double value, double carried)
{
    return (num){value, carried + u * (fabs(value) + carried) + tiny};
}

static inline num add(num a, num b) { return rounded(a.value + b.value, a.error + b.error); }

static inline num mul(num a, num b)
{
    return rounded(a.value * b.value,
                   fabs(a.value) * b.error + fabs(b.value) * a.error + a.error * b.error);
}

/* (1 - z) n + z h; the core may compute it as n + z (h - n), three roundings either way. */
static inline num mix(num z, num n, num h)
{
    const double value = (1 - z.value) * n.value + z.value * h.value;
    const double carried = (1 - z.value) * n.error + z.value * h.error +
                           z.error * (fabs(h.value - n.value) + n.error + h.error);
    const double size = (fabs(n.value) + n.error) * (1 + z.value + z.error) +
                        (fabs(h.value) + h.error) * (z.value + z.error);
    return (num){value, carried + gamma_of(3) * size + 3 * tiny};
}

/* ---- activations: 2 and 4 ---- */

static inline num activated(num a, double value, double slope)
{
    const double carried = slope * a.error;
    return (num){value, carried + 2 * u * ulps * (fabs(value) + carried) + tiny};
}

/* The least magnitude that the computed argument may have: where the slope is largest. */
static inline double least(num a) { return fmax(fabs(a.value) - a.error, 0); }

static inline double logistic(double x) { return 1 / (1 + exp(-x)); }

static inline num sigmoid(num a)
{
    const double s = logistic(least(a));
    return activated(a, logistic(a.value), s * (1 - s));
}

static inline num hyperbolic_tangent(num a)
{
    const double t = tanh(least(a));
    return activated(a, tanh(a.value), 1 - t * t);
}

static inline num relu(num a)
{
    return (num){a.value <= 0 ? 0 : a.value, a.value + a.error > 0 ? a.error : 0}; /* NaN stays */
}

/* alpha a + beta, with constants that are rounded themselves. */
static inline num affine(double alpha, num a, double beta)
{
    const double size = fabs(alpha) * (fabs(a.value) + a.error) + fabs(beta);
    return (num){alpha * a.value + beta,
                 fabs(alpha) * a.error + gamma_of(4) * size + (3 + fabs(alpha)) * tiny};
}

/* Outside the bounds, which are rounded, no error of a matters. NaN stays. */
static inline num within(num a, double low, double high)
{
    const double value = a.value < low ? low : a.value > high ? high : a.value;
    const double carried = a.value + a.error > low && a.value - a.error < high ? a.error : 0;
    return (num){value, carried + u * fabs(value) + tiny};
}

/* a, or below zero alpha (exp(a) - 1); alpha at most 1. */
static inline num elu(double alpha, num a)
{
    const num below = activated(a, alpha * expm1(fmin(a.value, 0)), 1);
    return (num){a.value < 0 ? below.value : a.value, below.error + u * fabs(below.value)};
}

static inline num softsign(num a)
{
    const double value = isinf(a.value) ? copysign(1, a.value) : a.value / (1 + fabs(a.value));
    return activated(a, value, 1 / ((1 + least(a)) * (1 + least(a))));
}

static inline num softplus(num a)
{
    const double value = (a.value > 0 ? a.value : 0) + log1p(exp(-fabs(a.value)));
    return activated(a, value, logistic(a.value + a.error));
}

/* An activation of a gate, of its input within bounds. */
static inline num gate(const rnnat_functions *functions, int32_t which, num a)
{
    const rnnat_function f = functions->of[which];
    if (functions->clip > 0) a = within(a, -functions->clip, functions->clip);
    switch (f.kind) {
    case RNNAT_GATE_IDENTITY: return a;
    case RNNAT_GATE_RELU: return relu(a);
    case RNNAT_GATE_TANH: return hyperbolic_tangent(a);
    case RNNAT_GATE_SIGMOID: return sigmoid(a);
    case RNNAT_GATE_AFFINE: return affine(f.alpha, a, f.beta);
    case RNNAT_GATE_SCALED_TANH:
        return affine(f.alpha, hyperbolic_tangent(affine(f.beta, a, 0)), 0);
    case RNNAT_GATE_HARD_SIGMOID: return within(affine(f.alpha, a, f.beta), 0, 1);
    case RNNAT_GATE_ELU: return elu(f.alpha, a);
    case RNNAT_GATE_SOFTSIGN: return softsign(a);
    case RNNAT_GATE_SOFTPLUS: return softplus(a);
    default: break; /* no variant has the others */
    }
    return (num){NAN, 0};
}

/* Arguments off by at most d move log p by 2 d; then the rounding of x - max, of exp, of the sum,
 * and of the division or of the two subtractions and the logarithm. */
static inline void softmax(num *x, int32_t n, bool logarithm)
{
    double peak = -INFINITY, bottom = INFINITY, d = 0, sum_of_all = 0;
    for (int32_t i = 0; i < n; ++i) {
        peak = fmax(peak, x[i].value);
        bottom = fmin(bottom, x[i].value);
        d = fmax(d, x[i].error);
    }
    for (int32_t i = 0; i < n; ++i) sum_of_all += exp(x[i].value - peak);
    const double spread = peak - bottom + 2 * d;
    const double relative = 2 * d + 2 * u * spread + gamma_of(n + 4 * ulps + 4);
    for (int32_t i = 0; i < n; ++i) {
        if (logarithm) {
            const double value = x[i].value - peak - log(sum_of_all);
            const double size = spread + 1 + log(sum_of_all);
            x[i] = (num){value, relative + 2 * u * (1 + ulps) * size};
        } else {
            const double value = exp(x[i].value - peak) / sum_of_all;
            x[i] = (num){value, value * expm1(2 * relative) + tiny};
        }
    }
}

static inline void activate(rnnat_activation activation, num *x, int32_t n)
{
    if (activation == RNNAT_SOFTMAX || activation == RNNAT_LOG_SOFTMAX)
        softmax(x, n, activation == RNNAT_LOG_SOFTMAX);
    for (int32_t i = 0; i < n; ++i) {
        if (activation == RNNAT_SIGMOID) x[i] = sigmoid(x[i]);
        if (activation == RNNAT_TANH) x[i] = hyperbolic_tangent(x[i]);
        if (activation == RNNAT_RELU) x[i] = relu(x[i]);
    }
}

#endif
