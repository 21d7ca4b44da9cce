/* Feeds the files of the command line to a fuzz target, for compilers without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Each input lies in a block of exactly its size, as libFuzzer's do. */
static int replay(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        if (file != NULL) {
            (void)fclose(file);
        }
        return 1;
    }
    const long size = ftell(file);
    rewind(file);
    uint8_t *const bytes = size < 0 ? NULL : malloc(size == 0 ? 1 : (size_t)size);
    const int failed = bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size;
    (void)fclose(file);
    if (failed) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else {
        (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    }
    free(bytes);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; ++i) {
        failed += replay(argv[i]);
    }
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return failed > 0 || argc < 2;
}
