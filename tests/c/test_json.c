/* JSON tokens: what is one, and what a string decodes to. Each text lies in a heap block of
 * exactly its size, so that the address sanitizer sees a read one byte past it. */
#include "file/json.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* ---- integers ---- */

static bool read_integer(const char *text, size_t size, uint64_t *out, size_t *taken)
{
    unsigned char *copy = malloc(size + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy + 1, text, size);
    rnnat_json json = {.at = copy + 1, .end = copy + 1 + size};
    const bool right = rnnat_json_uint64(&json, out);
    *taken = size - (size_t)(json.end - json.at);
    free(copy);
    return right;
}

static void test_integers(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } right[] = {
        {"0", 0},
        {"9", 9},
        {"10", 10},
        {" \t\r\n7", 7},
        {"18446744073709551609", UINT64_MAX - 6},
        {"18446744073709551610", UINT64_MAX - 5},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const wrong[] = {"",
                                        " ",
                                        "-1",
                                        "+1",
                                        "00",
                                        "01",
                                        "a",
                                        "\"1\"",
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "99999999999999999999",
                                        "184467440737095516150"};
    uint64_t value;
    size_t taken;
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        const size_t size = strlen(right[i].text);
        CHECK_CASE(read_integer(right[i].text, size, &value, &taken), right[i].text);
        CHECK_CASE(value == right[i].value && taken == size, right[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        CHECK_CASE(!read_integer(wrong[i], strlen(wrong[i]), &value, &taken), wrong[i]);
    }
    CHECK(read_integer("1.5", 3, &value, &taken) && taken == 1); /* left to the next token */
}

/* ---- strings ---- */

/* Decodes the string token that is the whole of `text`. */
static bool decode_string(const char *text, size_t size, char *out, size_t out_size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, text, size);
    rnnat_json json = {.at = copy, .end = copy + size};
    rnnat_json_text token;
    const bool right = rnnat_json_string(&json, &token) && json.at == json.end &&
                       rnnat_json_copy(token, out, out_size);
    free(copy);
    return right;
}

static const struct {
    const char *token;
    const char *meaning;
} strings[] = {
    {"\"\"", ""},
    {"\"a b\"", "a b"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\\u0061\\u000a\"", "a\n"},
    {"\"\\u00aF\\u00Fa\"", "\xc2\xaf\xc3\xba"},
    /* the first and last code point of each length of UTF-8, and those beside the surrogates */
    {"\"\\u0001\\u007f\"", "\x01\x7f"},
    {"\"\\u0080\\u07ff\"", "\xc2\x80\xdf\xbf"},
    {"\"\\u0800\\uffff\"", "\xe0\xa0\x80\xef\xbf\xbf"},
    {"\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"},
    {"\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"\"\xc3\xa9\x80\xff\"", "\xc3\xa9\x80\xff"}, /* not looked at */
};

#define NUM_STRINGS (sizeof strings / sizeof *strings)

