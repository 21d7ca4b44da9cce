/* Training from C: gradients against central differences of forward itself, the same bits for any
 * number of threads, no heap, nothing written outside of the caller's memory. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "heap.h"
#include "train/train.h"

enum { TIME = 20, BATCH = 37, INPUT = 3, OUT = 4, MAX_WEIGHTS = 24, MAX_STATES = 4 };

typedef struct network {
    const char *label;
    const char *texts[2];
    int32_t num_weights, num_states, state_rows;
    int32_t weights[MAX_WEIGHTS]; /* elements of each */
    int32_t states[MAX_STATES];   /* features of each */
} network;

#define RECURRENT "input_size=3 hidden_size=9 num_layers=1 bias=true"
#define HEAD "linear in_features=9 out_features=4 bias=true activation=softmax"

static const network networks[] = {
    {"rnn",
     {"recurrent cell=rnn direction=forward nonlinearity=tanh " RECURRENT, HEAD},
     6,
     1,
     1,
     {27, 81, 9, 9, 36, 4},
     {9}},
    {"rnn with an output layer",
     {"recurrent cell=rnn direction=forward nonlinearity=sigmoid output_layer=9 "
      "output_nonlinearity=tanh " RECURRENT,
      HEAD},
     9,
     1,
     1,
     {27, 81, 9, 9, 81, 27, 9, 36, 4},
     {9}},
    {"gru",
     {"recurrent cell=gru direction=reverse reset_after=true " RECURRENT, HEAD},
     6,
     1,
     1,
     {81, 243, 27, 27, 36, 4},
     {9}},
    {"gru, reset before",
     {"recurrent cell=gru direction=forward reset_after=false " RECURRENT, HEAD},
     6,
     1,
     1,
     {81, 243, 27, 27, 36, 4},
     {9}},
    {"gate-recurrent gru",
     {"recurrent cell=gru direction=forward gate_recurrent=true " RECURRENT, HEAD},
     6,
     2,
     1,
     {81, 162, 81, 27, 36, 4},
     {9, 9}},
    {"lstm with peepholes",
     {"recurrent cell=lstm direction=forward proj_size=0 peephole=true " RECURRENT, HEAD},
     9,
     2,
     1,
     {108, 324, 36, 36, 9, 9, 9, 36, 4},
     {9, 9}},
    {"gate-recurrent lstm",
     {"recurrent cell=lstm direction=forward gate_recurrent=true " RECURRENT, HEAD},
     6,
     4,
     1,
     {108, 324, 324, 36, 36, 4},
     {9, 9, 9, 9}},
    {"lstm, both directions",
     {"recurrent cell=lstm direction=bidirectional proj_size=2 peephole=false " RECURRENT,
      "linear in_features=4 out_features=4 bias=false activation=identity"},
     11,
     2,
     2,
     {108, 72, 36, 36, 18, 108, 72, 36, 36, 18, 16},
     {2, 9}},
};

static double uniform(void) { return 2.0 * rand() / RAND_MAX - 1; }

/* Arrays of one network and one call, in double. */
typedef struct problem {
    const network *net;
    double *weights[MAX_WEIGHTS], *grads[MAX_WEIGHTS];
    double *state_in[MAX_STATES], *state_out[MAX_STATES], *dstate[MAX_STATES];
    double *dstate_in[MAX_STATES];
    double x[TIME * BATCH * INPUT], dx[TIME * BATCH * INPUT];
    double y[TIME * BATCH * OUT], dy[TIME * BATCH * OUT];
    int32_t lengths[BATCH];
    rnnat_net_layers layers;
    guarded memory;
    rnnat_net *built;
} problem;

static double *numbers(int32_t count)
{
    double *const array = malloc((size_t)count * sizeof *array);
    if (!array) abort();
    for (int32_t i = 0; i < count; ++i) array[i] = 0.6 * uniform();
    return array;
}

static void open_problem(problem *p, const network *net)
{
    memset(p, 0, sizeof *p);
    p->net = net;
    for (int32_t i = 0; i < net->num_weights; ++i) {
        p->weights[i] = numbers(net->weights[i]);
        p->grads[i] = numbers(net->weights[i]);
    }
    for (int32_t i = 0; i < net->num_states; ++i) {
        const int32_t count = net->state_rows * BATCH * net->states[i];
        p->state_in[i] = numbers(count);
        p->state_out[i] = numbers(count);
        p->dstate[i] = numbers(count);
        p->dstate_in[i] = numbers(count);
    }
    for (int32_t i = 0; i < TIME * BATCH * INPUT; ++i) p->x[i] = uniform();
    for (int32_t i = 0; i < TIME * BATCH * OUT; ++i) p->dy[i] = uniform();
    for (int32_t b = 0; b < BATCH; ++b) p->lengths[b] = b % (TIME + 1);
    p->layers = (rnnat_net_layers){2, net->texts, RNNAT_F64};
    size_t need;
    CHECK_CASE(rnnat_net_size(&p->layers, &need) == RNNAT_OK, net->label);
    p->memory = guard_make(need, 8);
    CHECK_CASE(rnnat_net_init(p->memory.body, need, &p->layers, (const void *const *)p->weights,
                              &p->built) == RNNAT_OK,
               net->label);
    rnnat_net_update(p->built);
}

