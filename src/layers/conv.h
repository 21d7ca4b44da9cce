/* What the files of convolutions share. */
#ifndef RNNAT_CONV_H
#define RNNAT_CONV_H

#include "layers.h"

#if RNNAT_WITH_WINDOWS
/* Features of a step, with its padding, and of what it makes: pictures in hundreds of channels. */
enum { RNNAT_CONV_MAX_FEATURES = 1 << 26 };

/* True where each channel of the output is made of a single one. */
static inline bool rnnat_conv_is_depthwise(const rnnat_convolving *conv)
{
    return conv->groups > 1 && conv->in_channels == conv->groups;
}

/* Channels that a row of taps has of each position. */
static inline int32_t rnnat_conv_channels(const rnnat_convolving *conv)
{
    return conv->in_channels / conv->groups;
}

/* Elements of the bias: a kernel reads whole vectors from where a group begins. */
static inline int32_t rnnat_conv_bias_size(const rnnat_convolving *conv,
                                           const rnnat_kernels *kernels)
{
    return conv->out_channels + (conv->groups > 1 ? kernels->lanes : 0);
}

#if RNNAT_READER
extern const rnnat_key rnnat_conv_keys[23];
int32_t rnnat_conv_takes(const void *options);
rnnat_status rnnat_conv_build(rnnat_graph *graph, const void *options);
#endif
#if RNNAT_INSPECT
rnnat_status rnnat_conv_unpack(const rnnat_node *node, const rnnat_kernels *kernels, int32_t pass,
                               const char *name, void *rows);
void rnnat_conv_tell(const rnnat_node *node, const rnnat_kernels *kernels,
                     const rnnat_teller *teller);
#endif
#endif

#endif
