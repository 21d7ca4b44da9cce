/* The text of a fault: it names the tensor, the byte, the line or the argument; there is none after
 * a success; nothing is written where the options have no buffer. */
#include "message.h"

#include "check.h"
#include "fault_text.h"
#include "guard.h"
#include "model_file.h"
#include "safetensors_file.h"

#if RNNAT_WITH_MESSAGES
#define A TENSOR("a", "F32", "1", "0,4")

/* What is wrong with a file's header, and what the text names. */
static const struct {
    const char *header;
    const char *names;
    size_t data_size;
} wrong_headers[] = {
    {"[]", "begins with {", 0},
    {"", "begins with {", 0},
    {"{", "before byte 1", 0},
    {"{" A ",}", "header: what stands before byte", 4},
    {"{" A "} x", "expected nothing behind", 4},
    {"{" A "," A "}", "\"a\" comes twice", 4},
    {"{\"__metadata__\":{\"key\":\"1\",\"key\":\"2\"}}", "\"key\" comes twice", 0},
    {"{\"__metadata__\":{\"key\":7}}", "header: what stands before byte", 0},
    {"{" TENSOR("b.c", "F33", "1", "0,4") "}", "tensor \"b.c\": expected a dtype", 4},
    {"{" TENSOR("b.c", "F32", "1,1,1,1,1,1,1,1,1", "0,4") "}", "tensor \"b.c\": expected at most 8",
     4},
    {"{" TENSOR("b.c", "F32", "-1", "0,4") "}", "tensor \"b.c\"", 4},
    {"{" TENSOR("b.c", "F32", "2", "0,4") "}",
     "tensor \"b.c\": expected as many bytes as its shape and F32 need, got 4", 4},
    {"{" TENSOR("b.c", "F32", "1", "4,8") "}",
     "tensor \"b.c\": expected data_offsets within 4 bytes, got [4, 8]", 4},
    {"{" TENSOR("b.c", "F32", "1", "4,8") "}", "tensor \"b.c\": expected data_offsets from 0 on",
     8},
    {"{" A "}", "file: expected 4 bytes of arrays, got 5", 5},
    {"{\"b.c\":{\"dtype\":\"F32\",\"shape\":[1]}}", "tensor \"b.c\"", 4},
    {"{\"b.c\":{\"dtype\":\"F32\",\"extra\":[1]}}", "got extra", 4},
    {"{" A "}", "expected rnn_native.version", 4},
    {"{\"__metadata__\":{\"rnn_native.version\":\"3\"}}", "expected 1 or 2, got \"3\"", 0},
};

static void test_wrong_headers(void)
{
    for (size_t i = 0; i < sizeof wrong_headers / sizeof *wrong_headers; ++i) {
        const char *const header = wrong_headers[i].header;
        st_file f = make_file(header, strlen(header), wrong_headers[i].data_size);
        CHECK_CASE(fault_text_names(f.bytes, f.size, NULL, wrong_headers[i].names), header);
        free(f.bytes);
    }
    CHECK(fault_text_names("1234567", 7, NULL, "got 7"));
    CHECK(fault_text_names("\0\0\0\x01\0\0\0\0{", 9, NULL, "in 9 bytes"));
}

/* A file's names, whatever is in them, move no terminal, and are cut between characters of
 * UTF-8. */
static void test_odd_names(void)
{
    static const char header[] = "{" TENSOR("\x7f\xc3\xa9\xe2\x82\xac", "F33", "1", "0,4") "}";
    static const char start[] = "tensor \"?";
    st_file f = make_file(header, sizeof header - 1, 4);
    char text_of[64];
    rnnat_model *made = NULL;
    rnnat_model_options options = {.struct_size = sizeof options, .message = text_of};
    for (size_t room = sizeof start; room < sizeof start + 6; ++room) {
        const size_t more = room - sizeof start, whole = more < 2 ? 0 : more < 5 ? 2 : 5;
        options.message_size = room;
        CHECK(rnnat_model_from_memory(f.bytes, f.size, &options, &made) == RNNAT_ERROR_UNSUPPORTED);
        CHECK(strlen(text_of) == sizeof start - 1 + (more < 5 ? whole : more));
        CHECK(memcmp(text_of, start, sizeof start - 1) == 0);
    }
    free(f.bytes);
}

