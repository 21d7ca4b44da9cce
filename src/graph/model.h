/* A model: nodes over packed, immutable weights. */
#ifndef RNNAT_MODEL_H
#define RNNAT_MODEL_H

#include "../file/safetensors.h"
#include "../kernels/kernels.h"
#include "node.h"
#include "rnn_native.h"

/* The shape of a state array, [rows, batch, features]: a row for each direction of its layers. */
typedef struct rnnat_state_shape {
    int32_t rows, features;
} rnnat_state_shape;

struct rnnat_model {
    const rnnat_kernels *kernels;
    rnnat_model_info info;
    int32_t num_nodes;
    int32_t over_time; /* how many of the nodes run at every step: the first ones, of a chain */
    int32_t num_values;
    int32_t num_buffers;
    int32_t num_cells; /* directions of all recurrent nodes */
    bool is_chain; /* each node over all steps reads what the one before makes, and nothing else */
    bool has_rows; /* some value is there behind the last step alone */
    bool has_windows; /* some node has a window */
    bool has_paces; /* some value has other steps than the inputs */
    uint64_t operands; /* bytes that a product needs to prepare one row; 0: none does */
    uint64_t identity; /* what tells it apart from other models: ../identity.h */
    int32_t product_rows; /* rows that some product has of each step and row of the batch */
    const rnnat_node *nodes; /* constant, so that a model can lie in read-only memory */
    const rnnat_value *values; /* the model's inputs come first */
    const int32_t *outputs; /* [num_outputs] numbers of values, each a different one */
    const char *const *names; /* [num_inputs + num_outputs]; NULL: they are "x" and "y" */
    const rnnat_buffer *buffers;
    const rnnat_state_shape *states;
    void *heap; /* what rnnat_model_free frees, or NULL */
};

/* Whether some node has a window, some value other steps than the inputs, and this node a window:
 * macros, so that no compiler looks for what a build without windows has not. */
#define RNNAT_HAS_WINDOWS(model) (RNNAT_WITH_WINDOWS && (model)->has_windows)
#define RNNAT_HAS_PACES(model) (RNNAT_WITH_WINDOWS && (model)->has_paces)
#define RNNAT_HAS_WINDOW(node) (RNNAT_WITH_WINDOWS && (node)->window.extent > 0)

#define RNNAT_HAS_STATIC(model) (RNNAT_WITH_WINDOWS && rnnat_has_static(model))

/* The same as a function. */
static inline bool rnnat_has_paces(const rnnat_model *model) { return RNNAT_HAS_PACES(model); }

/* Whether some input has no time. */
static inline bool rnnat_has_static(const rnnat_model *model)
{
    for (int32_t i = 0; i < model->info.num_inputs; ++i)
        if (model->values[i].is_static) return true;
    return false;
}

/* Whether node `index` runs at every step; the others run once, on what each row's last step gives or
 * on static values. */
static inline bool rnnat_node_has_time(const rnnat_model *model, int32_t index)
{
    return model->values[model->nodes[index].output].has_time;
}

/* Says whether a node's outputs at all steps are read, and what its last one gives as well. */
static inline bool rnnat_gives_both(const rnnat_model *model, const rnnat_node *node)
{
    return node->last >= 0 && model->values[node->last].home != RNNAT_HOME_NOWHERE &&
           model->values[node->output].home != RNNAT_HOME_NOWHERE;
}

/* Does what rnnat_model_from_memory does, of a file that is open, which may end with this call. */
rnnat_status rnnat_model_from_file(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                   rnnat_model **out);

/* They do what rnnat_model_shared_size, _share and _init_shared do of such a file, the last one in memory
 * of the heap and without a look at the file's arrays, which need not be there. */
rnnat_status rnnat_file_shared_size(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                    size_t *weights_need);
rnnat_status rnnat_file_share(void *weights, size_t size, const rnnat_safetensors *file,
                              const rnnat_model_options *opt);
rnnat_status rnnat_model_from_shared(const void *weights, size_t size,
                                     const rnnat_safetensors *file, const rnnat_model_options *opt,
                                     rnnat_model **out);

/* Writes a weight of one node and pass, which exists packed alone, as PyTorch lays it out, bit for bit,
 * in the model's dtype. `name`: "weight" of an embedding or a linear layer, "weight_ih" and the like
 * of a recurrent one. */
rnnat_status rnnat_model_unpack(const rnnat_model *model, int32_t node, int32_t pass,
                                const char *name, void *rows);

#endif
