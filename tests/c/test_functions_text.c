/* Activations and numbers in a layer's line: what each form means, and that nothing else is taken.
 * Texts lie in heap blocks of exactly their size, so that the address sanitizer sees a read past
 * their end. */
#include "file/functions_text.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "test_layer.h"

static char *copy_of(const char *text, size_t size)
{
    char *const copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, text, size);
    return copy;
}

static rnnat_status parse_number(const char *text, double *value)
{
    char *const copy = copy_of(text, strlen(text));
    const rnnat_status status = rnnat_number_parse(copy, strlen(text), value);
    free(copy);
    return status;
}

/* ---- numbers ---- */

/* The one text of a double, from its bits. */
static void write_number(char *text, size_t size, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int biased = (int)(bits >> 52 & 0x7ff), normal = biased > 0;
    uint64_t fraction = bits & 0xfffffffffffff;
    int places = 13;
    for (; places && fraction % 16 == 0; --places) fraction /= 16;
    char digits[16] = "";
    if (places) snprintf(digits, sizeof digits, ".%0*llx", places, (unsigned long long)fraction);
    snprintf(text, size, "%s0x%d%sp%+d", bits >> 63 ? "-" : "", normal, digits,
             normal       ? biased - 1023
             : value != 0 ? -1022
                          : 0);
}

static void test_numbers(void)
{
    static const double some[] = {
        0,       1,        -1,      0.2,          0.5,    1.0 / 3, -2.5e-7,
        DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 1e-310, -1e-320, 1 + DBL_EPSILON,
        1e300,   65536,    0.01f};
    uint64_t random = 1;
    for (size_t i = 0; i < 20000; ++i) {
        double value, read = NAN;
        if (i < sizeof some / sizeof *some) {
            value = some[i];
        } else {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const uint64_t bits = random ^ random >> 29;
            memcpy(&value, &bits, sizeof value);
        }
        if (!isfinite(value)) continue;
        char text[40];
        write_number(text, sizeof text, value);
        CHECK_CASE(parse_number(text, &read) == RNNAT_OK && read == value, text);
    }
}

static void test_what_is_no_number(void)
{
    static const char *const wrong[] = {
        "",
        "0",
        "1.5",
        "0x",
        "0x1",
        "0x1p",
        "0x1p+",
        "0x1p0",
        "0x1p00",
        "0x1p+00",
        "0x1p-0",
        "0x1p+01",
        "0x1p+0 ",
        " 0x1p+0",
        "0x1p+0x",
        "0x1.p+0",
        "0x1.0p+0",
        "0x1.80p+0",
        "0x2p+0",
        "0x01p+0",
        "0x1.8P+0",
        "0X1p+0",
        "0x1.Ap+0",
        "+0x1p+0",
        "--0x1p+0",
        "-0x0p+0",
        "0x0p-0",
        "0x0p+1",
        "0x0p-1022",
        "0x0.8p+0",
        "0x0.8p-1021",
        "0x1p+1024",
        "0x1p-1023",
        "0x1p+10000",
        "0x1p+99999",
        "inf",
        "nan",
        "-inf",
        "0x1.00000000000001p+0",
        "0x1.123456789abcde1p+0",
        "0x1.gp+0",
        "0x1p+a",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        double value = 7;
        CHECK_CASE(parse_number(wrong[i], &value) == RNNAT_ERROR_FORMAT && value == 7, wrong[i]);
    }
}

/* ---- activations ---- */

static rnnat_status parse(const char *text, int32_t most, rnnat_function *out, int32_t *count)
{
    char *const copy = copy_of(text, strlen(text));
    const rnnat_status status = rnnat_functions_parse(copy, strlen(text), most, out, count);
    free(copy);
    return status;
}

static bool same(rnnat_function a, rnnat_function b)
{
    return a.kind == b.kind && a.alpha == b.alpha && a.beta == b.beta;
}

