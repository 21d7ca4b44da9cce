/* The fast Fourier transform of one real frame of 320 samples, and its inverse. */
#include "fft.h"

#include <math.h>

enum { half = fft_points / 2 };
static const int factors[] = {4, 4, 2, 5}; /* of half */

static complex_number times(complex_number a, complex_number b)
{
    return (complex_number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static complex_number conjugate(complex_number a) { return (complex_number){a.re, -a.im}; }

void fft_init(fft *f)
{
    const double turn = 6.28318530717958647692;
    for (int k = 0; k < fft_points; ++k) {
        const double angle = turn * k / fft_points;
        f->root[k] = (complex_number){cos(angle), -sin(angle)};
    }
}

/* `half` points in work[0] to their transform, which is returned. Stockham's order: a pass of
 * radix r takes sums over r distant points and leaves them side by side, so that after the last
 * one everything is in place. `apart` is the product of the radices so far. */
static complex_number *transform(fft *f)
{
    complex_number *from = f->work[0], *to = f->work[1];
    int apart = 1;
    for (int pass = 0; pass < (int)(sizeof factors / sizeof factors[0]); ++pass) {
        const int r = factors[pass], blocks = half / apart / r;
        for (int p = 0; p < blocks; ++p)
            for (int k = 0; k < r; ++k) {
                complex_number *const sum = to + apart * (r * p + k);
                for (int q = 0; q < apart; ++q) sum[q] = (complex_number){0, 0};
                for (int j = 0; j < r; ++j) {
                    const int n = p + blocks * j;
                    const complex_number w = f->root[2 * (k * n * apart % half)];
                    for (int q = 0; q < apart; ++q) {
                        const complex_number term = times(from[apart * n + q], w);
                        sum[q].re += term.re;
                        sum[q].im += term.im;
                    }
                }
            }
        complex_number *const done = to;
        to = from;
        from = done;
        apart *= r;
    }
    return from;
}

/* The even points are the real parts of half as many complex ones, the odd points the imaginary
 * parts: E and O, the transforms of the two, are what is even and odd in the transform Z of that:
 *     2 E[k] = Z[k] + Z*[half - k],   2 i O[k] = Z[k] - Z*[half - k],   bin[k] = E[k] + w^k O[k] */
void fft_forward(fft *f, const double x[fft_points], complex_number bin[fft_bins])
{
    for (int n = 0; n < half; ++n) f->work[0][n] = (complex_number){x[2 * n], x[2 * n + 1]};
    const complex_number *const z = transform(f);
    for (int k = 0; k <= half; ++k) {
        const complex_number a = z[k % half], b = conjugate(z[(half - k) % half]);
        const complex_number odd = times((complex_number){a.im - b.im, b.re - a.re}, f->root[k]);
        bin[k] = (complex_number){(a.re + b.re + odd.re) / 2, (a.im + b.im + odd.im) / 2};
    }
}

/* The same backwards; the inverse transform of Z is the conjugate of the transform of Z*. */
void fft_inverse(fft *f, const complex_number bin[fft_bins], double x[fft_points])
{
    for (int k = 0; k < half; ++k) {
        const complex_number a = bin[k], b = conjugate(bin[half - k]);
        const complex_number odd =
            times((complex_number){a.re - b.re, a.im - b.im}, conjugate(f->root[k]));
        f->work[0][k] = conjugate((complex_number){a.re + b.re - odd.im, a.im + b.im + odd.re});
    }
    const complex_number *const z = transform(f);
    for (int n = 0; n < half; ++n) {
        x[2 * n] = z[n].re / fft_points;
        x[2 * n + 1] = -z[n].im / fft_points;
    }
}
