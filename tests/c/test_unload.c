/* A library that is unloaded takes its workers along: what they would return to is gone. */
#include "check.h"
#include "config.h"

#if defined(RNNAT_TEST_SHARED) && RNNAT_TEAM && RNNAT_GNU && defined(__linux__)
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "run_case.h"

/* A test program has the static library as well; this one asks the shared one. */
#define OF(library, name) (*(__typeof__(&(name)) *)(void *)&(void *){dlsym(library, #name)})

enum { TIME = 40, BATCH = 8, THREADS = 4 };

static int count_threads(void)
{
    int count = 0;
    DIR *const tasks = opendir("/proc/self/task");
    for (const struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    if (tasks) closedir(tasks);
    return count;
}

static void load_run_unload(const test_bytes *file, const test_inputs *in, const float *expected,
                            size_t bytes)
{
    const int before = count_threads();
    void *const library = dlopen(RNNAT_TEST_SHARED, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    if (!library) return;
    rnnat_model *model = NULL;
    float *const y = calloc(1, bytes);
    rnnat_run run = {.struct_size = sizeof run,
                     .time = TIME,
                     .batch = BATCH,
                     .x = in->x,
                     .y = y,
                     .num_threads = THREADS};
    size_t need = 0;
    CHECK(OF(library, rnnat_model_from_memory)(file->bytes, file->size, NULL, &model) == RNNAT_OK);
    CHECK(OF(library, rnnat_model_run_size)(model, &run, &need) == RNNAT_OK);
    void *const scratch = malloc(need);
    CHECK(OF(library, rnnat_model_run)(model, &run, scratch, need) == RNNAT_OK);
    CHECK(memcmp(y, expected, bytes) == 0);
    CHECK(count_threads() >= before + THREADS - 1);
    OF(library, rnnat_model_free)(model);
    free(scratch);
    free(y);
    CHECK(dlclose(library) == 0 && dlopen(RNNAT_TEST_SHARED, RTLD_NOW | RTLD_NOLOAD) == NULL);
    CHECK(count_threads() < before + THREADS - 1); /* one that ended may still be listed */
}

int main(void)
{
    test_model model;
    uint64_t random = 4;
    test_model_start(&model, 4);
    test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                        .cell = TEST_GRU,
                                        .input_size = 40,
                                        .output_size = 40,
                                        .num_layers = 1,
                                        .bias = true});
    test_inputs in = test_inputs_make(&model, &random, TIME, BATCH, false, false);
    test_bytes file = test_model_bytes(&model);
    rnnat_model *const made = test_model_make(&model, RNNAT_F32, RNNAT_MATMUL_PACKED);
    test_outcome one = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    for (int round = 0; round < 3; ++round) load_run_unload(&file, &in, one.y, one.y_bytes);
    test_outcome_end(&one);
    rnnat_model_free(made);
    free(file.bytes);
    test_inputs_end(&in);
    test_model_end(&model);
    return check_result();
}
#else
int main(void) { return 77; }
#endif
