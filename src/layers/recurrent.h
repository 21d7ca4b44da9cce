/* What the files of recurrent layers share. */
#ifndef RNNAT_RECURRENT_H
#define RNNAT_RECURRENT_H

#include "layers.h"

/* Features of state array `index`: 0 is h. */
static inline int32_t rnnat_recurrent_features(const rnnat_recurrent *layer, int32_t index)
{
    return index == 0 ? layer->state : layer->hidden;
}

/* True where a step changes state array `index` in place: no other unit reads it. */
static inline bool rnnat_recurrent_in_place(const rnnat_recurrent *layer, int32_t index)
{
    return index > 0 && layer->cell->in_place;
}

/* Takes the state of `rows` rows, of one pass. */
static inline rnnat_cell_state rnnat_recurrent_take_state(const rnnat_recurrent *layer,
                                                          const rnnat_kernels *kernels,
                                                          int32_t rows, rnnat_arena *arena)
{
    rnnat_cell_state cell = {.now = 0};
    for (int32_t s = 0; s < layer->cell->num_states; ++s) {
        const size_t pad = (size_t)rnnat_pad(kernels, rnnat_recurrent_features(layer, s));
        const size_t elem = (size_t)kernels->elem, n = (size_t)rows;
        cell.array[s][0] = rnnat_arena_take_table(arena, n, pad, elem);
        cell.array[s][1] = rnnat_recurrent_in_place(layer, s)
                               ? cell.array[s][0]
                               : rnnat_arena_take_table(arena, n, pad, elem);
    }
    return cell;
}

/* Points a step at the state before it and to where the next one goes. */
static inline void rnnat_recurrent_point(rnnat_step *step, const rnnat_recurrent *layer,
                                         const rnnat_cell_state *state, int32_t now)
{
    step->descends = step->alternates && now;
    step->h_prev = state->array[0][now];
    step->h_next = state->array[0][1 - now];
    for (int32_t s = 1; !layer->cell->in_place && s < layer->cell->num_states; ++s) {
        step->prev[s - 1] = state->array[s][now];
        step->next[s - 1] = state->array[s][1 - now];
    }
}

#endif
