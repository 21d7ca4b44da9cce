/* Splits the line of a layer, and reads its values by tables of keys. */
#include "layer_line.h"

#include <string.h>

#include "../text.h"
#include "../weight_types.h"
#include "functions_text.h"

#if RNNAT_READER
const rnnat_word rnnat_flags[] = {{"false", 0}, {"true", 1}, {NULL, 0}};
const rnnat_word rnnat_only_true[] = {{"true", 1}, {NULL, 0}};
const rnnat_word rnnat_only_false[] = {{"false", 1}, {NULL, 0}};
const rnnat_word rnnat_activation_words[] = {{"identity", RNNAT_IDENTITY},
                                             {"sigmoid", RNNAT_SIGMOID},
                                             {"tanh", RNNAT_TANH},
                                             {"relu", RNNAT_RELU},
                                             {"softmax", RNNAT_SOFTMAX},
                                             {"log_softmax", RNNAT_LOG_SOFTMAX},
                                             {NULL, 0}};

/* ---- splitting ---- */

typedef struct line_pair {
    rnnat_slice key, value;
} line_pair;

/* Takes what these characters make up at *at. False where there is nothing of them. */
static bool take_slice(const char **at, const char *characters, rnnat_slice *out)
{
    out->at = *at;
    out->size = rnnat_text_span(*at, characters);
    *at += out->size;
    return out->size > 0;
}

/* Takes a lower-case word. */
static bool take_word(const char **at, rnnat_slice *out)
{
    return take_slice(at, "abcdefghijklmnopqrstuvwxyz0123456789_", out);
}

static bool take_symbol(const char **at, char symbol)
{
    const bool there = **at == symbol;
    *at += there;
    return there;
}

/* Takes " key=value". */
static bool take_pair(const char **at, line_pair *pair)
{
    return take_symbol(at, ' ') && take_word(at, &pair->key) && take_symbol(at, '=') &&
           take_slice(at, "abcdefghijklmnopqrstuvwxyz0123456789_.:,+-", &pair->value);
}

bool rnnat_line_split(const char *line, rnnat_slice *kind, const char **pairs)
{
    *pairs = line;
    return take_word(pairs, kind);
}

/* The value of a key before `end`; NULL: before the line's. */
static bool find_before(const char *pairs, const char *end, const char *key, rnnat_slice *value)
{
    line_pair pair;
    while (pairs != end && take_pair(&pairs, &pair)) {
        if (rnnat_text_is(pair.key.at, pair.key.size, key)) {
            *value = pair.value;
            return true;
        }
    }
    return false;
}

bool rnnat_line_find(const char *pairs, const char *key, rnnat_slice *value)
{
    return find_before(pairs, NULL, key, value);
}

/* The key that any line may have: what matrices are stored as, whatever the model's weight_dtype. */
static const char kept[] = "weight_dtype";

#if RNNAT_WITH_NARROW
bool rnnat_line_keeps(const char *line)
{
    rnnat_slice kind, value;
    const char *pairs;
    return rnnat_line_split(line, &kind, &pairs) && rnnat_line_find(pairs, kept, &value);
}
#endif

/* ---- values ---- */

static rnnat_status read_word(const rnnat_key *key, rnnat_slice text, int32_t *value)
{
    for (const rnnat_word *word = key->words; word->name; ++word) {
        if (!rnnat_text_is(text.at, text.size, word->name)) continue;
        *value = word->value;
        return RNNAT_OK;
    }
    return key->open ? RNNAT_ERROR_UNSUPPORTED : RNNAT_ERROR_FORMAT;
}

