/* Models for tests: layers with random weights, and the bytes of the file that describes them.
 * Everything in here may be changed by hand before the bytes are made, so that a file can also be
 * wrong in one thing. */
#ifndef RNNAT_TEST_MODEL_FILE_H
#define RNNAT_TEST_MODEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "rnn_native.h"
#include "test_layer.h"

enum { MAX_LAYERS = 8, MAX_TENSORS = 180, MAX_STATES = 4 * MAX_LAYERS };

typedef struct test_pair {
    char key[40];
    char value[560];
} test_pair;

typedef struct test_tensor {
    char name[40];
    char dtype[8]; /* of safetensors: "F32" at first, "F64", or "I8", whose values are integers */
    int32_t rank;
    int32_t dims[2];
    float *values; /* there are no more than the first dims had */
} test_tensor;

typedef struct test_model {
    uint64_t random;
    test_layer layers[MAX_LAYERS];
    int32_t num_layers;
    test_pair pairs[MAX_LAYERS + 12]; /* version, count, then the layers, then by hand */
    int32_t num_pairs;
    test_tensor tensors[MAX_TENSORS];
    int32_t num_tensors;
} test_model;

typedef struct test_bytes {
    unsigned char *bytes; /* exactly `size` of the heap */
    size_t size;
} test_bytes;

/* Uniform in [-most, most]; a generator's state is any number. */
float test_random(uint64_t *random, float most);
/* Uniform in low..high. */
int32_t test_choose(uint64_t *random, int32_t low, int32_t high);

/* A model without layers; the same seed gives the same weights. */
void test_model_start(test_model *model, uint64_t seed);
/* Adds a layer. The rows of a recurrent weight have absolute values that add up to at most 1, so
 * that errors cannot grow from step to step faster than they are made. */
void test_model_add(test_model *model, test_layer layer);
void test_model_end(test_model *model);

int32_t test_layer_directions(const test_layer *layer);
/* Features of h: less than hidden_size with a projection. */
int32_t test_layer_state(const test_layer *layer);
int32_t test_layer_output(const test_layer *layer);
/* True where a layer gives its last state alone, so that y has no time. */
bool test_model_last_only(const test_model *model);
/* State arrays of a recurrent layer, and the letter of each. */
int32_t test_layer_states(const test_layer *layer);
const char *test_layer_letters(const test_layer *layer);
/* The state arrays, [rows, batch, features] each; how many there are. */
int32_t test_model_states(const test_model *model, int32_t rows[MAX_STATES],
                          int32_t features[MAX_STATES]);

/* The tensor of that name in that layer: "weight", or for a recurrent one "weight_ih" with a depth
 * and a direction (0, or 1 for the second of two); depth is -1 otherwise, of an output layer's
 * "weight_ho" too. NULL without one. */
test_tensor *test_model_tensor(const test_model *model, int32_t layer, const char *name,
                               int32_t depth, bool reverse);
/* What state array `index` of the model begins with, one row of `batch` alike: element `at` of [rows,
 * batch, features]. */
float test_model_initial(const test_model *model, int32_t index, int32_t batch, int32_t at);
test_bytes test_model_bytes(const test_model *model);

/* The model itself; ends the program where that fails. */
rnnat_model *test_model_make(const test_model *model, rnnat_dtype dtype, rnnat_matmul matmul);

#endif
