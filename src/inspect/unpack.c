/* Weights that only exist packed, as PyTorch lays them out. */
#include "../graph/model.h"
#include "../layers/layer.h"

#if RNNAT_INSPECT
rnnat_status rnnat_model_unpack(const rnnat_model *model, int32_t node, int32_t pass,
                                const char *name, void *rows)
{
    if (node < 0 || node >= model->num_nodes) return RNNAT_ERROR_ARGUMENT;
    const rnnat_node *const from = &model->nodes[node];
    if (!from->layer->unpack || pass < 0 || pass > 1) return RNNAT_ERROR_ARGUMENT;
    return from->layer->unpack(from, model->kernels, pass, name, rows);
}
#endif