/* Decimal, without a sign or leading zeros. */
static rnnat_status read_size(const rnnat_key *key, rnnat_slice text, int32_t *value)
{
    if (rnnat_text_span(text.at, "0123456789") != text.size || (text.size > 1 && *text.at == '0'))
        return RNNAT_ERROR_FORMAT;
    int32_t size = 0;
    for (size_t i = 0; i < text.size; ++i) {
        size = size * 10 + (text.at[i] - '0');
        if (size > RNNAT_LAYER_MAX_SIZE) return RNNAT_ERROR_UNSUPPORTED;
    }
    *value = size;
    return size >= key->least ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

/* `to`: the member of the options. */
static rnnat_status read_value(const rnnat_key *key, rnnat_slice text, void *to)
{
#if RNNAT_WITH_GENERAL
    if (key->type == RNNAT_KEY_FUNCTIONS) {
        rnnat_function_list *const list = to;
        return rnnat_functions_parse(text.at, text.size, RNNAT_FUNCTION_LIST, list->of,
                                     &list->count);
    }
#endif
    if (key->type == RNNAT_KEY_NUMBER) {
        double *const number = to;
        const rnnat_status status = rnnat_number_parse(text.at, text.size, number);
        return status == RNNAT_OK && *number <= 0 ? RNNAT_ERROR_FORMAT : status;
    }
    if (key->type == RNNAT_KEY_SIZE) return read_size(key, text, to);
    return key->words ? read_word(key, text, to) : RNNAT_OK;
}

/* ---- keys ---- */

static const rnnat_key *key_of(const rnnat_keys *keys, rnnat_slice name)
{
    for (int32_t i = 0; keys && i < keys->count; ++i)
        if (rnnat_text_is(name.at, name.size, keys->of[i].name)) return &keys->of[i];
    return NULL;
}

/* Whether the line has each of these keys that it must have, and none that does not go with others. */
static bool has_keys(const char *pairs, const rnnat_keys *keys, rnnat_message *message)
{
    (void)message;
    rnnat_slice value;
    for (int32_t i = 0; keys && i < keys->count; ++i) {
        const rnnat_key *const key = &keys->of[i];
        const bool there = rnnat_line_find(pairs, key->name, &value);
        const bool may = (!key->beside || rnnat_line_find(pairs, key->beside, &value)) &&
                         !(key->unless && rnnat_line_find(pairs, key->unless, &value));
        if (there ? may : !may || key->optional) continue;
        (void)RNNAT_SAY(message, RNNAT_ERROR_FORMAT,
                        RNNAT_TEXT(there ? "did not expect " : "expected "), RNNAT_TEXT(key->name),
                        RNNAT_TEXT("= with these keys"));
        return false;
    }
    return true;
}

rnnat_status rnnat_line_read(const char *pairs, const rnnat_keys *keys, void *options,
                             const rnnat_keys *more, void *more_options, rnnat_message *message)
{
    for (const char *at = pairs; *at;) {
        const char *const before = at;
        line_pair pair;
        rnnat_slice other;
        if (!take_pair(&at, &pair))
            return RNNAT_SAY(message, RNNAT_ERROR_FORMAT,
                             RNNAT_TEXT("expected \" key=value\", got \""), RNNAT_TEXT(before),
                             RNNAT_TEXT("\""));
        if (rnnat_text_is(pair.key.at, pair.key.size, kept)) {
            const bool is_float32 = rnnat_text_is(pair.value.at, pair.value.size, "float32");
            if (!is_float32 || find_before(pairs, before, kept, &other))
                return RNNAT_SAY(message, RNNAT_ERROR_FORMAT,
                                 RNNAT_TEXT("expected weight_dtype=float32 once"));
            continue;
        }
        const rnnat_key *const own = key_of(keys, pair.key);
        const rnnat_key *const key = own ? own : key_of(more, pair.key);
        if (!key || find_before(pairs, before, key->name, &other))
            return RNNAT_SAY(message, RNNAT_ERROR_FORMAT, RNNAT_PART(pair.key.at, pair.key.size),
                             RNNAT_TEXT(key ? "= comes twice" : "= is no key of such a layer"));
        char *const to = own ? options : more_options;
        const rnnat_status status = read_value(key, pair.value, to + key->at);
        if (status != RNNAT_OK)
            return RNNAT_SAY(message, status, RNNAT_PART(pair.key.at, pair.key.size),
                             RNNAT_TEXT("="), RNNAT_PART(pair.value.at, pair.value.size),
                             RNNAT_TEXT(status == RNNAT_ERROR_UNSUPPORTED
                                            ? " is nothing that this library has"
                                            : " is no value of that key"));
    }
    const bool right = has_keys(pairs, keys, message) && has_keys(pairs, more, message);
    return right ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}
#endif
