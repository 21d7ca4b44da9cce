/* Calculates the equations in double, each number with a bound of what float may be off by. */
#include "naive.h"

#include <stdlib.h>
#include <string.h>

#include "naive_number.h"

enum { MAX_UNITS = 512 };

/* ---- cells ---- */

typedef struct cell {
    const test_layer *layer;
    const rnnat_functions *functions;
    int32_t input, hidden, state;
    const float *w_ih, *w_hh, *b_ih, *b_hh, *w_hr, *w_ci, *w_cf, *w_co, *w_gh, *w_ch;
} cell;

/* W_i. x + b_i. */
static void from_input(sum *s, const cell *w, int32_t gate, int32_t unit, const num *x)
{
    const int32_t row = gate * w->hidden + unit;
    add_dot(s, w->w_ih + row * w->input, x, w->input);
    if (w->b_ih) add_bias(s, w->b_ih[row]);
}

/* W_h. h + b_h. */
static void from_state(sum *s, const cell *w, int32_t gate, int32_t unit, const num *h)
{
    const int32_t row = gate * w->hidden + unit;
    add_dot(s, w->w_hh + row * w->state, h, w->state);
    if (w->b_hh) add_bias(s, w->b_hh[row]);
}

/* Both, and a peephole's w c where there is one. */
static num gate_sum(const cell *w, int32_t gate, int32_t unit, const num *x, const num *h,
                    const float *peephole, num c)
{
    sum s = {0};
    from_input(&s, w, gate, unit, x);
    from_state(&s, w, gate, unit, h);
    if (peephole) add_product(&s, peephole[unit], c);
    return total(&s);
}

/* W_i. x + b_i., and rows of one or two more matrices [gates * hidden, hidden] on vectors. */
static num sum_of_gates(const cell *w, int32_t gate, int32_t unit, const num *x, const float *m,
                        const num *a, const float *n, const num *b)
{
    const int32_t row = gate * w->hidden + unit;
    sum s = {0};
    from_input(&s, w, gate, unit, x);
    add_dot(&s, m + row * w->hidden, a, w->hidden);
    if (n) add_dot(&s, n + row * w->hidden, b, w->hidden);
    return total(&s);
}

/* r = sigmoid(W_rr z + W_xr x + b_r)
 * z' = sigmoid(W_zz z + W_xz x + b_z)
 * n = tanh(W_hh (r h) + W_xh x + b_h)
 * h' = (1 - z') h + z' n */
static void gate_gru_step(const cell *w, const num *x, num *h, num *z)
{
    num rh[MAX_UNITS], next_z[MAX_UNITS];
    for (int32_t j = 0; j < w->hidden; ++j) {
        rh[j] = mul(sigmoid(sum_of_gates(w, 0, j, x, w->w_gh, z, NULL, NULL)), h[j]);
        next_z[j] = sigmoid(sum_of_gates(w, 1, j, x, w->w_gh, z, NULL, NULL));
    }
    for (int32_t j = 0; j < w->hidden; ++j) {
        sum s = {0};
        from_input(&s, w, 2, j, x);
        add_dot(&s, w->w_hh + j * w->hidden, rh, w->hidden);
        z[j] = next_z[j];
        h[j] = mix(z[j], h[j], hyperbolic_tangent(total(&s)));
    }
}

/* i' = sigmoid(W_ii i + W_xi x + W_ci c + b_i)
 * f' = sigmoid(W_if f + W_xf x + W_cf c + b_f)
 * g = tanh(W_ig i + W_xg x + W_cg c + b_g)
 * o = sigmoid(W_io i + W_xo x + W_co c + b_o)
 * c' = f' c + i' g
 * h' = o tanh(c') */
static void gate_lstm_step(const cell *w, const num *x, num *h, num *c, num *i, num *f)
{
    num next[4][MAX_UNITS];
    for (int32_t j = 0; j < w->hidden; ++j)
        for (int32_t gate = 0; gate < 4; ++gate)
            next[gate][j] = sum_of_gates(w, gate, j, x, w->w_gh, gate == 1 ? f : i, w->w_ch, c);
    for (int32_t j = 0; j < w->hidden; ++j) {
        i[j] = sigmoid(next[0][j]);
        f[j] = sigmoid(next[1][j]);
        c[j] = add(mul(f[j], c[j]), mul(i[j], hyperbolic_tangent(next[2][j])));
        h[j] = mul(sigmoid(next[3][j]), hyperbolic_tangent(c[j]));
    }
}

