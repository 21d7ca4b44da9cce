/* Which headers open: tables of right ones, wrong ones, and right ones past this reader's limits. */
#include "safetensors_file.h"

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"
#define NAMED(name) "{" TENSOR(name, "F32", "1", "0,4") "}"
#define SHAPED(shape, span) "{" TENSOR("a", "F32", shape, span) "}"
#define FIELDS(fields) "{\"a\":{" fields "}}"
#define DTYPE "\"dtype\":\"F32\""
#define SHAPE "\"shape\":[1]"
#define SPAN "\"data_offsets\":[0,4]"
#define META(pairs) "{\"__metadata__\":" pairs "," A "}"

typedef struct header_case {
    const char *header;
    size_t data_size;
} header_case;

static const header_case right[] = {
    {"{}", 0},
    {"{ }", 0},
    {"{" A "}", 4},
    {"{" A "} \t\r\n", 4},
    {"{ \"a\" :\n{\t\"dtype\" : \"F32\" , \"shape\" : [ 1 ] , \"data_offsets\" : [ 0 , 4 ] } }", 4},
    {META("{}"), 4},
    {META("{\"k\":\"v\",\"\":\"\"}"), 4},
    {"{" A ",\"__metadata__\":{\"k\":\"v\"}}", 4},
    {"{\"__meta\\u0064ata__\":{\"k\":\"v\"}}", 0},
    {META("{\"dtype\":\"a\",\"a\":\"\"}"), 4}, /* keys and names are apart */
    {FIELDS(SPAN "," SHAPE "," DTYPE), 4},
    {FIELDS("\"\\u0064type\":\"\\u004632\"," SHAPE "," SPAN), 4},
    {NAMED(""), 4},
    {NAMED("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uFFFF"), 4},
    {NAMED("\\ud83d\\uDe00"), 4},
    {NAMED("\\u0000"), 4},
    {NAMED("a b"), 4},
    {NAMED("\x7f\xc3\xa9"), 4},
    {SHAPED("", "0,4"), 4},
    {SHAPED("1,1,1,1,1,1,1,1", "0,4"), 4},
    {SHAPED("2,3", "0,24"), 24},
    {SHAPED("0", "0,0"), 0},
    {SHAPED("2,0,3", "0,0"), 0},
    {"{" TENSOR("a", "U8", "0,2305843009213693951", "0,0") "}", 0}, /* 2^61 - 1, times 8 bits */
    /* an order that is not the data's, and empty arrays between, before and after others */
    {"{" TENSOR("b", "U8", "2", "4,6") "," A "}", 6},
    {"{" TENSOR("b", "U8", "2", "4,6") "," TENSOR("e", "F32", "0", "4,4") "," A "}", 6},
    {"{" TENSOR("e", "F32", "0", "0,0") "," A "," TENSOR("f", "F32", "0", "4,4") "}", 4},
    {"{" TENSOR("e", "F32", "0", "0,0") "," TENSOR("f", "F32", "0", "0,0") "}", 0},
    /* names that differ only after an escape, or within one */
    {"{" TENSOR("\\u0061b", "U8", "0", "0,0") "," TENSOR("\\u0061", "U8", "0", "0,0") "}", 0},
    {"{" TENSOR("\\u0061b", "U8", "0", "0,0") "," TENSOR("\\u0061c", "U8", "0", "0,0") "}", 0},
    {"{" TENSOR("\\u0061", "U8", "0", "0,0") "," TENSOR("\\u0062", "U8", "0", "0,0") "}", 0},
    {"{" TENSOR("\\ud83d\\ude00", "U8", "0", "0,0") "," TENSOR("\\ud83d\\ude01", "U8", "0",
                                                               "0,0") "}",
     0},
    {"{" TENSOR("\\u0000b", "U8", "0", "0,0") "," TENSOR("\\u0000c", "U8", "0", "0,0") "}", 0},
    /* parts of bytes */
    {"{" TENSOR("a", "F4", "2", "0,1") "}", 1},
    {"{" TENSOR("a", "F6_E2M3", "4", "0,3") "}", 3},
    {"{" TENSOR("a", "F6_E3M2", "2,2", "0,3") "}", 3},
};

