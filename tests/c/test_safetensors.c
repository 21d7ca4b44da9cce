/* Which files open, what is found in them, and that whatever opens stays inside its bytes. */
#include "safetensors_file.h"

#include "check.h"

/* Opens, and where that works reads all there is and checks that it tiles the data. */
static rnnat_status open_and_read(const unsigned char *bytes, size_t size)
{
    rnnat_safetensors st = {.num_tensors = -1};
    const rnnat_status status = rnnat_safetensors_open(bytes, size, &st);
    if (status != RNNAT_OK) {
        CHECK(st.num_tensors == -1); /* nothing written */
        return status;
    }
    CHECK(st.header == bytes + 8 && st.data + st.data_size == bytes + size);
    size_t total = 0;
    for (int32_t i = 0; i < st.num_tensors; ++i) {
        rnnat_tensor t;
        rnnat_tensor found;
        char name[64];
        float values[16];
        if (!CHECK(rnnat_safetensors_at(&st, i, NULL, 0, &t) == RNNAT_OK)) {
            continue;
        }
        CHECK(t.data >= st.data && t.bytes <= st.data_size);
        CHECK((size_t)(t.data - st.data) <= st.data_size - t.bytes);
        CHECK(t.rank >= 0 && t.rank <= RNNAT_TENSOR_MAX_RANK);
        total += t.bytes;
        rnnat_tensor_read_f32(&t, 0, 16, values);
        if (rnnat_safetensors_at(&st, i, name, sizeof name, &t) == RNNAT_OK) {
            CHECK(rnnat_safetensors_tensor(&st, name, &found) == RNNAT_OK);
            CHECK(found.data == t.data && found.bytes == t.bytes && found.type == t.type);
        }
    }
    CHECK(total == st.data_size);
    char value[64];
    (void)rnnat_safetensors_metadata(&st, "key", value, sizeof value);
    return RNNAT_OK;
}

/* ---- tables ---- */

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"
#define TENSOR(name, dtype, shape, span)                                                           \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" span "]}"
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
    {SHAPED("4611686018427387905", "0,4"), 4},     /* times 4 is 4 modulo 2^64 */
    {SHAPED("9223372036854775808,2", "0,0"), 0},   /* 0 modulo 2^64 */
    {SHAPED("4294967296,4294967296", "0,0"), 0},   /* the same */
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
        {"F16", RNNAT_TENSOR_F16, 2},           {"BF16", RNNAT_TENSOR_BF16, 2},
        {"F32", RNNAT_TENSOR_F32, 4},           {"F64", RNNAT_TENSOR_F64, 8},
        {"BOOL", RNNAT_TENSOR_OTHER, 1},        {"U8", RNNAT_TENSOR_OTHER, 1},
        {"I8", RNNAT_TENSOR_OTHER, 1},          {"I16", RNNAT_TENSOR_OTHER, 2},
        {"U16", RNNAT_TENSOR_OTHER, 2},         {"I32", RNNAT_TENSOR_OTHER, 4},
        {"U32", RNNAT_TENSOR_OTHER, 4},         {"I64", RNNAT_TENSOR_OTHER, 8},
        {"U64", RNNAT_TENSOR_OTHER, 8},         {"C64", RNNAT_TENSOR_OTHER, 8},
        {"F8_E5M2", RNNAT_TENSOR_OTHER, 1},     {"F8_E4M3", RNNAT_TENSOR_OTHER, 1},
        {"F8_E8M0", RNNAT_TENSOR_OTHER, 1},     {"F8_E4M3FNUZ", RNNAT_TENSOR_OTHER, 1},
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
            const rnnat_status status = rnnat_safetensors_open(f.bytes, f.size, &st);
            CHECK_CASE((status == RNNAT_OK) == (bytes == dtypes[i].bytes), text);
            if (status == RNNAT_OK) {
                CHECK(rnnat_safetensors_tensor(&st, "x", &t) == RNNAT_OK);
                CHECK_CASE(t.type == dtypes[i].type, text);
            }
            free(f.bytes);
        }
    }
}

/* ---- what is found in a file ---- */

static const char sample[] =
    "{\"__metadata__\":{\"key\":\"value\",\"escaped\":\"\\u00e9\\ud83d\\ude00\\\"\\n\",\"empty\":"
    "\"\","
    "\"nul\":\"a\\u0000b\",\"k\\u0065z\":\"x\"}," TENSOR(
        "0.weight", "F32", "2,3",
        "0,24") "," TENSOR("0.bias", "F64", "2",
                           "24,40") "," TENSOR("caf\\u00e9", "BF16", "",
                                               "40,42") "," TENSOR("none", "F16", "0,7",
                                                                   "42,42") "," TENSOR("n\\u0000",
                                                                                       "U8", "1",
                                                                                       "42,43") "} "
                                                                                                " ";
