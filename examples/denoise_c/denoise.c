/* Takes the noise out of speech as a device would, one hop of 10 ms after the other:
 *
 *     denoise [--live] NETWORK.safetensors IN.wav OUT.wav
 *
 * --live waits for each hop until it would have been heard. All memory is taken before the first.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "complain.h"
#include "denoiser.h"
#include "network.h"
#include "timing.h"
#include "wav.h"

static const double hop_seconds = (double)stft_hop / stft_rate;

static size_t at_most(size_t n, size_t bound) { return n < bound ? n : bound; }

/* The output begins with the second frame's first half, and has as many samples as the input;
 * silence follows where the input ends. */
static bool run(denoiser *d, wav *in, wav *out, bool live, double *seconds, size_t frames)
{
    size_t to_read = in->samples, to_write = in->samples;
    const double start = seconds_now();
    for (size_t frame = 0; frame < frames; ++frame) {
        double heard[stft_hop] = {0}, clean[stft_hop];
        const size_t now = at_most(to_read, stft_hop);
        if (!wav_read(in, heard, now)) return false;
        to_read -= now;

        if (live) wait_until(start + hop_seconds * (double)(frame + 1));
        const double before = seconds_now();
        const rnnat_status status = denoiser_push(d, heard, clean);
        seconds[frame] = seconds_now() - before;
        if (status != RNNAT_OK) return complain(in->path, "%s", rnnat_status_name(status));

        const size_t ready = frame == 0 ? 0 : at_most(to_write, stft_hop);
        if (!wav_write(out, clean, ready)) return false;
        to_write -= ready;
    }
    return true;
}

static void report(const network *n, const wav *in, double *seconds, size_t frames)
{
    const times t = times_of(seconds, frames, hop_seconds);
    const double sound = (double)frames * hop_seconds;
    printf("%s: %.1f s, %zu frames of %g ms; kernels: %s\n", in->path,
           (double)in->samples / stft_rate, frames, 1e3 * hop_seconds, rnnat_isa());
    printf(
        "time per frame     min %.1f us, median %.1f us, 99.9th percentile %.1f us, max %.1f us\n",
        1e6 * t.min, 1e6 * t.median, 1e6 * t.p999, 1e6 * t.max);
    printf("too late           %zu frames took more than %g ms\n", t.late, 1e3 * hop_seconds);
    printf("real-time factor   %.4f (%.3g times as fast as the sound)\n", t.sum / sound,
           sound / t.sum);
    printf("latency            %d samples (%g ms), and the time of a frame\n", denoiser_latency,
           1e3 * denoiser_latency / stft_rate);
    printf("memory             model %zu bytes, stream %zu, denoiser %zu\n", n->model_size,
           n->stream_size, sizeof(denoiser));
}

static bool same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static bool denoise(network *n, wav *in, wav *out, bool live)
{
    static denoiser d;
    denoiser_init(&d, n->stream);
    const size_t frames = ((size_t)in->samples + stft_hop - 1) / stft_hop + 1;
    double *const seconds = malloc(sizeof *seconds * frames);
    if (!seconds) return complain(in->path, "too long to note the times of its frames");
    bool good = run(&d, in, out, live, seconds, frames);
    if (good) report(n, in, seconds, frames);
    free(seconds);
    return good;
}

int main(int argc, char **argv)
{
    static wav in, out;
    network n = {0};
    const bool live = argc == 5 && strcmp(argv[1], "--live") == 0;
    if (argc != 4 + live)
        return complain("usage", "denoise [--live] NETWORK.safetensors IN.wav OUT.wav"), 2;
    const char *const *const path = (const char *const *)argv + argc - 3;
    bool good = network_open(&n, path[0], stft_bins) && wav_open(&in, path[1], stft_rate);
    if (good && (same_file(path[2], path[1]) || same_file(path[2], path[0])))
        good = complain(path[2], "expected a file of its own for the output, got an input's");
    if (good && wav_create(&out, path[2], stft_rate, in.samples)) {
        good = denoise(&n, &in, &out, live);
        good = wav_close(&out) && good;
    } else {
        good = false;
    }
    wav_close(&in);
    network_close(&n);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
