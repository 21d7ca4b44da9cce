/* What the core needs of texts, so that it calls none of libc's functions for them. */
#ifndef RNNAT_TEXT_H
#define RNNAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many characters stand before the NUL. */
size_t rnnat_text_size(const char *text);
/* Whether the `size` characters at `at` are those of `text`. */
bool rnnat_text_is(const char *at, size_t size, const char *text);
/* The first of `size` characters that is `symbol`, or `size`. */
size_t rnnat_text_find(const char *at, size_t size, char symbol);
/* How many characters from `at` on, up to its NUL, are among those of `characters`. */
size_t rnnat_text_span(const char *at, const char *characters);
/* Writes text and decimal `n`, which is not negative; out has room for both and the NUL. */
void rnnat_text_number(char *out, const char *text, int32_t n);

#endif
