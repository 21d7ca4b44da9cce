/* Reads the names that a file gives to values. */
#include "value_name.h"

#include "../file/layer_line.h"

#if RNNAT_READER
rnnat_status rnnat_take_number(const char **at, int32_t *number)
{
    const char *const begin = *at;
    int32_t n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        n = n * 10 + (**at - '0');
        if (n > RNNAT_LAYER_MAX_SIZE) return RNNAT_ERROR_UNSUPPORTED;
    }
    *number = n;
    return *at > begin && (*at == begin + 1 || *begin != '0') ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

rnnat_status rnnat_take_value_name(const char **at, rnnat_value_name *of)
{
    of->is_input = (*at)[0] == 'i' && (*at)[1] == 'n';
    if (of->is_input) *at += 2;
    const rnnat_status status = rnnat_take_number(at, &of->number);
    if (status != RNNAT_OK) return status;
    of->is_last = !of->is_input && (*at)[0] == ':' && (*at)[1] == '1';
    if (of->is_last) *at += 2;
    if (**at == ',' && (*at)[1]) ++*at;
    return RNNAT_OK;
}

bool rnnat_is_named_before(const char *text, const char *end, rnnat_value_name of)
{
    rnnat_value_name other;
    while (text < end && rnnat_take_value_name(&text, &other) == RNNAT_OK)
        if (other.number == of.number && other.is_input == of.is_input &&
            other.is_last == of.is_last)
            return true;
    return false;
}
#endif
