/* How a packed model tells of itself: every struct's members by their names in C, one after the
 * other, to somebody who writes them down. */
#ifndef RNNAT_EMIT_H
#define RNNAT_EMIT_H

#include <stddef.h>
#include <stdint.h>

#include "../weights/matrix.h"
#include "rnn_native.h"

/* What an array has. */
typedef enum rnnat_element {
    RNNAT_ELEMENT_REAL, /* numbers of the model's dtype */
    RNNAT_ELEMENT_UINT16, /* the bits of a float16 or bfloat16 */
    RNNAT_ELEMENT_INT8,
    RNNAT_ELEMENT_INT32
} rnnat_element;

/* Who listens: each function gets `arg` first. Members that are not told are zero. */
typedef struct rnnat_teller {
    void *arg;
    void (*type)(void *arg, const char *name); /* name of the struct whose members follow */
    void (*needs)(void *arg, const char *part); /* an option of config.h that the model needs */
    void (*number)(void *arg, const char *name, int64_t value);
    void (*real)(void *arg, const char *name, double value);
    void (*symbol)(void *arg, const char *name, const char *symbol); /* a pointer to it */
    void (*text)(void *arg, const char *name, const char *text); /* a pointer to these characters */
    void (*array)(void *arg, const char *name, const void *values, size_t count,
                  rnnat_element element);
    /* Opens a struct or an array within, or, where `name` is "", the next element of an array. */
    void (*begin)(void *arg, const char *name);
    /* Opens what a pointer to bytes points to: structs of arrays without a gap, the elements of it. */
    void (*block)(void *arg, const char *name);
    void (*end)(void *arg); /* closes what was opened last */
} rnnat_teller;

/* Tells elements of the model's dtype; NULL is left out. */
static inline void rnnat_tell_array(const rnnat_teller *teller, const char *name,
                                    const void *values, size_t count)
{
    if (values) teller->array(teller->arg, name, values, count, RNNAT_ELEMENT_REAL);
}
/* Tells elements of a type, of int8 the integers alone, and what the library needs for such. */
void rnnat_tell_stored(const rnnat_teller *teller, const char *name, const void *values,
                       size_t count, rnnat_stored type);
/* Tells a whole model: info, and the arrays nodes, values, buffers and states, in each of which the members
 * of an element stand between begin("") and end; a node's `data` come last, as a struct within. Of a graph
 * the names of its inputs and outputs, too. */
void rnnat_model_tell(const rnnat_model *model, const rnnat_teller *teller);
/* Tells a matrix, which is `parts` of them (rnnat_matrix_part); an empty one is left out. */
void rnnat_tell_matrix(const rnnat_teller *teller, const char *name, const rnnat_matrix *matrix,
                       const rnnat_kernels *kernels, int32_t parts);

#endif
