/* Steps of values: a row of windows, from the model's inputs on. */
#include "pace.h"

#include <math.h>

#if RNNAT_WITH_WINDOWS
/* The nodes before a value that change the number of steps, the last one first; returns how many. */
static int32_t find_paces(const rnnat_value *values, const rnnat_node *nodes, int32_t value,
                          int32_t found[RNNAT_MOST_PACES])
{
    int32_t count = 0;
    for (int32_t v = value; values[v].paced_by >= 0; v = nodes[values[v].paced_by].inputs[0]) {
        if (count == RNNAT_MOST_PACES) break; /* of which rnnat_graph_add_window makes no more */
        found[count++] = values[v].paced_by;
    }
    return count;
}

int32_t rnnat_paces_above(const rnnat_value *values, const rnnat_node *nodes, int32_t value)
{
    int32_t found[RNNAT_MOST_PACES];
    return find_paces(values, nodes, value, found);
}

/* More than any count of steps that is used. */
static const int64_t more_steps_than_used = INT64_C(1) << 40;

/* Where the windows of node `index` begin. */
static int32_t phase_of(const rnnat_model *model, rnnat_phases phases, int32_t index)
{
    const rnnat_node *const node = &model->nodes[index];
    const int32_t array = rnnat_phase_array(node);
    if (phases.now) return phases.now[index];
    if (!phases.states || array < 0) return node->window.before;
    const void *const rows = phases.states[array];
    const double phase =
        rnnat_is_float(model->kernels) ? (double)*(const float *)rows : *(const double *)rows;
    const bool can_be = fabs(phase) <= 2.0 * RNNAT_WINDOW_MAX; /* it may not be checked yet */
    return can_be ? (int32_t)phase : node->window.before;
}

int64_t rnnat_steps_of(const rnnat_model *model, rnnat_phases phases, int32_t value, int64_t steps)
{
    if (model->values[value].paced_by < 0) return steps;
    int32_t found[RNNAT_MOST_PACES];
    int32_t count = find_paces(model->values, model->nodes, value, found);
    while (count-- > 0) {
        steps = rnnat_window_steps(&model->nodes[found[count]].window,
                                   phase_of(model, phases, found[count]), steps);
        if (steps > more_steps_than_used) return more_steps_than_used;
    }
    return steps;
}

int64_t rnnat_output_steps(const rnnat_model *model, const void *const *states, int32_t index,
                           int64_t steps)
{
    const int32_t value = model->outputs[index];
    if (!model->values[value].has_time) return 1;
    return rnnat_steps_of(model, (rnnat_phases){NULL, states}, value, steps);
}

int64_t rnnat_most_steps_of(const rnnat_model *model, int32_t value, int64_t steps)
{
    int32_t found[RNNAT_MOST_PACES];
    int32_t count = find_paces(model->values, model->nodes, value, found);
    while (count-- > 0) {
        const rnnat_window *const w = &model->nodes[found[count]].window;
        const int64_t after = w->after > 0 ? w->after : 0;
        steps = (steps * w->repeat + w->before + after) / w->stride + 1;
        if (steps > more_steps_than_used) return more_steps_than_used;
    }
    return steps;
}

