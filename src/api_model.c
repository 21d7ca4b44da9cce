/* The public functions of models: they check arguments, and make, free and describe a model. */
#include "config.h"
#include "graph/pace.h"

#include <string.h>
#if RNNAT_HEAP
#include <stdlib.h>
#endif

#include "dispatch.h"
#include "graph/graph.h"
#include "graph/stamp.h"
#include "heap.h"
#include "message.h"
#include "weights/blas.h"

#if RNNAT_READER
/* Checks one option that is a number of an enum, from 0 on. */
static rnnat_status check_choice(rnnat_message *message, const char *name, int32_t value,
                                 int32_t most)
{
    (void)message, (void)name;
    if (value >= 0 && value <= most) return RNNAT_OK;
    return RNNAT_SAY(message, RNNAT_ERROR_ARGUMENT, RNNAT_TEXT("options: expected "),
                     RNNAT_TEXT(name), RNNAT_TEXT(" from 0 to "), RNNAT_NUMBER(most),
                     RNNAT_TEXT(", got "), RNNAT_NUMBER(value));
}

static rnnat_status read_options(const rnnat_model_options *opt, rnnat_message *message,
                                 rnnat_model_options *options)
{
    *options = (rnnat_model_options){.struct_size = sizeof *options};
    if (!opt) return RNNAT_OK;
    if (opt->struct_size != sizeof *opt) return RNNAT_ERROR_ARGUMENT;
    *options = *opt;
    rnnat_status status = check_choice(message, "dtype", opt->dtype, RNNAT_F64);
    if (status == RNNAT_OK)
        status = check_choice(message, "matmul", opt->matmul, RNNAT_MATMUL_BLAS);
    if (status != RNNAT_OK) return status;
    if (opt->dtype == RNNAT_F64 && !RNNAT_FLOAT64)
        return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED,
                         RNNAT_TEXT("options: this library was built without RNNAT_FLOAT64"));
    if (opt->matmul == RNNAT_MATMUL_BLAS && !rnnat_blas_available())
        return RNNAT_SAY(message, RNNAT_ERROR_UNSUPPORTED,
                         RNNAT_TEXT("options: matmul is RNNAT_MATMUL_BLAS, and there is no BLAS"));
    return RNNAT_OK;
}

/* Says that an argument is not what it should be. */
static rnnat_status wrong_argument(const rnnat_model_options *opt, const char *expected)
{
    rnnat_message message = rnnat_message_of(opt);
    (void)message, (void)expected;
    return RNNAT_SAY(&message, RNNAT_ERROR_ARGUMENT, RNNAT_TEXT("arguments: expected "),
                     RNNAT_TEXT(expected), RNNAT_TEXT(", none of them NULL"));
}

/* Says that the caller's memory is smaller than the need. */
static rnnat_status too_small(const rnnat_model_options *opt, size_t need, size_t size)
{
    rnnat_message message = rnnat_message_of(opt);
    (void)message, (void)need, (void)size;
    return RNNAT_SAY(&message, RNNAT_ERROR_TOO_SMALL, RNNAT_TEXT("memory: expected "),
                     RNNAT_NUMBER(need), RNNAT_TEXT(" bytes, got "), RNNAT_NUMBER(size));
}

/* The bytes of a file, or one that is open already. */
typedef struct source {
    const void *bytes;
    size_t size;
    const rnnat_safetensors *file;
} source;

/* Where it is built: NULL, where it is only counted. */
typedef struct build_place {
    void *mem;
#if RNNAT_WITH_SHARING
    void *weights; /* aligned, of a model whose weights lie apart, which has a stamp for them */
    rnnat_stamp *stamp;
    bool packed; /* they are there */
#endif
} build_place;