/* h' = f(W_ih x + b_ih + W_hh h + b_hh) */
static void rnn_step(const cell *w, const num *x, num *h)
{
    num next[MAX_UNITS];
    for (int32_t j = 0; j < w->hidden; ++j) {
        next[j] = gate(w->functions, 0, gate_sum(w, 0, j, x, h, NULL, exactly(0)));
    }
    memcpy(h, next, (size_t)w->hidden * sizeof *h);
}

/* f is sigmoid, g and h are tanh, or other activations:
 * r = f(W_ir x + b_ir + W_hr h + b_hr)
 * z = f(W_iz x + b_iz + W_hz h + b_hz)
 * n = g(W_in x + b_in + r (W_hn h + b_hn))      reset after
 * n = g(W_in x + b_in + W_hn (r h) + b_hn)      reset before
 * h' = (1 - z) n + z h */
static void gru_step(const cell *w, const num *x, num *h)
{
    num r[MAX_UNITS], rh[MAX_UNITS], next[MAX_UNITS];
    for (int32_t j = 0; j < w->hidden; ++j) {
        r[j] = gate(w->functions, 0, gate_sum(w, 0, j, x, h, NULL, exactly(0)));
        rh[j] = mul(r[j], h[j]);
    }
    for (int32_t j = 0; j < w->hidden; ++j) {
        const num z = gate(w->functions, 0, gate_sum(w, 1, j, x, h, NULL, exactly(0)));
        num a;
        if (w->layer->reset_after) {
            sum of_x = {0}, of_h = {0};
            from_input(&of_x, w, 2, j, x);
            from_state(&of_h, w, 2, j, h);
            a = add(total(&of_x), mul(r[j], total(&of_h)));
        } else {
            a = gate_sum(w, 2, j, x, rh, NULL, exactly(0));
        }
        next[j] = mix(z, gate(w->functions, 1, a), h[j]);
    }
    memcpy(h, next, (size_t)w->hidden * sizeof *h);
}

/* i = f(W_ii x + b_ii + W_hi h + b_hi + w_ci c)
 * f = f(W_if x + b_if + W_hf h + b_hf + w_cf c), or 1 - i
 * g = g(W_ig x + b_ig + W_hg h + b_hg)
 * c' = f c + i g, or that within the cell_clip
 * o = f(W_io x + b_io + W_ho h + b_ho + w_co c')
 * h' = o h(c'), or W_hr of it */
static void lstm_step(const cell *w, const num *x, num *h, num *c)
{
    num next[MAX_UNITS];
    for (int32_t j = 0; j < w->hidden; ++j) {
        const num i = gate(w->functions, 0, gate_sum(w, 0, j, x, h, w->w_ci, c[j]));
        const num own = gate(w->functions, 0, gate_sum(w, 1, j, x, h, w->w_cf, c[j]));
        const num f = w->functions->input_forget ? rounded(1 - i.value, i.error) : own;
        const num g = gate(w->functions, 1, gate_sum(w, 2, j, x, h, NULL, c[j]));
        c[j] = add(mul(f, c[j]), mul(i, g));
        const double bound = w->functions->cell_clip;
        if (bound > 0) c[j] = within(c[j], -bound, bound);
        const num o = gate(w->functions, 0, gate_sum(w, 3, j, x, h, w->w_co, c[j]));
        next[j] = mul(o, gate(w->functions, 2, c[j]));
    }
    for (int32_t j = 0; j < w->state; ++j) {
        sum projected = {0};
        if (w->w_hr) add_dot(&projected, w->w_hr + j * w->hidden, next, w->hidden);
        h[j] = w->w_hr ? total(&projected) : next[j];
    }
}

/* Those of one direction. */
static rnnat_functions functions_of(const test_layer *layer, int32_t direction)
{
    static const rnnat_gate_activation of_layer[] = {[RNNAT_SIGMOID] = RNNAT_GATE_SIGMOID,
                                                     [RNNAT_TANH] = RNNAT_GATE_TANH,
                                                     [RNNAT_RELU] = RNNAT_GATE_RELU};
    if (layer->general) return layer->functions[direction];
    if (layer->cell == TEST_RNN)
        return (rnnat_functions){.of = {{of_layer[layer->activation], 0, 0}}};
    return (rnnat_functions){
        .of = {{RNNAT_GATE_SIGMOID, 0, 0}, {RNNAT_GATE_TANH, 0, 0}, {RNNAT_GATE_TANH, 0, 0}}};
}

static const float *find(const test_model *model, int32_t layer, const char *name, int32_t depth,
                         bool reverse)
{
    const test_tensor *const tensor = test_model_tensor(model, layer, name, depth, reverse);
    return tensor ? tensor->values : NULL;
}

