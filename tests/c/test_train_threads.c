/* Training by threads: chains whose layers all differ in size and kind, so that no array which
 * layers or threads share lies in the next layer as it did in the one before. Any number of threads
 * gives the bits that one gives, of every result and each time; and the thread sanitizer sees here
 * what meets what. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "guard.h"
#include "threads/threads.h"
#include "train/net.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

/* Rows that no number of threads divides evenly; steps in two chunks and a bit. */
enum { TIME = 27, BATCH = 22, MOST_LAYERS = 5, MOST_ARRAYS = 64 };
enum { ROUNDS = is_brief || is_sanitized ? 1 : 4, CALLERS = 3 };
static const int32_t counts[] = {2, 3, 4, 5, 6, 7, 8};

typedef struct layer_chain {
    const char *label;
    const char *layers[MOST_LAYERS];
    double dropout;
    bool lengths;
} layer_chain;

static const layer_chain chains[] = {
    {"wide and narrow",
     {"recurrent cell=gru input_size=24 hidden_size=40 num_layers=1 direction=forward bias=true "
      "reset_after=true",
      "recurrent cell=gru input_size=40 hidden_size=7 num_layers=1 direction=reverse bias=true "
      "reset_after=false",
      "recurrent cell=rnn input_size=7 hidden_size=33 num_layers=1 direction=forward bias=false "
      "nonlinearity=tanh"},
     0,
     false},
    {"both directions, a projection, peepholes, dropout",
     {"recurrent cell=lstm input_size=9 hidden_size=21 num_layers=2 direction=bidirectional "
      "bias=true proj_size=5 peephole=false",
      "linear in_features=10 out_features=31 bias=true activation=relu",
      "recurrent cell=lstm input_size=31 hidden_size=12 num_layers=3 direction=forward bias=true "
      "proj_size=0 peephole=true",
      "linear in_features=12 out_features=4 bias=false activation=softmax",
      "recurrent cell=lstm input_size=4 hidden_size=19 num_layers=1 direction=bidirectional "
      "bias=true proj_size=0 peephole=true"},
     0.25,
     true},
    {"gates that recur on gates, behind an embedding",
     {"embedding num_embeddings=6 embedding_dim=29",
      "recurrent cell=lstm input_size=29 hidden_size=18 num_layers=1 direction=forward bias=true "
      "gate_recurrent=true",
      "recurrent cell=gru input_size=18 hidden_size=34 num_layers=2 direction=bidirectional "
      "bias=true gate_recurrent=true",
      "recurrent cell=lstm input_size=68 hidden_size=3 num_layers=1 direction=reverse bias=true "
      "gate_recurrent=true",
      "linear in_features=3 out_features=8 bias=true activation=log_softmax"},
     0.5,
     true},
    {"output layers, each of which sees its stack's input",
     {"recurrent cell=rnn input_size=13 hidden_size=28 num_layers=2 direction=forward bias=true "
      "nonlinearity=sigmoid output_layer=37 output_nonlinearity=tanh",
      "recurrent cell=rnn input_size=37 hidden_size=6 num_layers=1 direction=bidirectional "
      "bias=true nonlinearity=relu output_layer=17 output_nonlinearity=identity",
      "recurrent cell=gru input_size=17 hidden_size=25 num_layers=2 direction=bidirectional "
      "bias=true reset_after=true"},
     0,
     true},
};

/* A net with everything that goes into a call of it. */
typedef struct problem {
    const layer_chain *chain;
    rnnat_net *net;
    void *memory, *weights[MOST_ARRAYS];
    void *x, *dy, *state[MOST_ARRAYS], *dstate[MOST_ARRAYS];
    int32_t indices[TIME * BATCH], lengths[BATCH];
} problem;

/* All that a call gives, in one block of so many bytes, y first; zero between the arrays. */
typedef struct outcome {
    void *memory;
    size_t bytes;
    void *y, *dx, *state[MOST_ARRAYS], *dstate[MOST_ARRAYS], *grads[MOST_ARRAYS];
} outcome;

static void *take(size_t bytes)
{
    void *const memory = calloc(bytes + !bytes, 1);
    if (!memory) abort();
    return memory;
}

static void *numbers(const rnnat_net *net, size_t count, double most)
{
    const bool is_double = net->kernels->elem == sizeof(double);
    void *const array = take(count * (size_t)net->kernels->elem);
    for (size_t i = 0; i < count; ++i) {
        const double number = most * (2.0 * rand() / RAND_MAX - 1);
        if (is_double)
            ((double *)array)[i] = number;
        else
            ((float *)array)[i] = (float)number;
    }
    return array;
}

static size_t state_size(const rnnat_net *net, int32_t i)
{
    return (size_t)net->state_rows[i] * BATCH * (size_t)net->state_features[i];
}

static problem *open_problem(const layer_chain *chain, int32_t dtype)
{
    problem *const p = take(sizeof *p);
    rnnat_net_layers layers = {0, chain->layers, dtype};
    while (layers.count < MOST_LAYERS && chain->layers[layers.count]) ++layers.count;
    size_t need = 0;
    CHECK_CASE(rnnat_net_size(&layers, &need) == RNNAT_OK, chain->label);
    p->chain = chain;
    p->memory = take(need);
    CHECK_CASE(rnnat_net_init(p->memory, need, &layers, (const void *const *)p->weights, &p->net) ==
                   RNNAT_OK,
               chain->label);
    const rnnat_net *const net = p->net;
    CHECK_CASE(net->num_weights <= MOST_ARRAYS && net->num_states <= MOST_ARRAYS, chain->label);
    for (int32_t i = 0; i < net->num_weights; ++i)
        p->weights[i] = numbers(net, net->weight_sizes[i], 0.4);
    for (int32_t i = 0; i < net->num_states; ++i) {
        p->state[i] = numbers(net, state_size(net, i), 1);
        p->dstate[i] = numbers(net, state_size(net, i), 1);
    }
    p->x = numbers(net, (size_t)TIME * BATCH * (size_t)net->input, 1);
    p->dy = numbers(net, (size_t)TIME * BATCH * (size_t)net->output, 1);
    for (int32_t i = 0; i < TIME * BATCH; ++i) p->indices[i] = rand() % net->input;
    for (int32_t b = 0; b < BATCH; ++b) p->lengths[b] = b * 5 % (TIME + 1);
    rnnat_net_update(p->net);
    return p;
}

