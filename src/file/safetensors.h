/* A safetensors file in memory: bytes -> views of named arrays. The bytes are untrusted.
 *
 *   8 bytes      N, little-endian
 *   N bytes      header, JSON: {"__metadata__": {key: string, ...},
 *                               name: {"dtype": ..., "shape": [...], "data_offsets": [b, e]}, ...}
 *   the rest     data: the arrays, row-major, little-endian, side by side without a gap
 *
 * Nothing here uses the heap, recurses or copies arrays; opening takes about 5 KB of stack. */
#ifndef RNNAT_SAFETENSORS_H
#define RNNAT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "../config.h"
#include "../message.h"
#include "rnn_native.h"

/* Limits of this reader, which bound the time that a hostile file can take. A file past one of
 * them is RNNAT_ERROR_UNSUPPORTED. */
#define RNNAT_SAFETENSORS_MAX_HEADER (1024 * 1024) /* bytes */
#define RNNAT_SAFETENSORS_MAX_ENTRIES 2048         /* tensors, and keys of __metadata__ */
#define RNNAT_TENSOR_MAX_RANK 8

typedef enum rnnat_tensor_type {
    RNNAT_TENSOR_F16,
    RNNAT_TENSOR_BF16,
    RNNAT_TENSOR_F32,
    RNNAT_TENSOR_F64,
    RNNAT_TENSOR_I8, /* of a matrix, with scales that are another tensor */
    RNNAT_TENSOR_OTHER /* a type of safetensors that has no reader here */
} rnnat_tensor_type;

typedef struct rnnat_tensor {
    rnnat_tensor_type type;
    int32_t rank;
    uint64_t dims[RNNAT_TENSOR_MAX_RANK]; /* zero from rank on */
    const unsigned char *data;            /* any alignment */
    size_t bytes;                         /* exactly what type and dims need */
    const unsigned char *scales; /* F32 [dims[0]], any alignment; NULL unless whoever looks I8 up
                                  * points it to them */
} rnnat_tensor;

/* Where one array is, of a file whose arrays lie apart. */
typedef struct rnnat_span {
    const void *data;
    size_t size;
} rnnat_span;

typedef struct rnnat_safetensors {
    const unsigned char *header;
    size_t header_size;
    const unsigned char *data;
    size_t data_size;
    int32_t num_tensors;
#if RNNAT_WITH_MESSAGES
    rnnat_message *message; /* while it is opened: what a fault is told to, or NULL */
#endif
#if RNNAT_INSPECT
    const rnnat_span *parts; /* num_tensors, in the header's order; NULL where `data` has them */
#endif
} rnnat_safetensors;

/* Checks the whole file but the values of its arrays, and views it; the bytes must outlive *out
 * and every tensor taken from it. RNNAT_ERROR_FORMAT unless all of this holds:
 * - N fits the file, and the header is one JSON object, '{' its first byte, of the form above,
 *   with nothing but white space after it. Escapes are fully checked (surrogates in pairs);
 *   bytes from 0x80 up pass as they are. Keys other than the above are not skipped but refused;
 * - no name, key of __metadata__ or field comes twice, however it is escaped;
 * - each array's dims and type need exactly the bytes from b to e (the product of the dims that
 *   are not 0 counts elements without overflow, too), and the arrays tile the data exactly.
 * RNNAT_ERROR_UNSUPPORTED: a limit above, or a dtype that safetensors does not have. `message`, or
 * NULL: where to say which. */
rnnat_status rnnat_safetensors_open(const void *bytes, size_t size, rnnat_message *message,
                                    rnnat_safetensors *out);

/* The same of a file of which only the header lies together, N and what follows, and every array
 * elsewhere: `parts`, which must outlive *out too, in the header's order, which has to be that of
 * the data. So nobody has to copy arrays to hand them over. */
rnnat_status rnnat_safetensors_open_parts(const void *header, size_t size, const rnnat_span *parts,
                                          int32_t num_parts, rnnat_message *message,
                                          rnnat_safetensors *out);

/* The tensor of that name, or RNNAT_ERROR_NOT_FOUND. */
rnnat_status rnnat_safetensors_tensor(const rnnat_safetensors *st, const char *name,
                                      rnnat_tensor *out);

/* Tensor `index` of 0..num_tensors-1 in the header's order, and a copy of its name, decoded and
 * NUL-terminated (RNNAT_ERROR_FORMAT where it does not fit or holds a NUL). `name` may be NULL. */
rnnat_status rnnat_safetensors_at(const rnnat_safetensors *st, int32_t index, char *name,
                                  size_t name_size, rnnat_tensor *out);

/* A copy of the value of `key` in __metadata__, decoded and NUL-terminated. RNNAT_ERROR_NOT_FOUND
 * without that key; RNNAT_ERROR_FORMAT where it does not fit or holds a NUL. */
rnnat_status rnnat_safetensors_metadata(const rnnat_safetensors *st, const char *key, char *value,
                                        size_t value_size);

/* Elements first..first+count-1 in row-major order, converted: F16, BF16 and F32 are exact in
 * both, F64 rounds to float, and I8 is the float that is nearest to it times its row's scale, in
 * both. Elements past the tensor's end, and all of a tensor of another type or of I8 without
 * scales, read as NaN: nothing out of bounds is read and nothing of `out` is left unwritten. */
void rnnat_tensor_read_f32(const rnnat_tensor *t, size_t first, size_t count, float *out);
void rnnat_tensor_read_f64(const rnnat_tensor *t, size_t first, size_t count, double *out);

#endif