static const header_case wrong[] = {
    /* the outer object */
    {"", 0},
    {" {}", 0},
    {"[]", 0},
    {"{", 0},
    {"{}}", 0},
    {"{}x", 0},
    {"{,}", 0},
    {"{" A ",}", 4},
    {"{" A A "}", 4},
    {"{" A "", 4},
    {"{a:1}", 0},
    {"{\"a\"}", 0},
    {"{\"a\":}", 0},
    {"{\"a\":null}", 0},
    {"{\"a\":{}}", 0},
    {"{\"a\":[\"F32\",[1],[0,4]]}", 4},
    {"{\"a\":{" DTYPE "," SHAPE "," SPAN "}", 4},
    {"{\"a\":{" DTYPE "," SHAPE "," SPAN "]}", 4},
    /* strings */
    {NAMED("\x1f"), 4},
    {NAMED("\n"), 4},
    {NAMED("\\x"), 4},
    {NAMED("\\'"), 4},
    {NAMED("\\u12"), 4},
    {NAMED("\\u12g4"), 4},
    {NAMED("\\U0041"), 4},
    {NAMED("\\ud800"), 4},
    {NAMED("\\ud800\\n"), 4},
    {NAMED("\\ud800\\u0041"), 4},
    {NAMED("\\ud800\\ud800"), 4},
    {NAMED("\\udc00"), 4},
    {NAMED("\\"), 4},
    /* metadata */
    {META(""), 4},
    {META("null"), 4},
    {META("[]"), 4},
    {META("\"\""), 4},
    {META("{\"k\":1}"), 4},
    {META("{\"k\":null}"), 4},
    {META("{\"k\":{}}"), 4},
    {META("{\"k\":\"v\",}"), 4},
    {META("{\"k\" \"v\"}"), 4},
    {META("{\"k\":\"v\",\"k\":\"v\"}"), 4},
    {META("{\"k\":\"v\",\"j\":\"\",\"\\u006b\":\"w\"}"), 4},
    {"{\"__metadata__\":{},\"__metadata__\":{}," A "}", 4},
    {"{\"__metadata__\":{}," A ",\"__metadata_\\u005f\":{}}", 4},
    /* fields */
    {FIELDS(DTYPE "," SHAPE), 4},
    {FIELDS(DTYPE "," SPAN), 4},
    {FIELDS(SHAPE "," SPAN), 4},
    {FIELDS(DTYPE "," DTYPE "," SHAPE "," SPAN), 4},
    {FIELDS(DTYPE "," SHAPE "," SHAPE "," SPAN), 4},
    {FIELDS(DTYPE "," SHAPE "," SPAN ",\"data\\u005foffsets\":[0,4]"), 4},
    {FIELDS(DTYPE "," SHAPE "," SPAN ",\"more\":1"), 4},
    {FIELDS(DTYPE "," SHAPE "," SPAN ",\"more\":"), 4},
    {FIELDS("\"shape\":[]," DTYPE "," SHAPE "," SPAN), 4},
    {FIELDS("\"data_offsets\":[]," DTYPE "," SHAPE "," SPAN), 4},
    {FIELDS("\"dtype\":," SHAPE "," SPAN), 4},
    {FIELDS(DTYPE ",\"shape\":," SPAN), 4},
    {FIELDS("\"dtype\":32," SHAPE "," SPAN), 4},
    {FIELDS(DTYPE ",\"shape\":1," SPAN), 4},
    {FIELDS(DTYPE ",\"shape\":[[1]]," SPAN), 4},
    {FIELDS(DTYPE "," SHAPE ",\"data_offsets\":4"), 4},
    {FIELDS(DTYPE "," SHAPE ",\"data_offsets\":[4]"), 4},
    {FIELDS(DTYPE "," SHAPE ",\"data_offsets\":[0,4,4]"), 4},
    /* integers */
    {SHAPED("1.0", "0,4"), 4},
    {SHAPED("1e0", "0,4"), 4},
    {SHAPED("+1", "0,4"), 4},
    {SHAPED("-1", "0,4"), 4},
    {SHAPED("01", "0,4"), 4},
    {SHAPED("0x1", "0,4"), 4},
    {SHAPED("\"1\"", "0,4"), 4},
    {SHAPED("1,", "0,4"), 4},
    {SHAPED(",1", "0,4"), 4},
    {SHAPED("1 1", "0,4"), 4},
    {SHAPED("1", "-0,4"), 4},
    {SHAPED("1", "00,4"), 4},
    {SHAPED("0,18446744073709551616", "0,0"), 0},
    {SHAPED("1", "0,18446744073709551620"), 4},
    {SHAPED("1", "0,99999999999999999999999999"), 4},
    /* sizes */
    {SHAPED("1", "0,4"), 3},
    {SHAPED("1", "0,4"), 5},
    {SHAPED("1", "0,3"), 3},
    {SHAPED("2", "0,4"), 4},
    {SHAPED("1", "4,0"), 4},
    {SHAPED("1", "4,8"), 8},
    {SHAPED("1", "4,8"), 4},
    {SHAPED("1", "0,18446744073709551615"), 4},
    {SHAPED("1", "18446744073709551612,18446744073709551615"), 4},
    {SHAPED("4611686018427387905", "0,4"), 4}, /* times 4 is 4 modulo 2^64 */
    {SHAPED("9223372036854775808,2", "0,0"), 0}, /* 0 modulo 2^64 */
    {SHAPED("4294967296,4294967296", "0,0"), 0}, /* the same */
    {SHAPED("0,4294967296,4294967296", "0,0"), 0}, /* overflows before it is emptied */
    {SHAPED("4294967296,4294967296,0", "0,0"), 0},
    {"{}", 1},
    {"{" TENSOR("a", "F4", "1", "0,0") "}", 0},
    {"{" TENSOR("a", "F4", "3", "0,1") "}", 1},
    {"{" TENSOR("a", "F6_E2M3", "1", "0,1") "}", 1},
    /* names */
    {"{" TENSOR("a", "F32", "0", "0,0") "," TENSOR("a", "F32", "0", "0,0") "}", 0},
    {"{" A "," TENSOR("\\u0061", "F32", "1", "4,8") "}", 8},
    {"{" TENSOR("\\ud83d\\ude00", "F32", "0", "0,0") "," TENSOR("\xf0\x9f\x98\x80", "F32", "0",
                                                                "0,0") "}",
     0},
    {"{" TENSOR("\\u0061b", "U8", "0", "0,0") "," TENSOR("\\u0061\\u0062", "U8", "0", "0,0") "}",
     0},
    {"{" TENSOR("\\u20AC", "F32", "0", "0,0") "," TENSOR("\xe2\x82\xac", "F32", "0", "0,0") "}", 0},
};

