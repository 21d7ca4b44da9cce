/* What a file calls a value of a graph. */
#ifndef RNNAT_VALUE_NAME_H
#define RNNAT_VALUE_NAME_H

#include <stdbool.h>

#include "rnn_native.h"

/* "in0", "3" or "3:1": an input, what a layer gives, or its second value. */
typedef struct rnnat_value_name {
    int32_t number; /* of the input or layer */
    bool is_input, is_last;
} rnnat_value_name;

/* Takes a decimal number, from 0 on, and ends *at behind it. */
rnnat_status rnnat_take_number(const char **at, int32_t *number);
/* Takes a name, and the comma behind it where more follows. */
rnnat_status rnnat_take_value_name(const char **at, rnnat_value_name *of);
/* Whether the names from `text` up to `end`, all right ones, have this one among them. */
bool rnnat_is_named_before(const char *text, const char *end, rnnat_value_name of);

#endif
