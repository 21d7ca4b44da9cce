/* How many steps a value has. */
#ifndef RNNAT_PACE_H
#define RNNAT_PACE_H

#include "model.h"

/* Where the next window of each node begins before some steps: `now` [nodes] or, of a run that goes on
 * from them, the state arrays of the model. Neither: those with which a model begins. */
typedef struct rnnat_phases {
    const int32_t *now;
    const void *const *states;
} rnnat_phases;

/* The number of the state array that has the phases of node `index`, of all rows; -1: it has none. */
static inline int32_t rnnat_phase_array(const rnnat_node *node)
{
    if (!rnnat_window_states(&node->window) || rnnat_window_is_steady(&node->window)) return -1;
    return node->first_state + node->num_states - 1;
}

/* Whether state array `array` has phases. */
static inline bool rnnat_is_phase(const rnnat_model *model, int32_t array)
{
    for (int32_t n = 0; n < model->num_nodes; ++n)
        if (rnnat_phase_array(&model->nodes[n]) == array) return true;
    return false;
}

/* Steps of a value behind `steps` steps of the model's inputs. */
int64_t rnnat_steps_of(const rnnat_model *model, rnnat_phases phases, int32_t value, int64_t steps);
/* Steps of output `index` of a run that goes on from these states, or NULL. */
int64_t rnnat_output_steps(const rnnat_model *model, const void *const *states, int32_t index,
                           int64_t steps);
/* The most steps of a value that any `steps` steps of the model's inputs bring. */
int64_t rnnat_most_steps_of(const rnnat_model *model, int32_t value, int64_t steps);
/* Of a value: `repeat` steps for `stride` steps of the inputs, without a common divisor, and how many
 * steps of the inputs behind its own a step waits for at most. */
typedef struct rnnat_rate {
    int32_t repeat, stride, latency;
} rnnat_rate;
rnnat_rate rnnat_rate_of(const rnnat_model *model, int32_t value);
/* How many steps of the inputs one step of the sparsest value takes, at least 1. */
int32_t rnnat_longest_pace(const rnnat_model *model);
/* Nodes before a value that change the number of steps. */
int32_t rnnat_paces_above(const rnnat_value *values, const rnnat_node *nodes, int32_t value);
/* Whether two values of a model that is made have as many steps as each other, however many the inputs
 * have. */
bool rnnat_same_pace(const rnnat_model *model, int32_t a, int32_t b);
/* Whether that is so, from these phases on, of all that each node reads, unless that are last steps and
 * no stream gives them. */
bool rnnat_phases_agree(const rnnat_model *model, rnnat_phases phases);

#endif
