/* Prints, for each cell and size, the nanoseconds of a single step of a stream of one row and those of
 * a step among a hundred: the least of some rounds. For bench/small.py. */
#include <time.h>

#include "../tools/one_layer.h"
#include "rnn_native.h"

enum { STEPS = 100, ROUNDS = 7, MOST = 256 };

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A step, where `at_once` of them are one call. */
static double time_of(rnnat_stream *stream, const float *x, int at_once, int calls, float *y)
{
    double least = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        const double start = now();
        for (int i = 0; i < calls; ++i) rnnat_stream_run(stream, x, at_once, y);
        const double each = (now() - start) / calls / at_once;
        if (!least || each < least) least = each;
    }
    return least;
}

int main(void)
{
    static const char *const cells[] = {"rnn", "gru", "lstm"};
    static float x[STEPS * MOST], y[STEPS * MOST];
    for (int i = 0; i < STEPS * MOST; ++i) x[i] = (float)(i * 37 % 200 - 100) / 100;
    for (int c = 0; c < 3; ++c) {
        for (int units = 16; units <= MOST; units *= 2) {
            const int calls = 40000 / units + 10;
            size_t size;
            char *const file = one_layer(cells[c], units, &size);
            rnnat_model *model;
            rnnat_stream *stream;
            if (rnnat_model_from_memory(file, size, NULL, &model) != RNNAT_OK ||
                rnnat_stream_create(model, 1, STEPS, &stream) != RNNAT_OK)
                return 1;
            const double single = time_of(stream, x, 1, calls, y);
            printf("%s %d %.1f %.1f\n", cells[c], units, single,
                   time_of(stream, x, STEPS, calls / 20 + 1, y));
            rnnat_stream_free(stream);
            rnnat_model_free(model);
            free(file);
        }
    }
    return 0;
}
