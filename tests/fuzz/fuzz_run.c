/* libFuzzer entry: runs and streams, with any options, of models that have every cell, option and
 * kind of layer, of graphs, and what a model itself is made with. The memory of each call is as
 * large as its options require and no larger. */
#include "every_model.h"
#include "graph_models.h"
#include "run_calls.h"

/* Chains, and graphs behind them. */
enum { FIRST_GRAPH = 256, MOST_MODELS = FIRST_GRAPH + GRAPH_MODELS };

/* The bytes of model `index`; made once. */
static const test_bytes *file_of(int32_t index)
{
    static test_bytes files[MOST_MODELS];
    test_bytes *const file = &files[index];
    if (file->bytes) return file;
    test_model model;
    const char *name;
    if (index >= FIRST_GRAPH)
        graph_model_start(index - FIRST_GRAPH, &model);
    else
        REQUIRE(every_model_start(index, &model, &name));
    const test_bytes made = test_model_bytes(&model);
    test_model_end(&model);
    file->size = made.size;
    file->bytes = malloc(made.size); /* of exactly its size, for the sanitizer */
    REQUIRE(file->bytes);
    memcpy(file->bytes, made.bytes, made.size);
    free(made.bytes);
    return file;
}

static int32_t count_models(void)
{
    static int32_t count;
    test_model model;
    const char *name;
    while (count < FIRST_GRAPH) {
        if (!every_model_start(count, &model, &name)) break;
        test_model_end(&model);
        ++count;
    }
    return count;
}

/* Model `index` of floats or doubles; made once. */
static const fuzz_model *model_of(int32_t index, int32_t dtype)
{
    static fuzz_model models[MOST_MODELS][2];
    fuzz_model *const model = &models[index][dtype];
    if (model->made) return model;
    const rnnat_model_options options = {
        .struct_size = sizeof options, .dtype = dtype, .matmul = RNNAT_MATMUL_PACKED};
    const test_bytes *const file = file_of(index);
    rnnat_model *made = NULL;
    REQUIRE(rnnat_model_from_memory(file->bytes, file->size, &options, &made) == RNNAT_OK);
    *model = fuzz_describe(made);
    return model;
}

/* By arrays of all inputs and outputs, or, where it has one of each, by x and y. */
static void call_model(fuzz_input *in, const fuzz_model *model, bool by_values, bool stream)
{
    by_values = by_values || model->info.num_inputs > 1 || model->info.num_outputs > 1;
    if (stream)
        fuzz_calls_of_stream(in, model, by_values);
    else if (by_values)
        fuzz_calls_of_values(in, model);
    else
        fuzz_calls_of_run(in, model);
}

/* Any options, and any part of the memory that the model needs. */
static void make_model(fuzz_input *in, const test_bytes *file, bool by_values)
{
    rnnat_model_options options = {.struct_size = sizeof options};
    options.dtype = fuzz_count(in, 1);
    options.matmul = fuzz_count(in, 1);
    if (fuzz_rarely(in)) options.struct_size = fuzz_byte(in);
    const rnnat_model_options *const given = fuzz_rarely(in) ? NULL : &options;
    const bool right = !given || (options.struct_size == sizeof options && options.dtype >= 0 &&
                                  options.dtype <= 1 && options.matmul >= 0 && options.matmul <= 1);
    size_t need = 77;
    rnnat_model *made = NULL;
    REQUIRE((rnnat_model_size(file->bytes, file->size, given, &need) == RNNAT_OK) == right);
    REQUIRE((need != 77) == right);
    const int lack = right ? fuzz_byte(in) % 8 : 1;
    fuzz_block memory = fuzz_take(lack == 1   ? need - 1
                                  : lack == 2 ? need / 3
                                              : need,
                                  fuzz_byte(in) % 64);
    const bool enough = right && memory.size == need;
    REQUIRE((rnnat_model_init(memory.body, memory.size, file->bytes, file->size, given, &made) ==
             RNNAT_OK) == enough);
    REQUIRE(enough ? made != NULL : !made && fuzz_unwritten(&memory));
    if (enough) {
        const fuzz_model model = fuzz_describe(made);
        REQUIRE(model.info.memory == need);
        call_model(in, &model, by_values, false);
    }
    rnnat_model_free(made);
    free(memory.heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input in = {bytes, bytes + size};
    const int32_t chosen = fuzz_byte(&in);
    const int kind = fuzz_byte(&in);
    const int group = kind / 32; /* 0..4: a chain by x and y, 5: by values; 6 and 7: so a graph */
    const bool is_graph = group >= 6, by_values = group == 5 || group == 7;
    const int32_t index = is_graph ? FIRST_GRAPH + chosen % GRAPH_MODELS : chosen % count_models();
    if (kind % 8 == 7)
        make_model(&in, file_of(index), by_values);
    else
        call_model(&in, model_of(index, kind / 8 % 2), by_values, kind % 8 >= 4);
    return 0;
}