static void close_problem(problem *p)
{
    for (int32_t i = 0; i < MOST_ARRAYS; ++i) {
        free(p->weights[i]);
        free(p->state[i]);
        free(p->dstate[i]);
    }
    free(p->x);
    free(p->dy);
    free(p->memory);
    free(p);
}

static void carve(rnnat_arena *arena, const rnnat_net *net, outcome *o)
{
    const size_t elem = (size_t)net->kernels->elem;
    o->y = rnnat_arena_take(arena, (size_t)TIME * BATCH * (size_t)net->output, elem);
    o->dx = rnnat_arena_take(arena, (size_t)TIME * BATCH * (size_t)net->input, elem);
    for (int32_t i = 0; i < net->num_states; ++i) {
        o->state[i] = rnnat_arena_take(arena, state_size(net, i), elem);
        o->dstate[i] = rnnat_arena_take(arena, state_size(net, i), elem);
    }
    for (int32_t i = 0; i < net->num_weights; ++i)
        o->grads[i] = rnnat_arena_take(arena, net->weight_sizes[i], elem);
}

/* Forward and backward, in guarded memory. */
static bool run(const problem *p, int32_t threads, const outcome *to)
{
    const rnnat_net *const net = p->net;
    size_t tape_size, scratch_size;
    if (rnnat_train_size(net, TIME, BATCH, threads, &tape_size, &scratch_size) != RNNAT_OK)
        return false;
    guarded tape = guard_make(tape_size, 8), scratch = guard_make(scratch_size, 24);
    const rnnat_train_forward forward = {.time = TIME,
                                         .batch = BATCH,
                                         .num_threads = threads,
                                         .x = p->x,
                                         .indices = p->indices,
                                         .lengths = p->chain->lengths ? p->lengths : NULL,
                                         .state_in = (const void *const *)p->state,
                                         .state_out = to->state,
                                         .y = to->y,
                                         .dropout = p->chain->dropout,
                                         .seed = 11};
    const rnnat_train_backward backward = {.num_threads = threads,
                                           .dy = p->dy,
                                           .dstate = (const void *const *)p->dstate,
                                           .dx = to->dx,
                                           .dstate_in = to->dstate,
                                           .grads = to->grads};
    bool well =
        rnnat_train_run_forward(net, &forward, tape.body, tape.size) == RNNAT_OK &&
        rnnat_train_run_backward(net, &backward, tape.body, scratch.body, scratch.size) == RNNAT_OK;
    well = well && guard_intact(&tape) && guard_intact(&scratch);
    guard_end(&tape);
    guard_end(&scratch);
    return well;
}

static outcome make_outcome(const rnnat_net *net)
{
    outcome o;
    rnnat_arena arena = rnnat_arena_at(NULL);
    carve(&arena, net, &o);
    o.memory = take(rnnat_arena_need(&arena));
    o.bytes = arena.used;
    arena = rnnat_arena_at(o.memory);
    carve(&arena, net, &o);
    return o;
}

/* Whether so many threads give, each time, what was expected. */
static bool gives(const problem *p, int32_t threads, const outcome *expected)
{
    outcome got = make_outcome(p->net);
    bool right = true;
    for (int round = 0; round < ROUNDS; ++round)
        right = run(p, threads, &got) && right && memcmp(got.y, expected->y, expected->bytes) == 0;
    free(got.memory);
    return right;
}

#if defined(__unix__) || defined(__APPLE__)
typedef struct caller {
    const problem *p;
    const outcome *expected;
    bool right;
} caller;

static void *call(void *arg)
{
    caller *const c = arg;
    c->right = gives(c->p, 2, c->expected);
    return NULL;
}

/* One net, of which nothing changes while it runs, in calls that know nothing of each other. */
static void test_callers(const problem *p, const outcome *expected)
{
    caller callers[CALLERS];
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; ++i) {
        callers[i] = (caller){p, expected, false};
        CHECK(pthread_create(&threads[i], NULL, call, &callers[i]) == 0);
    }
    for (int i = 0; i < CALLERS; ++i) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_CASE(callers[i].right, p->chain->label);
    }
}
#else
static void test_callers(const problem *p, const outcome *expected) { (void)p, (void)expected; }
#endif

static void test_chain(const layer_chain *chain, int32_t dtype)
{
    problem *const p = open_problem(chain, dtype);
    outcome one = make_outcome(p->net);
    CHECK_CASE(run(p, 1, &one), chain->label);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i) {
        const int32_t threads = counts[i];
        CHECK_CASE(rnnat_train_threads(p->net, TIME, BATCH, threads) ==
                       (rnnat_threads_compiled() ? threads : 1),
                   chain->label);
        CHECK_CASE(gives(p, threads, &one), chain->label);
    }
    test_callers(p, &one);
    free(one.memory);
    close_problem(p);
}

int main(void)
{
    srand(1);
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; ++i) {
        test_chain(&chains[i], RNNAT_F32);
        test_chain(&chains[i], RNNAT_F64);
    }
    return check_result();
}
