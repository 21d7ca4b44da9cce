/* What Python and export-c ask of the node of a convolution. */
#include "conv.h"

#if RNNAT_INSPECT && RNNAT_WITH_WINDOWS
/* How many matrices its weight is: one for each group, but rows of numbers where a group has one channel. */
static int32_t parts_of(const rnnat_convolving *conv)
{
    return rnnat_conv_is_depthwise(conv) ? 1 : conv->groups;
}

rnnat_status rnnat_conv_unpack(const rnnat_node *node, const rnnat_kernels *kernels, int32_t pass,
                               const char *name, void *rows)
{
    const rnnat_convolving *const conv = node->data;
    const int32_t parts = parts_of(conv);
    (void)pass;
    if (!rnnat_text_is(name, rnnat_text_size(name), "weight")) return RNNAT_ERROR_ARGUMENT;
    for (int32_t g = 0; g < parts; ++g) {
        const rnnat_matrix part = rnnat_matrix_part(&conv->weight, kernels, g, parts);
        rnnat_matrix_unpack(&part, kernels, (rnnat_gates){1, g, conv->out_channels / parts}, rows);
    }
    return RNNAT_OK;
}

void rnnat_conv_tell(const rnnat_node *node, const rnnat_kernels *kernels,
                     const rnnat_teller *teller)
{
    const rnnat_convolving *const conv = node->data;
    teller->type(teller->arg, "rnnat_convolving");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "in_channels", conv->in_channels);
    teller->number(teller->arg, "out_channels", conv->out_channels);
    teller->number(teller->arg, "groups", conv->groups);
    teller->number(teller->arg, "kernel_time", conv->kernel_time);
    teller->number(teller->arg, "dilation_time", conv->dilation_time);
    teller->number(teller->arg, "positions", conv->positions);
    teller->number(teller->arg, "made", conv->made);
    teller->number(teller->arg, "kernel_size", conv->kernel_size);
    teller->number(teller->arg, "stride", conv->stride);
    teller->number(teller->arg, "dilation", conv->dilation);
    teller->number(teller->arg, "left", conv->left);
    teller->number(teller->arg, "right", conv->right);
    teller->number(teller->arg, "height", conv->height);
    teller->number(teller->arg, "made_height", conv->made_height);
    teller->number(teller->arg, "kernel_height", conv->kernel_height);
    teller->number(teller->arg, "stride_height", conv->stride_height);
    teller->number(teller->arg, "dilation_height", conv->dilation_height);
    teller->number(teller->arg, "top", conv->top);
    teller->number(teller->arg, "padding_mode", (int64_t)conv->padding_mode);
    teller->number(teller->arg, "activation", (int64_t)conv->activation);
    rnnat_tell_matrix(teller, "weight", &conv->weight, kernels, parts_of(conv));
    rnnat_tell_array(teller, "bias", conv->bias,
                     (size_t)rnnat_pad(kernels, rnnat_conv_bias_size(conv, kernels)));
}
#endif
