/* Layer lines: what each form means, and that nothing else is taken. Lines lie in heap blocks of
 * exactly their size, so that the address sanitizer sees a read past their end. */
#include "file/layer_line.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "test_layer.h"

static rnnat_status parse(const char *text, test_layer *out)
{
    const size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, text, size);
    const rnnat_status status = test_layer_read(copy, out);
    free(copy);
    return status;
}

static bool equal(const test_layer *a, const test_layer *b)
{
    return a->kind == b->kind && a->cell == b->cell && a->input_size == b->input_size &&
           a->output_size == b->output_size && a->num_layers == b->num_layers &&
           a->proj_size == b->proj_size && a->direction == b->direction &&
           a->activation == b->activation && a->bias == b->bias &&
           a->reset_after == b->reset_after && a->peephole == b->peephole &&
           a->gate_recurrent == b->gate_recurrent && a->output_layer == b->output_layer &&
           a->output_activation == b->output_activation && a->last_only == b->last_only &&
           a->initial_state == b->initial_state && a->merge == b->merge;
}

/* ---- right ---- */

static const struct {
    const char *text;
    test_layer layer;
} right[] = {
    {"embedding num_embeddings=30 embedding_dim=256",
     {.kind = TEST_EMBEDDING, .input_size = 30, .output_size = 256}},
    {"linear in_features=256 out_features=74 bias=true activation=softmax",
     {.kind = TEST_LINEAR,
      .input_size = 256,
      .output_size = 74,
      .bias = true,
      .activation = RNNAT_SOFTMAX}},
    {"merge features=12 mode=ave",
     {.kind = TEST_MERGE, .input_size = 24, .output_size = 12, .merge = RNNAT_MERGE_AVE}},
    {"merge features=16777216 mode=sum",
     {.kind = TEST_MERGE, .input_size = 1 << 25, .output_size = 1 << 24}},
    {"conv in_channels=4 out_channels=6 groups=2 kernel_time=3 stride_time=2 dilation_time=1 "
     "before=2 "
     "after=0 positions=5 kernel_size=3 stride=1 dilation=2 left=1 right=1 padding_mode=reflect "
     "bias=true activation=relu",
     {.kind = TEST_CONV,
      .input_size = 20,
      .output_size = 6,
      .bias = true,
      .activation = RNNAT_RELU}},
    {"pool_within mode=max positions=5 channels=3 kernel_size=2 stride=16777216 left=1 right=0 "
     "count_include_pad=true",
     {.kind = TEST_POOL_WITHIN, .input_size = 15, .output_size = 3}},
    {"strided in_features=9 offset=2 size0=1 size1=2 size2=1 size3=2 stride0=0 stride1=3 stride2=0 "
     "stride3=1",
     {.kind = TEST_STRIDED, .input_size = 9, .output_size = 2}},
    {"upsample factor=16777216 mode=parts cut=3",
     {.kind = TEST_UPSAMPLE, .input_size = 16777216, .output_size = 4}},
    {"pad features=5 before=16777216 after=0 mode=circular",
     {.kind = TEST_PAD, .input_size = 5, .output_size = 5}},
    {"norm features=8 groups=2 epsilon=0x1.5p-17 subtract_mean=true weight=false bias=true",
     {.kind = TEST_NORM, .input_size = 8, .output_size = 8, .bias = true}},
    {"instance_norm channels=4 positions=3 groups=2 epsilon=0x1.5p-17 weight=false bias=true",
     {.kind = TEST_INSTANCE_NORM, .input_size = 12, .output_size = 4, .bias = true}},
    {"prelu features=7", {.kind = TEST_PRELU, .input_size = 7, .output_size = 7}},
    {"scale features=9", {.kind = TEST_SCALE, .input_size = 9, .output_size = 9}},
    {"linear in_features=1 out_features=16777216 bias=false activation=identity",
     {.kind = TEST_LINEAR, .input_size = 1, .output_size = 1 << 24}},
    {"recurrent cell=rnn input_size=3 hidden_size=5 num_layers=2 direction=reverse bias=true "
     "nonlinearity=relu",
     {.kind = TEST_RECURRENT,
      .cell = TEST_RNN,
      .input_size = 3,
      .output_size = 5,
      .num_layers = 2,
      .direction = RNNAT_REVERSE,
      .bias = true,
      .activation = RNNAT_RELU}},
    {"recurrent cell=gru input_size=256 hidden_size=255 num_layers=1 direction=forward bias=false "
     "reset_after=true",
     {.kind = TEST_RECURRENT,
      .cell = TEST_GRU,
      .input_size = 256,
      .output_size = 255,
      .num_layers = 1,
      .direction = RNNAT_FORWARD,
      .reset_after = true}},
    {"recurrent cell=lstm input_size=7 hidden_size=9 num_layers=3 direction=bidirectional "
     "bias=true proj_size=8 peephole=true",
     {.kind = TEST_RECURRENT,
      .cell = TEST_LSTM,
      .input_size = 7,
      .output_size = 9,
      .num_layers = 3,
      .direction = RNNAT_BIDIRECTIONAL,
      .bias = true,
      .proj_size = 8,
      .peephole = true}},
    {"recurrent cell=lstm input_size=1 hidden_size=1 num_layers=1 direction=forward bias=true "
     "proj_size=0 peephole=false",
     {.kind = TEST_RECURRENT,
      .cell = TEST_LSTM,
      .input_size = 1,
      .output_size = 1,
      .num_layers = 1,
      .bias = true}},
    {"recurrent cell=gru input_size=4 hidden_size=3 num_layers=2 direction=forward bias=true "
     "gate_recurrent=true",
     {.kind = TEST_RECURRENT,
      .cell = TEST_GRU,
      .input_size = 4,
      .output_size = 3,
      .num_layers = 2,
      .bias = true,
      .gate_recurrent = true}},
    {"recurrent cell=lstm input_size=4 hidden_size=3 num_layers=1 direction=reverse bias=false "
     "gate_recurrent=true",
     {.kind = TEST_RECURRENT,
      .cell = TEST_LSTM,
      .input_size = 4,
      .output_size = 3,
      .num_layers = 1,
      .direction = RNNAT_REVERSE,
      .gate_recurrent = true}},
    {"recurrent cell=rnn input_size=3 hidden_size=5 output_layer=7 output_nonlinearity=softmax "
     "num_layers=2 direction=forward bias=true nonlinearity=sigmoid",
     {.kind = TEST_RECURRENT,
      .cell = TEST_RNN,
      .input_size = 3,
      .output_size = 5,
      .num_layers = 2,
      .bias = true,
      .activation = RNNAT_SIGMOID,
      .output_layer = 7,
      .output_activation = RNNAT_SOFTMAX}},
};