static const header_case unsupported[] = {
    {"{" TENSOR("a", "F128", "1", "0,16") "}", 16},
    {"{" TENSOR("a", "f32", "1", "0,4") "}", 4},
    {"{" TENSOR("a", "", "1", "0,4") "}", 4},
    {SHAPED("1,1,1,1,1,1,1,1,1", "0,4"), 4},
};

static void test_table(const header_case *cases, size_t count, rnnat_status expected)
{
    for (size_t i = 0; i < count; ++i) {
        st_file f = make_file(cases[i].header, strlen(cases[i].header), cases[i].data_size);
        CHECK_CASE(open_and_read(f.bytes, f.size) == expected, cases[i].header);
        free(f.bytes);
    }
}

static void test_dtypes(void)
{
    static const struct {
        const char *name;
        rnnat_tensor_type type;
        int bytes;
    } dtypes[] = {
        {"F16", RNNAT_TENSOR_F16, 2},
        {"BF16", RNNAT_TENSOR_BF16, 2},
        {"F32", RNNAT_TENSOR_F32, 4},
        {"F64", RNNAT_TENSOR_F64, 8},
        {"BOOL", RNNAT_TENSOR_OTHER, 1},
        {"U8", RNNAT_TENSOR_OTHER, 1},
        {"I8", RNNAT_TENSOR_I8, 1},
        {"I16", RNNAT_TENSOR_OTHER, 2},
        {"U16", RNNAT_TENSOR_OTHER, 2},
        {"I32", RNNAT_TENSOR_OTHER, 4},
        {"U32", RNNAT_TENSOR_OTHER, 4},
        {"I64", RNNAT_TENSOR_OTHER, 8},
        {"U64", RNNAT_TENSOR_OTHER, 8},
        {"C64", RNNAT_TENSOR_OTHER, 8},
        {"F8_E5M2", RNNAT_TENSOR_OTHER, 1},
        {"F8_E4M3", RNNAT_TENSOR_OTHER, 1},
        {"F8_E8M0", RNNAT_TENSOR_OTHER, 1},
        {"F8_E4M3FNUZ", RNNAT_TENSOR_OTHER, 1},
        {"F8_E5M2FNUZ", RNNAT_TENSOR_OTHER, 1},
    };
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i) {
        for (int bytes = 1; bytes <= 16; ++bytes) {
            text_size = 0;
            append("{\"x\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}",
                   dtypes[i].name, 3 * bytes);
            st_file f = make_file(text, text_size, (size_t)(3 * bytes));
            rnnat_safetensors st;
            rnnat_tensor t;
            const rnnat_status status = rnnat_safetensors_open(f.bytes, f.size, NULL, &st);
            CHECK_CASE((status == RNNAT_OK) == (bytes == dtypes[i].bytes), text);
            if (status == RNNAT_OK) {
                CHECK(rnnat_safetensors_tensor(&st, "x", &t) == RNNAT_OK);
                CHECK_CASE(t.type == dtypes[i].type, text);
            }
            free(f.bytes);
        }
    }
}

int main(void)
{
    test_table(right, sizeof right / sizeof *right, RNNAT_OK);
    test_table(wrong, sizeof wrong / sizeof *wrong, RNNAT_ERROR_FORMAT);
    test_table(unsupported, sizeof unsupported / sizeof *unsupported, RNNAT_ERROR_UNSUPPORTED);
    test_dtypes();
    return check_result();
}
