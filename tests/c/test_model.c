/* Models: made from memory, from a file and in the caller's memory they are the same, and know
 * what they are. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "rich_model.h"
#include "run_case.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define PROCESS ((int)getpid())
#else
#define PROCESS 0
#endif

/* What all models of one file and dtype must give. */
static test_outcome run_of(const test_model *model, const rnnat_model *made)
{
    uint64_t random = 11;
    test_inputs in = test_inputs_make(model, &random, 5, 3, true, true);
    const test_outcome outcome = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK(outcome.status == RNNAT_OK && outcome.guarded);
    test_inputs_end(&in);
    return outcome;
}

static void check_info(const test_model *model, const rnnat_model *made, rnnat_dtype dtype,
                       size_t memory)
{
    rnnat_model_info info = {.struct_size = sizeof info};
    uint64_t parameters = 0;
    for (int32_t i = 0; i < model->num_tensors; ++i)
        parameters += (uint64_t)model->tensors[i].dims[0] * (uint64_t)model->tensors[i].dims[1];
    CHECK(rnnat_model_describe(made, &info) == RNNAT_OK);
    CHECK(info.struct_size == sizeof info && info.dtype == (int32_t)dtype);
    CHECK(info.matmul == RNNAT_MATMUL_PACKED && info.takes_indices == 1);
    CHECK(info.input_size == 7 && info.output_size == 8 && info.num_layers == 5);
    CHECK(info.num_states == 4 && info.streamable == 0);
    CHECK(info.num_parameters == parameters && info.memory == memory);

    int32_t rows[MAX_STATES], features[MAX_STATES];
    CHECK(test_model_states(model, rows, features) == info.num_states);
    for (int32_t s = 0; s < info.num_states; ++s) {
        int32_t r = -1, f = -1;
        CHECK(rnnat_model_state(made, s, &r, &f) == RNNAT_OK);
        CHECK(r == rows[s] && f == features[s]);
    }
}

/* In the caller's memory, of exactly the stated size, wherever it begins. */
static void check_init(const test_model *model, const test_bytes *file, rnnat_dtype dtype,
                       const test_outcome *expected)
{
    const rnnat_model_options options = {
        .struct_size = sizeof options, .dtype = (int32_t)dtype, .matmul = RNNAT_MATMUL_PACKED};
    size_t need = 0;
    CHECK(rnnat_model_size(file->bytes, file->size, &options, &need) == RNNAT_OK);
    for (size_t shift = 0; shift < 64; shift += shift < 9 ? 1 : 13) {
        guarded memory = guard_make(need, shift);
        rnnat_model *made = NULL;
        const long calls = heap_calls();
        CHECK(rnnat_model_init(memory.body, need - 1, file->bytes, file->size, &options, &made) ==
              RNNAT_ERROR_TOO_SMALL);
        CHECK(made == NULL && guard_unwritten(&memory));
        CHECK(rnnat_model_init(memory.body, need, file->bytes, file->size, &options, &made) ==
              RNNAT_OK);
        CHECK(heap_calls() == calls);
        check_info(model, made, dtype, need);
        test_outcome outcome = run_of(model, made);
        CHECK(test_outcome_same(&outcome, expected));
        test_outcome_end(&outcome);
        rnnat_model_free(made); /* harmless */
        CHECK(guard_intact(&memory));
        guard_end(&memory);
    }
}

static void check_load(const test_model *model, const test_bytes *file, rnnat_dtype dtype,
                       const test_outcome *expected)
{
    const rnnat_model_options options = {.struct_size = sizeof options, .dtype = (int32_t)dtype};
    char path[64];
    snprintf(path, sizeof path, "test_model.%d.safetensors", PROCESS);
    FILE *const out = fopen(path, "wb");
    if (!CHECK(out != NULL)) return;
    CHECK(fwrite(file->bytes, 1, file->size, out) == file->size);
    CHECK(fclose(out) == 0);
    rnnat_model *made = NULL;
    CHECK(rnnat_model_load(path, &options, &made) == RNNAT_OK);
    test_outcome outcome = run_of(model, made);
    CHECK(test_outcome_same(&outcome, expected));
    test_outcome_end(&outcome);
    rnnat_model_free(made);
    remove(path);
}

