/* Models: made from memory, from a file and in the caller's memory they are the same, and know
 * what they are; a file that is wrong in one thing is refused with the status of that thing, and
 * nothing is written. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "run_case.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define PROCESS ((int)getpid())
#else
#define PROCESS 0
#endif

/* Every kind of layer and every option that has tensors. */
static void start_rich(test_model *model)
{
    test_model_start(model, 5);
    test_model_add(model, (rnnat_layer_text){
                              .kind = RNNAT_LAYER_EMBEDDING, .input_size = 7, .output_size = 6});
    test_model_add(model, (rnnat_layer_text){.kind = RNNAT_LAYER_RECURRENT,
                                             .cell = RNNAT_CELL_LSTM,
                                             .input_size = 6,
                                             .output_size = 9,
                                             .num_layers = 2,
                                             .proj_size = 5,
                                             .direction = RNNAT_BIDIRECTIONAL,
                                             .bias = true,
                                             .peephole = true});
    test_model_add(model, (rnnat_layer_text){.kind = RNNAT_LAYER_LINEAR,
                                             .input_size = 10,
                                             .output_size = 4,
                                             .bias = true,
                                             .activation = RNNAT_SOFTMAX});
    test_model_add(model, (rnnat_layer_text){.kind = RNNAT_LAYER_RECURRENT,
                                             .cell = RNNAT_CELL_GRU,
                                             .input_size = 4,
                                             .output_size = 3,
                                             .num_layers = 1,
                                             .bias = true,
                                             .reset_after = true});
    test_model_add(model, (rnnat_layer_text){.kind = RNNAT_LAYER_RECURRENT,
                                             .cell = RNNAT_CELL_RNN,
                                             .input_size = 3,
                                             .output_size = 8,
                                             .num_layers = 1,
                                             .direction = RNNAT_REVERSE,
                                             .bias = true,
                                             .activation = RNNAT_RELU});
}

/* The tensors that start_rich's layers do not have. */
static void start_gates(test_model *model)
{
    rnnat_layer_text layer = {.kind = RNNAT_LAYER_RECURRENT,
                              .cell = RNNAT_CELL_RNN,
                              .input_size = 6,
                              .output_size = 4,
                              .num_layers = 2,
                              .direction = RNNAT_BIDIRECTIONAL,
                              .bias = true,
                              .activation = RNNAT_SIGMOID,
                              .output_layer = 3,
                              .output_activation = RNNAT_SOFTMAX};
    test_model_start(model, 6);
    test_model_add(model, layer);
    layer = (rnnat_layer_text){.kind = RNNAT_LAYER_RECURRENT,
                               .cell = RNNAT_CELL_GRU,
                               .input_size = 3,
                               .output_size = 5,
                               .num_layers = 1,
                               .bias = true,
                               .gate_recurrent = true};
    test_model_add(model, layer);
    layer.cell = RNNAT_CELL_LSTM;
    layer.input_size = 5;
    layer.direction = RNNAT_REVERSE;
    test_model_add(model, layer);
}

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

/* ---- right ---- */

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
    start_rich(&model);
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
    start_rich(&model);
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

/* ---- wrong ---- */

/* Every way to make a model refuses this one alike and writes nothing. */
static void check_refused(const test_model *model, rnnat_status expected, const char *label)
{
    test_bytes file = test_model_bytes(model);
    guarded memory = guard_make(1 << 16, 0);
    rnnat_model *const untouched = (rnnat_model *)(void *)&file;
    rnnat_model *made = untouched;
    size_t need = 12345;
    const rnnat_status status = rnnat_model_size(file.bytes, file.size, NULL, &need);
    char line[320];
    snprintf(line, sizeof line, "%s: %s", label, rnnat_status_name(status));
    CHECK_CASE(status == expected && need == 12345, line);
    CHECK_CASE(rnnat_model_from_memory(file.bytes, file.size, NULL, &made) == expected, line);
    CHECK_CASE(made == untouched, line);
    CHECK_CASE(rnnat_model_init(memory.body, memory.size, file.bytes, file.size, NULL, &made) ==
                   expected,
               line);
    CHECK_CASE(made == untouched && guard_unwritten(&memory), line);
    guard_end(&memory);
    free(file.bytes);
}

/* Each tensor in turn: not there, of another shape, rank or type. */
static void test_wrong_tensors(void (*start)(test_model *model))
{
    test_model model;
    start(&model);
    const int32_t count = model.num_tensors;
    for (int32_t i = 0; i < count; ++i) {
        test_tensor *const tensor = &model.tensors[i];
        const test_tensor right = *tensor;

        strcpy(tensor->name, "other");
        check_refused(&model, RNNAT_ERROR_NOT_FOUND, right.name);
        *tensor = right;
        --tensor->dims[0];
        check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
        *tensor = right;
        if (tensor->rank == 2) {
            --tensor->dims[1];
            check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
            *tensor = right;
            tensor->dims[0] = right.dims[1];
            tensor->dims[1] = right.dims[0];
            if (right.dims[0] != right.dims[1])
                check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
        }
        *tensor = right;
        tensor->rank = 3 - right.rank; /* [n, 1], or only the first of two */
        check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
        *tensor = right;
        strcpy(tensor->dtype, "I32");
        check_refused(&model, RNNAT_ERROR_UNSUPPORTED, right.name);
        *tensor = right;
    }
    test_model_end(&model);
}