static int64_t divisor_of(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int32_t as_int32(int64_t n) { return n < INT32_MAX ? (int32_t)n : INT32_MAX; }

rnnat_rate rnnat_rate_of(const rnnat_model *model, int32_t value)
{
    int32_t found[RNNAT_MOST_PACES];
    int32_t count = find_paces(model->values, model->nodes, value, found);
    int64_t repeat = 1, stride = 1, latency = 0;
    while (count-- > 0 && latency < more_steps_than_used) {
        const rnnat_window *const w = &model->nodes[found[count]].window;
        const int64_t behind = w->extent - 1 - w->before;
        const int64_t steps =
            behind > 0 ? (behind + w->repeat - 1) / w->repeat : behind / w->repeat;
        latency += (steps * stride + repeat - 1) / repeat;
        repeat *= w->repeat;
        stride *= w->stride;
        const int64_t divisor = divisor_of(repeat, stride);
        repeat /= divisor;
        stride /= divisor;
        if (repeat > more_steps_than_used) repeat = more_steps_than_used;
        if (stride > more_steps_than_used) stride = more_steps_than_used;
    }
    return (rnnat_rate){as_int32(repeat), as_int32(stride), as_int32(latency > 0 ? latency : 0)};
}

int32_t rnnat_longest_pace(const rnnat_model *model)
{
    const int64_t many = RNNAT_WINDOW_MAX; /* enough to tell paces from each other */
    int64_t least = many;
    for (int32_t v = 0; v < model->num_values; ++v) {
        const int64_t steps = rnnat_most_steps_of(model, v, many);
        if (steps < least) least = steps;
    }
    return least > 0 ? (int32_t)(many / least) : 1;
}

/* Steps that a window of single ones makes more than it reads, where it reads some. */
static int64_t more_of(const rnnat_model *model, rnnat_phases phases, int32_t node)
{
    const rnnat_window *const w = &model->nodes[node].window;
    return (int64_t)phase_of(model, phases, node) + w->after - w->extent + 1;
}

/* How many windows behind each other, of which found[count - 1] is the first, give together as many steps
 * as they read, however many these are, as padding and a convolution do; 0: none. */
static int32_t evened(const rnnat_model *model, rnnat_phases phases, const int32_t *found,
                      int32_t count)
{
    int64_t more = 0;
    for (int32_t i = count - 1; i >= 0; --i) {
        const rnnat_window *const w = &model->nodes[found[i]].window;
        if (w->stride > 1 || w->repeat > 1) return 0;
        more += more_of(model, phases, found[i]);
        if (more < 0) return 0;
        if (more == 0) return count - i;
    }
    return 0;
}

/* Leaves out all of these, of windows the last one first; returns how many are left. */
static int32_t leave_out_evened(const rnnat_model *model, rnnat_phases phases, int32_t *found,
                                int32_t count)
{
    for (int32_t end = count; end > 0;) { /* those before `end` are still to be looked at */
        const int32_t even = evened(model, phases, found, end);
        for (int32_t i = end; even && i < count; ++i) found[i - even] = found[i];
        count -= even;
        end -= even ? even : 1;
    }
    return count;
}

/* A value has floor((steps repeat + offset) / stride) + 1 steps, as far as one such form can say it:
 * behind its first `before` windows it begins anew, from these on; -1: it does not. */
typedef struct pace_form {
    int64_t repeat, stride, offset;
    int32_t before;
} pace_form;

static bool is_large(int64_t n) { return n > more_steps_than_used || -n > more_steps_than_used; }

/* The form of `count` windows, the last one first. */
static pace_form pace_form_of(const rnnat_model *model, rnnat_phases phases, const int32_t *found,
                              int32_t count)
{
    pace_form p = {1, 1, -1, -1};
    for (int32_t i = 0; i < count; ++i) {
        const int32_t node = found[count - 1 - i];
        const rnnat_window *const w = &model->nodes[node].window;
        const int64_t beyond = (int64_t)phase_of(model, phases, node) + w->after - w->extent;
        const bool anew = /* no steps and few ones need not bring the same */
            beyond >= 0 || (w->repeat > 1 && p.stride > 1) || is_large(p.repeat) ||
            is_large(p.stride) || is_large(p.offset);
        if (anew)
            p = (pace_form){w->repeat, w->stride, beyond, i};
        else if (w->repeat == 1)
            p = (pace_form){p.repeat, p.stride * w->stride, p.offset + p.stride * (1 + beyond),
                            p.before};
        else
            p = (pace_form){p.repeat * w->repeat, w->stride, (p.offset + 1) * w->repeat + beyond,
                            p.before};
    }
    return p;
}

/* Whether two windows give as many steps as each other of as many. */
static bool is_same_window(const rnnat_model *model, rnnat_phases phases, int32_t a, int32_t b)
{
    const rnnat_window *const x = &model->nodes[a].window, *const y = &model->nodes[b].window;
    return x->stride == y->stride && x->repeat == y->repeat &&
           phase_of(model, phases, a) + x->after - x->extent ==
               phase_of(model, phases, b) + y->after - y->extent;
}

static bool is_same(const rnnat_model *model, rnnat_phases phases, int32_t a, int32_t b)
{
    if (model->values[a].paced_by == model->values[b].paced_by) return true;
    int32_t of_a[RNNAT_MOST_PACES], of_b[RNNAT_MOST_PACES];
    int32_t count_a = find_paces(model->values, model->nodes, a, of_a);
    int32_t count_b = find_paces(model->values, model->nodes, b, of_b);
    count_a = leave_out_evened(model, phases, of_a, count_a);
    count_b = leave_out_evened(model, phases, of_b, count_b);
    const pace_form x = pace_form_of(model, phases, of_a, count_a);
    const pace_form y = pace_form_of(model, phases, of_b, count_b);
    bool same = x.repeat == y.repeat && x.stride == y.stride && x.offset == y.offset &&
                x.before == y.before;
    for (int32_t i = 0; same && i < x.before; ++i)
        same = is_same_window(model, phases, of_a[count_a - 1 - i], of_b[count_b - 1 - i]);
    return same;
}

bool rnnat_same_pace(const rnnat_model *model, int32_t a, int32_t b)
{
    return is_same(model, (rnnat_phases){NULL, NULL}, a, b);
}

bool rnnat_phases_agree(const rnnat_model *model, rnnat_phases phases)
{
    for (int32_t n = 0; n < model->num_nodes; ++n) {
        const rnnat_node *const node = &model->nodes[n];
        const int32_t paced_by = rnnat_node_paced_by(model->values, node);
        if (!model->info.streamable && !model->values[paced_by].has_time) continue;
        for (int32_t i = 0; i < node->num_inputs; ++i) {
            const rnnat_value *const value = &model->values[node->inputs[i]];
            if (RNNAT_IS_STATIC(value) || (RNNAT_WAITS(node) && !value->has_time)) continue;
            if (!is_same(model, phases, paced_by, node->inputs[i])) return false;
        }
    }
    return true;
}
#endif
