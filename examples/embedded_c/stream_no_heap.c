/* stream.c without the heap: file, model and stream are in arrays of this program. On a device the
 * file may lie in flash; it is not needed once the model is made.
 *
 *   stream_no_heap model.safetensors < steps.txt */
#include <stdio.h>

#include "rnn_native.h"

static unsigned char file_bytes[1 << 20];
static unsigned char model_memory[1 << 20];
static unsigned char stream_memory[1 << 18];
static float x[256], y[256];

static int failed(rnnat_status status)
{
    if (status != RNNAT_OK) fprintf(stderr, "stream_no_heap: %s\n", rnnat_status_name(status));
    return status != RNNAT_OK;
}

/* All of the file; 0 where it cannot be read or is too large. */
static size_t read_file(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (!file) return 0;
    const size_t size = fread(file_bytes, 1, sizeof file_bytes, file);
    const int whole = feof(file);
    fclose(file);
    return whole ? size : 0;
}

/* The status of rnnat_model_init is RNNAT_ERROR_TOO_SMALL where there is too little memory; how much
 * it takes, rnnat_model_size tells beforehand. */
static rnnat_model *make_model(size_t size)
{
    rnnat_model *model = NULL;
    size_t need = 0;
    char text[256] = ""; /* why the file makes no model */
    const rnnat_model_options options = {
        .struct_size = sizeof options, .message = text, .message_size = sizeof text};
    if (failed(rnnat_model_size(file_bytes, size, &options, &need))) {
        fprintf(stderr, "stream_no_heap: %s\n", text);
        return NULL;
    }
    fprintf(stderr, "model: %zu of %zu bytes\n", need, sizeof model_memory);
    return failed(
               rnnat_model_init(model_memory, sizeof model_memory, file_bytes, size, NULL, &model))
               ? NULL
               : model;
}

static rnnat_stream *make_stream(const rnnat_model *model)
{
    rnnat_stream *stream = NULL;
    size_t need = 0;
    if (failed(rnnat_stream_size(model, 1, 1, &need))) return NULL;
    fprintf(stderr, "stream: %zu of %zu bytes\n", need, sizeof stream_memory);
    return failed(rnnat_stream_init(stream_memory, sizeof stream_memory, model, 1, 1, &stream))
               ? NULL
               : stream;
}

static int read_step(int32_t n)
{
    for (int32_t i = 0; i < n; ++i)
        if (scanf("%f", &x[i]) != 1) return 0;
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: stream_no_heap MODEL.safetensors < STEPS.txt\n");
        return 2;
    }
    const size_t size = read_file(argv[1]);
    if (!size) {
        fprintf(stderr, "stream_no_heap: %s: expected a model of up to %zu bytes\n", argv[1],
                sizeof file_bytes - 1);
        return 1;
    }
    const rnnat_model *const model = make_model(size);
    rnnat_stream *const stream = model ? make_stream(model) : NULL;
    rnnat_model_info info = {.struct_size = sizeof info};
    if (!stream || failed(rnnat_model_describe(model, &info))) return 1;
    const int32_t most = (int32_t)(sizeof x / sizeof *x);
    if (info.takes_indices || info.input_size > most || info.output_size > most) {
        fprintf(stderr, "stream_no_heap: expected up to %d features in and out\n", (int)most);
        return 1;
    }
    while (read_step(info.input_size)) {
        if (failed(rnnat_stream_run(stream, x, 1, y))) return 1;
        for (int32_t i = 0; i < info.output_size; ++i) printf("%.6f ", (double)y[i]);
        printf("\n");
    }
    return 0;
}