#define NUM_RIGHT (sizeof right / sizeof *right)
#define MAX_TOKENS 18

/* The line's words, the kind first. */
static size_t split(char *line, const char *words[MAX_TOKENS])
{
    size_t count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    return count;
}

static void join(char *out, const char *const *words, size_t count)
{
    out[0] = '\0';
    for (size_t i = 0; i < count; ++i) {
        if (i > 0) {
            strcat(out, " ");
        }
        strcat(out, words[i]);
    }
}

static void test_right(void)
{
    for (size_t i = 0; i < NUM_RIGHT; ++i) {
        test_layer layer;
        memset(&layer, 0x55, sizeof layer);
        CHECK_CASE(parse(right[i].text, &layer) == RNNAT_OK, right[i].text);
        CHECK_CASE(equal(&layer, &right[i].layer), right[i].text);
    }
}

/* Any order of the keys; each of them needed; none of them twice, nor another kind's. */
static void test_keys(void)
{
    for (size_t i = 0; i < NUM_RIGHT; ++i) {
        char line[256];
        char changed[512];
        const char *words[MAX_TOKENS];
        const char *other[MAX_TOKENS + 1];
        test_layer layer;
        strcpy(line, right[i].text);
        const size_t count = split(line, words);
        for (size_t turn = 0; turn < count - 1; ++turn) {
            other[0] = words[0];
            for (size_t j = 0; j < count - 1; ++j) {
                other[1 + j] = words[1 + (j + turn) % (count - 1)];
            }
            join(changed, other, count);
            CHECK_CASE(parse(changed, &layer) == RNNAT_OK, changed);
            CHECK_CASE(equal(&layer, &right[i].layer), changed);
            join(changed, other, count - 1); /* the last one missing */
            CHECK_CASE(parse(changed, &layer) == RNNAT_ERROR_FORMAT, changed);
            other[count] = words[1 + turn]; /* one twice */
            join(changed, other, count + 1);
            CHECK_CASE(parse(changed, &layer) == RNNAT_ERROR_FORMAT, changed);
        }
        static const char *const foreign[] = {
            "num_embeddings=2",
            "hidden_size=2",
            "out_features=2",
            "nonlinearity=tanh",
            "reset_after=true",
            "proj_size=0",
            "peephole=false",
            "activation=tanh",
            "direction=forward",
            "dropout=0",
            "cell=gru",
            "bias=true",
            "output_layer=0",
            "output_layer=3",
            "gate_recurrent=true",
            "output_nonlinearity=tanh",
            "return_sequences=true",
            "features=2",
            "mode=sum",
        };
        for (size_t k = 0; k < sizeof foreign / sizeof *foreign; ++k) {
            for (size_t j = 0; j < count; ++j) {
                other[j] = words[j];
            }
            other[count] = foreign[k]; /* unknown, another's or a second one */
            join(changed, other, count + 1);
            CHECK_CASE(parse(changed, &layer) == RNNAT_ERROR_FORMAT, changed);
        }
    }
}