/* ---- layers ---- */

/* One row through one direction at one depth: from x [time, batch, input] to columns
 * `first_column`.. of out [time, batch, out_width]. The states s, h first, move on. */
static void run_row(const cell *w, bool reverse, const test_inputs *in, int32_t row, const num *x,
                    num *out, int32_t out_width, int32_t first_column, num *const s[4])
{
    const int32_t length = in->lengths ? in->lengths[row] : in->time;
    for (int32_t i = 0; i < length; ++i) {
        const int32_t step = (reverse ? length - 1 - i : i) * in->batch + row;
        const num *const x_t = x + step * w->input;
        switch (w->layer->cell) {
        case TEST_RNN: rnn_step(w, x_t, s[0]); break;
        case TEST_GRU:
            if (w->layer->gate_recurrent)
                gate_gru_step(w, x_t, s[0], s[1]);
            else
                gru_step(w, x_t, s[0]);
            break;
        case TEST_LSTM:
            if (w->layer->gate_recurrent)
                gate_lstm_step(w, x_t, s[0], s[1], s[2], s[3]);
            else
                lstm_step(w, x_t, s[0], s[1]);
            break;
        }
        memcpy(out + step * out_width + first_column, s[0], (size_t)w->state * sizeof(num));
    }
}

/* o = f(W_ho h + W_xo x + b_o), of every step and row: replaces *h. */
static void run_output(const test_model *model, int32_t index, const test_inputs *in, const num *x,
                       num **h)
{
    const test_layer *const layer = &model->layers[index];
    const int32_t hidden = layer->output_size * test_layer_directions(layer);
    const float *const w_ho = find(model, index, "weight_ho", -1, false);
    const float *const w_xo = find(model, index, "weight_xo", -1, false);
    const float *const bias = find(model, index, "bias_o", -1, false);
    num *const out = calloc((size_t)(in->time * in->batch * layer->output_layer) + 1, sizeof *out);
    if (!out) abort();
    for (int32_t step = 0; step < in->time * in->batch; ++step) {
        num *const o = out + step * layer->output_layer;
        if (in->lengths && step / in->batch >= in->lengths[step % in->batch]) continue;
        for (int32_t j = 0; j < layer->output_layer; ++j) {
            sum s = {0};
            add_dot(&s, w_ho + j * hidden, *h + step * hidden, hidden);
            add_dot(&s, w_xo + j * layer->input_size, x + step * layer->input_size,
                    layer->input_size);
            if (bias) add_bias(&s, bias[j]);
            o[j] = total(&s);
        }
        activate(layer->output_activation, o, layer->output_layer);
    }
    free(*h);
    *h = out;
}

/* Replaces *x by the layer's output. The states [rows, batch, features], h first, move on. */
static void run_recurrent(const test_model *model, int32_t index, const test_inputs *in, num **x,
                          num *const *states)
{
    const test_layer *const layer = &model->layers[index];
    const int32_t directions = test_layer_directions(layer);
    const int32_t width = test_layer_state(layer) * directions;
    num *const given = *x;
    for (int32_t depth = 0; depth < layer->num_layers; ++depth) {
        num *const out = calloc((size_t)(in->time * in->batch * width) + 1, sizeof *out);
        if (!out) abort();
        for (int32_t d = 0; d < directions; ++d) {
            const bool reverse = d == 1 || layer->direction == RNNAT_REVERSE;
            const rnnat_functions functions = functions_of(layer, d);
            const cell w = {.layer = layer,
                            .functions = &functions,
                            .input = depth ? width : layer->input_size,
                            .hidden = layer->output_size,
                            .state = test_layer_state(layer),
                            .w_ih = find(model, index, "weight_ih", depth, reverse),
                            .w_hh = find(model, index, "weight_hh", depth, reverse),
                            .b_ih = find(model, index, "bias_ih", depth, reverse),
                            .b_hh = find(model, index, "bias_hh", depth, reverse),
                            .w_hr = find(model, index, "weight_hr", depth, reverse),
                            .w_gh = find(model, index, "weight_gh", depth, reverse),
                            .w_ch = find(model, index, "weight_ch", depth, reverse),
                            .w_ci = find(model, index, "weight_ci", depth, reverse),
                            .w_cf = find(model, index, "weight_cf", depth, reverse),
                            .w_co = find(model, index, "weight_co", depth, reverse)};
            for (int32_t row = 0; row < in->batch; ++row) {
                const int32_t at = (depth * directions + d) * in->batch + row;
                num *now[4] = {states[0] + at * w.state};
                for (int32_t s = 1; s < test_layer_states(layer); ++s)
                    now[s] = states[s] + at * w.hidden;
                run_row(&w, reverse, in, row, *x, out, width, d * w.state, now);
            }
        }
        if (*x != given) free(*x);
        *x = out;
    }
    if (layer->output_layer) run_output(model, index, in, given, x);
    free(given);
}

