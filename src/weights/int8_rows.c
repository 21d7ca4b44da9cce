/* Rows of floats -> integers of 8 bits and a scale. */
#include "int8_rows.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#if RNNAT_READER && RNNAT_WITH_GROUPS
/* How far a multiple may be from whole before scales are tried: 128 times the error of two roundings; and how
 * many floats next to the first one are. */
static const double near_a_multiple = 0x1p-15, least_row = 0x1p-100;
enum { at_a_time = 64, most_integer = 127, tried_ulps = 2 };

/* Some weights of a row, those that a row is rounded to first. */
typedef struct int8_view {
    const rnnat_tensor *tensor;
    size_t first, count;
    double rounded_to; /* 0: as they are */
} int8_view;

/* The nearest whole number, of two the even one, for numbers far below 2^51: a sum that large has no
 * fraction. */
static double nearest_whole(double value)
{
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0
    return value + 0x1.8p52 - 0x1.8p52;
#else /* a wider type would keep some of it */
    volatile double sum = value + 0x1.8p52;
    sum -= 0x1.8p52;
    return sum;
#endif
}

/* The `count`-th float above a positive one, or below it. */
static float float_after(float value, int count)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits += (uint32_t)count;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static double multiple_of(double value, double step)
{
    const double times = nearest_whole(value / step);
    return times > most_integer ? most_integer : times < -most_integer ? -most_integer : times;
}

/* Up to a at_a_time of them; returns how many. */
static size_t read_some(const int8_view *row, size_t from, float *out)
{
    const size_t left = row->count - from, count = left < at_a_time ? left : at_a_time;
    rnnat_tensor_read_f32(row->tensor, row->first + from, count, out);
    for (size_t i = 0; row->rounded_to > 0 && i < count; ++i)
        out[i] = (float)(multiple_of((double)out[i], row->rounded_to) * row->rounded_to);
    return count;
}

static double largest_of(const int8_view *row)
{
    float values[at_a_time], most = 0;
    for (size_t at = 0; at < row->count; at += at_a_time) {
        const size_t count = read_some(row, at, values);
        for (size_t i = 0; i < count; ++i)
            if (fabsf(values[i]) > most) most = fabsf(values[i]);
    }
    return (double)most;
}

/* Whether all are nearly multiples of a step that an int8 has. */
static bool are_near(const int8_view *row, double step)
{
    float values[at_a_time];
    for (size_t at = 0; at < row->count; at += at_a_time) {
        const size_t count = read_some(row, at, values);
        for (size_t i = 0; i < count; ++i) {
            const double times = (double)values[i] / step, integer = nearest_whole(times);
            if (fabs(times - integer) > near_a_multiple || integer > most_integer) return false;
        }
    }
    return true;
}

/* Whether all are their integers times a scale. */
static bool are_products(const int8_view *row, double step, float scale)
{
    float values[at_a_time];
    for (size_t at = 0; at < row->count; at += at_a_time) {
        const size_t count = read_some(row, at, values);
        for (size_t i = 0; i < count; ++i)
            if ((float)(nearest_whole((double)values[i] / step) * (double)scale) != values[i])
                return false;
    }
    return true;
}

/* Finds the largest number that all are multiples of, as it is stored; false where there is none. */
static bool find_step(const int8_view *row, double largest, rnnat_int8_row *found)
{
    float first[at_a_time];
    const size_t looked_at = read_some(row, 0, first);
    for (int most = 1; most <= most_integer + 1; ++most) {
        const double step = largest / most;
        size_t i = 0;
        while (i < looked_at) {
            const double times = (double)first[i] / step;
            if (fabs(times - nearest_whole(times)) > near_a_multiple) break;
            ++i;
        }
        if (i < looked_at || !are_near(row, step)) continue;
        for (int ulp = -tried_ulps; ulp <= tried_ulps; ++ulp) {
            const float scale = float_after((float)step, ulp);
            if (!are_products(row, step, scale)) continue;
            *found = (rnnat_int8_row){.step = step, .first = row->rounded_to, .scale = scale};
            return true;
        }
    }
    return false;
}

rnnat_int8_row rnnat_int8_row_of(const rnnat_tensor *tensor, size_t first, size_t count)
{
    int8_view row = {.tensor = tensor, .first = first, .count = count};
    rnnat_int8_row found = {.step = 0};
    double largest = largest_of(&row);
    if (largest < least_row || find_step(&row, largest, &found)) return found;
    float step = (float)(largest / most_integer);
    if ((double)step * most_integer > (double)FLT_MAX) step = float_after(step, -1);
    row.rounded_to = (double)step;
    largest = largest_of(&row);
    find_step(&row, largest, &found); /* that number is one, if no larger one is */
    return found;
}

int8_t rnnat_int8_of(const rnnat_int8_row *row, float weight)
{
    double value = (double)weight;
    if (row->step <= 0) return 0;
    if (row->first > 0) value = (double)(float)(multiple_of(value, row->first) * row->first);
    return (int8_t)nearest_whole(value / row->step);
}
#endif
