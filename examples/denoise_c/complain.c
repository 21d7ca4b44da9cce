/* Prints one clear line for what cannot be done. */
#include "complain.h"

#include <stdarg.h>
#include <stdio.h>

bool complain(const char *subject, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "denoise: %s: ", subject);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}