static void test_functions(void)
{
    static const struct {
        const char *text;
        rnnat_function function;
    } right[] = {
        {"identity", {RNNAT_GATE_IDENTITY, 0, 0}},
        {"relu", {RNNAT_GATE_RELU, 0, 0}},
        {"tanh", {RNNAT_GATE_TANH, 0, 0}},
        {"sigmoid", {RNNAT_GATE_SIGMOID, 0, 0}},
        {"affine:0x1p+0:-0x1p-1", {RNNAT_GATE_AFFINE, 1, -0.5}},
        {"leaky_relu:0x1.8p-6", {RNNAT_GATE_LEAKY_RELU, 0.0234375, 0}},
        {"thresholded_relu:-0x1p+1", {RNNAT_GATE_THRESHOLDED_RELU, -2, 0}},
        {"scaled_tanh:0x1.8p+0:0x1p-2", {RNNAT_GATE_SCALED_TANH, 1.5, 0.25}},
        {"hard_sigmoid:0x1.999999999999ap-3:0x1p-1", {RNNAT_GATE_HARD_SIGMOID, 0.2, 0.5}},
        {"elu:0x0p+0", {RNNAT_GATE_ELU, 0, 0}},
        {"softsign", {RNNAT_GATE_SOFTSIGN, 0, 0}},
        {"softplus", {RNNAT_GATE_SOFTPLUS, 0, 0}},
    };
    enum { count = sizeof right / sizeof *right };
    rnnat_function out[count];
    int32_t read;
    char all[512] = "";
    for (size_t i = 0; i < count; ++i) {
        CHECK_CASE(parse(right[i].text, 1, out, &read) == RNNAT_OK && read == 1, right[i].text);
        CHECK_CASE(same(out[0], right[i].function), right[i].text);
        strcat(strcat(all, i ? "," : ""), right[i].text);
    }
    CHECK(parse(all, count, out, &read) == RNNAT_OK && read == count);
    for (size_t i = 0; i < count; ++i) CHECK_CASE(same(out[i], right[i].function), right[i].text);
    CHECK(parse(all, count - 1, out, &read) == RNNAT_ERROR_FORMAT);
}

static void test_what_are_no_functions(void)
{
    static const struct {
        const char *text;
        rnnat_status status;
    } wrong[] = {
        {"", RNNAT_ERROR_UNSUPPORTED},
        {"swish", RNNAT_ERROR_UNSUPPORTED},
        {"Tanh", RNNAT_ERROR_UNSUPPORTED},
        {"tan", RNNAT_ERROR_UNSUPPORTED},
        {"tanhh", RNNAT_ERROR_UNSUPPORTED},
        {"tanh,", RNNAT_ERROR_UNSUPPORTED},
        {",tanh", RNNAT_ERROR_UNSUPPORTED},
        {"tanh,,tanh", RNNAT_ERROR_UNSUPPORTED},
        {"tanh:", RNNAT_ERROR_FORMAT},
        {"tanh:0x1p+0", RNNAT_ERROR_FORMAT},
        {"elu", RNNAT_ERROR_FORMAT},
        {"elu:", RNNAT_ERROR_FORMAT},
        {"elu:1", RNNAT_ERROR_FORMAT},
        {"elu:0x1p+0:", RNNAT_ERROR_FORMAT},
        {"elu:0x1p+0:0x1p+0", RNNAT_ERROR_FORMAT},
        {"affine:0x1p+0", RNNAT_ERROR_FORMAT},
        {"affine:0x1p+0,0x1p+0", RNNAT_ERROR_FORMAT},
        {"affine::0x1p+0", RNNAT_ERROR_FORMAT},
    };
    rnnat_function out[4];
    int32_t count;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        CHECK_CASE(parse(wrong[i].text, 4, out, &count) == wrong[i].status, wrong[i].text);
}

/* ---- lines ---- */

#define LINE(cell, direction)                                                                      \
    "recurrent cell=" cell " input_size=2 hidden_size=3 num_layers=1 direction=" direction         \
    " bias=true "
#define LSTM(direction) LINE("lstm", direction) "proj_size=0 peephole=false "
#define GRU LINE("gru", "forward") "reset_after=true "
#define RNN LINE("rnn", "forward")

