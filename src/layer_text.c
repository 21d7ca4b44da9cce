#include "layer_text.h"

#include <stddef.h>
#include <string.h>

/* ---- words and what they mean ---- */

typedef struct word {
    const char *name;
    int32_t value;
} word;

static const word kinds[] = {{"embedding", RNNAT_LAYER_EMBEDDING},
                             {"recurrent", RNNAT_LAYER_RECURRENT},
                             {"linear", RNNAT_LAYER_LINEAR},
                             {"merge", RNNAT_LAYER_MERGE},
                             {NULL, 0}};
static const word cells[] = {
    {"rnn", RNNAT_CELL_RNN}, {"gru", RNNAT_CELL_GRU}, {"lstm", RNNAT_CELL_LSTM}, {NULL, 0}};
static const word directions[] = {{"forward", RNNAT_FORWARD},
                                  {"reverse", RNNAT_REVERSE},
                                  {"bidirectional", RNNAT_BIDIRECTIONAL},
                                  {NULL, 0}};
static const word activations[] = {{"identity", RNNAT_IDENTITY},
                                   {"sigmoid", RNNAT_SIGMOID},
                                   {"tanh", RNNAT_TANH},
                                   {"relu", RNNAT_RELU},
                                   {"softmax", RNNAT_SOFTMAX},
                                   {"log_softmax", RNNAT_LOG_SOFTMAX},
                                   {NULL, 0}};
static const word nonlinearities[] = {
    {"tanh", RNNAT_TANH}, {"relu", RNNAT_RELU}, {"sigmoid", RNNAT_SIGMOID}, {NULL, 0}};
static const word flags[] = {{"false", 0}, {"true", 1}, {NULL, 0}};
static const word yes[] = {{"true", 1}, {NULL, 0}}; /* where the key's absence says no */
static const word no[] = {{"false", 1}, {NULL, 0}}; /* or yes: 1 where the key is there */
static const word merges[] = {
    {"sum", RNNAT_MERGE_SUM}, {"mul", RNNAT_MERGE_MUL}, {"ave", RNNAT_MERGE_AVE}, {NULL, 0}};

/* ---- keys and who has them ---- */

enum {
    EMBEDDING = 1,
    LINEAR = 2,
    RNN = 4,
    RNN_OUTPUT = 8, /* with an output layer */
    GRU = 16,
    LSTM = 32,
    GATES = 64, /* a gru or lstm whose gates recur on gates */
    MERGE = 128,
    LAST = 256, /* with one of the cells, but for an output layer: it gives its last state alone */
    RECURRENT = RNN | RNN_OUTPUT | GRU | LSTM | GATES
};

typedef enum field {
    CELL,
    INPUT_SIZE,
    OUTPUT_SIZE,
    NUM_LAYERS,
    PROJ_SIZE,
    DIRECTION,
    ACTIVATION,
    BIAS,
    RESET_AFTER,
    PEEPHOLE,
    GATE_RECURRENT,
    OUTPUT_LAYER,
    OUTPUT_ACTIVATION,
    LAST_ONLY,
    MERGE_MODE,
    NUM_FIELDS
} field;

typedef struct key {
    const char *name;
    int owners;
    field field;
    const word *words; /* the values it may have; NULL: an integer of at least `least` */
    int32_t least;
    rnnat_status unknown; /* the status of another word */
} key;

static const key keys[] = {
    {"num_embeddings", EMBEDDING, INPUT_SIZE, NULL, 1, RNNAT_OK},
    {"embedding_dim", EMBEDDING, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"cell", RECURRENT, CELL, cells, 0, RNNAT_ERROR_UNSUPPORTED},
    {"input_size", RECURRENT, INPUT_SIZE, NULL, 1, RNNAT_OK},
    {"hidden_size", RECURRENT, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"num_layers", RECURRENT, NUM_LAYERS, NULL, 1, RNNAT_OK},
    {"direction", RECURRENT, DIRECTION, directions, 0, RNNAT_ERROR_FORMAT},
    {"bias", RECURRENT | LINEAR, BIAS, flags, 0, RNNAT_ERROR_FORMAT},
    {"nonlinearity", RNN | RNN_OUTPUT, ACTIVATION, nonlinearities, 0, RNNAT_ERROR_UNSUPPORTED},
    {"output_layer", RNN_OUTPUT, OUTPUT_LAYER, NULL, 1, RNNAT_OK},
    {"output_nonlinearity", RNN_OUTPUT, OUTPUT_ACTIVATION, activations, 0, RNNAT_ERROR_UNSUPPORTED},
    {"reset_after", GRU, RESET_AFTER, flags, 0, RNNAT_ERROR_FORMAT},
    {"proj_size", LSTM, PROJ_SIZE, NULL, 0, RNNAT_OK},
    {"peephole", LSTM, PEEPHOLE, flags, 0, RNNAT_ERROR_FORMAT},
    {"gate_recurrent", GATES, GATE_RECURRENT, yes, 0, RNNAT_ERROR_FORMAT},
    {"in_features", LINEAR, INPUT_SIZE, NULL, 1, RNNAT_OK},
    {"out_features", LINEAR, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"activation", LINEAR, ACTIVATION, activations, 0, RNNAT_ERROR_UNSUPPORTED},
    {"return_sequences", LAST, LAST_ONLY, no, 0, RNNAT_ERROR_FORMAT},
    {"features", MERGE, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"mode", MERGE, MERGE_MODE, merges, 0, RNNAT_ERROR_UNSUPPORTED},
};

