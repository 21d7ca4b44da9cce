/* One run of a model, in any layout of x and y: inputs made up, outputs gathered and compared. */
#ifndef RNNAT_TEST_RUN_CASE_H
#define RNNAT_TEST_RUN_CASE_H

#include "naive.h"

typedef enum test_layout {
    LAYOUT_DENSE, /* no strides given */
    LAYOUT_BATCH_MAJOR,
    LAYOUT_PADDED, /* time major, more memory between rows and between steps */
    LAYOUT_TIME_REVERSED,
    LAYOUT_BATCH_REVERSED,
    NUM_LAYOUTS
} test_layout;

/* What a run left, dense, in the model's type. */
typedef struct test_outcome {
    rnnat_status status;
    bool guarded; /* nothing was written but y, the states and the scratch */
    rnnat_dtype dtype;
    bool last_only; /* y is [batch, output]: of a model that gives its last state alone */
    size_t y_bytes;
    void *y;
    int32_t num_states;
    size_t state_bytes[MAX_STATES];
    void *states[MAX_STATES];
} test_outcome;

/* Random inputs; with lengths, x is NaN past them, or an index that there is not. */
test_inputs test_inputs_make(const test_model *model, uint64_t *random, int32_t time, int32_t batch,
                             bool lengths, bool states);
/* Steps first .. first + steps - 1 of rows row .. row + rows - 1, with a copy of their lengths
 * where `lengths` and of their states. */
test_inputs test_inputs_part(const test_inputs *in, int32_t first, int32_t steps, int32_t row,
                             int32_t rows, bool lengths);
void test_inputs_end(test_inputs *in);

/* Runs in scratch of exactly the stated need, at an odd address. */
test_outcome test_run(const rnnat_model *model, const test_inputs *in, test_layout x_layout,
                      test_layout y_layout, int32_t threads);
void test_outcome_end(test_outcome *outcome);

bool test_outcome_same(const test_outcome *a, const test_outcome *b); /* bit for bit */
/* Row 0 of `alone` has the bits of row `row` of `all`, which has `batch` rows: y, in the first
 * `steps` steps (or of one, without time), and the states. */
bool test_outcome_row_same(const test_outcome *alone, const test_outcome *all, int32_t row,
                           int32_t batch, int32_t steps, int32_t width, const test_inputs *in);
/* The largest error, as a part of what naive.h allows: at most 1 where all is well. */
double test_outcome_worst(const test_outcome *outcome, const naive_number *y,
                          naive_number *const finals[MAX_STATES]);

#endif
