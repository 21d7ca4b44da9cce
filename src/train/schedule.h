/* What both ways of training have in common. */
#ifndef RNNAT_TRAIN_SCHEDULE_H
#define RNNAT_TRAIN_SCHEDULE_H

#include "tape.h"

/* Threads worth their start for so many steps and rows, of at most `wanted`. */
int32_t rnnat_train_threads(const rnnat_net *net, int32_t time, int32_t batch, int32_t wanted);

#endif