/* x of the steps becomes h of the top layer as it stands, [batch, width]. */
static void take_last(const test_layer *layer, int32_t batch, const num *h, num **x)
{
    const int32_t directions = test_layer_directions(layer), state = test_layer_state(layer);
    const int32_t width = state * directions, first = (layer->num_layers - 1) * directions;
    free(*x);
    *x = calloc((size_t)(batch * width) + 1, sizeof **x);
    if (!*x) abort();
    for (int32_t i = 0; i < batch * width; ++i) {
        const int32_t row = i / width, direction = i % width / state;
        (*x)[i] = h[((first + direction) * batch + row) * state + i % state];
    }
}

/* One step of one row of a merge layer. */
static void run_merge(const test_layer *layer, const num *x, num *out)
{
    const int32_t n = layer->output_size;
    for (int32_t j = 0; j < n; ++j) {
        out[j] = layer->merge == RNNAT_MERGE_MUL ? mul(x[j], x[j + n]) : add(x[j], x[j + n]);
        if (layer->merge == RNNAT_MERGE_AVE) out[j] = mul(out[j], exactly(0.5));
    }
}

/* One step of one row of an embedding or a linear layer. */
static void run_step(const test_layer *layer, const float *weight, const float *bias, const num *x,
                     int32_t index, num *out)
{
    for (int32_t j = 0; j < layer->output_size; ++j) {
        if (layer->kind == TEST_EMBEDDING) {
            out[j] = exactly(weight[index * layer->output_size + j]);
            continue;
        }
        sum s = {0};
        add_dot(&s, weight + j * layer->input_size, x, layer->input_size);
        if (bias) add_bias(&s, bias[j]);
        out[j] = total(&s);
    }
    if (layer->kind == TEST_LINEAR) activate(layer->activation, out, layer->output_size);
}

static void run_pointwise(const test_model *model, int32_t index, const test_inputs *in, num **x)
{
    const test_layer *const layer = &model->layers[index];
    const int32_t width = layer->output_size, before = layer->input_size;
    num *const out = calloc((size_t)(in->time * in->batch * width) + 1, sizeof *out);
    if (!out) abort();
    for (int32_t step = 0; step < in->time * in->batch; ++step) {
        if (in->lengths && step / in->batch >= in->lengths[step % in->batch]) continue;
        if (layer->kind == TEST_MERGE) {
            run_merge(layer, *x + step * before, out + step * width);
            continue;
        }
        const bool embedding = layer->kind == TEST_EMBEDDING;
        run_step(layer, find(model, index, "weight", -1, false),
                 find(model, index, "bias", -1, false), embedding ? NULL : *x + step * before,
                 embedding ? in->indices[step] : 0, out + step * width);
    }
    free(*x);
    *x = out;
}

void naive_run(const test_model *model, const test_inputs *in, naive_number *y,
               naive_number *const finals[MAX_STATES])
{
    const size_t count = (size_t)(in->time * in->batch * in->width);
    num *x = calloc(count + 1, sizeof *x);
    if (!x) abort();
    for (size_t i = 0; in->x && i < count; ++i) x[i] = exactly(in->x[i]);
    int32_t state = 0;
    test_inputs now = *in; /* of one step, behind a last state */
    for (int32_t s = 0; s < in->num_states; ++s)
        for (int32_t i = 0; i < in->rows[s] * in->batch * in->features[s]; ++i)
            finals[s][i] = exactly(in->states[s] ? in->states[s][i]
                                                 : test_model_initial(model, s, in->batch, i));
    for (int32_t i = 0; i < model->num_layers; ++i) {
        if (model->layers[i].kind != TEST_RECURRENT) {
            run_pointwise(model, i, &now, &x);
            continue;
        }
        run_recurrent(model, i, in, &x, &finals[state]);
        if (model->layers[i].last_only) {
            take_last(&model->layers[i], in->batch, finals[state], &x);
            now.time = 1;
            now.lengths = NULL;
        }
        state += test_layer_states(&model->layers[i]);
    }
    const int32_t width = test_layer_output(&model->layers[model->num_layers - 1]);
    memcpy(y, x, (size_t)(now.time * in->batch * width) * sizeof *y);
    free(x);
}
