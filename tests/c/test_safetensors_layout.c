/* The arrays of a file tile its data, their names are unique, and there may be so many of them:
 * in any order, up to the limits. */
#include "safetensors_file.h"

/* Every byte in exactly one span, and no empty span strictly inside another. */
static bool tiles(int spans[3][2], int size)
{
    for (int i = 0; i < 3; ++i) {
        if (spans[i][1] > size) {
            return false;
        }
        for (int j = 0; j < 3; ++j) {
            const int at = spans[i][0];
            if (at == spans[i][1] && spans[j][0] < at && at < spans[j][1]) {
                return false;
            }
        }
    }
    for (int byte = 0; byte < size; ++byte) {
        int covered = 0;
        for (int i = 0; i < 3; ++i) {
            covered += spans[i][0] <= byte && byte < spans[i][1];
        }
        if (covered != 1) {
            return false;
        }
    }
    return true;
}

static void test_all_small_layouts(void)
{
    static const int all[10][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {0, 1},
                                   {1, 2}, {2, 3}, {0, 2}, {1, 3}, {0, 3}};
    for (int code = 0; code < 1000; code += is_brief ? 7 : 1) {
        const int *const chosen[3] = {all[code % 10], all[code / 10 % 10], all[code / 100]};
        int spans[3][2];
        text_size = 0;
        for (int i = 0; i < 3; ++i) {
            memcpy(spans[i], chosen[i], sizeof spans[i]);
            append("%c\"%d\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}",
                   i == 0 ? '{' : ',', i, spans[i][1] - spans[i][0], spans[i][0], spans[i][1]);
        }
        append("}");
        for (int size = 0; size <= 4; ++size) {
            const rnnat_status expected = tiles(spans, size) ? RNNAT_OK : RNNAT_ERROR_FORMAT;
            CHECK_CASE(open_text((size_t)size) == expected, text);
        }
    }
}

/* ---- many entries: the limits, and sorting in several rounds ---- */

/* `count` tensors of one byte; the i-th is named and placed by i times a stride (a permutation
 * for an odd stride and a count that is a power of two), `wrong_at` is given the place or the
 * name of its neighbour. */
typedef enum fault { NO_FAULT, SAME_PLACE, SAME_NAME } fault;

static rnnat_status open_many(unsigned count, unsigned stride, fault kind, unsigned wrong_at)
{
    text_size = 0;
    append("{");
    for (unsigned i = 0; i < count; ++i) {
        unsigned place = i * stride % count;
        unsigned name = place;
        if (kind == SAME_PLACE && place == wrong_at) {
            place = (place + 1) % count;
        }
        if (kind == SAME_NAME && place == wrong_at) {
            name = (place + 1) % count;
        }
        append("%s\"t%04u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
               i == 0 ? "" : ",", name, place, place + 1);
    }
    append("}");
    return open_text(count);
}

static void test_many_tensors(void)
{
    static const unsigned counts[] = {1, 16, 128, 256, 1024, RNNAT_SAFETENSORS_MAX_ENTRIES};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i += is_brief ? 5 : 1) {
        const unsigned count = counts[i];
        const unsigned strides[] = {1, 37, count - 1}; /* ascending, mixed, descending */
        for (int j = 0; j < 3; ++j) {
            CHECK(open_many(count, strides[j], NO_FAULT, 0) == RNNAT_OK);
            for (unsigned at = 0; at < count && count > 1; at += count > 16 ? count / 8 + 1 : 1) {
                CHECK(open_many(count, strides[j], SAME_PLACE, at) == RNNAT_ERROR_FORMAT);
                CHECK(open_many(count, strides[j], SAME_NAME, at) == RNNAT_ERROR_FORMAT);
            }
        }
    }
    CHECK(open_many(127, 1, NO_FAULT, 0) == RNNAT_OK);
    CHECK(open_many(129, 128, NO_FAULT, 0) == RNNAT_OK);
    CHECK(open_many(RNNAT_SAFETENSORS_MAX_ENTRIES + 1, 1, NO_FAULT, 0) == RNNAT_ERROR_UNSUPPORTED);
}

static rnnat_status open_pairs(int count, const char *last_key)
{
    text_size = 0;
    append("{\"__metadata__\":{");
    for (int i = 0; i < count - 1; ++i) {
        append("\"%d\":\"\",", i);
    }
    append("\"%s\":\"\"}}", last_key);
    return open_text(0);
}

static void test_many_keys(void)
{
    CHECK(open_pairs(RNNAT_SAFETENSORS_MAX_ENTRIES, "last") == RNNAT_OK);
    CHECK(open_pairs(RNNAT_SAFETENSORS_MAX_ENTRIES, "\\u0030") == RNNAT_ERROR_FORMAT);
    CHECK(open_pairs(RNNAT_SAFETENSORS_MAX_ENTRIES, "1111") == RNNAT_ERROR_FORMAT);
    CHECK(open_pairs(RNNAT_SAFETENSORS_MAX_ENTRIES, "2046") == RNNAT_ERROR_FORMAT);
    CHECK(open_pairs(RNNAT_SAFETENSORS_MAX_ENTRIES + 1, "last") == RNNAT_ERROR_UNSUPPORTED);
}

static void test_long_header(void)
{
    memset(text, ' ', sizeof text);
    text[0] = '{';
    text[1] = '}';
    CHECK(open_header(text, RNNAT_SAFETENSORS_MAX_HEADER, 0) == RNNAT_OK);
    CHECK(open_header(text, RNNAT_SAFETENSORS_MAX_HEADER + 1, 0) == RNNAT_ERROR_UNSUPPORTED);
}

int main(void)
{
    test_all_small_layouts();
    test_many_tensors();
    test_many_keys();
    test_long_header();
    return check_result();
}