/* A recurrent layer may have this key, once, wherever its line has room; another kind may not, nor,
 * where it is return_sequences=false, one with an output layer. */
static void test_optional(const char *key, bool is_last)
{
    for (size_t i = 0; i < NUM_RIGHT; ++i) {
        char line[512];
        test_layer layer, expected = right[i].layer;
        *(is_last ? &expected.last_only : &expected.initial_state) = true;
        const bool may = expected.kind == TEST_RECURRENT && !(is_last && expected.output_layer);
        snprintf(line, sizeof line, "%s %s", right[i].text, key);
        CHECK_CASE(parse(line, &layer) == (may ? RNNAT_OK : RNNAT_ERROR_FORMAT), line);
        CHECK_CASE(!may || equal(&layer, &expected), line);
        snprintf(line, sizeof line, "%s %s %s", right[i].text, key, key);
        CHECK_CASE(parse(line, &layer) == RNNAT_ERROR_FORMAT, line);
        const size_t kind = strcspn(right[i].text, " ");
        snprintf(line, sizeof line, "%.*s %s%s", (int)kind, right[i].text, key,
                 right[i].text + kind);
        CHECK_CASE(parse(line, &layer) == (may ? RNNAT_OK : RNNAT_ERROR_FORMAT), line);
    }
}

/* Any line may keep its layer's matrices, once, wherever it has room. */
static void test_kept(void)
{
    static const char key[] = "weight_dtype=float32";
    for (size_t i = 0; i < NUM_RIGHT; ++i) {
        char line[512];
        test_layer layer;
        const size_t kind = strcspn(right[i].text, " ");
        CHECK_CASE(!rnnat_line_keeps(right[i].text), right[i].text);
        snprintf(line, sizeof line, "%s %s", right[i].text, key);
        CHECK_CASE(rnnat_line_keeps(line) && parse(line, &layer) == RNNAT_OK, line);
        CHECK_CASE(equal(&layer, &right[i].layer), line);
        snprintf(line, sizeof line, "%.*s %s%s", (int)kind, right[i].text, key,
                 right[i].text + kind);
        CHECK_CASE(rnnat_line_keeps(line) && parse(line, &layer) == RNNAT_OK, line);
        CHECK_CASE(equal(&layer, &right[i].layer), line);
        snprintf(line, sizeof line, "%s %s %s", right[i].text, key, key);
        CHECK_CASE(parse(line, &layer) == RNNAT_ERROR_FORMAT, line);
        snprintf(line, sizeof line, "%s weight_dtype=float16", right[i].text);
        CHECK_CASE(parse(line, &layer) == RNNAT_ERROR_FORMAT, line);
    }
}

