/* Live sound to spectra and back, 10 ms at a time: frames of 20 ms, each half new.
 *
 * The window is the square root of a symmetric Hann window, on the way in and again on the way
 * out, as NSNet2 was trained. */
#ifndef STFT_H
#define STFT_H

#include "fft.h"

enum {
    stft_rate = 16000,
    stft_frame = fft_points,
    stft_hop = stft_frame / 2,
    stft_bins = fft_bins
};

typedef struct stft {
    fft fft;
    double window[stft_frame];
    double heard[stft_frame]; /* the last 20 ms of the input */
    double tail[stft_hop];    /* what the last frame adds to the next 10 ms of the output */
    double frame[stft_frame];
} stft;

void stft_init(stft *s); /* silence before the first hop */
/* The spectrum of the frame that ends with this hop. */
void stft_analyse(stft *s, const double in[stft_hop], complex_number spectrum[stft_bins]);
/* Adds a frame to the output; `out` is what no later frame adds to: its first half. */
void stft_synthesise(stft *s, const complex_number spectrum[stft_bins], double out[stft_hop]);

#endif /* STFT_H */