#define SAMPLE_DATA 43

static void test_lookup(void)
{
    st_file f = make_file(sample, strlen(sample), SAMPLE_DATA);
    rnnat_safetensors st;
    rnnat_tensor t;
    CHECK(rnnat_safetensors_open(f.bytes, f.size, &st) == RNNAT_OK);
    CHECK(st.num_tensors == 5 && st.data_size == SAMPLE_DATA);
    CHECK(st.header_size == strlen(sample));

    CHECK(rnnat_safetensors_tensor(&st, "0.weight", &t) == RNNAT_OK);
    CHECK(t.type == RNNAT_TENSOR_F32 && t.rank == 2 && t.dims[0] == 2 && t.dims[1] == 3);
    CHECK(t.dims[2] == 0 && t.dims[7] == 0 && t.data == st.data && t.bytes == 24);
    CHECK(rnnat_safetensors_tensor(&st, "0.bias", &t) == RNNAT_OK);
    CHECK(t.type == RNNAT_TENSOR_F64 && t.rank == 1 && t.dims[0] == 2);
    CHECK(t.data == st.data + 24 && t.bytes == 16);
    CHECK(rnnat_safetensors_tensor(&st, "caf\xc3\xa9", &t) == RNNAT_OK);
    CHECK(t.type == RNNAT_TENSOR_BF16 && t.rank == 0 && t.bytes == 2);
    CHECK(rnnat_safetensors_tensor(&st, "none", &t) == RNNAT_OK);
    CHECK(t.type == RNNAT_TENSOR_F16 && t.rank == 2 && t.dims[1] == 7 && t.bytes == 0);

    static const char *const absent[] = {"",  "0",   "0.weight ", "0.weigh",      "caf",
                                         "n", "key", "dtype",     "__metadata__", "caf\\u00e9"};
    const rnnat_tensor before = t;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; ++i) {
        CHECK_CASE(rnnat_safetensors_tensor(&st, absent[i], &t) == RNNAT_ERROR_NOT_FOUND,
                   absent[i]);
    }
    CHECK(memcmp(&before, &t, sizeof t) == 0);

    char name[9]; /* "0.weight" and its end */
    CHECK(rnnat_safetensors_at(&st, 0, name, sizeof name, &t) == RNNAT_OK);
    CHECK(strcmp(name, "0.weight") == 0 && t.bytes == 24);
    CHECK(rnnat_safetensors_at(&st, 0, name, sizeof name - 1, &t) == RNNAT_ERROR_FORMAT);
    CHECK(rnnat_safetensors_at(&st, 4, NULL, 0, &t) == RNNAT_OK && t.bytes == 1);
    CHECK(rnnat_safetensors_at(&st, 4, name, sizeof name, &t) == RNNAT_ERROR_FORMAT); /* NUL */
    CHECK(rnnat_safetensors_at(&st, 5, NULL, 0, &t) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_at(&st, -1, NULL, 0, &t) == RNNAT_ERROR_ARGUMENT);

    char value[16];
    CHECK(rnnat_safetensors_metadata(&st, "key", value, 6) == RNNAT_OK);
    CHECK(strcmp(value, "value") == 0);
    strcpy(value, "kept");
    CHECK(rnnat_safetensors_metadata(&st, "key", value, 5) == RNNAT_ERROR_FORMAT);
    CHECK(rnnat_safetensors_metadata(&st, "key", value, 0) == RNNAT_ERROR_FORMAT);
    CHECK(rnnat_safetensors_metadata(&st, "nul", value, 16) == RNNAT_ERROR_FORMAT);
    CHECK(rnnat_safetensors_metadata(&st, "ke", value, 16) == RNNAT_ERROR_NOT_FOUND);
    CHECK(rnnat_safetensors_metadata(&st, "0.bias", value, 16) == RNNAT_ERROR_NOT_FOUND);
    CHECK(strcmp(value, "kept") == 0);
    CHECK(rnnat_safetensors_metadata(&st, "escaped", value, 9) == RNNAT_OK);
    CHECK(strcmp(value, "\xc3\xa9\xf0\x9f\x98\x80\"\n") == 0);
    CHECK(rnnat_safetensors_metadata(&st, "empty", value, 1) == RNNAT_OK && value[0] == '\0');
    CHECK(rnnat_safetensors_metadata(&st, "kez", value, 16) == RNNAT_OK);

    CHECK(rnnat_safetensors_open(NULL, f.size, &st) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_open(f.bytes, f.size, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_tensor(&st, NULL, &t) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_metadata(&st, NULL, value, 16) == RNNAT_ERROR_ARGUMENT);
    free(f.bytes);

    f = make_file("{}", 2, 0);
    CHECK(rnnat_safetensors_open(f.bytes, f.size, &st) == RNNAT_OK && st.num_tensors == 0);
    CHECK(rnnat_safetensors_metadata(&st, "key", value, 16) == RNNAT_ERROR_NOT_FOUND);
    CHECK(rnnat_safetensors_tensor(&st, "a", &t) == RNNAT_ERROR_NOT_FOUND);
    free(f.bytes);
}

