/* Reads numbers and activations of a layer's line: functions_text.h has the grammar. */
#include "functions_text.h"

#include <math.h>

#include "../text.h"

#if RNNAT_READER
/* Takes `symbol` off the front of the text, where it is there. */
static bool take(const char **text, const char *end, char symbol)
{
    const bool there = *text < end && **text == symbol;
    *text += there;
    return there;
}

/* Takes one digit of the base, 10 or 16; -1 where there is none. */
static int take_digit(const char **text, const char *end, int base)
{
    if (*text == end) return -1;
    const int digit = (int)rnnat_text_find("0123456789abcdef", (size_t)base, **text);
    if (digit == base) return -1;
    ++*text;
    return digit;
}

/* Takes ["." digits], the last of which is not 0, behind the mantissa's first digit; their number,
 * -1 where they are not of that form. */
static int take_fraction(const char **text, const char *end, int64_t *mantissa)
{
    int places = 0, digit;
    if (!take(text, end, '.')) return 0;
    for (; places < 13 && (digit = take_digit(text, end, 16)) >= 0; ++places)
        *mantissa = *mantissa * 16 + digit;
    return places > 0 && *mantissa % 16 ? places : -1;
}

/* Takes "p", a sign and decimal digits without leading zeros, at most four of them. */
static bool take_exponent(const char **text, const char *end, int *exponent)
{
    int digits = 0, digit;
    if (!take(text, end, 'p')) return false;
    const bool down = take(text, end, '-');
    if (!down && !take(text, end, '+')) return false;
    const bool zero = *text < end && **text == '0';
    for (*exponent = 0; digits < 4 && (digit = take_digit(text, end, 10)) >= 0; ++digits)
        *exponent = *exponent * 10 + digit;
    if (digits == 0 || (zero && (digits > 1 || down))) return false;
    if (down) *exponent = -*exponent;
    return true;
}

rnnat_status rnnat_number_parse(const char *text, size_t size, double *value)
{
    const char *const end = text + size;
    const bool negative = take(&text, end, '-');
    if (!take(&text, end, '0') || !take(&text, end, 'x')) return RNNAT_ERROR_FORMAT;
    const bool normal = take(&text, end, '1');
    if (!normal && !take(&text, end, '0')) return RNNAT_ERROR_FORMAT;
    int64_t mantissa = normal;
    int exponent;
    const int places = take_fraction(&text, end, &mantissa);
    if (places < 0 || !take_exponent(&text, end, &exponent) || text != end)
        return RNNAT_ERROR_FORMAT;
    const bool right = normal     ? exponent >= -1022 && exponent <= 1023
                       : mantissa ? exponent == -1022
                                  : exponent == 0 && !negative;
    if (!right) return RNNAT_ERROR_FORMAT;
    *value = ldexp((double)(negative ? -mantissa : mantissa), exponent - 4 * places);
    return RNNAT_OK;
}

#if RNNAT_WITH_GENERAL
static const struct {
    const char *name; /* empty: not in this build */
    rnnat_gate_activation kind;
    int constants; /* how many of alpha, beta it takes */
} known_functions[] = {
#define FUNCTION(code, name, constants, with) {with ? name : "", RNNAT_GATE_##code, constants},
    RNNAT_EACH_FUNCTION(FUNCTION)
#undef FUNCTION
};

/* The length of the text up to the first `symbol` or the end. */
static size_t up_to(const char *text, const char *end, char symbol)
{
    return rnnat_text_find(text, (size_t)(end - text), symbol);
}

static rnnat_status read_function(const char *text, const char *end, rnnat_function *out)
{
    enum { count = sizeof known_functions / sizeof *known_functions };
    const size_t size = up_to(text, end, ':');
    size_t i = 0;
    while (i < count && !rnnat_text_is(text, size, known_functions[i].name)) ++i;
    if (i == count || size == 0) return RNNAT_ERROR_UNSUPPORTED;
    *out = (rnnat_function){.kind = known_functions[i].kind};
    double *const constants[] = {&out->alpha, &out->beta};
    text += size;
    for (int k = 0; k < known_functions[i].constants; ++k) {
        if (!take(&text, end, ':')) return RNNAT_ERROR_FORMAT;
        const size_t number = up_to(text, end, ':');
        const rnnat_status status = rnnat_number_parse(text, number, constants[k]);
        if (status != RNNAT_OK) return status;
        text += number;
    }
    return text == end ? RNNAT_OK : RNNAT_ERROR_FORMAT;
}

rnnat_status rnnat_functions_parse(const char *text, size_t size, int32_t most, rnnat_function *out,
                                   int32_t *count)
{
    const char *const end = text + size;
    *count = 0;
    do {
        const size_t one = up_to(text, end, ',');
        if (*count == most) return RNNAT_ERROR_FORMAT;
        const rnnat_status status = read_function(text, text + one, &out[*count]);
        if (status != RNNAT_OK) return status;
        ++*count;
        text += one;
    } while (take(&text, end, ','));
    return RNNAT_OK;
}
#endif
#endif
