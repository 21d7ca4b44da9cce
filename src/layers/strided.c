/* A view of the features of a step: some of them, in another order, or several times. */
#include <string.h>

#include "layers.h"

#if RNNAT_WITH_WINDOWS
#if RNNAT_READER
#define AXIS_KEY(member, axis, smallest)                                                           \
    {.name = #member #axis,                                                                        \
     .type = RNNAT_KEY_SIZE,                                                                       \
     .least = smallest,                                                                            \
     .at = offsetof(rnnat_strided_options, member) + axis * sizeof(int32_t)}
static const rnnat_key strided_keys[] = {
    RNNAT_SIZE_KEY(rnnat_strided_options, in_features),
    RNNAT_COUNT_KEY(rnnat_strided_options, offset),
    AXIS_KEY(size, 0, 1),
    AXIS_KEY(size, 1, 1),
    AXIS_KEY(size, 2, 1),
    AXIS_KEY(size, 3, 1),
    AXIS_KEY(stride, 0, 0),
    AXIS_KEY(stride, 1, 0),
    AXIS_KEY(stride, 2, 0),
    AXIS_KEY(stride, 3, 0),
};
#undef AXIS_KEY

static int32_t takes_strided(const void *options)
{
    return ((const rnnat_strided_options *)options)->in_features;
}

static rnnat_status build_strided(rnnat_graph *graph, const void *options)
{
    const rnnat_strided_options *const line = options;
    rnnat_viewing data = {.offset = line->offset};
    int64_t last = line->offset, features = 1;
    int32_t at = RNNAT_STRIDED_AXES; /* axes of size 1 go to the front */
    for (int32_t axis = RNNAT_STRIDED_AXES - 1; axis >= 0; --axis) {
        if (line->size[axis] > 1) {
            data.size[--at] = line->size[axis];
            data.stride[at] = line->stride[axis];
        }
        last += (int64_t)(line->size[axis] - 1) * line->stride[axis];
        features *= line->size[axis];
        if (features > RNNAT_LAYER_MAX_SIZE)
            return RNNAT_REFUSE(graph, UNSUPPORTED, "too many features");
    }
    while (at > 0) data.size[--at] = 1;
    if (last >= line->in_features)
        return RNNAT_REFUSE(graph, SHAPE, "expected a view within in_features=");
    rnnat_graph_add_one(graph, &rnnat_layer_strided, &data, sizeof data, (int32_t)features);
    return RNNAT_OK;
}
#endif

/* Copies `count` elements, which stand `stride` apart. */
static char *copy_axis(char *to, const char *from, int32_t count, int32_t stride, size_t elem)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)count * elem);
        return to + (size_t)count * elem;
    }
    /* Of a size that the compiler knows, a copy is two instructions. */
    if (elem == 4) {
        for (int32_t i = 0; i < count; ++i, to += 4, from += (size_t)stride * 4)
            memcpy(to, from, 4);
    } else {
        for (int32_t i = 0; i < count; ++i, to += elem, from += (size_t)stride * elem)
            memcpy(to, from, elem);
    }
    return to;
}

/* One step of one row of the batch. */
static void copy_view(const rnnat_viewing *view, char *to, const char *from, size_t elem)
{
    const int32_t *const size = view->size, *const stride = view->stride;
    for (int32_t i = 0; i < size[0]; ++i) {
        for (int32_t j = 0; j < size[1]; ++j) {
            for (int32_t k = 0; k < size[2]; ++k) {
                const int64_t at = view->offset + (int64_t)i * stride[0] + (int64_t)j * stride[1] +
                                   (int64_t)k * stride[2];
                to = copy_axis(to, from + (size_t)at * elem, size[3], stride[3], elem);
            }
        }
    }
}

/* Each member takes some of the steps. */
static bool run_strided(rnnat_task *task, const rnnat_chunk *chunk)
{
    const rnnat_kernels *const kernels = task->kernels;
    const rnnat_some_steps own = rnnat_own_steps(task, chunk);
    for (int32_t step = own.first; step < own.first + own.steps; ++step)
        for (int32_t row = 0; row < task->rows; ++row)
            copy_view(task->node->data, rnnat_view_at(kernels, *chunk->out, step, row),
                      rnnat_view_at(kernels, *chunk->in[0], step, row), (size_t)kernels->elem);
    return true;
}

#if RNNAT_INSPECT
static void tell_axes(const rnnat_teller *teller, const char *name, const int32_t *axes)
{
    teller->begin(teller->arg, name);
    for (int32_t axis = 0; axis < RNNAT_STRIDED_AXES; ++axis)
        teller->number(teller->arg, "", axes[axis]);
    teller->end(teller->arg);
}

static void tell_strided(const rnnat_node *node, const rnnat_kernels *kernels,
                         const rnnat_teller *teller)
{
    const rnnat_viewing *const view = node->data;
    (void)kernels;
    teller->type(teller->arg, "rnnat_viewing");
    teller->needs(teller->arg, "RNNAT_WITH_WINDOWS");
    teller->number(teller->arg, "offset", view->offset);
    tell_axes(teller, "size", view->size);
    tell_axes(teller, "stride", view->stride);
}
#endif
#endif

const rnnat_layer rnnat_layer_strided = {
    .name = "rnnat_layer_strided",
#if RNNAT_WITH_WINDOWS
    .keys = RNNAT_LAYER_KEYS(strided_keys, rnnat_strided_options),
    .takes = RNNAT_IF_READER(takes_strided),
    .count = RNNAT_IF_READER(rnnat_count_one),
    .build = RNNAT_IF_READER(build_strided),
    .run = run_strided,
    .tell = RNNAT_IF_INSPECT(tell_strided),
#endif
};
