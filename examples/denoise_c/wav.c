/* Reads and writes mono WAV files of 16 bits, a few samples at a time. */
#include "wav.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "complain.h"

enum { sample_bytes = 2, pcm = 1, format_bytes = 16, header_bytes = 44 };

/* The numbers of a WAV file are little-endian, whatever the machine is. */
static uint32_t number(const uint8_t *bytes, int n)
{
    uint32_t value = 0;
    for (int i = n - 1; i >= 0; --i) value = value << 8 | bytes[i];
    return value;
}

static void put_number(uint8_t *bytes, int n, uint32_t value)
{
    for (int i = 0; i < n; ++i) bytes[i] = (uint8_t)(value >> 8 * i);
}

static bool opened(wav *w, const char *path, const char *mode)
{
    w->path = path;
    w->file = fopen(path, mode);
    if (!w->file) return complain(path, "%s", strerror(errno));
    setvbuf(w->file, w->buffer, _IOFBF, sizeof w->buffer);
    return true;
}

/* What follows the position, in bytes; 0 where that cannot be told. */
static unsigned long bytes_left(FILE *file)
{
    const long here = ftell(file);
    if (here < 0 || fseek(file, 0, SEEK_END) != 0) return 0;
    const long end = ftell(file);
    return fseek(file, here, SEEK_SET) == 0 && end > here ? (unsigned long)(end - here) : 0;
}

/* Walks to the next chunk's content, all of which is in the file. */
static bool next_chunk(wav *w, char name[5], uint32_t *size)
{
    uint8_t head[8];
    if (fread(head, 1, sizeof head, w->file) != sizeof head)
        return complain(w->path, "expected a chunk of samples, got the end of the file: truncated");
    memcpy(name, head, 4);
    name[4] = 0;
    *size = number(head + 4, 4);
    const unsigned long left = bytes_left(w->file);
    return *size <= left ||
           complain(w->path, "expected %lu bytes in the chunk '%s', got %lu: truncated",
                    (unsigned long)*size, name, left);
}

static bool skip(wav *w, uint32_t bytes)
{
    return fseek(w->file, (long)bytes, SEEK_CUR) == 0 || complain(w->path, "%s", strerror(errno));
}

static bool read_format(wav *w, uint32_t size, uint32_t rate)
{
    uint8_t format[format_bytes];
    if (size < sizeof format || fread(format, 1, sizeof format, w->file) != sizeof format)
        return complain(w->path, "expected a format of %d bytes, got %lu", format_bytes,
                        (unsigned long)size);
    const unsigned long code = number(format, 2), bits = number(format + 14, 2);
    const unsigned long channels = number(format + 2, 2), got = number(format + 4, 4);
    if (code != pcm || bits != 8 * sample_bytes)
        return complain(w->path, "expected 16-bit PCM (format 1), got format %lu with %lu bits",
                        code, bits);
    if (channels != 1) return complain(w->path, "expected mono, got %lu channels", channels);
    if (got != rate)
        return complain(w->path, "expected %lu samples a second, got %lu", (unsigned long)rate,
                        got);
    return skip(w, size - format_bytes + size % 2);
}

bool wav_open(wav *w, const char *path, uint32_t rate)
{
    uint8_t head[12];
    if (!opened(w, path, "rb")) return false;
    if (ftell(w->file) < 0) return complain(path, "expected a file, got a pipe");
    if (fread(head, 1, sizeof head, w->file) != sizeof head || memcmp(head, "RIFF", 4) != 0 ||
        memcmp(head + 8, "WAVE", 4) != 0)
        return complain(path, "expected a WAV file, got something else");
    char name[5];
    uint32_t size = 0;
    for (bool formatted = false;;) {
        if (!next_chunk(w, name, &size)) return false;
        if (strcmp(name, "fmt ") == 0) {
            if (!read_format(w, size, rate)) return false;
            formatted = true;
        } else if (strcmp(name, "data") != 0) {
            if (!skip(w, size) || !skip(w, size % 2)) return false;
        } else if (!formatted) {
            return complain(path, "expected the format before the samples, got none");
        } else {
            break;
        }
    }
    if (size == 0 || size % sample_bytes != 0)
        return complain(path, "expected samples of %d bytes, got %lu bytes", sample_bytes,
                        (unsigned long)size);
    w->samples = size / sample_bytes;
    return true;
}

bool wav_read(wav *w, double *samples, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        uint8_t bytes[sample_bytes];
        if (fread(bytes, 1, sizeof bytes, w->file) != sizeof bytes)
            return complain(w->path, "cannot be read to its end");
        const int32_t value = (int32_t)number(bytes, sample_bytes);
        samples[i] = (value < 32768 ? value : value - 65536) / 32768.0;
    }
    return true;
}

bool wav_create(wav *w, const char *path, uint32_t rate, uint32_t samples)
{
    if (samples > (UINT32_MAX - header_bytes) / sample_bytes)
        return complain(path, "expected samples that fit a WAV file, got %lu",
                        (unsigned long)samples);
    if (!opened(w, path, "wb")) return false;
    w->samples = samples;
    uint8_t head[header_bytes] = "RIFF....WAVEfmt ....................data";
    put_number(head + 4, 4, header_bytes - 8 + samples * sample_bytes);
    put_number(head + 16, 4, format_bytes);
    put_number(head + 20, 2, pcm);
    put_number(head + 22, 2, 1);
    put_number(head + 24, 4, rate);
    put_number(head + 28, 4, rate * sample_bytes);
    put_number(head + 32, 2, sample_bytes);
    put_number(head + 34, 2, 8 * sample_bytes);
    put_number(head + 40, 4, samples * sample_bytes);
    return fwrite(head, 1, sizeof head, w->file) == sizeof head ||
           complain(path, "cannot be written");
}

bool wav_write(wav *w, const double *samples, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const double bounded = fmin(fmax(samples[i], -1), 1);
        uint8_t bytes[sample_bytes];
        put_number(bytes, sample_bytes, (uint32_t)lrint(bounded * 32767));
        if (fwrite(bytes, 1, sizeof bytes, w->file) != sizeof bytes)
            return complain(w->path, "cannot be written");
    }
    return true;
}

bool wav_close(wav *w)
{
    FILE *const file = w->file;
    w->file = NULL;
    return !file || fclose(file) == 0 || complain(w->path, "cannot be written to its end");
}