/* Lines of a graph of three layers: value 0 has 4 features, 1 has 3, and both go on. */
static const struct {
    const char *key; /* NULL: of layer 2 */
    const char *value, *names;
} wrong_graphs[] = {
    {NULL, "linear in_features=4 out_features=3 bias=false activation=identity inputs=1",
     "the layer takes 4 features, and the value that it reads has 3; rnn_native.layer.2"},
    {NULL, "combine mode=add inputs=0,1", "expected as many features"},
    {NULL, "combine mode=add inputs=0", "expected two values"},
    {NULL, "combine mode=add inputs=0,7", "not there before; rnn_native.layer.2"},
    {NULL, "combine mode=add inputs=0,1:1", "last step (:1)"},
    {NULL, "combine mode=add inputs=0,,1", "such as in0,3,4:1"},
    {NULL, "combine mode=add inputs=", "expected inputs= with values"},
    {NULL, "combine mode=add key", "expected \" key=value\", got \" key\""},
    {NULL, "combine mode=add mode=add inputs=0,1", "mode= comes twice"},
    {NULL, "combine mode=power inputs=0,1", "mode=power is nothing that this library has"},
    {NULL, "combine inputs=0,1", "expected mode="},
    {NULL, "combine mode=add many=2 inputs=0,1", "many= is no key"},
    {NULL, "softmax groups=3 log=false inputs=0", "expected groups= to divide"},
    {NULL, "softmax groups=x log=false inputs=0", "groups=x is no value"},
    {NULL, "linear in_features=4 out_features=3 bias=false activation=identity inputs=0,1",
     "reads one value"},
    {NULL, "embedding num_embeddings=3 embedding_dim=4 inputs=0", "embedding another layer"},
    {NULL, "Layer inputs=0", "expected a kind of layer"},
    {NULL, "pool kernel_size=2 mode=max stride=1 before=2 after=0 inputs=0", "rnn_native.layer.2"},
    {NULL, "conv in_channels=4 out_channels=3 groups=2", "rnn_native.layer.2"},
    {"rnn_native.input.0", "features=0", "rnn_native.input.0: expected features= or indices="},
    {"rnn_native.input.0", "features=4 time=false", "expected an input with time"},
    {"rnn_native.outputs", "2,", "rnn_native.outputs: expected values such as"},
    {"rnn_native.outputs", "in0", "expected what layers give alone"},
    {"rnn_native.outputs", "9", "not there before"},
    {"rnn_native.layers", "4", "expected rnn_native.layer.3"},
};

static void test_wrong_graphs(void)
{
    const test_pair more[] = {
        {"rnn_native.inputs", "1"},       {"rnn_native.input.0", "features=6"},
        {"rnn_native.input.0.name", "x"}, {"rnn_native.outputs", "1,2"},
        {"rnn_native.output.0", "a"},     {"rnn_native.output.1", "b"}};
    for (size_t i = 0; i < sizeof wrong_graphs / sizeof *wrong_graphs; ++i) {
        static test_model model;
        test_model_start(&model, 1);
        for (int32_t k = 0; k < 3; ++k)
            test_model_add(&model, (test_layer){.kind = TEST_LINEAR,
                                                .input_size = 6 - 2 * (k > 0),
                                                .output_size = k ? 3 : 4});
        strcpy(model.pairs[0].value, "2");
        strcat(model.pairs[4].value, " inputs=0");
        for (size_t k = 0; k < sizeof more / sizeof *more; ++k)
            model.pairs[model.num_pairs++] = more[k];
        for (int32_t k = 0; k < model.num_pairs; ++k) {
            const char *const key =
                wrong_graphs[i].key ? wrong_graphs[i].key : "rnn_native.layer.2";
            if (strcmp(model.pairs[k].key, key) == 0)
                strcpy(model.pairs[k].value, wrong_graphs[i].value);
        }
        const test_bytes file = test_model_bytes(&model);
        /* What is found wrong where the model is made, not where it is sized, has a text then. */
        char text_of[512];
        rnnat_model *made = NULL;
        const rnnat_model_options options = {
            .struct_size = sizeof options, .message = text_of, .message_size = sizeof text_of};
        CHECK_CASE(rnnat_model_from_memory(file.bytes, file.size, &options, &made) != RNNAT_OK &&
                       strstr(text_of, wrong_graphs[i].names),
                   text_of);
        free(file.bytes);
        test_model_end(&model);
    }
}

