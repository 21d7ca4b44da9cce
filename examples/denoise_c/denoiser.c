/* Multiplies each spectrum with the gains that the network finds for it. */
#include "denoiser.h"

#include <math.h>

static const double least_power = 1e-12;
static const double least_gain = 1e-4; /* -80 dB: never muted fully */

void denoiser_init(denoiser *d, rnnat_stream *stream)
{
    stft_init(&d->stft);
    d->stream = stream;
}

static double bounded(double gain) { return gain < least_gain ? least_gain : gain > 1 ? 1 : gain; }

rnnat_status denoiser_push(denoiser *d, const double in[stft_hop], double out[stft_hop])
{
    stft_analyse(&d->stft, in, d->spectrum);
    for (int k = 0; k < stft_bins; ++k) {
        const complex_number bin = d->spectrum[k];
        const double power = bin.re * bin.re + bin.im * bin.im;
        d->features[k] = (float)log10(power > least_power ? power : least_power);
    }
    const rnnat_status status = rnnat_stream_run(d->stream, d->features, 1, d->gain);
    for (int k = 0; k < stft_bins; ++k) {
        const double gain = bounded((double)d->gain[k]);
        d->spectrum[k].re *= gain;
        d->spectrum[k].im *= gain;
    }
    stft_synthesise(&d->stft, d->spectrum, out);
    return status;
}
