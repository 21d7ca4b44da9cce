/* The line of a layer in a model file's __metadata__: a kind and key=value pairs, separated by
 * single spaces, for example
 *
 *   linear in_features=256 out_features=74 bias=true activation=softmax
 *
 * Each key is there once, in any order. Which keys there are is said by tables: each layer has one
 * (layers/layer.h), and so has each cell (cells/cell.h). */
#ifndef RNNAT_LAYER_LINE_H
#define RNNAT_LAYER_LINE_H

#include <stddef.h>

#include "../message.h"
#include "../types.h"

#define RNNAT_LAYER_MAX_SIZE (1 << 24) /* of every size in a line */

/* A part of a line. */
typedef struct rnnat_slice {
    const char *at;
    size_t size;
} rnnat_slice;

/* A word that a value may be, and what it means; the last one of a list has no name. */
typedef struct rnnat_word {
    const char *name;
    int32_t value;
} rnnat_word;

/* What a value is, and what it becomes in the options. */
enum {
    RNNAT_KEY_WORD, /* one of `words`: int32_t; without words any, which becomes nothing */
    RNNAT_KEY_SIZE, /* an integer from `least` to RNNAT_LAYER_MAX_SIZE: int32_t */
    RNNAT_KEY_NUMBER, /* a number above 0: double */
    RNNAT_KEY_FUNCTIONS /* rnnat_function_list */
};

typedef struct rnnat_key {
    const char *name;
    const rnnat_word *words;
    const char *beside, *unless; /* another key, with which or without which alone it is there */
    uint16_t at; /* of the member of the options that it becomes: offsetof */
    uint8_t type;
    uint8_t least;
    bool optional; /* it may be missing */
    bool open; /* other words are RNNAT_ERROR_UNSUPPORTED; else RNNAT_ERROR_FORMAT */
} rnnat_key;

/* Members of a table: keys that have the name of the options' member. */
#define RNNAT_SIZE_KEY(options, member)                                                            \
    {.name = #member, .type = RNNAT_KEY_SIZE, .least = 1, .at = offsetof(options, member)}
#define RNNAT_COUNT_KEY(options, member)                                                           \
    {.name = #member, .type = RNNAT_KEY_SIZE, .least = 0, .at = offsetof(options, member)}
#define RNNAT_WORD_KEY(options, member, of)                                                        \
    {.name = #member, .words = of, .at = offsetof(options, member)}
#define RNNAT_OPEN_KEY(options, member, of)                                                        \
    {.name = #member, .words = of, .open = true, .at = offsetof(options, member)}

/* A table of keys. */
typedef struct rnnat_keys {
    const rnnat_key *of;
    int32_t count;
} rnnat_keys;

/* A table, whose `options` do not need more than `most` bytes; in a build without the reader
 * none. */
#if RNNAT_READER
#define RNNAT_KEYS(table, options, most)                                                           \
    {table, sizeof table / sizeof *table * sizeof(char[sizeof(options) <= (most) ? 1 : -1])}
#else
#define RNNAT_KEYS(table, options, most) {NULL, 0}
#endif

#if RNNAT_READER
extern const rnnat_word rnnat_flags[]; /* false, true */
extern const rnnat_word rnnat_activation_words[]; /* rnnat_activation */
extern const rnnat_word rnnat_only_true[], rnnat_only_false[]; /* 1 where the key is there */

/* The kind, and where the pairs begin; false where there is no kind. */
bool rnnat_line_split(const char *line, rnnat_slice *kind, const char **pairs);
/* The value of a key; false where there is no such key before what is no pair. */
bool rnnat_line_find(const char *pairs, const char *key, rnnat_slice *value);
/* Whether a line says that the layer's matrices stay in what is computed in, whatever weight_dtype
 * the model has: the line of any layer may have " weight_dtype=float32". */
bool rnnat_line_keeps(const char *line);
/* Reads all other pairs into the options, which are zero before: `more`, NULL or a second table,
 * into `more_options`. RNNAT_ERROR_FORMAT: the line is not of the form above, or does not have
 * these keys. RNNAT_ERROR_UNSUPPORTED: it does, but a word is not known here, or a size is too
 * large. `message`, or NULL: where to say which. */
rnnat_status rnnat_line_read(const char *pairs, const rnnat_keys *keys, void *options,
                             const rnnat_keys *more, void *more_options, rnnat_message *message);
#endif

#endif