static void test_options_and_arguments(void)
{
    static const struct {
        rnnat_model_options options;
        const char *names;
    } wrong[] = {
        {{.dtype = 7}, "dtype from 0 to 1, got 7"},
        {{.matmul = -1}, "matmul from 0 to 2, got -1"},
        {{.weight_dtype = 4}, "weight_dtype from 0 to 3, got 4"},
        {{.compute = 2}, "compute from 0 to 1, got 2"},
        {{.compute = 1, .weight_dtype = 3}, "weight_dtype of bfloat16"},
        {{.dtype = RNNAT_F64, .weight_dtype = 3}, "RNNAT_F32"},
    };
    static test_model model;
    char text_of[200];
    rnnat_model *made = NULL;
    size_t need = 0, weights_need = 0;
    rnnat_model_options options = {
        .struct_size = sizeof options, .message = text_of, .message_size = sizeof text_of};
    test_model_start(&model, 3);
    test_model_add(&model, (test_layer){.kind = TEST_LINEAR, .input_size = 3, .output_size = 2});
    const test_bytes file = test_model_bytes(&model);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        rnnat_model_options of = wrong[i].options;
        of.struct_size = sizeof of;
        CHECK(fault_text_names(file.bytes, file.size, &of, wrong[i].names));
    }
    CHECK(rnnat_model_size(NULL, 0, &options, &need) == RNNAT_ERROR_ARGUMENT);
    CHECK(strstr(text_of, "bytes, need"));
    CHECK(rnnat_model_size(file.bytes, file.size, &options, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_from_memory(file.bytes, file.size, &options, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(strstr(text_of, "bytes, out"));
    CHECK(rnnat_model_init(text_of, 1, file.bytes, file.size, &options, NULL) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_load(NULL, &options, &made) == RNNAT_ERROR_ARGUMENT);
    CHECK(strstr(text_of, "path, out"));
    CHECK(rnnat_model_load("no/such/file", &options, &made) == RNNAT_ERROR_IO);
    CHECK(strstr(text_of, "no/such/file: the file cannot be opened"));
    CHECK(rnnat_model_size(file.bytes, file.size, &options, &need) == RNNAT_OK && !*text_of);
    char little[8], expected[64];
    CHECK(rnnat_model_init(little, sizeof little, file.bytes, file.size, &options, &made) ==
          RNNAT_ERROR_TOO_SMALL);
    snprintf(expected, sizeof expected, "memory: expected %zu bytes, got 8", need);
    CHECK(strcmp(text_of, expected) == 0);
#if RNNAT_WITH_SHARING
    static _Alignas(64) char weights[64];
    CHECK(rnnat_model_shared_size(file.bytes, file.size, &options, NULL, &need) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(strstr(text_of, "weights_need"));
    CHECK(rnnat_model_share(weights + 1, 63, file.bytes, file.size, &options) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(strstr(text_of, "multiple of 64"));
    CHECK(rnnat_model_share(weights, 63, file.bytes, file.size, &options) == RNNAT_ERROR_TOO_SMALL);
    CHECK(strstr(text_of, "got 63"));
    CHECK(rnnat_model_shared_size(file.bytes, file.size, &options, &need, &weights_need) ==
              RNNAT_OK &&
          !*text_of);
    guarded others = guard_make(weights_need, 0);
    CHECK(rnnat_model_init_shared(little, sizeof little, others.body, weights_need, file.bytes,
                                  file.size, &options, &made) == RNNAT_ERROR_FORMAT);
    CHECK(strstr(text_of, "weights: expected those of such a file"));
    guard_end(&others);
#else
    (void)weights_need;
#endif
    CHECK(made == NULL);
    CHECK(rnnat_model_from_memory(file.bytes, file.size, &options, &made) == RNNAT_OK && !*text_of);
    rnnat_model_free(made);

    /* Options of another size: their members may be elsewhere. */
    strcpy(text_of, "as before");
    options.struct_size -= 8;
    CHECK(rnnat_model_size(file.bytes, file.size, &options, &need) == RNNAT_ERROR_ARGUMENT);
    CHECK(strcmp(text_of, "as before") == 0);
    options = (rnnat_model_options){.struct_size = sizeof options, .message_size = 100};
    CHECK(rnnat_model_size(NULL, 0, &options, &need) == RNNAT_ERROR_ARGUMENT);
    free(file.bytes);
    test_model_end(&model);
}
#endif

int main(void)
{
#if RNNAT_WITH_MESSAGES
    test_wrong_headers();
    test_odd_names();
    test_wrong_graphs();
    test_options_and_arguments();
#else
    char untouched[4] = "abc";
    size_t need;
    const rnnat_model_options options = {
        .struct_size = sizeof options, .message = untouched, .message_size = sizeof untouched};
    CHECK(rnnat_model_size("1234567", 7, &options, &need) == RNNAT_ERROR_FORMAT);
    CHECK(untouched[0] == 'a');
    (void)open_header, (void)append;
#endif
    return check_result();
}
