/* Runs a model from file to file, so that its numbers can be compared with those of another machine:
 *
 *   run_model MODEL INPUT OUTPUT TIME BATCH
 *
 * INPUT is x, float32 [TIME, BATCH, input_size] or int32 [TIME, BATCH]. OUTPUT becomes, for each step, y
 * [BATCH, output_size] and then every state after it, as rnnat_model_state tells, float32. Files are
 * little-endian on every machine. The model streams; a run of it all has to give the stream's bits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rnn_native.h"

enum { MAX_STATES = 8 };

static void fail(const char *what)
{
    fprintf(stderr, "run_model: %s\n", what);
    exit(1);
}

static void check(rnnat_status status, const char *what)
{
    if (status == RNNAT_OK) return;
    fprintf(stderr, "run_model: %s: %s\n", what, rnnat_status_name(status));
    exit(1);
}

static void *take(size_t size)
{
    void *const block = calloc(size ? size : 1, 1);
    if (!block) fail("no memory");
    return block;
}

/* `count` numbers of 4 bytes, from little-endian ones. */
static void *read_words(const char *path, size_t count)
{
    unsigned char bytes[4];
    uint32_t *const words = take(count * sizeof *words);
    FILE *const file = fopen(path, "rb");
    if (!file) fail("cannot open the input");
    for (size_t i = 0; i < count; ++i) {
        if (fread(bytes, 1, sizeof bytes, file) != sizeof bytes) fail("the input is too short");
        words[i] = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                   (uint32_t)bytes[3] << 24;
    }
    if (fread(bytes, 1, 1, file) != 0) fail("the input is too long");
    fclose(file);
    return words;
}

static void write_words(FILE *file, const float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        uint32_t word;
        memcpy(&word, &values[i], sizeof word);
        const unsigned char bytes[4] = {(unsigned char)word, (unsigned char)(word >> 8),
                                        (unsigned char)(word >> 16), (unsigned char)(word >> 24)};
        if (fwrite(bytes, 1, sizeof bytes, file) != sizeof bytes) fail("cannot write the output");
    }
}

/* Elements of each state, for `batch` rows. */
static void measure(const rnnat_model *model, int32_t count, int32_t batch, size_t *sizes)
{
    for (int32_t s = 0; s < count; ++s) {
        int32_t rows, features;
        check(rnnat_model_state(model, s, &rows, &features), "states");
        sizes[s] = (size_t)rows * (size_t)batch * (size_t)features;
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) fail("expected MODEL INPUT OUTPUT TIME BATCH");
    rnnat_model *model = NULL;
    rnnat_model_info info = {.struct_size = sizeof info};
    check(rnnat_model_load(argv[1], NULL, &model), argv[1]);
    check(rnnat_model_describe(model, &info), "describe");
    if (info.num_states > MAX_STATES) fail("too many states");

    rnnat_run run = {.struct_size = sizeof run, .num_threads = 1};
    run.time = (int32_t)atoi(argv[4]);
    run.batch = (int32_t)atoi(argv[5]);
    const size_t steps = (size_t)run.time * (size_t)run.batch;
    const size_t outputs = steps * (size_t)info.output_size;
    void *const x = read_words(argv[2], steps * (size_t)(info.takes_indices ? 1 : info.input_size));
    run.x = info.takes_indices ? NULL : x;
    run.indices = info.takes_indices ? x : NULL;
    run.y = take(outputs * sizeof *run.y);
    float *states[MAX_STATES] = {0}, *last[MAX_STATES] = {0};
    size_t sizes[MAX_STATES] = {0}, need = 0;
    measure(model, info.num_states, run.batch, sizes);
    for (int32_t s = 0; s < info.num_states; ++s) {
        states[s] = take(sizes[s] * sizeof(float));
        last[s] = take(sizes[s] * sizeof(float));
    }
    run.state_out = states;
    check(rnnat_model_run_size(model, &run, &need), "run_size");
    void *const scratch = take(need);
    check(rnnat_model_run(model, &run, scratch, need), "run");

    rnnat_stream *stream = NULL;
    check(rnnat_stream_create(model, run.batch, 1, &stream), "stream");
    FILE *const file = fopen(argv[3], "wb");
    if (!file) fail("cannot open the output");
    const size_t width = (size_t)run.batch * (size_t)info.output_size;
    const size_t taken = (size_t)run.batch * (size_t)(info.takes_indices ? 1 : info.input_size);
    float *const y = take(width * sizeof *y);
    for (size_t t = 0; t < (size_t)run.time; ++t) {
        check(info.takes_indices ? rnnat_stream_run_indices(stream, run.indices + t * taken, 1, y)
                                 : rnnat_stream_run(stream, run.x + t * taken, 1, y),
              "step");
        if (memcmp(y, run.y + t * width, width * sizeof *y) != 0)
            fail("a stream gives another y than a run");
        write_words(file, y, width);
        for (int32_t s = 0; s < info.num_states; ++s) {
            check(rnnat_stream_get_state(stream, s, last[s]), "state");
            write_words(file, last[s], sizes[s]);
        }
    }
    for (int32_t s = 0; s < info.num_states; ++s)
        if (memcmp(states[s], last[s], sizes[s] * sizeof(float)) != 0)
            fail("a stream gives another state than a run");
    if (fclose(file) != 0) fail("cannot write the output");
    printf("%s\n", rnnat_isa());
    return 0;
}