/* ---- damage ---- */

static void test_truncation(void)
{
    st_file whole = make_file(sample, strlen(sample), SAMPLE_DATA);
    for (size_t size = 0; size < whole.size; ++size) {
        unsigned char *cut = malloc(size > 0 ? size : 1);
        if (cut == NULL) {
            abort();
        }
        memcpy(cut, whole.bytes, size);
        CHECK(open_and_read(cut, size) == RNNAT_ERROR_FORMAT);
        free(cut);
    }
    free(whole.bytes);
    /* a header cut short whose length says so, which leaves the JSON open */
    for (size_t size = 0; size < strlen(sample) - 3; ++size) {
        CHECK(open_header(sample, size, SAMPLE_DATA) == RNNAT_ERROR_FORMAT);
    }
}

static void test_mutation(void)
{
    st_file f = make_file(sample, strlen(sample), SAMPLE_DATA);
    static const char values[] = "\0\x1f \"\\/{}[]:,-+.019aeuEFx_\x7f\x80\xc3\xff";
    CHECK(open_and_read(f.bytes, f.size) == RNNAT_OK);
    for (size_t i = 0; i < f.size - SAMPLE_DATA; ++i) {
        const unsigned char kept = f.bytes[i];
        for (size_t j = 0; j < sizeof values; ++j) {
            f.bytes[i] = (unsigned char)values[j];
            (void)open_and_read(f.bytes, f.size);
        }
        for (int bit = 0; bit < 8; ++bit) {
            f.bytes[i] = (unsigned char)(kept ^ 1u << bit);
            (void)open_and_read(f.bytes, f.size);
        }
        f.bytes[i] = kept;
    }
    free(f.bytes);
}

/* Bytes that change under an open file (another process may write to a mapped one) give errors
 * or other values, but no view outside the data. */
static void test_change_after_open(void)
{
    st_file f = make_file(sample, strlen(sample), SAMPLE_DATA);
    rnnat_safetensors st;
    CHECK(rnnat_safetensors_open(f.bytes, f.size, &st) == RNNAT_OK);
    for (size_t i = 8; i < f.size - SAMPLE_DATA; ++i) {
        const unsigned char kept = f.bytes[i];
        static const char values[] = "}\\\"9u";
        for (size_t j = 0; j < sizeof values; ++j) {
            rnnat_tensor t;
            char value[16];
            f.bytes[i] = (unsigned char)values[j];
            for (int32_t k = 0; k < st.num_tensors; ++k) {
                if (rnnat_safetensors_at(&st, k, NULL, 0, &t) == RNNAT_OK) {
                    CHECK(t.data >= st.data && t.bytes <= st.data_size);
                    CHECK((size_t)(t.data - st.data) <= st.data_size - t.bytes);
                }
            }
            (void)rnnat_safetensors_tensor(&st, "none", &t);
            (void)rnnat_safetensors_metadata(&st, "escaped", value, sizeof value);
        }
        f.bytes[i] = kept;
    }
    free(f.bytes);
}

static void test_lengths(void)
{
    st_file f = make_file("{}      ", 8, 0);
    static const unsigned char lengths[][8] = {
        {0},
        {9},
        {255, 255, 255, 255, 255, 255, 255, 255},
        {248, 255, 255, 255, 255, 255, 255, 255}, /* 8 more is 0 modulo 2^64 */
        {8, 0, 0, 0, 1},
        {8, 0, 0, 0, 0, 0, 0, 128},
    };
    CHECK(open_and_read(f.bytes, f.size) == RNNAT_OK);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        memcpy(f.bytes, lengths[i], 8);
        CHECK(open_and_read(f.bytes, f.size) == RNNAT_ERROR_FORMAT);
    }
    free(f.bytes);
}

int main(void)
{
    test_table(right, sizeof right / sizeof *right, RNNAT_OK);
    test_table(wrong, sizeof wrong / sizeof *wrong, RNNAT_ERROR_FORMAT);
    test_table(unsupported, sizeof unsupported / sizeof *unsupported, RNNAT_ERROR_UNSUPPORTED);
    test_dtypes();
    test_lookup();
    test_truncation();
    test_mutation();
    test_change_after_open();
    test_lengths();
    return check_result();
}