static void test_lines(void)
{
    const rnnat_function tanh_ = {RNNAT_GATE_TANH, 0, 0}, sigmoid_ = {RNNAT_GATE_SIGMOID, 0, 0};
    const rnnat_function elu = {RNNAT_GATE_ELU, 0.5, 0}, relu = {RNNAT_GATE_RELU, 0, 0};
    test_layer layer;
    CHECK(test_layer_read(RNN "nonlinearity=relu", &layer) == RNNAT_OK && !layer.general);
    CHECK(test_layer_read("elementwise function=elu:0x1p-1", &layer) == RNNAT_OK);
    CHECK(layer.kind == TEST_ELEMENTWISE && same(layer.function, elu));
    const rnnat_function clip = {RNNAT_GATE_CLIP, 0, 6}, mish = {RNNAT_GATE_MISH, 0, 0};
    CHECK(test_layer_read("elementwise function=clip:0x0p+0:0x1.8p+2", &layer) == RNNAT_OK);
    CHECK(same(layer.function, clip));
    CHECK(test_layer_read("elementwise function=mish", &layer) == RNNAT_OK);
    CHECK(same(layer.function, mish));
    CHECK(test_layer_read(RNN "clip=0x1p+1 nonlinearity=relu", &layer) == RNNAT_OK);
    CHECK(layer.general && layer.functions[0].clip == 2 && same(layer.functions[0].of[0], relu));
    CHECK(test_layer_read(RNN "activations=elu:0x1p-1", &layer) == RNNAT_OK);
    CHECK(layer.general && layer.functions[0].clip == 0 && same(layer.functions[0].of[0], elu));
    CHECK(test_layer_read(GRU "activations=tanh,elu:0x1p-1", &layer) == RNNAT_OK);
    CHECK(same(layer.functions[0].of[0], tanh_) && same(layer.functions[0].of[1], elu));
    CHECK(test_layer_read(LSTM("bidirectional") "input_forget=true", &layer) == RNNAT_OK);
    for (int d = 0; d < 2; ++d) {
        CHECK(layer.functions[d].input_forget && same(layer.functions[d].of[0], sigmoid_));
        CHECK(same(layer.functions[d].of[1], tanh_) && same(layer.functions[d].of[2], tanh_));
    }
    CHECK(test_layer_read(LSTM("bidirectional") "cell_clip=0x1p+1", &layer) == RNNAT_OK);
    for (int d = 0; d < 2; ++d)
        CHECK(layer.functions[d].cell_clip == 2 && layer.functions[d].clip == 0);
    CHECK(test_layer_read(LSTM("bidirectional") "activations=tanh,tanh,relu", &layer) == RNNAT_OK);
    CHECK(same(layer.functions[0].of[2], relu) && same(layer.functions[1].of[2], relu));
    CHECK(test_layer_read(LSTM("bidirectional") "activations=tanh,tanh,relu,relu,tanh,tanh",
                          &layer) == RNNAT_OK);
    CHECK(same(layer.functions[0].of[2], relu) && same(layer.functions[1].of[0], relu));
}

static void test_wrong_lines(void)
{
    static const char *const wrong[] = {
        RNN,
        RNN "nonlinearity=tanh activations=tanh",
        RNN "activations=tanh,tanh",
        RNN "nonlinearity=tanh input_forget=true",
        RNN "nonlinearity=tanh clip=0x0p+0",
        RNN "nonlinearity=tanh clip=-0x1p+0",
        RNN "nonlinearity=tanh clip=1",
        RNN "nonlinearity=tanh output_layer=2 output_nonlinearity=tanh clip=0x1p+0",
        RNN "activations=tanh output_layer=2 output_nonlinearity=tanh",
        GRU "activations=tanh",
        GRU "activations=tanh,tanh,tanh",
        GRU "activations=tanh,tanh,tanh,tanh",
        GRU "input_forget=true",
        LINE("gru", "forward") "gate_recurrent=true clip=0x1p+0",
        LINE("lstm", "forward") "gate_recurrent=true activations=tanh,tanh,tanh",
        LINE("lstm", "forward") "gate_recurrent=true input_forget=true",
        LSTM("forward") "input_forget=false",
        LSTM("forward") "cell_clip=0x0p+0",
        GRU "cell_clip=0x1p+1",
        LINE("lstm", "forward") "gate_recurrent=true cell_clip=0x1p+1",
        LSTM("forward") "clip=0x1p+0 clip=0x1p+0",
        LSTM("forward") "activations=",
        LSTM("bidirectional") "activations=tanh,tanh,tanh,tanh",
        "linear in_features=1 out_features=1 bias=true activation=tanh clip=0x1p+0",
        "embedding num_embeddings=2 embedding_dim=2 activations=tanh",
        "elementwise",
        "elementwise function=",
        "elementwise function=elu",
        "elementwise function=clip:0x0p+0",
        "elementwise function=tanh features=2",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        test_layer layer = {.input_size = 99};
        CHECK_CASE(test_layer_read(wrong[i], &layer) == RNNAT_ERROR_FORMAT, wrong[i]);
        CHECK_CASE(layer.input_size == 99, wrong[i]); /* nothing written */
    }
    test_layer layer;
    CHECK(test_layer_read(RNN "activations=swish", &layer) == RNNAT_ERROR_UNSUPPORTED);
}

int main(void)
{
    test_numbers();
    test_what_is_no_number();
    test_functions();
    test_what_are_no_functions();
    test_lines();
    test_wrong_lines();
    return check_result();
}
