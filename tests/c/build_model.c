/* Builds a model into memory of the heap, of which it is freed. */
#include "build_model.h"

#include <stdlib.h>

#include "graph/graph.h"

rnnat_model *test_model_build(const test_model *model, const rnnat_kernels *kernels,
                              rnnat_stored type)
{
    const test_bytes file = test_model_bytes(model);
    rnnat_safetensors opened;
    rnnat_model *made = NULL;
    void *mem = NULL;
    if (rnnat_safetensors_open(file.bytes, file.size, NULL, &opened) != RNNAT_OK) abort();
    for (int pass = 0; pass < 2; ++pass) { /* count, then build */
        rnnat_builder builder = {.arena = rnnat_arena_at(mem),
                                 .kernels = kernels,
                                 .type = type,
                                 .file = &opened,
                                 .prefix = "",
                                 .suffix = ""};
        rnnat_model counted;
        made = rnnat_arena_take(&builder.arena, 1, sizeof *made);
        if (rnnat_model_build(&builder, RNNAT_MATMUL_PACKED, made ? made : &counted) != RNNAT_OK)
            abort();
        if (!mem) mem = malloc(rnnat_arena_need(&builder.arena));
        if (!mem) abort();
    }
    free(file.bytes);
    made->heap = mem;
    return made;
}

rnnat_model *test_model_rounded(const test_model *model, int32_t weights, int32_t compute)
{
    const test_bytes file = test_model_bytes(model);
    const rnnat_model_options options = {
        .struct_size = sizeof options, .weight_dtype = weights, .compute = compute};
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, &options, &made);
    if (status != RNNAT_OK && status != RNNAT_ERROR_UNSUPPORTED) abort();
    free(file.bytes);
    return made;
}
