/* Reads a layer's line of a file: its keys and their values. */
#include "layer_text.h"

#include <stddef.h>

#include "../text.h"
#include "functions_text.h"

#if RNNAT_READER
/* ---- words and what they mean ---- */

typedef struct word {
    const char *name;
    int32_t value;
} word;

static const word kinds[] = {
    {"embedding", RNNAT_LAYER_EMBEDDING}, {"recurrent", RNNAT_LAYER_RECURRENT},
    {"linear", RNNAT_LAYER_LINEAR},       {"merge", RNNAT_LAYER_MERGE},
    {"combine", RNNAT_LAYER_COMBINE},     {NULL, 0}};
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
/* Modes of a merge and of a combine layer, which have one key. */
enum { ADD = 3, SUB, CONCAT };
static const word modes[] = {{"sum", RNNAT_MERGE_SUM},
                             {"mul", RNNAT_MERGE_MUL},
                             {"ave", RNNAT_MERGE_AVE},
                             {"add", ADD},
                             {"sub", SUB},
                             {"concat", CONCAT},
                             {NULL, 0}};
static const int32_t merge_of[] = {RNNAT_MERGE_SUM, RNNAT_MERGE_MUL, RNNAT_MERGE_AVE, -1, -1, -1};
static const int32_t combine_of[] = {
    -1, RNNAT_COMBINE_MUL, -1, RNNAT_COMBINE_ADD, RNNAT_COMBINE_SUB, RNNAT_COMBINE_CONCAT};

/* ---- keys and who has them ---- */

enum {
    EMBEDDING = 1,
    LINEAR = 2,
    RNN = 4,
    RNN_OUTPUT = 8, /* with an output layer */
    GRU = 16,
    LSTM = 32,
    GATES = 64, /* a gru or lstm whose gates recur on gates */
    RNN_FUNCTIONS = 128, /* with activations in the place of the nonlinearity */
    MERGE = 256,
    COMBINE = 512,
    GIVES_H = RNN | RNN_FUNCTIONS | GRU | LSTM | GATES, /* at every step, or the last one */
    RECURRENT = GIVES_H | RNN_OUTPUT
};

typedef enum line_field {
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
    FUNCTIONS, /* how many */
    CLIP,      /* whether there is one */
    INPUT_FORGET,
    LAST_ONLY,
    MODE,
    NUM_FIELDS
} line_field;

/* What a line says. */
typedef struct parsed {
    int32_t values[NUM_FIELDS];
    rnnat_function functions[2 * RNNAT_FUNCTIONS];
    double clip;
    uint32_t seen; /* keys */
} parsed;

enum { OPTIONAL = -1 };

typedef struct line_key {
    const char *name;
    int owners;
    line_field field;
    const word *words; /* the values it may have; NULL: an integer of at least `least`, or else */
    int32_t least; /* OPTIONAL: the key may be missing */
    rnnat_status unknown; /* the status of another word */
} line_key;

static const line_key keys[] = {
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
    {"activations", RNN_FUNCTIONS | GRU | LSTM, FUNCTIONS, NULL, OPTIONAL, RNNAT_OK},
    {"clip", RNN | RNN_FUNCTIONS | GRU | LSTM, CLIP, NULL, OPTIONAL, RNNAT_OK},
    {"input_forget", LSTM, INPUT_FORGET, yes, OPTIONAL, RNNAT_ERROR_FORMAT},
    {"in_features", LINEAR, INPUT_SIZE, NULL, 1, RNNAT_OK},
    {"out_features", LINEAR, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"activation", LINEAR, ACTIVATION, activations, 0, RNNAT_ERROR_UNSUPPORTED},
    {"return_sequences", GIVES_H, LAST_ONLY, no, OPTIONAL, RNNAT_ERROR_FORMAT},
    {"features", MERGE, OUTPUT_SIZE, NULL, 1, RNNAT_OK},
    {"mode", MERGE | COMBINE, MODE, modes, 0, RNNAT_ERROR_UNSUPPORTED},
};