/* Builds what has a place, and counts the rest. */
static rnnat_status build_said(build_place at, const source *from, const rnnat_model_options *opt,
                               rnnat_message *message, size_t *need, rnnat_model **out)
{
    rnnat_model_options options;
    rnnat_safetensors file;
    rnnat_status status = read_options(opt, message, &options);
    if (status != RNNAT_OK) return status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    rnnat_stored type = RNNAT_STORED_OWN;
    if (status != RNNAT_OK)
        return RNNAT_SAY(message, status,
                         RNNAT_TEXT("RNN_NATIVE_ISA names no instruction set, or one that this CPU "
                                    "or this library lacks; or there is none for this CPU"));
    status = rnnat_stored_of(&options, &kernels[options.dtype], message, &type);
    if (status == RNNAT_OK && !from->file)
        status = rnnat_safetensors_open(from->bytes, from->size, message, &file);
    if (status != RNNAT_OK) return status;
    const int32_t matmul =
        options.matmul == RNNAT_MATMUL_AUTO ? RNNAT_MATMUL_PACKED : options.matmul;
    rnnat_builder builder = {.arena = rnnat_arena_at(at.mem),
                             .kernels = &kernels[options.dtype],
                             .file = from->file ? from->file : &file,
                             .blas = matmul == RNNAT_MATMUL_BLAS,
                             .type = type,
                             .prefix = "",
                             .suffix = ""};
#if RNNAT_WITH_MESSAGES
    builder.message = message;
#endif
#if RNNAT_WITH_SHARING
    builder.apart = at.stamp != NULL;
    builder.packed = at.packed;
    builder.weights.base = at.weights;
    if (at.stamp) rnnat_arena_take(&builder.weights, 1, sizeof *at.stamp);
#endif
    rnnat_model counted, *model = rnnat_arena_take(&builder.arena, 1, sizeof *model);
    rnnat_model *const built = model ? model : &counted;
    status = rnnat_model_build(&builder, matmul, built);
    if (status != RNNAT_OK) return status;
    if (rnnat_build_overflows(&builder)) return RNNAT_ERROR_OVERFLOW;
#if RNNAT_WITH_SHARING
    if (at.stamp && model) model->identity = at.stamp->identity; /* of who has packed it */
    if (at.stamp) *at.stamp = rnnat_stamp_of(&builder, built);
#endif
    if (need) *need = rnnat_arena_need(&builder.arena);
    if (out) *out = model;
    return RNNAT_OK;
}

/* The same, with a text where it fails. */
static rnnat_status build_model(build_place at, const source *from, const rnnat_model_options *opt,
                                size_t *need, rnnat_model **out)
{
    rnnat_message message = rnnat_message_of(opt);
    const rnnat_status status =
        build_said(at, from, opt, RNNAT_WITH_MESSAGES ? &message : NULL, need, out);
    if (status == RNNAT_OK) return status;
    return RNNAT_SAY(&message, status, RNNAT_TEXT(rnnat_status_meaning(status)));
}

rnnat_status rnnat_model_size(const void *bytes, size_t size, const rnnat_model_options *opt,
                              size_t *need)
{
    const source from = {.bytes = bytes, .size = size};
    if (!bytes || !need) return wrong_argument(opt, "bytes, need");
    return build_model((build_place){.mem = NULL}, &from, opt, need, NULL);
}

rnnat_status rnnat_model_init(void *mem, size_t mem_size, const void *bytes, size_t size,
                              const rnnat_model_options *opt, rnnat_model **out)
{
    const source from = {.bytes = bytes, .size = size};
    size_t need;
    if (!mem || !bytes || !out) return wrong_argument(opt, "mem, bytes, out");
    const rnnat_status status = build_model((build_place){.mem = NULL}, &from, opt, &need, NULL);
    if (status != RNNAT_OK) return status;
    if (mem_size < need) return too_small(opt, need, mem_size);
    return build_model((build_place){.mem = mem}, &from, opt, NULL, out);
}

#if RNNAT_WITH_SHARING
static bool is_aligned(const void *weights) { return (uintptr_t)weights % RNNAT_ALIGN == 0; }

static rnnat_status shared_size(const source *from, const rnnat_model_options *opt, size_t *need,
                                size_t *weights)
{
    rnnat_stamp stamp;
    const rnnat_status status = build_model((build_place){.stamp = &stamp}, from, opt, need, NULL);
    if (status == RNNAT_OK) *weights = (size_t)stamp.size;
    return status;
}

