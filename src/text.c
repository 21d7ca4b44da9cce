/* Texts, without libc's functions for them. */
#include "text.h"

#include "config.h"

/* No text is longer: the bound keeps compilers from turning the loop into a call of strlen. */
enum { rnnat_text_most = 4096 };

size_t rnnat_text_size(const char *text)
{
    size_t size = 0;
    while (size < rnnat_text_most && text[size]) ++size;
    return size;
}

bool rnnat_text_is(const char *at, size_t size, const char *text)
{
    size_t same = 0;
    while (same < size && text[same] && at[same] == text[same]) ++same;
    return same == size && !text[same];
}

#if RNNAT_READER || RNNAT_THREADS
size_t rnnat_text_find(const char *at, size_t size, char symbol)
{
    size_t i = 0;
    while (i < size && at[i] != symbol) ++i;
    return i;
}

size_t rnnat_text_span(const char *at, const char *characters)
{
    const size_t count = rnnat_text_size(characters);
    size_t size = 0;
    while (at[size] && rnnat_text_find(characters, count, at[size]) < count) ++size;
    return size;
}

void rnnat_text_number(char *out, const char *text, int32_t n)
{
    char digits[12];
    size_t used = 0, count = 0;
    for (; text[used]; ++used) out[used] = text[used];
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (count) out[used++] = digits[--count];
    out[used] = '\0';
}
#endif