enum { NUM_KEYS = sizeof keys / sizeof *keys };

/* ---- parsing ---- */

typedef struct span {
    const char *at;
    size_t size;
} span;

static bool span_is(span text, const char *name)
{
    return strlen(name) == text.size && memcmp(text.at, name, text.size) == 0;
}

/* Takes the lower-case word at *at. False where there is none. */
static bool take_word(const char **at, span *out)
{
    out->at = *at;
    out->size = strspn(*at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    *at += out->size;
    return out->size > 0;
}

static bool take_symbol(const char **at, char symbol)
{
    const bool there = **at == symbol;
    *at += there;
    return there;
}

static rnnat_status find_word(const word *words, span text, int32_t *value)
{
    for (; words->name != NULL; ++words) {
        if (span_is(text, words->name)) {
            *value = words->value;
            return RNNAT_OK;
        }
    }
    return RNNAT_ERROR_FORMAT;
}

/* Decimal, without a sign or leading zeros. */
static rnnat_status read_size(span text, int32_t least, int32_t *value)
{
    if (strspn(text.at, "0123456789") != text.size || (text.size > 1 && *text.at == '0')) {
        return RNNAT_ERROR_FORMAT;
    }
    int32_t size = 0;
    for (size_t i = 0; i < text.size; ++i) {
        size = size * 10 + (text.at[i] - '0');
        if (size > RNNAT_LAYER_MAX_SIZE) {
            return RNNAT_ERROR_UNSUPPORTED;
        }
    }
    *value = size;
    return size >= least ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

static rnnat_status read_value(const key *k, span text, int32_t *value)
{
    if (k->words == NULL) {
        return read_size(text, k->least, value);
    }
    return find_word(k->words, text, value) == RNNAT_OK ? RNNAT_OK : k->unknown;
}

/* Reads " key=value" into the values and marks the key in *seen. */
static rnnat_status read_pair(const char **at, int32_t values[NUM_FIELDS], uint32_t *seen)
{
    span name;
    span text;
    if (!take_symbol(at, ' ') || !take_word(at, &name) || !take_symbol(at, '=') ||
        !take_word(at, &text)) {
        return RNNAT_ERROR_FORMAT;
    }
    for (int i = 0; i < NUM_KEYS; ++i) {
        if (span_is(name, keys[i].name)) {
            if ((*seen >> i & 1) != 0) {
                return RNNAT_ERROR_FORMAT;
            }
            *seen |= UINT32_C(1) << i;
            return read_value(&keys[i], text, &values[keys[i].field]);
        }
    }
    return RNNAT_ERROR_FORMAT;
}

/* Who a layer of this kind and with these values is. */
static int owner_of(int32_t kind, const int32_t values[NUM_FIELDS])
{
    if (kind == RNNAT_LAYER_EMBEDDING) return EMBEDDING;
    if (kind == RNNAT_LAYER_LINEAR) return LINEAR;
    if (kind == RNNAT_LAYER_MERGE) return MERGE;
    const int last = values[LAST_ONLY] ? LAST : 0;
    if (values[CELL] == RNNAT_CELL_RNN) return values[OUTPUT_LAYER] ? RNN_OUTPUT : RNN | last;
    if (values[GATE_RECURRENT]) return GATES | last;
    return (values[CELL] == RNNAT_CELL_GRU ? GRU : LSTM) | last;
}

/* The keys that it has. */
static uint32_t expected_keys(int owner)
{
    uint32_t mask = 0;
    for (int i = 0; i < NUM_KEYS; ++i) {
        if ((keys[i].owners & owner) != 0) {
            mask |= UINT32_C(1) << i;
        }
    }
    return mask;
}

rnnat_status rnnat_layer_text_parse(const char *text, rnnat_layer_text *out)
{
    if (text == NULL || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    span name;
    int32_t kind;
    int32_t values[NUM_FIELDS] = {0};
    uint32_t seen = 0;
    if (!take_word(&text, &name) || find_word(kinds, name, &kind) != RNNAT_OK) {
        return RNNAT_ERROR_FORMAT;
    }
    while (*text != '\0') {
        const rnnat_status status = read_pair(&text, values, &seen);
        if (status != RNNAT_OK) {
            return status;
        }
    }
    if (seen != expected_keys(owner_of(kind, values)) || values[PROJ_SIZE] >= values[OUTPUT_SIZE]) {
        return RNNAT_ERROR_FORMAT;
    }
    *out = (rnnat_layer_text){
        .kind = (rnnat_layer_kind)kind,
        .cell = (rnnat_cell_kind)values[CELL],
        .input_size = kind == RNNAT_LAYER_MERGE ? 2 * values[OUTPUT_SIZE] : values[INPUT_SIZE],
        .output_size = values[OUTPUT_SIZE],
        .num_layers = values[NUM_LAYERS],
        .proj_size = values[PROJ_SIZE],
        .direction = (rnnat_direction)values[DIRECTION],
        .activation = (rnnat_activation)values[ACTIVATION],
        .bias = values[BIAS] != 0,
        .reset_after = values[RESET_AFTER] != 0,
        .peephole = values[PEEPHOLE] != 0,
        .gate_recurrent = values[GATE_RECURRENT] != 0,
        .output_layer = values[OUTPUT_LAYER],
        .output_activation = (rnnat_activation)values[OUTPUT_ACTIVATION],
        .last_only = values[LAST_ONLY] != 0,
        .merge = (rnnat_merge)values[MERGE_MODE],
    };
    return RNNAT_OK;
}
