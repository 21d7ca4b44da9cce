/* The text that a caller's options have room for: what was expected, what came, and where. It is
 * put together without the heap and without printf, and is never written beyond its size. */
#ifndef RNNAT_MESSAGE_H
#define RNNAT_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "rnn_native.h"

/* A text that is written; `size` 0: nobody reads it. */
typedef struct rnnat_message {
    char *text;
    size_t size, used; /* bytes that there are, and characters that are written */
} rnnat_message;

/* A piece of a text: characters or, where `text` is NULL, a number. */
typedef struct rnnat_message_part {
    const char *text;
    size_t size; /* no more characters than that, and none from a NUL on */
    int64_t number;
} rnnat_message_part;
#define RNNAT_TEXT(characters) {characters, 4096, 0}
#define RNNAT_PART(at, count) {(const char *)(at), count, 0}
#define RNNAT_NUMBER(value) {NULL, 0, (int64_t)(value)}

/* The caller's buffer, whose text becomes empty; of no size, where the options have none, or are
 * not those of this version. Without RNNAT_WITH_MESSAGES nobody writes there. */
static inline rnnat_message rnnat_message_of(const rnnat_model_options *opt)
{
    const rnnat_message none = {NULL, 0, 0};
    if (!RNNAT_WITH_MESSAGES || !opt || opt->struct_size != sizeof *opt) return none;
    if (!opt->message || !opt->message_size) return none;
    *opt->message = '\0';
    return (rnnat_message){opt->message, opt->message_size, 0};
}

/* Takes a text back. */
static inline void rnnat_take_back(rnnat_message *message)
{
    if (!RNNAT_WITH_MESSAGES || !message || !message->used) return;
    message->used = 0;
    *message->text = '\0';
}

/* RNNAT_SAY(message, status, pieces...) writes the pieces, unless there is a text already, and
 * gives the status; RNNAT_SAY_MORE writes them behind the text. `message` may be NULL. Without
 * RNNAT_WITH_MESSAGES neither looks at anything but the status. */
#if RNNAT_WITH_MESSAGES
rnnat_status rnnat_say(rnnat_message *message, rnnat_status status,
                       const rnnat_message_part *pieces, size_t count);
rnnat_status rnnat_say_more(rnnat_message *message, rnnat_status status,
                            const rnnat_message_part *pieces, size_t count);
/* What a status means, in a few words. */
const char *rnnat_status_meaning(rnnat_status status);
#define RNNAT_PIECES(...)                                                                          \
    (const rnnat_message_part[]){__VA_ARGS__},                                                     \
        sizeof((const rnnat_message_part[]){__VA_ARGS__}) / sizeof(rnnat_message_part)
#define RNNAT_SAY(message, status, ...) rnnat_say(message, status, RNNAT_PIECES(__VA_ARGS__))
#define RNNAT_SAY_MORE(message, status, ...)                                                       \
    rnnat_say_more(message, status, RNNAT_PIECES(__VA_ARGS__))
#else
#define RNNAT_SAY(message, status, ...) (status)
#define RNNAT_SAY_MORE(message, status, ...) (status)
#endif

#endif
