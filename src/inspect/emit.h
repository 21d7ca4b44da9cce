/* How a packed model tells of itself: every struct's members by their names in C, one after the
 * other, to somebody who writes them down. */
#ifndef RNNAT_EMIT_H
#define RNNAT_EMIT_H

#include <stddef.h>
#include <stdint.h>

#include "../weights/matrix.h"
#include "rnn_native.h"

/* Who listens: each function gets `arg` first. Members that are not told are zero. */
typedef struct rnnat_teller {
    void *arg;
    void (*type)(void *arg, const char *name); /* name of the struct whose members follow */
    void (*needs)(void *arg, const char *part); /* an option of config.h that the model needs */
    void (*number)(void *arg, const char *name, int64_t value);
    void (*real)(void *arg, const char *name, double value);
    void (*symbol)(void *arg, const char *name, const char *symbol); /* a pointer to it */
    void (*text)(void *arg, const char *name, const char *text); /* a pointer to these characters */
    /* Elements of the model's dtype. */
    void (*array)(void *arg, const char *name, const void *values, size_t count);
    /* Opens a struct or an array within, or, where `name` is "", the next element of an array. */
    void (*begin)(void *arg, const char *name);
    void (*end)(void *arg); /* closes what was opened last */
} rnnat_teller;

/* Tells elements of the model's dtype; NULL is left out. */
static inline void rnnat_tell_array(const rnnat_teller *teller, const char *name,
                                    const void *values, size_t count)
{
    if (values) teller->array(teller->arg, name, values, count);
}
/* Tells a whole model: info, and the arrays nodes, values, buffers and states, in each of which the members
 * of an element stand between begin("") and end; a node's `data` come last, as a struct within. Of a graph
 * the names of its inputs and outputs, too. */
void rnnat_model_tell(const rnnat_model *model, const rnnat_teller *teller);
/* Tells a matrix; an empty one is left out. */
void rnnat_tell_matrix(const rnnat_teller *teller, const char *name, const rnnat_matrix *matrix);

#endif