enum { NUM_KEYS = sizeof keys / sizeof *keys };
_Static_assert(NUM_KEYS <= 32, "as many as `seen` has bits");

/* ---- parsing ---- */

typedef struct slice {
    const char *at;
    size_t size;
} slice;

static bool slice_is(slice text, const char *name)
{
    return rnnat_text_is(text.at, text.size, name);
}

/* Takes what these characters make up at *at. False where there is nothing of them. */
static bool take_slice(const char **at, const char *characters, slice *out)
{
    out->at = *at;
    out->size = rnnat_text_span(*at, characters);
    *at += out->size;
    return out->size > 0;
}

/* Takes a lower-case word. */
static bool take_word(const char **at, slice *out)
{
    return take_slice(at, "abcdefghijklmnopqrstuvwxyz0123456789_", out);
}

/* Takes a value. */
static bool take_value(const char **at, slice *out)
{
    return take_slice(at, "abcdefghijklmnopqrstuvwxyz0123456789_.:,+-", out);
}

static bool take_symbol(const char **at, char symbol)
{
    const bool there = **at == symbol;
    *at += there;
    return there;
}

static rnnat_status find_word(const word *words, slice text, int32_t *value)
{
    for (; words->name != NULL; ++words) {
        if (slice_is(text, words->name)) {
            *value = words->value;
            return RNNAT_OK;
        }
    }
    return RNNAT_ERROR_FORMAT;
}

