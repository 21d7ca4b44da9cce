/* A step of a stream of one row, in nanoseconds: the least of some rounds.
 *
 *     steps                        for each cell and size: of a single step, and of one among a hundred
 *     steps CELL UNITS AT_ONCE     where AT_ONCE steps are one call; and a hash of what a hundred give
 *
 * For bench/small.py and bench/builds.py. */
#include <stdint.h>
#include <time.h>

#include "../tools/one_layer.h"
#include "rnn_native.h"

enum { STEPS = 100, ROUNDS = 7, MOST = 256 };

static float x[STEPS * MOST], y[STEPS * MOST];

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A step, where `at_once` of them are one call. */
static double time_of(rnnat_stream *stream, int units, int at_once)
{
    const int calls = at_once == 1 ? 40000 / units + 10 : 2000 / units + 1;
    double least = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        const double start = now();
        for (int i = 0; i < calls; ++i) rnnat_stream_run(stream, x, at_once, y);
        const double each = (now() - start) / calls / at_once;
        if (!least || each < least) least = each;
    }
    return least;
}

/* FNV-1a over the outputs of the first hundred steps. */
static uint64_t hash_of(rnnat_stream *stream, int units, int at_once)
{
    for (int t = 0; t < STEPS; t += at_once)
        rnnat_stream_run(stream, x + t * units, at_once, y + t * units);
    const unsigned char *const bytes = (const unsigned char *)y;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(float) * STEPS * (size_t)units; ++i)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* The stream of a new model; the model lives as long as the program. */
static rnnat_stream *make_stream(const char *cell, int units)
{
    size_t size;
    char *const file = one_layer(cell, units, &size);
    rnnat_model *model;
    rnnat_stream *stream;
    if (rnnat_model_from_memory(file, size, NULL, &model) != RNNAT_OK ||
        rnnat_stream_create(model, 1, STEPS, &stream) != RNNAT_OK)
        exit(1);
    free(file);
    return stream;
}

int main(int count, char **arguments)
{
    static const char *const cells[] = {"rnn", "gru", "lstm"};
    for (int i = 0; i < STEPS * MOST; ++i) x[i] = (float)(i * 37 % 200 - 100) / 100;
    if (count == 4) {
        const int units = atoi(arguments[2]), at_once = atoi(arguments[3]);
        if (units < 1 || units > MOST || at_once < 1 || at_once > STEPS || STEPS % at_once)
            return 2;
        rnnat_stream *const stream = make_stream(arguments[1], units);
        const unsigned long long hash = hash_of(stream, units, at_once);
        printf("%.2f %016llx\n", time_of(stream, units, at_once), hash);
        return 0;
    }
    for (int c = 0; c < 3; ++c) {
        for (int units = 16; units <= MOST; units *= 2) {
            rnnat_stream *const stream = make_stream(cells[c], units);
            const double single = time_of(stream, units, 1);
            printf("%s %d %.1f %.1f\n", cells[c], units, single, time_of(stream, units, STEPS));
        }
    }
    return 0;
}