static void close_problem(problem *p)
{
    CHECK_CASE(guard_intact(&p->memory), p->net->label);
    guard_end(&p->memory);
    for (int32_t i = 0; i < MAX_WEIGHTS; ++i) {
        free(p->weights[i]);
        free(p->grads[i]);
    }
    for (int32_t i = 0; i < MAX_STATES; ++i) {
        free(p->state_in[i]);
        free(p->state_out[i]);
        free(p->dstate[i]);
        free(p->dstate_in[i]);
    }
}

/* One forward and, with `back`, one backward, in guarded memory and without the heap. */
static void run(problem *p, int32_t threads, bool back)
{
    size_t tape_size, scratch_size;
    CHECK_CASE(rnnat_train_size(p->built, TIME, BATCH, threads, &tape_size, &scratch_size) ==
                   RNNAT_OK,
               p->net->label);
    guarded tape = guard_make(tape_size, 24), scratch = guard_make(scratch_size, 16);
    const rnnat_train_forward forward = {.time = TIME,
                                         .batch = BATCH,
                                         .num_threads = threads,
                                         .x = p->x,
                                         .lengths = p->lengths,
                                         .state_in = (const void *const *)p->state_in,
                                         .state_out = (void *const *)p->state_out,
                                         .y = p->y};
    const rnnat_train_backward backward = {.num_threads = threads,
                                           .dy = p->dy,
                                           .dstate = (const void *const *)p->dstate,
                                           .dx = p->dx,
                                           .dstate_in = (void *const *)p->dstate_in,
                                           .grads = (void *const *)p->grads};
    const long calls = heap_calls();
    const rnnat_status ahead = rnnat_train_run_forward(p->built, &forward, tape.body, tape.size);
    const rnnat_status behind =
        back ? rnnat_train_run_backward(p->built, &backward, tape.body, scratch.body, scratch.size)
             : RNNAT_OK;
    CHECK_CASE(threads > 1 || heap_calls() == calls, p->net->label);
    CHECK_CASE(ahead == RNNAT_OK && behind == RNNAT_OK, p->net->label);
    CHECK_CASE(rnnat_train_run_forward(p->built, &forward, tape.body, tape.size - 1) ==
                   RNNAT_ERROR_TOO_SMALL,
               p->net->label);
    CHECK_CASE(guard_intact(&tape) && guard_intact(&scratch), p->net->label);
    guard_end(&tape);
    guard_end(&scratch);
}

static double loss(problem *p)
{
    double sum = 0;
    run(p, 1, false);
    for (int32_t t = 0; t < TIME; ++t)
        for (int32_t b = 0; b < BATCH; ++b)
            for (int32_t j = 0; t < p->lengths[b] && j < OUT; ++j) {
                const int32_t i = (t * BATCH + b) * OUT + j;
                sum += p->y[i] * p->dy[i];
            }
    for (int32_t s = 0; s < p->net->num_states; ++s)
        for (int32_t i = 0; i < p->net->state_rows * BATCH * p->net->states[s]; ++i)
            sum += p->state_out[s][i] * p->dstate[s][i];
    return sum;
}

/* The derivative along one element, by central differences, whose error is some 1e-9. */
static bool agrees(problem *p, double *element, double gradient)
{
    const double kept = *element, step = 1e-5;
    *element = kept + step;
    rnnat_net_update(p->built);
    const double above = loss(p);
    *element = kept - step;
    rnnat_net_update(p->built);
    const double below = loss(p);
    *element = kept;
    rnnat_net_update(p->built);
    return fabs((above - below) / (2 * step) - gradient) < 1e-6;
}