/* Decimal, without a sign or leading zeros. */
static rnnat_status read_size(slice text, int32_t least, int32_t *value)
{
    if (rnnat_text_span(text.at, "0123456789") != text.size || (text.size > 1 && *text.at == '0')) {
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

static rnnat_status read_value(const line_key *k, slice text, parsed *line)
{
    int32_t *const value = &line->values[k->field];
    if (k->words != NULL) {
        return find_word(k->words, text, value) == RNNAT_OK ? RNNAT_OK : k->unknown;
    }
#if RNNAT_WITH_GENERAL
    if (k->field == FUNCTIONS) {
        return rnnat_functions_parse(text.at, text.size, 2 * RNNAT_FUNCTIONS, line->functions,
                                     value);
    }
    if (k->field == CLIP) {
        *value = 1;
        const rnnat_status status = rnnat_number_parse(text.at, text.size, &line->clip);
        return status == RNNAT_OK && line->clip <= 0 ? RNNAT_ERROR_FORMAT : status;
    }
#else
    if (k->field == FUNCTIONS || k->field == CLIP) return RNNAT_ERROR_UNSUPPORTED;
#endif
    return read_size(text, k->least, value);
}

/* Reads " key=value". */
static rnnat_status read_pair(const char **at, parsed *line)
{
    slice name;
    slice text;
    if (!take_symbol(at, ' ') || !take_word(at, &name) || !take_symbol(at, '=') ||
        !take_value(at, &text)) {
        return RNNAT_ERROR_FORMAT;
    }
    for (int i = 0; i < NUM_KEYS; ++i) {
        if (slice_is(name, keys[i].name)) {
            if ((line->seen >> i & 1) != 0) {
                return RNNAT_ERROR_FORMAT;
            }
            line->seen |= UINT32_C(1) << i;
            return read_value(&keys[i], text, line);
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
    if (kind == RNNAT_LAYER_COMBINE) return COMBINE;
    if (values[CELL] == RNNAT_CELL_RNN && values[OUTPUT_LAYER]) return RNN_OUTPUT;
    if (values[CELL] == RNNAT_CELL_RNN) return values[FUNCTIONS] ? RNN_FUNCTIONS : RNN;
    if (values[GATE_RECURRENT]) return GATES;
    return values[CELL] == RNNAT_CELL_GRU ? GRU : LSTM;
}

/* True where these are the keys that it has: all of them, but for optional ones. */
static bool has_its_keys(int owner, uint32_t seen)
{
    for (int i = 0; i < NUM_KEYS; ++i) {
        const bool there = (seen >> i & 1) != 0, own = (keys[i].owners & owner) != 0;
        if (there ? !own : own && keys[i].least != OPTIONAL) {
            return false;
        }
    }
    return true;
}

/* How many activations a cell has. */
static int32_t functions_of(rnnat_cell_kind cell)
{
    return cell == RNNAT_CELL_RNN ? 1 : cell == RNNAT_CELL_GRU ? 2 : 3;
}

static rnnat_function standard_function(const parsed *line, int32_t which)
{
    rnnat_gate_activation kind = which == 0 ? RNNAT_GATE_SIGMOID : RNNAT_GATE_TANH;
    if (line->values[CELL] == RNNAT_CELL_RNN) {
        kind = line->values[ACTIVATION] == RNNAT_RELU      ? RNNAT_GATE_RELU
               : line->values[ACTIVATION] == RNNAT_SIGMOID ? RNNAT_GATE_SIGMOID
                                                           : RNNAT_GATE_TANH;
    }
    return (rnnat_function){.kind = kind};
}

/* The activations of both directions; a line states those of one, which both have, or of each. */
static rnnat_status put_functions(const parsed *line, rnnat_layer_text *layer)
{
    const int32_t count = functions_of(layer->cell), stated = line->values[FUNCTIONS];
    const int32_t sides = layer->direction == RNNAT_BIDIRECTIONAL ? 2 : 1;
    layer->general = stated || line->values[CLIP] || line->values[INPUT_FORGET];
    if (stated && stated != count && stated != count * sides) return RNNAT_ERROR_FORMAT;
    for (int32_t d = 0; layer->general && d < sides; ++d) {
        rnnat_functions *const functions = &layer->functions[d];
        functions->clip = line->clip;
        functions->input_forget = line->values[INPUT_FORGET] != 0;
        for (int32_t i = 0; i < count; ++i) {
            functions->of[i] = stated ? line->functions[(stated > count ? d * count : 0) + i]
                                      : standard_function(line, i);
        }
    }
    return RNNAT_OK;
}

rnnat_status rnnat_layer_text_parse(const char *text, rnnat_layer_text *out)
{
    if (text == NULL || out == NULL) {
        return RNNAT_ERROR_ARGUMENT;
    }
    slice name;
    int32_t kind;
    parsed line = {.seen = 0};
    const int32_t *const values = line.values;
    if (!take_word(&text, &name) || find_word(kinds, name, &kind) != RNNAT_OK) {
        return RNNAT_ERROR_FORMAT;
    }
    while (*text != '\0') {
        const rnnat_status status = read_pair(&text, &line);
        if (status != RNNAT_OK) {
            return status;
        }
    }
    if (!has_its_keys(owner_of(kind, values), line.seen) ||
        (kind == RNNAT_LAYER_RECURRENT && values[PROJ_SIZE] >= values[OUTPUT_SIZE])) {
        return RNNAT_ERROR_FORMAT;
    }
    const int32_t mode = (kind == RNNAT_LAYER_COMBINE ? combine_of : merge_of)[values[MODE]];
    if (mode < 0) return RNNAT_ERROR_UNSUPPORTED;
    rnnat_layer_text layer = {
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
        .merge = kind == RNNAT_LAYER_MERGE ? (rnnat_merge)mode : RNNAT_MERGE_SUM,
        .combine = kind == RNNAT_LAYER_COMBINE ? (rnnat_combine)mode : RNNAT_COMBINE_ADD,
    };
    const rnnat_status status =
        layer.kind == RNNAT_LAYER_RECURRENT ? put_functions(&line, &layer) : RNNAT_OK;
    if (status == RNNAT_OK) *out = layer;
    return status;
}
#endif
