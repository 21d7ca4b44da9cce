/* Numbers and activations in a layer's line (layer_line.h):
 *
 *   functions = function *( "," function )          hard_sigmoid:0x1.99999ap-3:0x1p-1,tanh
 *   function  = name *( ":" number )                one number for each constant that it takes
 *   number    = ["-"] "0x1" [fraction] "p" ("+" | "-") exponent        a normal number
 *             | ["-"] "0x0" fraction "p-1022"                           a smaller one
 *             | "0x0p+0"
 *   fraction  = "." 1*13 hexadecimal digits, the last of them not 0
 *   exponent  = decimal, without leading zeros; 0 with "+"
 *
 * This is what C's %a writes, one text for each finite double: reading it needs no rounding, and no
 * locale has a say in it. */
#ifndef RNNAT_FUNCTIONS_TEXT_H
#define RNNAT_FUNCTIONS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "../types.h"
#include "rnn_native.h"

/* RNNAT_ERROR_FORMAT: not of the form above, or not finite. */
rnnat_status rnnat_number_parse(const char *text, size_t size, double *value);
/* Up to `most` functions. RNNAT_ERROR_FORMAT: not of the form above, or more.
 * RNNAT_ERROR_UNSUPPORTED: a name that is not known here, or no name. */
rnnat_status rnnat_functions_parse(const char *text, size_t size, int32_t most, rnnat_function *out,
                                   int32_t *count);

#endif
