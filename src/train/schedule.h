/* What both ways of training have in common. */
#ifndef RNNAT_TRAIN_SCHEDULE_H
#define RNNAT_TRAIN_SCHEDULE_H

#include "../threads/stop.h"
#include "tape.h"

/* Threads worth their start for so many steps and rows, of at most `wanted`. */
int32_t rnnat_train_threads(const rnnat_net *net, int32_t time, int32_t batch, int32_t wanted);

/* The product, of a matrix packed whole; where the call may be stopped, in pieces of its columns,
 * after each of which a thread does no more of it. */
static inline void rnnat_train_pieces(const rnnat_net *net, rnnat_train_gemm args, rnnat_stop *stop,
                                      bool asks)
{
    const int32_t n = args.n, panel = net->train->panel;
    const double work = (double)args.m * args.k * panel;
    const int32_t some = stop ? panel * (1 + (int32_t)(stop->every / (work + 1))) : n;
    for (int32_t column = 0; column < n; column += args.n) {
        args.n = n - column < some ? n - column : some;
        net->train->gemm(&args);
        if (rnnat_stops(stop, asks, work / panel * args.n)) return;
        args.b = rnnat_at(net, args.b, (ptrdiff_t)args.n * args.k);
        args.c.base = rnnat_at(net, args.c.base, args.n);
        if (args.bias) args.bias = rnnat_at(net, args.bias, args.n);
    }
}

#endif
