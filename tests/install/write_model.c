/* write_model DIR: a model as DIR/model.safetensors, steps for it as DIR/steps.txt, and what a run over
 * all of them makes of them, in the form of examples/embedded_c, as DIR/expected.txt. */
#include <stdio.h>
#include <stdlib.h>

#include "model_file.h"

enum { STEPS = 12, INPUT = 5, OUTPUT = 3 };

static FILE *open_in(const char *dir, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *const file = fopen(path, "wb");
    if (!file) exit(1);
    return file;
}

static void write_rows(const char *dir, const char *name, const float *rows, int32_t width)
{
    FILE *const file = open_in(dir, name);
    for (int32_t t = 0; t < STEPS; ++t) {
        for (int32_t i = 0; i < width; ++i) fprintf(file, "%.6f ", (double)rows[t * width + i]);
        fprintf(file, "\n");
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    test_model model;
    test_model_start(&model, 1);
    test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                        .cell = TEST_LSTM,
                                        .input_size = INPUT,
                                        .output_size = 7,
                                        .num_layers = 2,
                                        .bias = true});
    test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                        .input_size = 7,
                                        .output_size = OUTPUT,
                                        .bias = true,
                                        .activation = RNNAT_SIGMOID});
    const test_bytes bytes = test_model_bytes(&model);
    FILE *const file = open_in(argv[1], "model.safetensors");
    const size_t written = fwrite(bytes.bytes, 1, bytes.size, file);
    fclose(file);

    float x[STEPS * INPUT], y[STEPS * OUTPUT];
    for (int i = 0; i < STEPS * INPUT; ++i) x[i] = (float)(i % 17 - 8) / 4; /* exact as text */
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    const rnnat_run run = {
        .struct_size = sizeof run, .time = STEPS, .batch = 1, .x = x, .y = y, .num_threads = 1};
    size_t need = 0;
    if (rnnat_model_run_size(made, &run, &need) != RNNAT_OK) return 1;
    void *const scratch = malloc(need);
    if (!scratch || rnnat_model_run(made, &run, scratch, need) != RNNAT_OK) return 1;
    write_rows(argv[1], "steps.txt", x, INPUT);
    write_rows(argv[1], "expected.txt", y, OUTPUT);
    free(scratch);
    free(bytes.bytes);
    rnnat_model_free(made);
    test_model_end(&model);
    return written == bytes.size ? 0 : 1;
}
