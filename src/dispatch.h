/* Which instruction sets there are, and which one new models use. */
#ifndef RNNAT_DISPATCH_H
#define RNNAT_DISPATCH_H

#include "kernels/kernels.h"
#include "rnn_native.h"

typedef struct rnnat_isa_entry {
    const char *name;
    const rnnat_kernels *kernels; /* [float, double]; NULL: it is not compiled in */
    int32_t available;            /* 1: this CPU runs it */
} rnnat_isa_entry;

/* Writes entry 0, 1, ..., the best set last; returns 0 past the end. */
int32_t rnnat_isa_at(int32_t index, rnnat_isa_entry *entry);

/* The kernels in use: those that RNN_NATIVE_ISA names, else the best available. NULL, and the status
 * that tells why, where the variable names an unknown set (ARGUMENT) or one that was not compiled
 * or that this CPU does not run (UNSUPPORTED), which without the baseline may be all of them. */
const rnnat_kernels *rnnat_isa_current(rnnat_status *status);
/* Uses the set of that name from now on; for new models only. */
rnnat_status rnnat_isa_use(const char *name);

#endif