static const struct {
    int pair; /* 0: version, 1: how many, 2..: layers */
    const char *value; /* NULL: the pair is not there */
    rnnat_status status;
} wrong_pairs[] = {
    {0, NULL, RNNAT_ERROR_FORMAT},
    {0, "2", RNNAT_ERROR_UNSUPPORTED},
    {0, "", RNNAT_ERROR_UNSUPPORTED},
    {1, NULL, RNNAT_ERROR_FORMAT},
    {1, "0", RNNAT_ERROR_FORMAT},
    {1, "", RNNAT_ERROR_FORMAT},
    {1, "-1", RNNAT_ERROR_FORMAT},
    {1, "five", RNNAT_ERROR_FORMAT},
    {1, "5 ", RNNAT_ERROR_FORMAT},
    {1, "6", RNNAT_ERROR_FORMAT}, /* there is no sixth line */
    {1, "999999999999", RNNAT_ERROR_FORMAT},
    {2, NULL, RNNAT_ERROR_FORMAT},
    {4, NULL, RNNAT_ERROR_FORMAT},
    {2, "", RNNAT_ERROR_FORMAT},
    {2, "embedding num_embeddings=7", RNNAT_ERROR_FORMAT},
    {2, "attention heads=8", RNNAT_ERROR_FORMAT},
    {2, "embedding num_embeddings=8 embedding_dim=6", RNNAT_ERROR_SHAPE},
    {4, "linear in_features=10 out_features=4 bias=true activation=gelu", RNNAT_ERROR_UNSUPPORTED},
    {4, "linear in_features=11 out_features=4 bias=true activation=relu", RNNAT_ERROR_SHAPE},
    {6,
     "recurrent cell=rnn input_size=3 hidden_size=8 num_layers=2 direction=reverse bias=true "
     "nonlinearity=relu",
     RNNAT_ERROR_NOT_FOUND},
    {6,
     "recurrent cell=rnn input_size=3 hidden_size=8 num_layers=1 direction=bidirectional "
     "bias=true nonlinearity=relu",
     RNNAT_ERROR_NOT_FOUND},
    {6, "recurrent cell=sru input_size=3 hidden_size=8 num_layers=1 direction=reverse bias=true",
     RNNAT_ERROR_UNSUPPORTED},
};

static void test_wrong_metadata(void)
{
    for (size_t i = 0; i < sizeof wrong_pairs / sizeof *wrong_pairs; ++i) {
        test_model model;
        start_rich(&model);
        test_pair *const pair = &model.pairs[wrong_pairs[i].pair];
        if (wrong_pairs[i].value)
            snprintf(pair->value, sizeof pair->value, "%s", wrong_pairs[i].value);
        else
            strcpy(pair->key, "other");
        check_refused(&model, wrong_pairs[i].status,
                      wrong_pairs[i].value ? wrong_pairs[i].value : "a pair that is not there");
        test_model_end(&model);
    }
}

/* Layers that are each right but do not follow each other. */
static void test_wrong_chains(void)
{
    test_model model;
    for (int32_t width = 4; width <= 6; width += 2) {
        test_model_start(&model, 1);
        test_model_add(&model, (rnnat_layer_text){.kind = RNNAT_LAYER_RECURRENT,
                                                  .cell = RNNAT_CELL_GRU,
                                                  .input_size = 2,
                                                  .output_size = 5,
                                                  .num_layers = 1});
        test_model_add(
            &model,
            (rnnat_layer_text){.kind = RNNAT_LAYER_LINEAR, .input_size = width, .output_size = 3});
        check_refused(&model, RNNAT_ERROR_SHAPE, "5 features to another number");
        test_model_end(&model);
    }
    test_model_start(&model, 1);
    for (int i = 0; i < 2; ++i)
        test_model_add(
            &model,
            (rnnat_layer_text){.kind = RNNAT_LAYER_EMBEDDING, .input_size = 4, .output_size = 4});
    check_refused(&model, RNNAT_ERROR_UNSUPPORTED, "an embedding that is not the first layer");
    test_model_end(&model);
}

/* Every shorter file is refused, and read no further than it goes. */
static void test_truncated(void)
{
    test_model model;
    start_rich(&model);
    test_bytes file = test_model_bytes(&model);
    bool refused = true;
    for (size_t size = 0; size < file.size; size += size < 4000 ? 1 : 97) {
        unsigned char *const copy = malloc(size ? size : 1);
        rnnat_model *made = NULL;
        if (!copy) abort();
        memcpy(copy, file.bytes, size);
        refused = refused &&
                  rnnat_model_from_memory(copy, size, NULL, &made) == RNNAT_ERROR_FORMAT && !made;
        free(copy);
    }
    CHECK(refused);
    free(file.bytes);
    test_model_end(&model);
}

int main(void)
{
    test_right(RNNAT_F32);
    test_right(RNNAT_F64);
    test_defaults();
    test_wrong_tensors(start_rich);
    test_wrong_tensors(start_gates);
    test_wrong_metadata();
    test_wrong_chains();
    test_truncated();
    return check_result();
}