static void test_strings(void)
{
    char out[64];
    for (size_t i = 0; i < NUM_STRINGS; ++i) {
        const size_t size = strlen(strings[i].token);
        const size_t need = strlen(strings[i].meaning) + 1;
        CHECK_CASE(decode_string(strings[i].token, size, out, need), strings[i].token);
        CHECK_CASE(strcmp(out, strings[i].meaning) == 0, strings[i].token);
        strcpy(out, "kept");
        CHECK_CASE(!decode_string(strings[i].token, size, out, need - 1), strings[i].token);
        CHECK_CASE(strcmp(out, "kept") == 0, strings[i].token);
        for (size_t cut = 0; cut < size; ++cut) {
            CHECK_CASE(!decode_string(strings[i].token, cut, out, sizeof out), strings[i].token);
        }
    }
    static const char *const wrong[] = {
        "a",
        "'a'",
        "\"\x1f\"",
        "\"\n\"",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\N\"",
        "\"\\u\"",
        "\"\\u006\"",
        "\"\\u006g\"",
        "\"\\u006G\"",
        "\"\\u006`\"",
        "\"\\u006@\"",
        "\"\\u006:\"",
        "\"\\u006/\"",
        "\"\\u 061\"",
        "\"\\u+061\"",
        "\"\\U0061\"",
        /* surrogates: high alone, low first, two high, something else for the low one */
        "\"\\ud800\"",
        "\"\\udbff\"",
        "\"\\udc00\"",
        "\"\\udfff\"",
        "\"\\udc00\\udc00\"",
        "\"\\udfff\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800\\udbff\"",
        "\"\\ud800\\ue000\"",
        "\"\\ud800\\u0061\"",
        "\"\\ud800\\n\"",
        "\"\\ud800dc00\"",
        "\"\\ud800 \\udc00\"",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        CHECK_CASE(!decode_string(wrong[i], strlen(wrong[i]), out, sizeof out), wrong[i]);
    }
    CHECK(!decode_string("\"a\\u0000b\"", 10, out, sizeof out)); /* a NUL cannot be copied */
}

/* ---- comparing ---- */

static rnnat_json_text token_text(const char *token)
{
    const unsigned char *const at = (const unsigned char *)token;
    rnnat_json json = {.at = at, .end = at + strlen(token)};
    rnnat_json_text out = {.bytes = at, .size = 0};
    CHECK_CASE(rnnat_json_string(&json, &out), token);
    return out;
}

static int sign(int x) { return (x > 0) - (x < 0); }

/* The order is that of the decoded bytes, however each string is escaped. */
static void test_compare(void)
{
    static const char *const groups[][3] = {
        /* ascending groups of the same string */
        {"\"\"", "\"\"", "\"\""},
        {"\"\\u0000\"", "\"\\u0000\"", "\"\\u0000\""},
        {"\"\\u0000a\"", "\"\\u0000\\u0061\"", "\"\\u0000a\""},
        {"\"\\u0000b\"", "\"\\u0000\\u0062\"", "\"\\u0000b\""},
        {"\"\\n\"", "\"\\u000a\"", "\"\\u000A\""},
        {"\"a\"", "\"\\u0061\"", "\"a\""},
        {"\"a\\u0000b\"", "\"\\u0061\\u0000b\"", "\"a\\u0000\\u0062\""},
        {"\"a\\u0000c\"", "\"\\u0061\\u0000c\"", "\"a\\u0000\\u0063\""},
        {"\"ab\"", "\"\\u0061b\"", "\"a\\u0062\""},
        {"\"abc\"", "\"\\u0061bc\"", "\"ab\\u0063\""},
        {"\"b\"", "\"\\u0062\"", "\"b\""},
        {"\"\xc3\xa9\"", "\"\\u00e9\"", "\"\\u00E9\""},
        {"\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\""},
        {"\"\xf0\x9f\x98\x81\"", "\"\\ud83d\\ude01\"", "\"\\uD83D\\uDE01\""},
    };
    enum { NUM_GROUPS = sizeof groups / sizeof *groups };
    for (int i = 0; i < NUM_GROUPS * 3; ++i) {
        for (int j = 0; j < NUM_GROUPS * 3; ++j) {
            const rnnat_json_text a = token_text(groups[i / 3][i % 3]);
            const rnnat_json_text b = token_text(groups[j / 3][j % 3]);
            CHECK(sign(rnnat_json_compare(a, b)) == sign(i / 3 - j / 3));
        }
    }
    for (size_t i = 0; i < NUM_STRINGS; ++i) {
        for (size_t j = 0; j < NUM_STRINGS; ++j) {
            const rnnat_json_text a = token_text(strings[i].token);
            CHECK(rnnat_json_equals(a, strings[j].meaning) == (i == j));
        }
    }
    CHECK(!rnnat_json_equals(token_text("\"a\\u0000\""), "a"));
}

int main(void)
{
    test_integers();
    test_strings();
    test_compare();
    return check_result();
}