/* ---- wrong ---- */

#define GRU(cell, size, layers, direction, bias, after)                                            \
    "recurrent cell=" cell " input_size=" size " hidden_size=2 num_layers=" layers                 \
    " direction=" direction " bias=" bias " reset_after=" after
#define GRU_SIZE(size) GRU("gru", size, "1", "forward", "true", "true")
#define LSTM(proj)                                                                                 \
    "recurrent cell=lstm input_size=2 hidden_size=9 num_layers=1 direction=forward bias=true "     \
    "proj_size=" proj " peephole=false"
#define RNN(nonlinearity)                                                                          \
    "recurrent cell=rnn input_size=2 hidden_size=9 num_layers=1 direction=forward bias=true "      \
    "nonlinearity=" nonlinearity
#define CONV(channels, groups, padding_mode, activation)                                           \
    "conv in_channels=" channels " out_channels=2 groups=" groups                                  \
    " kernel_time=1 stride_time=1 dilation_time=1 before=0 after=0 positions=1 kernel_size=1 "     \
    "stride=1 dilation=1 left=0 right=0 padding_mode=" padding_mode                                \
    " bias=false activation=" activation
#define POOL_WITHIN(mode, positions, stride, counts)                                               \
    "pool_within mode=" mode " positions=" positions " channels=1 kernel_size=1 stride=" stride    \
    " left=0 right=0 count_include_pad=" counts
#define LINEAR(activation) "linear in_features=1 out_features=1 bias=true activation=" activation

