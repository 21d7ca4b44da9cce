/* A model: nodes over packed, immutable weights. */
#ifndef RNNAT_MODEL_H
#define RNNAT_MODEL_H

#include "../file/safetensors.h"
#include "../kernels/kernels.h"
#include "node.h"
#include "rnn_native.h"

typedef struct rnnat_state_shape {
    int32_t rows, features;
} rnnat_state_shape;

struct rnnat_model {
    const rnnat_kernels *kernels;
    rnnat_model_info info;
    int32_t num_nodes;
    int32_t over_time; /* of a chain the first of these, which run over all steps */
    int32_t num_values;
    int32_t num_buffers;
    int32_t num_cells; /* directions of recurrent layers */
    bool is_chain; /* each node over all steps reads what the one before makes, and nothing else */
    bool has_rows; /* some value has no time: it is of last steps */
    const rnnat_node *nodes; /* constant, so that a model can lie in read-only memory */
    const rnnat_value *values; /* the inputs are the first ones */
    const int32_t *outputs; /* values, each a different one */
    const char *const *names; /* of inputs, then of outputs; NULL: "x" and "y" */
    const rnnat_buffer *buffers;
    const rnnat_state_shape *states;
    void *heap; /* what rnnat_model_free frees, or NULL */
};

/* Whether node `index` runs at every step; the others run once a row, on what last steps give. */
static inline bool rnnat_node_has_time(const rnnat_model *model, int32_t index)
{
    return model->values[model->nodes[index].output].has_time;
}

/* As rnnat_model_from_memory, of a file that is open; it may end when the model is made. */
rnnat_status rnnat_model_from_file(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                   rnnat_model **out);

/* Writes a weight that only exists packed as PyTorch lays it out, bit for bit, in the model's dtype:
 * of a node and, where that has several, one of its passes. `name`: "weight" of an embedding or a
 * linear layer, "weight_ih" and the like of a recurrent one. */
rnnat_status rnnat_model_unpack(const rnnat_model *model, int32_t node, int32_t pass,
                                const char *name, void *rows);

#endif
