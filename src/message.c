/* Writes the texts of faults: message.h. */
#include "message.h"

#include <stdbool.h>

#if RNNAT_WITH_MESSAGES
/* Cuts off what is left of a character of UTF-8 at the end, which had no room. */
static void cut_character(rnnat_message *message)
{
    size_t end = message->used;
    while (end > 0 && ((unsigned char)message->text[end - 1] & 0xC0) == 0x80) --end;
    if (end > 0 && (unsigned char)message->text[end - 1] >= 0xC0) --end;
    message->used = end;
}

/* Writes characters as far as there is room; those that move a terminal become question marks. */
static void put_text(rnnat_message *message, const char *text, size_t size)
{
    for (size_t i = 0; i < size && text[i]; ++i) {
        const unsigned char c = (unsigned char)text[i];
        if (message->used + 1 >= message->size) {
            if ((c & 0xC0) == 0x80) cut_character(message);
            message->size = message->used + 1; /* nothing follows */
            return;
        }
        message->text[message->used++] = c < 0x20 || c == 0x7F ? '?' : text[i];
    }
}

static void put_number(rnnat_message *message, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) put_text(message, "-", 1);
    put_text(message, digits + at, sizeof digits - at);
}

rnnat_status rnnat_say_more(rnnat_message *message, rnnat_status status,
                            const rnnat_message_part *pieces, size_t count)
{
    if (!message || !message->size) return status;
    for (size_t i = 0; i < count; ++i) {
        if (pieces[i].text)
            put_text(message, pieces[i].text, pieces[i].size);
        else
            put_number(message, pieces[i].number);
    }
    message->text[message->used] = '\0';
    return status;
}

rnnat_status rnnat_say(rnnat_message *message, rnnat_status status,
                       const rnnat_message_part *pieces, size_t count)
{
    return message && message->used ? status : rnnat_say_more(message, status, pieces, count);
}

const char *rnnat_status_meaning(rnnat_status status)
{
    static const char *const meanings[] = {
        [RNNAT_ERROR_ARGUMENT] = "an argument has a value that it may not have",
        [RNNAT_ERROR_FORMAT] = "the file is malformed, or does not describe layers",
        [RNNAT_ERROR_UNSUPPORTED] = "this library does not have what the model needs",
        [RNNAT_ERROR_SHAPE] = "sizes do not fit each other",
        [RNNAT_ERROR_NOT_FOUND] = "an array that a layer needs is not in the file",
        [RNNAT_ERROR_OVERFLOW] = "the model needs more bytes than size_t counts",
        [RNNAT_ERROR_NO_MEMORY] = "the heap has no room for the model"};
    const size_t index = (size_t)status;
    const bool known = index < sizeof meanings / sizeof *meanings && meanings[index];
    return known ? meanings[index] : rnnat_status_name(status);
}
#endif