static const struct {
    const char *text;
    rnnat_status status;
} wrong[] = {
    {"", RNNAT_ERROR_FORMAT},
    {" ", RNNAT_ERROR_FORMAT},
    {"embedding", RNNAT_ERROR_FORMAT},
    {"merge features=0 mode=sum", RNNAT_ERROR_FORMAT},
    {"merge features=16777217 mode=sum", RNNAT_ERROR_UNSUPPORTED},
    {"merge features=2 mode=concat", RNNAT_ERROR_UNSUPPORTED},
    {"merge features=2 mode=", RNNAT_ERROR_FORMAT},
    {"convolution in_features=1", RNNAT_ERROR_FORMAT},
    {"strided in_features=4 offset=0 size0=1 size1=1 size2=1 size3=0 stride0=0 stride1=0 stride2=0 "
     "stride3=1",
     RNNAT_ERROR_FORMAT},
    {"strided in_features=4 offset=-1 size0=1 size1=1 size2=1 size3=1 stride0=0 stride1=0 "
     "stride2=0 "
     "stride3=1",
     RNNAT_ERROR_FORMAT},
    {POOL_WITHIN("lp", "2", "1", "true"), RNNAT_ERROR_UNSUPPORTED},
    {POOL_WITHIN("max", "0", "1", "true"), RNNAT_ERROR_FORMAT},
    {POOL_WITHIN("max", "16777217", "1", "true"), RNNAT_ERROR_UNSUPPORTED},
    {POOL_WITHIN("max", "2", "0", "true"), RNNAT_ERROR_FORMAT},
    {POOL_WITHIN("max", "2", "-1", "true"), RNNAT_ERROR_FORMAT},
    {POOL_WITHIN("max", "2", "1", "1"), RNNAT_ERROR_FORMAT},
    {CONV("2", "1", "zeros", "relu") " height=0", RNNAT_ERROR_FORMAT},
    {CONV("2", "1", "zeros", "relu") " top=-1", RNNAT_ERROR_FORMAT},
    {CONV("2", "1", "zeros", "relu") " kernel_height=16777217", RNNAT_ERROR_UNSUPPORTED},
    {"upsample factor=0 mode=parts cut=0", RNNAT_ERROR_FORMAT},
    {"upsample factor=2 mode=linear cut=0", RNNAT_ERROR_UNSUPPORTED},
    {"upsample factor=2 mode=parts", RNNAT_ERROR_FORMAT},
    {"pad features=0 before=1 after=0 mode=zeros", RNNAT_ERROR_FORMAT},
    {"pad features=2 before=1 after=0 mode=symmetric", RNNAT_ERROR_UNSUPPORTED},
    {"pad features=2 before=1 mode=zeros", RNNAT_ERROR_FORMAT},
    {CONV("2", "0", "zeros", "relu"), RNNAT_ERROR_FORMAT},
    {CONV("0", "1", "zeros", "relu"), RNNAT_ERROR_FORMAT},
    {CONV("16777217", "1", "zeros", "relu"), RNNAT_ERROR_UNSUPPORTED},
    {CONV("2", "1", "circular", "relu"), RNNAT_ERROR_UNSUPPORTED},
    {CONV("2", "1", "zeros", "gelu"), RNNAT_ERROR_UNSUPPORTED},
    {"Linear in_features=1 out_features=1 bias=true activation=relu", RNNAT_ERROR_FORMAT},
    {"linearx in_features=1 out_features=1 bias=true activation=relu", RNNAT_ERROR_FORMAT},
    {" " GRU_SIZE("2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2") " ", RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2") "\n", RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2 "), RNNAT_ERROR_FORMAT},
    {GRU_SIZE(" 2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2\tcell=gru"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE(""), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("=2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2=2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("0"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("02"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("-2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("+2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2.0"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2e1"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("0x2"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("two"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("16777217"), RNNAT_ERROR_UNSUPPORTED},
    {GRU_SIZE("4294967298"), RNNAT_ERROR_UNSUPPORTED},           /* 2 modulo 2^32 */
    {GRU_SIZE("18446744073709551618"), RNNAT_ERROR_UNSUPPORTED}, /* 2 modulo 2^64 */
    {GRU("gru", "2", "0", "forward", "true", "true"), RNNAT_ERROR_FORMAT},
    {GRU("gru", "2", "1", "forwards", "true", "true"), RNNAT_ERROR_FORMAT},
    {GRU("gru", "2", "1", "forward", "1", "true"), RNNAT_ERROR_FORMAT},
    {GRU("gru", "2", "1", "forward", "True", "true"), RNNAT_ERROR_FORMAT},
    {GRU("gru", "2", "1", "forward", "true", "yes"), RNNAT_ERROR_FORMAT},
    {GRU("sru", "2", "1", "forward", "true", "true"), RNNAT_ERROR_UNSUPPORTED},
    {GRU("gr", "2", "1", "forward", "true", "true"), RNNAT_ERROR_UNSUPPORTED},
    {GRU("GRU", "2", "1", "forward", "true", "true"), RNNAT_ERROR_FORMAT}, /* no such word */
    {GRU("", "2", "1", "forward", "true", "true"), RNNAT_ERROR_FORMAT},
    {GRU("lstm", "2", "1", "forward", "true", "true"), RNNAT_ERROR_FORMAT}, /* reset_after */
    {LSTM("9"), RNNAT_ERROR_FORMAT},
    {LSTM("10"), RNNAT_ERROR_FORMAT},
    {LSTM("00"), RNNAT_ERROR_FORMAT},
    {LSTM("-1"), RNNAT_ERROR_FORMAT},
    {RNN("softmax"), RNNAT_ERROR_UNSUPPORTED},
    {RNN("swish"), RNNAT_ERROR_UNSUPPORTED},
    {RNN("tanh output_layer=0 output_nonlinearity=tanh"), RNNAT_ERROR_FORMAT},
    {RNN("tanh output_layer=2 output_nonlinearity=swish"), RNNAT_ERROR_UNSUPPORTED},
    {RNN("tanh gate_recurrent=true"), RNNAT_ERROR_FORMAT},
    {LSTM("0 output_layer=2 output_nonlinearity=tanh"), RNNAT_ERROR_FORMAT},
    {LSTM("0 gate_recurrent=true"), RNNAT_ERROR_FORMAT},
    {GRU_SIZE("2") " gate_recurrent=true", RNNAT_ERROR_FORMAT},
    {"recurrent cell=gru input_size=2 hidden_size=2 num_layers=1 direction=forward bias=true "
     "gate_recurrent=false",
     RNNAT_ERROR_FORMAT},
    {LINEAR("gelu"), RNNAT_ERROR_UNSUPPORTED},
    {LINEAR("soft"), RNNAT_ERROR_UNSUPPORTED},
    {LINEAR(""), RNNAT_ERROR_FORMAT},
};

static void test_wrong(void)
{
    test_layer layer = right[5].layer;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        CHECK_CASE(parse(wrong[i].text, &layer) == wrong[i].status, wrong[i].text);
        CHECK_CASE(equal(&layer, &right[5].layer), wrong[i].text); /* nothing written */
    }
}

static void test_words(void)
{
    static const char *const activations[] = {LINEAR("identity"), LINEAR("sigmoid"),
                                              LINEAR("tanh"),     LINEAR("relu"),
                                              LINEAR("softmax"),  LINEAR("log_softmax")};
    test_layer layer;
    for (int i = 0; i < 6; ++i) {
        CHECK_CASE(parse(activations[i], &layer) == RNNAT_OK, activations[i]);
        CHECK_CASE((int)layer.activation == i, activations[i]);
    }
    CHECK(parse(RNN("tanh"), &layer) == RNNAT_OK && layer.activation == RNNAT_TANH);
    CHECK(parse(RNN("sigmoid"), &layer) == RNNAT_OK && layer.activation == RNNAT_SIGMOID);
}

/* ---- damage ---- */

/* Cut anywhere, a line is refused, unless the cut leaves a shorter number. One byte changed, it
 * is refused or still a layer whose sizes are in range. */
static void test_damage(void)
{
    for (size_t i = 0; i < NUM_RIGHT; ++i) {
        char line[256];
        test_layer layer;
        const size_t length = strlen(right[i].text);
        for (size_t size = 0; size < length; ++size) {
            memcpy(line, right[i].text, size);
            line[size] = '\0';
            const bool shorter_number = i == 0 && size > length - 3;
            CHECK_CASE((parse(line, &layer) == RNNAT_OK) == shorter_number, line);
        }
        for (size_t at = 0; at < length; ++at) {
            strcpy(line, right[i].text);
            for (int value = 0; value < 256; ++value) {
                line[at] = (char)value;
                if (parse(line, &layer) != RNNAT_OK) {
                    continue;
                }
                const int32_t largest = RNNAT_LAYER_MAX_SIZE;
                const bool recurrent = layer.kind == TEST_RECURRENT;
                const int32_t inputs = layer.kind == TEST_MERGE ? 2 : 1;
                CHECK_CASE(layer.input_size >= 1 && layer.input_size <= inputs * largest, line);
                CHECK_CASE(layer.output_size >= 1 && layer.output_size <= largest, line);
                CHECK_CASE((layer.num_layers >= 1) == recurrent, line);
                CHECK_CASE(layer.num_layers <= largest, line);
                CHECK_CASE(layer.proj_size >= 0 && layer.proj_size < layer.output_size, line);
            }
        }
    }
}

int main(void)
{
    test_right();
    test_keys();
    test_kept();
    test_optional("return_sequences=false", true);
    test_optional("initial_state=true", false);
    test_wrong();
    test_words();
    test_damage();
    return check_result();
}
