/* Training: back-propagation through time. Not part of the installed interface; the Python package
 * and the tests of C use it.
 *
 * A net is the mutable counterpart of a model: it points at the caller's weights, plain arrays in
 * PyTorch's names and shapes, and keeps packed copies of them. forward leaves in a tape, which is
 * the caller's memory, what backward needs. No function allocates. Nothing depends on the number of
 * threads: every sum has one order.
 */
#ifndef RNNAT_TRAIN_H
#define RNNAT_TRAIN_H

#include "rnn_native.h"

typedef struct rnnat_net rnnat_net;
struct rnnat_stop; /* ../stop.h: how a call may be left before its end, or NULL */

typedef struct rnnat_net_layers {
    int32_t count;
    const char *const *texts; /* lines of file/layer_line.h */
    int32_t dtype;            /* rnnat_dtype */
} rnnat_net_layers;

rnnat_status rnnat_net_size(const rnnat_net_layers *layers, size_t *need);
/* `weights`: each array of each layer, dense, in the order of a state_dict: of an embedding and a
 * linear layer weight and bias; of a recurrent one, layer by layer and direction by direction,
 * weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, weight_ci, weight_cf, weight_co: those that it
 * has. They and this list outlive the net. The memory is zero, and update has to come next. */
rnnat_status rnnat_net_init(void *memory, size_t size, const rnnat_net_layers *layers,
                            const void *const *weights, rnnat_net **net);
/* Packs the weights again, after they changed. */
void rnnat_net_update(rnnat_net *net);

/* All arrays are dense, C-contiguous and of the net's dtype. */
typedef struct rnnat_train_forward {
    int32_t time, batch, num_threads;
    const void *x;           /* [time, batch, input], or NULL */
    const int32_t *indices;  /* [time, batch], where the first layer is an embedding */
    const int32_t *lengths;  /* [batch], or NULL */
    const void *const *state_in; /* the model's state arrays, or NULL: zero */
    void *const *state_out;
    void *y;                 /* [time, batch, output] */
    double dropout;          /* between the layers of a stack: 0 <= dropout < 1 */
    uint64_t seed;
    struct rnnat_stop *stop;
} rnnat_train_forward;

typedef struct rnnat_train_backward {
    int32_t num_threads;
    const void *dy;              /* [time, batch, output] */
    const void *const *dstate;   /* of the states that forward returned, or NULL: zero */
    void *dx;                    /* [time, batch, input]; not looked at for a model of indices */
    void *const *dstate_in;      /* of the states that forward took */
    void *const *grads;          /* of each array in the order of `weights` */
    struct rnnat_stop *stop;
} rnnat_train_backward;

/* What is needed for so many steps and rows: a tape, and scratch of backward with that many
 * threads. */
rnnat_status rnnat_train_size(const rnnat_net *net, int32_t time, int32_t batch,
                              int32_t num_threads, size_t *tape, size_t *scratch);
rnnat_status rnnat_train_run_forward(const rnnat_net *net, const rnnat_train_forward *args,
                                     void *tape, size_t tape_size);
/* The tape is only read: it may serve again. The net's weights are those of forward. */
rnnat_status rnnat_train_run_backward(const rnnat_net *net, const rnnat_train_backward *args,
                                      const void *tape, void *scratch, size_t scratch_size);

#endif
