/* The schedule: operations x directions x chunks of time, for the rows of one lane. */
#ifndef RNNAT_FORWARD_H
#define RNNAT_FORWARD_H

#include "lane.h"

/* Features of every step and row; strides in elements. Indices where the model takes them. */
typedef struct rnnat_view {
    char *base;
    ptrdiff_t time, row;
} rnnat_view;

/* Runs `time` steps: moves the lane's states on, writes y. lengths: of the lane's rows, or NULL.
 * `time` is at most what the lane was carved for where the model needs whole sequences. */
void rnnat_forward(rnnat_lane *lane, rnnat_view x, rnnat_view y, int32_t time,
                   const int32_t *lengths);

#endif
