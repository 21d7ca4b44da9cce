/* A run that may be stopped has the bits of one that may not, and one that is stopped ends, wherever
 * that is: threads that meet leave at the same meeting. The question comes after every step here. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "model_file.h"
#include "run/run.h"
#include "threads/threads.h"

#if RNNAT_STOP
enum { TIME = 60, MOST_ROWS = 3, INPUT = 6, STATES = 4 };

static test_layer recurrent(test_cell cell, int32_t input, int32_t hidden)
{
    return (test_layer){.kind = TEST_RECURRENT,
                        .cell = cell,
                        .input_size = input,
                        .output_size = hidden,
                        .num_layers = 1,
                        .bias = true};
}

/* A kind of schedule each: units divided, with meetings inside of a step; directions side by side;
 * a wavefront; a last state, behind which something runs once; no recurrent layer; units divided,
 * and then directions side by side. */
static bool start(int32_t kind, test_model *model)
{
    test_layer layer = recurrent(TEST_LSTM, INPUT, 48);
    if (kind > 5) return false;
    test_model_start(model, 40 + (uint64_t)kind);
    if (kind == 0) {
        layer = recurrent(TEST_LSTM, 120, 110);
        layer.proj_size = 41;
        test_model_add(model, recurrent(TEST_GRU, INPUT, 120));
        test_model_add(model, layer);
    } else if (kind == 5) {
        layer = recurrent(TEST_LSTM, 120, 48);
        layer.direction = RNNAT_BIDIRECTIONAL;
        test_model_add(model, recurrent(TEST_GRU, INPUT, 120));
        test_model_add(model, layer);
    } else if (kind < 4) {
        if (kind != 2) layer.direction = RNNAT_BIDIRECTIONAL;
        if (kind < 3) layer.num_layers = 2;
        layer.last_only = kind == 3;
        test_model_add(model, layer);
    }
    test_model_add(model, (test_layer){.kind = TEST_LINEAR,
                                       .input_size = kind == 4   ? INPUT
                                                     : kind == 0 ? 41
                                                     : kind == 2 ? 48
                                                                 : 96,
                                       .output_size = 50,
                                       .activation = RNNAT_TANH});
    return true;
}

typedef struct asker {
    int32_t asked, last; /* the question that is answered by yes; 0: none */
    bool waited;
} asker;

static bool wanted(void *arg, bool waits)
{
    asker *const a = arg;
    CHECK(!a->last || a->asked < a->last); /* no question after a yes */
    if (waits)
        a->waited = true;
    else
        ++a->asked;
    return a->last && a->asked >= a->last;
}

typedef struct outcome {
    guarded y, state;
} outcome;

/* `a`: who is asked, or NULL. */
static outcome run(const rnnat_model *model, int32_t batch, int32_t threads, const int32_t *lengths,
                   asker *a)
{
    static float x[TIME * MOST_ROWS * INPUT];
    uint64_t random = 9;
    for (size_t i = 0; i < sizeof x / sizeof x[0]; ++i) x[i] = test_random(&random, 1);
    outcome out = {guard_make(sizeof(float) * TIME * (size_t)batch * 50, 0),
                   guard_make(sizeof(float) * STATES * 4 * (size_t)batch * 120, 0)};
    void *states[STATES];
    for (int32_t i = 0; i < STATES; ++i)
        states[i] = out.state.body + (size_t)i * (out.state.size / STATES);
    rnnat_stop stop = {.wanted = wanted, .arg = a, .every = 1};
    const rnnat_run_args args = {.dtype = RNNAT_F32,
                                 .time = TIME,
                                 .batch = batch,
                                 .x = x,
                                 .y = out.y.body,
                                 .lengths = lengths,
                                 .state_out = states,
                                 .stop = a ? &stop : NULL,
                                 .num_threads = threads};
    rnnat_job job;
    CHECK(rnnat_run_plan(model, &args, &job) == RNNAT_OK);
    guarded scratch = guard_make(job.need, 0);
    CHECK(rnnat_run_go(model, &job, scratch.body, job.need) == RNNAT_OK);
    CHECK(guard_intact(&scratch) && guard_intact(&out.y) && guard_intact(&out.state));
    guard_end(&scratch);
    return out;
}

static void end(outcome *out)
{
    guard_end(&out->y);
    guard_end(&out->state);
}

static void check_kind(const rnnat_model *model, int32_t batch, int32_t threads,
                       const int32_t *lengths)
{
    asker never = {0};
    outcome expected = run(model, batch, threads, lengths, NULL);
    outcome asked = run(model, batch, threads, lengths, &never);
    CHECK(never.asked > 0);
    CHECK(memcmp(expected.y.body, asked.y.body, asked.y.size) == 0);
    CHECK(memcmp(expected.state.body, asked.state.body, asked.state.size) == 0);
    end(&asked);
    const int32_t step = is_brief || is_sanitized ? 37 : 5;
    for (int32_t last = 1; last <= never.asked; last += last < 20 ? 1 : step) {
        asker once = {.last = last};
        outcome left = run(model, batch, threads, lengths, &once);
        CHECK(once.asked <= last); /* and fewer times where another thread did what this one had */
        CHECK(once.asked == last || once.waited || threads > 1);
        end(&left);
    }
    end(&expected);
}

int main(void)
{
    static const int32_t lengths[MOST_ROWS] = {3, TIME, 31};
    const int32_t most_threads = rnnat_threads_compiled() ? 4 : 1;
    test_model file;
    for (int32_t kind = 0; start(kind, &file); ++kind) {
        rnnat_model *const model = test_model_make(&file, RNNAT_F32, RNNAT_MATMUL_PACKED);
        for (int32_t batch = 1; batch <= MOST_ROWS; batch += 2)
            for (int32_t threads = 1; threads <= most_threads; ++threads) {
                check_kind(model, batch, threads, NULL);
                if (batch > 1) check_kind(model, batch, threads, lengths);
            }
        rnnat_model_free(model);
        test_model_end(&file);
    }
    return check_result();
}
#else
int main(void) { return 77; }
#endif