static rnnat_status share(void *weights, size_t size, const source *from,
                          const rnnat_model_options *opt)
{
    rnnat_stamp stamp;
    build_place at = {.stamp = &stamp};
    rnnat_status status = build_model(at, from, opt, NULL, NULL);
    if (status != RNNAT_OK) return status;
    if (size < stamp.size) return too_small(opt, (size_t)stamp.size, size);
    memset(weights, 0, (size_t)stamp.size); /* what is between arrays, too */
    at.weights = weights;
    status = build_model(at, from, opt, NULL, NULL);
    if (status == RNNAT_OK) memcpy(weights, &stamp, sizeof stamp);
    return status;
}

/* Checks that the weights are such a model's, and counts what it needs beside them. */
static rnnat_status count_beside(build_place *at, const void *weights, size_t size,
                                 const source *from, const rnnat_model_options *opt, size_t *need)
{
    const rnnat_status status = build_model(*at, from, opt, need, NULL);
    if (status != RNNAT_OK) return status;
    if (size < at->stamp->size) return too_small(opt, (size_t)at->stamp->size, size);
    if (!rnnat_stamp_matches(at->stamp, weights)) {
        rnnat_message message = rnnat_message_of(opt);
        (void)message;
        return RNNAT_SAY(&message, RNNAT_ERROR_FORMAT,
                         RNNAT_TEXT("weights: expected those of such a file, options, instruction "
                                    "set and version, got others"));
    }
    at->weights = RNNAT_WRITABLE(weights); /* packed: nothing is */
    return RNNAT_OK;
}

rnnat_status rnnat_model_shared_size(const void *bytes, size_t size, const rnnat_model_options *opt,
                                     size_t *need, size_t *weights_need)
{
    const source from = {.bytes = bytes, .size = size};
    if (!bytes || !need || !weights_need) return wrong_argument(opt, "bytes, need, weights_need");
    return shared_size(&from, opt, need, weights_need);
}

rnnat_status rnnat_model_share(void *weights, size_t weights_size, const void *bytes, size_t size,
                               const rnnat_model_options *opt)
{
    const source from = {.bytes = bytes, .size = size};
    if (!weights || !is_aligned(weights) || !bytes)
        return wrong_argument(opt, "bytes, weights at a multiple of 64 bytes");
    return share(weights, weights_size, &from, opt);
}

rnnat_status rnnat_model_init_shared(void *mem, size_t mem_size, const void *weights,
                                     size_t weights_size, const void *bytes, size_t size,
                                     const rnnat_model_options *opt, rnnat_model **out)
{
    const source from = {.bytes = bytes, .size = size};
    size_t need;
    rnnat_stamp stamp;
    build_place at = {.stamp = &stamp, .packed = true};
    if (!mem || !weights || !is_aligned(weights) || !bytes || !out)
        return wrong_argument(opt, "mem, bytes, out, weights at a multiple of 64 bytes");
    const rnnat_status status = count_beside(&at, weights, weights_size, &from, opt, &need);
    if (status != RNNAT_OK) return status;
    if (mem_size < need) return too_small(opt, need, mem_size);
    at.mem = mem;
    return build_model(at, &from, opt, NULL, out);
}
#endif

#if RNNAT_HEAP
/* Builds a model of that need. */
static rnnat_status take_model(build_place at, size_t need, const source *from,
                               const rnnat_model_options *opt, rnnat_model **out)
{
    rnnat_model *model = NULL;
    at.mem = rnnat_heap_take(need);
    if (!at.mem) {
        rnnat_message message = rnnat_message_of(opt);
        (void)message;
        return RNNAT_SAY(&message, RNNAT_ERROR_NO_MEMORY, RNNAT_TEXT("heap: expected "),
                         RNNAT_NUMBER(need), RNNAT_TEXT(" bytes for the model, got none"));
    }
    const rnnat_status status = build_model(at, from, opt, NULL, &model);
    if (status != RNNAT_OK) {
        free(at.mem);
        return status;
    }
    model->heap = at.mem;
    *out = model;
    return RNNAT_OK;
}

