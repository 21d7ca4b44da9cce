/* What is found in a file, and that a damaged one is refused or stays inside its bytes. */
#include "safetensors_file.h"

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
    CHECK(rnnat_safetensors_open(f.bytes, f.size, NULL, &st) == RNNAT_OK);
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

    CHECK(rnnat_safetensors_open(NULL, f.size, NULL, &st) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_open(f.bytes, f.size, NULL, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_at(NULL, 0, NULL, 0, &t) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_tensor(NULL, "a", &t) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_metadata(NULL, "a", value, 16) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_tensor(&st, NULL, &t) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_safetensors_metadata(&st, NULL, value, 16) == RNNAT_ERROR_ARGUMENT);
    free(f.bytes);

    f = make_file("{}", 2, 0);
    CHECK(rnnat_safetensors_open(f.bytes, f.size, NULL, &st) == RNNAT_OK && st.num_tensors == 0);
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
    CHECK(rnnat_safetensors_open(f.bytes, f.size, NULL, &st) == RNNAT_OK);
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
    test_lookup();
    test_truncation();
    test_mutation();
    test_change_after_open();
    test_lengths();
    return check_result();
}