static void test_gradients(const network *net)
{
    problem p;
    open_problem(&p, net);
    run(&p, 1, true);
    for (int32_t w = 0; w < net->num_weights; ++w)
        for (int32_t i = 0; i < net->weights[w]; i += 1 + net->weights[w] / 7)
            CHECK_CASE(agrees(&p, &p.weights[w][i], p.grads[w][i]), net->label);
    for (int32_t s = 0; s < net->num_states; ++s)
        for (int32_t i = 0; i < net->state_rows * BATCH * net->states[s]; i += 97)
            CHECK_CASE(agrees(&p, &p.state_in[s][i], p.dstate_in[s][i]), net->label);
    for (int32_t i = 0; i < TIME * BATCH * INPUT; i += 201)
        CHECK_CASE(agrees(&p, &p.x[i], p.dx[i]), net->label);
    close_problem(&p);
}

static void test_threads(const network *net)
{
    problem p;
    open_problem(&p, net);
    run(&p, 1, true);
    double *kept[MAX_WEIGHTS], dx[TIME * BATCH * INPUT];
    for (int32_t w = 0; w < net->num_weights; ++w) {
        kept[w] = p.grads[w];
        p.grads[w] = numbers(net->weights[w]);
    }
    memcpy(dx, p.dx, sizeof dx);
    for (int32_t threads = 2; threads <= 9; threads += 7) {
        run(&p, threads, true);
        CHECK_CASE(memcmp(dx, p.dx, sizeof dx) == 0, net->label);
        for (int32_t w = 0; w < net->num_weights; ++w)
            CHECK_CASE(memcmp(kept[w], p.grads[w], (size_t)net->weights[w] * sizeof *kept[w]) == 0,
                       net->label);
    }
    for (int32_t w = 0; w < net->num_weights; ++w) free(kept[w]);
    close_problem(&p);
}

static void test_refusals(void)
{
    static const char *const wrong[] = {"recurrent cell=rnn", HEAD};
    static const char *const apart[] = {HEAD, HEAD};
    size_t need;
    rnnat_net_layers layers = {2, wrong, RNNAT_F32};
    CHECK(rnnat_net_size(&layers, &need) == RNNAT_ERROR_FORMAT);
    layers.texts = apart;
    CHECK(rnnat_net_size(&layers, &need) == RNNAT_ERROR_FORMAT);
    const char *const bounded[] = {
        "recurrent cell=gru direction=forward reset_after=true clip=0x1p+0 " RECURRENT};
    layers = (rnnat_net_layers){1, bounded, RNNAT_F32}; /* only runs */
    CHECK(rnnat_net_size(&layers, &need) == RNNAT_ERROR_UNSUPPORTED);
    layers = (rnnat_net_layers){1, apart, 7};
    CHECK(rnnat_net_size(&layers, &need) == RNNAT_ERROR_ARGUMENT);
    problem p;
    open_problem(&p, &networks[0]);
    size_t tape, scratch;
    CHECK(rnnat_train_size(p.built, -1, 1, 1, &tape, &scratch) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_train_size(p.built, INT32_MAX, INT32_MAX, 1, &tape, &scratch) ==
          RNNAT_ERROR_OVERFLOW);
    p.lengths[2] = TIME + 1;
    const rnnat_train_forward forward = {.time = TIME,
                                         .batch = BATCH,
                                         .num_threads = 1,
                                         .x = p.x,
                                         .lengths = p.lengths,
                                         .state_out = (void *const *)p.state_out,
                                         .y = p.y};
    CHECK(rnnat_train_run_forward(p.built, &forward, p.y, 0) == RNNAT_ERROR_LENGTH);
    close_problem(&p);
}

/* A size that is stated has room for what it is for, and else is refused: also where steps times
 * rows, or their bytes, are more than size_t counts. */
static void test_sizes(void)
{
    problem p;
    open_problem(&p, &networks[7]);
    const double features = INPUT + 2 * (4 * 9 + 2 + 9) + 4 + OUT; /* x, gates, states, outputs */
    const double flow = 2 * 4; /* backward: between two layers, twice */
    for (int t = 0; t < 31; ++t)
        for (int b = 0; b < 31; ++b) {
            const int32_t time = (int32_t)1 << t, batch = (int32_t)1 << b;
            size_t tape, scratch;
            const rnnat_status status = rnnat_train_size(p.built, time, batch, 1, &tape, &scratch);
            const double rows = (double)time * batch * sizeof(double);
            CHECK(status == RNNAT_ERROR_OVERFLOW ||
                  (status == RNNAT_OK && (double)tape >= rows * features &&
                   (double)scratch >= rows * flow));
            CHECK(status == RNNAT_OK || rows * (features + flow) > 1e-3 * (double)SIZE_MAX);
        }
    close_problem(&p);
}

int main(void)
{
    srand(1);
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; ++i) {
        test_gradients(&networks[i]);
        test_threads(&networks[i]);
    }
    test_refusals();
    test_sizes();
    return check_result();
}
