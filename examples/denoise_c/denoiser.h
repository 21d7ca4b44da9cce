/* A denoiser for live sound: 10 ms in, the 10 ms before them out, cleaned.
 *
 * Everything it needs lies in the struct and in the stream; a push takes no memory, waits for
 * nobody and does the same work each time. */
#ifndef DENOISER_H
#define DENOISER_H

#include "rnn_native.h"
#include "stft.h"

/* A sample waits until its hop is whole and then for the next hop, which ends its last frame. */
enum { denoiser_latency = stft_frame };

typedef struct denoiser {
    stft stft;
    rnnat_stream *stream;
    complex_number spectrum[stft_bins];
    float features[stft_bins]; /* log10 of the power */
    float gain[stft_bins];     /* what the network makes of them: 0 to 1 for each bin */
} denoiser;

/* The stream, of one row and one step, belongs to the denoiser from now on. */
void denoiser_init(denoiser *d, rnnat_stream *stream);
/* Full scale is 1. What is returned is the network's. */
rnnat_status denoiser_push(denoiser *d, const double in[stft_hop], double out[stft_hop]);

#endif /* DENOISER_H */
