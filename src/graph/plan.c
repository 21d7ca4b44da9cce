/* Where every value is kept while the model runs.
 *
 * Causal nodes that follow each other run one after the other over each chunk, so that what passes
 * between them is one chunk; a node that is not causal needs all of time before it, and makes all of
 * time. Values that are not needed at the same time lie in the same buffer. */
#include "graph.h"

#if RNNAT_READER
/* The last node that reads a value; -1: there is none. */
static int32_t last_reader(const rnnat_model *model, int32_t value)
{
    for (int32_t n = model->num_nodes - 1; n >= 0; --n)
        for (int32_t i = 0; i < model->nodes[n].num_inputs; ++i)
            if (model->nodes[n].inputs[i] == value) return n;
    return -1;
}

/* Whether nodes first .. last all run before the next chunk: one causal run. */
static bool is_one_run(const rnnat_model *model, int32_t first, int32_t last)
{
    for (int32_t n = first; n <= last; ++n)
        if (rnnat_node_has_time(model, n) && !rnnat_node_is_causal(&model->nodes[n])) return false;
    return true;
}

static rnnat_home home_of(const rnnat_model *model, int32_t value, int32_t maker, int32_t reader)
{
    for (int32_t i = 0; i < model->info.num_outputs; ++i)
        if (model->outputs[i] == value) return RNNAT_HOME_CALLER;
    if (reader < 0) return RNNAT_HOME_NOWHERE;
    if (RNNAT_IS_STATIC(&model->values[value])) return RNNAT_HOME_STATIC;
    if (!model->values[value].has_time) return RNNAT_HOME_ROWS;
    return is_one_run(model, maker, reader) ? RNNAT_HOME_CHUNK : RNNAT_HOME_WHOLE;
}

/* The last node that runs before a value that `reader` reads may be written over. What is there for
 * all of time is read until the causal run of its reader has come to its end. */
static int32_t end_of(const rnnat_model *model, rnnat_home home, int32_t reader)
{
    int32_t last = reader;
    while (home == RNNAT_HOME_WHOLE && last + 1 < model->num_nodes &&
           is_one_run(model, reader, last + 1))
        ++last;
    return last;
}

/* Gives value `index`, which node `maker` makes, its home and a buffer that is free `from` that node
 * on. */
static void place_value(rnnat_model *model, rnnat_value *values, rnnat_buffer *buffers,
                        int32_t index, int32_t maker, int32_t from)
{
    rnnat_value *const value = &values[index];
    const int32_t reader = last_reader(model, index);
    value->home = home_of(model, index, maker, reader);
    if (value->home == RNNAT_HOME_NOWHERE || value->home == RNNAT_HOME_CALLER) return;
    int32_t b = value->home == RNNAT_HOME_STATIC ? model->num_buffers : 0;
    while (b < model->num_buffers &&
           (buffers[b].home != value->home || buffers[b].last_node >= from))
        ++b;
    if (b == model->num_buffers) buffers[model->num_buffers++] = (rnnat_buffer){value->home, 0, 0};
    if (buffers[b].features < value->features) buffers[b].features = value->features;
    buffers[b].last_node = end_of(model, value->home, reader);
    value->buffer = b;
}

rnnat_status rnnat_plan_values(rnnat_model *model, rnnat_value *values, rnnat_buffer *buffers)
{
    for (int32_t v = 0; v < model->info.num_inputs; ++v) values[v].home = RNNAT_HOME_CALLER;
    for (int32_t n = 0; n < model->num_nodes; ++n) {
        const int32_t output = model->nodes[n].output, last = model->nodes[n].last;
        place_value(model, values, buffers, output, n, n);
        /* What last steps give is put there for all nodes together, before any of them reads it. */
        if (last >= 0) place_value(model, values, buffers, last, n, -1);
        const bool is_read = values[output].home != RNNAT_HOME_NOWHERE;
        if (!is_read && last < 0) return RNNAT_ERROR_UNSUPPORTED;
        if (last >= 0 && values[last].home != RNNAT_HOME_NOWHERE) model->has_rows = true;
    }
    return RNNAT_OK;
}
#endif
