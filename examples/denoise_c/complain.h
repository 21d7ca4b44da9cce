/* One clear line for what cannot be done. */
#ifndef COMPLAIN_H
#define COMPLAIN_H

#include <stdbool.h>

/* Prints "denoise: SUBJECT: ..." to standard error; false, so that a check can return it. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool complain(const char *subject, const char *format, ...);

#endif /* COMPLAIN_H */
