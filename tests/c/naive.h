/* The equations, one scalar after the other, in double precision: what the core must agree with.
 * Every number carries how far a correct computation in float may be from it (a running error
 * analysis: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3).
 *
 * u = 2^-24 is the unit roundoff, gamma(n) = n u / (1 - n u).
 * 1. A sum of n terms, products or not, in any order, with or without fused multiply-add: at most
 *    gamma(n) times the sum of the terms' magnitudes (ibid., 3.1), and what x carried times |w|.
 * 2. An activation: its largest slope near a times a's error, and `ulps` units in the last place.
 * 3. A single product or sum: what both operands carried, and u times the result.
 * 4. A result, or an operand, below the least normal number may count as zero.
 * All of this is proportional to u or smaller, so 2^-29 of it holds for double, and the values in
 * here are themselves no further than that from what exact arithmetic would give. */
#ifndef RNNAT_TEST_NAIVE_H
#define RNNAT_TEST_NAIVE_H

#include "model_file.h"

typedef struct naive_number {
    double value, error;
} naive_number;

/* What goes into a run; dense, floats whatever the model's type. */
typedef struct test_inputs {
    int32_t time, batch;
    int32_t width;                  /* features of x; 1 for indices */
    float *x;                       /* [time, batch, width], or NULL and */
    int32_t *indices;               /* [time, batch] */
    int32_t *lengths;               /* [batch], or NULL */
    int32_t num_states;             /* of the model, */
    int32_t rows[MAX_STATES];       /* each [rows, batch, features] */
    int32_t features[MAX_STATES];
    float *states[MAX_STATES];      /* NULL: what the model begins with */
} test_inputs;

/* y [time, batch, output], or [batch, output] of a model that gives its last state alone; finals as
 * the inputs' states. */
void naive_run(const test_model *model, const test_inputs *in, naive_number *y,
               naive_number *const finals[MAX_STATES]);

#endif