/* Weights in double are the same numbers, so the model is the same. */
static void check_wide_file(test_model *model, rnnat_dtype dtype, const test_outcome *expected)
{
    for (int32_t i = 0; i < model->num_tensors; ++i) strcpy(model->tensors[i].dtype, "F64");
    rnnat_model *const made = test_model_make(model, dtype, RNNAT_MATMUL_AUTO);
    for (int32_t i = 0; i < model->num_tensors; ++i) strcpy(model->tensors[i].dtype, "F32");
    test_outcome outcome = run_of(model, made);
    CHECK(test_outcome_same(&outcome, expected));
    test_outcome_end(&outcome);
    rnnat_model_free(made);
}

/* The file's bytes may begin anywhere, and so may its arrays: spaces make the header longer. */
static void check_places(const test_model *model, const test_bytes *file, rnnat_dtype dtype,
                         const test_outcome *expected)
{
    const rnnat_model_options options = {.struct_size = sizeof options, .dtype = (int32_t)dtype};
    size_t header = 0;
    for (size_t i = 4; i-- > 0;) header = header << 8 | file->bytes[i];
    for (size_t place = 0; place < 64; ++place) {
        const size_t shift = place / 8, spaces = place % 8, size = file->size + spaces;
        unsigned char *const block = malloc(shift + size); /* which ends with the file */
        if (!block) abort();
        unsigned char *const bytes = block + shift;
        for (size_t i = 0; i < 8; ++i)
            bytes[i] = (unsigned char)((uint64_t)(header + spaces) >> (8 * i));
        memcpy(bytes + 8, file->bytes + 8, header);
        memset(bytes + 8 + header, ' ', spaces);
        memcpy(bytes + 8 + header + spaces, file->bytes + 8 + header, file->size - 8 - header);
        rnnat_model *made = NULL;
        CHECK(rnnat_model_from_memory(bytes, size, &options, &made) == RNNAT_OK);
        free(block);
        test_outcome outcome = run_of(model, made);
        CHECK(test_outcome_same(&outcome, expected));
        test_outcome_end(&outcome);
        rnnat_model_free(made);
    }
}

static void test_right(rnnat_dtype dtype)
{
    test_model model;
    test_model_start_rich(&model);
    test_bytes file = test_model_bytes(&model);
    rnnat_model *const made = test_model_make(&model, dtype, RNNAT_MATMUL_PACKED);
    test_outcome expected = run_of(&model, made);
    check_init(&model, &file, dtype, &expected);
    check_load(&model, &file, dtype, &expected);
    check_wide_file(&model, dtype, &expected);
    check_places(&model, &file, dtype, &expected);
    free(file.bytes); /* not needed afterwards */
    test_outcome again = run_of(&model, made);
    CHECK(test_outcome_same(&again, &expected));
    test_outcome_end(&again);
    test_outcome_end(&expected);
    rnnat_model_free(made);
    rnnat_model_free(NULL);
    test_model_end(&model);
}

/* No options are float and AUTO, as a struct of zeros is. */
static void test_defaults(void)
{
    test_model model;
    test_model_start_rich(&model);
    test_bytes file = test_model_bytes(&model);
    rnnat_model *made = NULL;
    CHECK(rnnat_model_from_memory(file.bytes, file.size, NULL, &made) == RNNAT_OK);
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK(rnnat_model_describe(made, &info) == RNNAT_OK);
    CHECK(info.dtype == RNNAT_F32 && info.matmul != RNNAT_MATMUL_AUTO);
    rnnat_model_free(made);
    free(file.bytes);
    test_model_end(&model);
}

int main(void)
{
    test_right(RNNAT_F32);
    test_right(RNNAT_F64);
    test_defaults();
    return check_result();
}
