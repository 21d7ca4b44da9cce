/* Turns live sound into spectra and back, 10 ms at a time. */
#include "stft.h"

#include <math.h>
#include <string.h>

void stft_init(stft *s)
{
    const double turn = 6.28318530717958647692;
    memset(s, 0, sizeof *s);
    fft_init(&s->fft);
    for (int n = 0; n < stft_frame; ++n)
        s->window[n] = sqrt(0.5 - 0.5 * cos(turn * n / (stft_frame - 1)));
}

void stft_analyse(stft *s, const double in[stft_hop], complex_number spectrum[stft_bins])
{
    memmove(s->heard, s->heard + stft_hop, sizeof *s->heard * stft_hop);
    memcpy(s->heard + stft_hop, in, sizeof *s->heard * stft_hop);
    for (int n = 0; n < stft_frame; ++n) s->frame[n] = s->heard[n] * s->window[n];
    fft_forward(&s->fft, s->frame, spectrum);
}

void stft_synthesise(stft *s, const complex_number spectrum[stft_bins], double out[stft_hop])
{
    fft_inverse(&s->fft, spectrum, s->frame);
    for (int n = 0; n < stft_frame; ++n) s->frame[n] *= s->window[n];
    for (int n = 0; n < stft_hop; ++n) {
        out[n] = s->tail[n] + s->frame[n];
        s->tail[n] = s->frame[n + stft_hop];
    }
}
