/* A packed model tells what it is. */
#include "../layers/layers.h"

#if RNNAT_INSPECT
static void tell_info(const rnnat_model_info *info, const rnnat_teller *t)
{
    t->begin(t->arg, "info");
    t->number(t->arg, "dtype", info->dtype);
    t->number(t->arg, "matmul", info->matmul);
    t->number(t->arg, "takes_indices", info->takes_indices);
    t->number(t->arg, "input_size", info->input_size);
    t->number(t->arg, "output_size", info->output_size);
    t->number(t->arg, "num_states", info->num_states);
    t->number(t->arg, "streamable", info->streamable);
    t->number(t->arg, "num_layers", info->num_layers);
    t->number(t->arg, "num_parameters", (int64_t)info->num_parameters);
    t->number(t->arg, "num_inputs", info->num_inputs);
    t->number(t->arg, "num_outputs", info->num_outputs);
    t->number(t->arg, "return_sequences", info->return_sequences);
    t->number(t->arg, "weight_dtype", info->weight_dtype);
    t->number(t->arg, "compute", info->compute);
    t->end(t->arg);
}

static void tell_node(const rnnat_node *node, const rnnat_kernels *kernels, const rnnat_teller *t)
{
    t->begin(t->arg, "");
    t->symbol(t->arg, "layer", node->layer->name);
    t->begin(t->arg, "inputs");
    for (int32_t i = 0; i < node->num_inputs; ++i) t->number(t->arg, "", node->inputs[i]);
    t->end(t->arg);
    t->number(t->arg, "num_inputs", node->num_inputs);
    t->number(t->arg, "output", node->output);
    t->number(t->arg, "last", node->last);
    if (node->window.extent) {
        t->begin(t->arg, "window");
        t->number(t->arg, "extent", node->window.extent);
        t->number(t->arg, "stride", node->window.stride);
        t->number(t->arg, "repeat", node->window.repeat);
        t->number(t->arg, "before", node->window.before);
        t->number(t->arg, "after", node->window.after);
        t->number(t->arg, "lowest", node->window.lowest);
        t->number(t->arg, "whole", node->window.whole);
        t->end(t->arg);
    }
    t->number(t->arg, "waits", node->waits);
    t->number(t->arg, "num_passes", node->num_passes);
    t->begin(t->arg, "reverse");
    for (int32_t i = 0; i < node->num_passes; ++i) t->number(t->arg, "", node->reverse[i]);
    t->end(t->arg);
    t->number(t->arg, "takes_whole", node->takes_whole);
    t->number(t->arg, "num_states", node->num_states);
    t->number(t->arg, "first_state", node->first_state);
    t->number(t->arg, "first_row", node->first_row);
    t->real(t->arg, "work", node->work);
    t->real(t->arg, "product", node->product);
    t->number(t->arg, "panel", node->panel);
    if (node->layer->tell) {
        t->begin(t->arg, "data");
        node->layer->tell(node, kernels, t);
        t->end(t->arg);
    }
    t->end(t->arg);
}

static void tell_values(const rnnat_model *model, const rnnat_teller *t)
{
    t->begin(t->arg, "values");
    for (int32_t i = 0; i < model->num_values; ++i) {
        const rnnat_value *const value = &model->values[i];
        t->begin(t->arg, "");
        t->number(t->arg, "features", value->features);
        t->number(t->arg, "known", value->known);
        t->number(t->arg, "has_time", value->has_time);
        t->number(t->arg, "is_static", value->is_static);
        t->number(t->arg, "paced_by", value->paced_by);
        t->number(t->arg, "home", (int64_t)value->home);
        t->number(t->arg, "buffer", value->buffer);
        t->end(t->arg);
    }
    t->end(t->arg);
    t->begin(t->arg, "outputs");
    for (int32_t i = 0; i < model->info.num_outputs; ++i) t->number(t->arg, "", model->outputs[i]);
    t->end(t->arg);
    t->begin(t->arg, "buffers");
    for (int32_t i = 0; i < model->num_buffers; ++i) {
        t->begin(t->arg, "");
        t->number(t->arg, "home", (int64_t)model->buffers[i].home);
        t->number(t->arg, "features", model->buffers[i].features);
        t->end(t->arg);
    }
    t->end(t->arg);
}

/* Those of a graph; a chain has no table of them. */
static void tell_names(const rnnat_model *model, const rnnat_teller *t)
{
    if (!model->names) return;
    t->begin(t->arg, "names");
    for (int32_t i = 0; i < model->info.num_inputs + model->info.num_outputs; ++i)
        t->text(t->arg, "", model->names[i]);
    t->end(t->arg);
}

void rnnat_model_tell(const rnnat_model *model, const rnnat_teller *t)
{
    tell_info(&model->info, t);
    if (model->info.dtype == RNNAT_F64) t->needs(t->arg, "RNNAT_WITH_DTYPE");
    if (rnnat_has_static(model)) t->needs(t->arg, "RNNAT_WITH_WINDOWS");
    t->number(t->arg, "num_nodes", model->num_nodes);
    t->number(t->arg, "over_time", model->over_time);
    t->number(t->arg, "num_values", model->num_values);
    t->number(t->arg, "num_buffers", model->num_buffers);
    t->number(t->arg, "num_cells", model->num_cells);
    t->number(t->arg, "has_rows", model->has_rows);
    t->number(t->arg, "is_chain", model->is_chain);
    t->number(t->arg, "has_windows", model->has_windows);
    t->number(t->arg, "has_paces", model->has_paces);
    t->number(t->arg, "operands", (int64_t)model->operands);
    t->number(t->arg, "product_rows", model->product_rows);
    t->begin(t->arg, "nodes");
    for (int32_t i = 0; i < model->num_nodes; ++i) tell_node(&model->nodes[i], model->kernels, t);
    t->end(t->arg);
    tell_values(model, t);
    tell_names(model, t);
    t->begin(t->arg, "states");
    for (int32_t i = 0; i < model->info.num_states; ++i) {
        t->begin(t->arg, "");
        t->number(t->arg, "rows", model->states[i].rows);
        t->number(t->arg, "features", model->states[i].features);
        t->end(t->arg);
    }
    t->end(t->arg);
}
#endif
