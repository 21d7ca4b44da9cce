/* A file of a model that is wrong in one thing is refused with the status of that thing, and
 * nothing is written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fault_text.h"
#include "guard.h"
#include "int8_model.h"
#include "message.h"
#include "rich_model.h"

/* The tensors that test_model_start_rich's layers do not have. */
static void start_gates(test_model *model)
{
    test_layer layer = {.kind = TEST_RECURRENT,
                        .cell = TEST_RNN,
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
    layer = (test_layer){.kind = TEST_RECURRENT,
                         .cell = TEST_GRU,
                         .input_size = 3,
                         .output_size = 5,
                         .num_layers = 1,
                         .bias = true,
                         .gate_recurrent = true};
    test_model_add(model, layer);
    layer.cell = TEST_LSTM;
    layer.input_size = 5;
    layer.direction = RNNAT_REVERSE;
    test_model_add(model, layer);
}

/* Every way to make a model refuses this one alike, says where by a text with `names` in it, and
 * writes nothing else. */
static void check_refused_at(const test_model *model, rnnat_status expected, const char *label,
                             const char *names)
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
    if (RNNAT_WITH_MESSAGES) CHECK_CASE(fault_text_names(file.bytes, file.size, NULL, names), line);
    guard_end(&memory);
    free(file.bytes);
}

/* The same of a tensor, by its name. */
static void check_refused(const test_model *model, rnnat_status expected, const char *name)
{
    check_refused_at(model, expected, name, name);
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

/* Each matrix in turn, as int8 with scales that are not there, of another shape or type, or of
 * numbers that no scale is; and each vector as int8. */
static void test_wrong_scales(void (*start)(test_model *model))
{
    static const float wrong[] = {-0x1p-149f, -1, NAN, INFINITY, -INFINITY};
    test_model model;
    start(&model);
    test_model_quantise(&model);
    const int32_t count = model.num_tensors;
    for (int32_t i = 0; i < count; ++i) {
        test_tensor *const tensor = &model.tensors[i];
        test_tensor *const scales = test_model_scales(&model, tensor);
        if (!scales) {
            const test_tensor right = *tensor;
            strcpy(tensor->dtype, "I8");
            check_refused(&model, RNNAT_ERROR_UNSUPPORTED, right.name);
            *tensor = right;
            continue;
        }
        const test_tensor right = *scales;
        strcpy(scales->name, "other");
        check_refused(&model, RNNAT_ERROR_NOT_FOUND, right.name);
        *scales = right;
        --scales->dims[0];
        check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
        *scales = right;
        scales->rank = 2; /* [rows, 1] */
        check_refused(&model, RNNAT_ERROR_SHAPE, right.name);
        *scales = right;
        strcpy(scales->dtype, "F64");
        check_refused(&model, RNNAT_ERROR_UNSUPPORTED, right.name);
        *scales = right;
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; ++k) {
            float *const last = &scales->values[scales->dims[0] - 1];
            const float kept = *last;
            *last = wrong[k];
            check_refused(&model, RNNAT_ERROR_FORMAT, right.name);
            *last = kept;
        }
        --tensor->dims[1];
        check_refused(&model, RNNAT_ERROR_SHAPE, tensor->name);
        ++tensor->dims[1];
    }
    test_model_end(&model);
}

static const struct {
    int pair; /* 0: version, 1: how many, 2..: layers */
    const char *value; /* NULL: the pair is not there */
    rnnat_status status;
} wrong_pairs[] = {
    {0, NULL, RNNAT_ERROR_FORMAT},
    {0, "3", RNNAT_ERROR_UNSUPPORTED},
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
    {2, "attention heads=8", RNNAT_WITH_ATTENTION ? RNNAT_ERROR_FORMAT : RNNAT_ERROR_UNSUPPORTED},
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

/* How a text names a layer's line. */
static const char *line_of(int layer)
{
    static char key[40];
    snprintf(key, sizeof key, "rnn_native.layer.%d", layer);
    return key;
}

static void test_wrong_metadata(void)
{
    for (size_t i = 0; i < sizeof wrong_pairs / sizeof *wrong_pairs; ++i) {
        test_model model;
        test_model_start_rich(&model);
        test_pair *const pair = &model.pairs[wrong_pairs[i].pair];
        if (wrong_pairs[i].value)
            snprintf(pair->value, sizeof pair->value, "%s", wrong_pairs[i].value);
        else
            strcpy(pair->key, "other");
        check_refused_at(&model, wrong_pairs[i].status,
                         wrong_pairs[i].value ? wrong_pairs[i].value : "a pair that is not there",
                         wrong_pairs[i].pair == 0   ? "rnn_native.version"
                         : wrong_pairs[i].pair == 1 ? "rnn_native.layer"
                                                    : line_of(wrong_pairs[i].pair - 2));
        test_model_end(&model);
    }
}

/* Layers that are each right but do not follow each other. */
static void test_wrong_chains(void)
{
    test_model model;
    for (int32_t width = 4; width <= 6; width += 2) {
        test_model_start(&model, 1);
        test_model_add(&model, (test_layer){.kind = TEST_RECURRENT,
                                            .cell = TEST_GRU,
                                            .input_size = 2,
                                            .output_size = 5,
                                            .num_layers = 1});
        test_model_add(&model,
                       (test_layer){.kind = TEST_LINEAR, .input_size = width, .output_size = 3});
        check_refused_at(&model, RNNAT_ERROR_SHAPE, "5 features to another number",
                         "and the one before gives 5; rnn_native.layer.1");
        test_model_end(&model);
    }
    test_model_start(&model, 1);
    for (int i = 0; i < 2; ++i)
        test_model_add(&model,
                       (test_layer){.kind = TEST_EMBEDDING, .input_size = 4, .output_size = 4});
    check_refused_at(&model, RNNAT_ERROR_UNSUPPORTED, "an embedding that is not the first layer",
                     line_of(1));
    test_model_end(&model);
}

/* Every shorter file is refused, and read no further than it goes. */
static void test_truncated(void)
{
    test_model model;
    test_model_start_rich(&model);
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
    test_wrong_tensors(test_model_start_rich);
    test_wrong_tensors(start_gates);
    if (RNNAT_WITH_INT8) test_wrong_scales(test_model_start_rich);
    if (RNNAT_WITH_INT8) test_wrong_scales(start_gates);
    test_wrong_metadata();
    test_wrong_chains();
    test_truncated();
    return check_result();
}
