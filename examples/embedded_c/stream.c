/* Streams a model, from text to text:  stream model.safetensors < steps.txt */
#include <stdio.h>
#include <stdlib.h>

#include "rnn_native.h"

static int failed(rnnat_status status)
{
    if (status != RNNAT_OK) fprintf(stderr, "stream: %s\n", rnnat_status_name(status));
    return status != RNNAT_OK;
}

static int read_step(float *x, int32_t n)
{
    for (int32_t i = 0; i < n; ++i)
        if (scanf("%f", &x[i]) != 1) return 0;
    return 1;
}

int main(int argc, char **argv)
{
    rnnat_model *model = NULL;
    rnnat_stream *stream = NULL;
    rnnat_model_info info = {.struct_size = sizeof info};
    char text[512] = ""; /* why the file makes no model */
    const rnnat_model_options options = {
        .struct_size = sizeof options, .message = text, .message_size = sizeof text};
    if (argc != 2) {
        fprintf(stderr, "usage: stream MODEL.safetensors < STEPS.txt\n");
        return 2;
    }
    if (failed(rnnat_model_load(argv[1], &options, &model))) {
        fprintf(stderr, "stream: %s\n", text);
        return 1;
    }
    if (failed(rnnat_model_describe(model, &info)) ||
        failed(rnnat_stream_create(model, 1, 1, &stream))) /* 1 row, 1 step at a time */
        return 1;
    float *const x = malloc(sizeof *x * (size_t)info.input_size);
    float *const y = malloc(sizeof *y * (size_t)info.output_size);
    while (x && y && read_step(x, info.input_size)) {
        if (failed(rnnat_stream_run(stream, x, 1, y))) return 1;
        for (int32_t i = 0; i < info.output_size; ++i) printf("%.6f ", y[i]);
        printf("\n");
    }
    free(y);
    free(x);
    rnnat_stream_free(stream);
    rnnat_model_free(model);
    return 0;
}
