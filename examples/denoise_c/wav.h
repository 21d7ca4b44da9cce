/* Mono WAV files of 16 bits, a few samples at a time; full scale is 1. */
#ifndef WAV_H
#define WAV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct wav {
    FILE *file;
    const char *path;
    uint32_t samples; /* in the whole file */
    char buffer[1 << 14]; /* the file's, so that reading and writing take no memory */
} wav;

/* Each complains and is false where it cannot be done. */
bool wav_open(wav *w, const char *path, uint32_t rate);
bool wav_read(wav *w, double *samples, size_t n);
bool wav_create(wav *w, const char *path, uint32_t rate, uint32_t samples);
bool wav_write(wav *w, const double *samples, size_t n); /* clipped where beyond full scale */
bool wav_close(wav *w);                                  /* fine for what never was opened */

#endif /* WAV_H */