static rnnat_status create_model(const source *from, const rnnat_model_options *opt,
                                 rnnat_model **out)
{
    size_t need;
    const build_place at = {.mem = NULL};
    const rnnat_status status = build_model(at, from, opt, &need, NULL);
    return status == RNNAT_OK ? take_model(at, need, from, opt, out) : status;
}

rnnat_status rnnat_model_from_memory(const void *bytes, size_t size, const rnnat_model_options *opt,
                                     rnnat_model **out)
{
    const source from = {.bytes = bytes, .size = size};
    return bytes && out ? create_model(&from, opt, out) : wrong_argument(opt, "bytes, out");
}

#if RNNAT_INSPECT
rnnat_status rnnat_model_from_file(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                   rnnat_model **out)
{
    const source from = {.file = file};
    return file && out ? create_model(&from, opt, out) : RNNAT_ERROR_ARGUMENT;
}

rnnat_status rnnat_file_shared_size(const rnnat_safetensors *file, const rnnat_model_options *opt,
                                    size_t *weights_need)
{
    const source from = {.file = file};
    return shared_size(&from, opt, NULL, weights_need);
}

rnnat_status rnnat_file_share(void *weights, size_t size, const rnnat_safetensors *file,
                              const rnnat_model_options *opt)
{
    const source from = {.file = file};
    return is_aligned(weights) ? share(weights, size, &from, opt) : RNNAT_ERROR_ARGUMENT;
}

rnnat_status rnnat_model_from_shared(const void *weights, size_t size,
                                     const rnnat_safetensors *file, const rnnat_model_options *opt,
                                     rnnat_model **out)
{
    const source from = {.file = file};
    size_t need;
    rnnat_stamp stamp;
    build_place at = {.stamp = &stamp, .packed = true};
    if (!is_aligned(weights)) return RNNAT_ERROR_ARGUMENT;
    const rnnat_status status = count_beside(&at, weights, size, &from, opt, &need);
    return status == RNNAT_OK ? take_model(at, need, &from, opt, out) : status;
}
#endif
#endif
#endif

#if RNNAT_HEAP
void rnnat_model_free(rnnat_model *model)
{
    if (model) free(model->heap);
}
#endif

rnnat_status rnnat_model_describe(const rnnat_model *model, rnnat_model_info *info)
{
    if (!model || !info || info->struct_size != sizeof *info) return RNNAT_ERROR_ARGUMENT;
    *info = model->info;
    return RNNAT_OK;
}

rnnat_status rnnat_model_state(const rnnat_model *model, int32_t index, int32_t *rows,
                               int32_t *features)
{
    if (!model || !rows || !features || index < 0 || index >= model->info.num_states)
        return RNNAT_ERROR_ARGUMENT;
    *rows = model->states[index].rows;
    *features = model->states[index].features;
    return RNNAT_OK;
}

/* Tells of a value; `index` of its name. */
static rnnat_status tell_value(const rnnat_model *model, int32_t value, int32_t index,
                               const char *name, rnnat_value_info *info)
{
    if (info->struct_size != sizeof *info) return RNNAT_ERROR_ARGUMENT;
    const rnnat_value *const of = &model->values[value];
    rnnat_rate rate = {1, 1, 0};
    if (RNNAT_HAS_PACES(model)) rate = rnnat_rate_of(model, value);
    *info = (rnnat_value_info){.struct_size = sizeof *info,
                               .name = model->names ? model->names[index] : name,
                               .features = of->features,
                               .indices = of->known,
                               .has_time = of->has_time,
                               .repeat = rate.repeat,
                               .stride = rate.stride,
                               .latency = rate.latency};
    return RNNAT_OK;
}

rnnat_status rnnat_model_input(const rnnat_model *model, int32_t index, rnnat_value_info *info)
{
    if (!model || !info || index < 0 || index >= model->info.num_inputs)
        return RNNAT_ERROR_ARGUMENT;
    return tell_value(model, index, index, "x", info);
}

rnnat_status rnnat_model_output(const rnnat_model *model, int32_t index, rnnat_value_info *info)
{
    if (!model || !info || index < 0 || index >= model->info.num_outputs)
        return RNNAT_ERROR_ARGUMENT;
    return tell_value(model, model->outputs[index], model->info.num_inputs + index, "y", info);
}
