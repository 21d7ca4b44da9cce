/* The discrete Fourier transform of one real frame, and back.
 *
 *     bin[k] = sum over n of x[n] exp(-2 pi i k n / N),     k = 0 ... N / 2
 */
#ifndef FFT_H
#define FFT_H

enum { fft_points = 320, fft_bins = fft_points / 2 + 1 };

typedef struct complex_number {
    double re, im;
} complex_number;

typedef struct fft {
    complex_number root[fft_points]; /* exp(-2 pi i k / N) */
    complex_number work[2][fft_points / 2];
} fft;

void fft_init(fft *f);
void fft_forward(fft *f, const double x[fft_points], complex_number bin[fft_bins]);
/* The exact inverse, 1 / N included; the imaginary parts of the first and last bin must be 0. */
void fft_inverse(fft *f, const complex_number bin[fft_bins], double x[fft_points]);

#endif /* FFT_H */
