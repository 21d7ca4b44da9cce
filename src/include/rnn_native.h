/* rnn_native: recurrent networks (RNN, GRU, LSTM) on a CPU.
 *
 * A model is made once from the bytes of a .safetensors file, is immutable, and may be shared by
 * any number of threads. A stream holds what one user of a model needs, the recurrent state and
 * its scratch, and a pool what many users need; each belongs to one thread at a time: locking is the
 * caller's. Other functions may
 * be called from any threads at once, on any objects, unless their text says otherwise.
 *
 * No function prints, aborts or keeps a pointer that its text does not mention. Every function
 * that can fail returns a status and writes nothing through its out pointers unless that status
 * is RNNAT_OK or its text says so. Structs that callers fill begin with `struct_size`: set it to their sizeof and
 * zero the rest; a zero field means its default. Before 1.0 that size has to be the library's own;
 * from 1.0 on a struct that grows keeps its earlier sizes, which the library goes on accepting.
 *
 * What a function reads may not change before it returns. Where another thread changes indices,
 * lengths or states all the same, the results mean nothing, but the call ends and touches no other
 * memory.
 *
 * Where the memory is the caller's, a call of one thread takes no heap and no lock, makes no
 * system call, ends in a time that sizes alone bound, and needs at most 16 KiB of stack
 * (docs/embedded.md).
 *
 * Memory is counted in bytes and may have any alignment, everything else in elements. Arrays are
 * dense row-major unless strides are given. In the shapes below T is time, B batch, and a feature
 * axis always has stride 1. Features have no unit but the one that the model was trained with.
 *
 * A library may be built without some parts (docs/embedded.md). Without RNNAT_HEAP these
 * functions are not in it, so that a program that calls them does not link: rnnat_model_load,
 * _from_memory, _free, rnnat_stream_create, _free, rnnat_pool_create, _free; without RNNAT_FILE_IO,
 * rnnat_model_load; without RNNAT_READER, all that make a model of a file; without RNNAT_WITH_POOL, all of
 * pools; without RNNAT_WITH_SHARING, rnnat_model_shared_size, _share, _init_shared.
 */
#ifndef RNN_NATIVE_H
#define RNN_NATIVE_H

#include <stddef.h>
#include <stdint.h>

/* Whether a shared library shows these functions to others; what defines it before says otherwise. */
#ifndef RNNAT_API
#if defined(_WIN32) && defined(RNNAT_SHARED)
#ifdef RNNAT_BUILD
#define RNNAT_API __declspec(dllexport)
#else
#define RNNAT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__) && !defined(_WIN32) && (!defined(RNNAT_GNU) || RNNAT_GNU)
#define RNNAT_API __attribute__((visibility("default")))
#else
#define RNNAT_API
#endif
#endif

#define RNNAT_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* Values are pinned: a code never changes its meaning. */
typedef enum rnnat_status {
    RNNAT_OK = 0,
    RNNAT_ERROR_ARGUMENT = 1,    /* null pointer, negative size, unknown option value */
    RNNAT_ERROR_FORMAT = 2,      /* the file is malformed or lacks what describes its layers */
    RNNAT_ERROR_UNSUPPORTED = 3, /* well formed, but this build or version cannot do it */
    RNNAT_ERROR_SHAPE = 4,       /* a tensor of the file does not have the size its layer needs */
    RNNAT_ERROR_NOT_FOUND = 5,   /* a tensor that a layer needs is not in the file */
    RNNAT_ERROR_OVERFLOW = 6,    /* a size does not fit size_t */
    RNNAT_ERROR_NO_MEMORY = 7,   /* the heap is exhausted */
    RNNAT_ERROR_TOO_SMALL = 8,   /* the caller's memory is smaller than the stated need */
    RNNAT_ERROR_IO = 9,          /* the file cannot be opened or read */
    RNNAT_ERROR_DTYPE = 10,      /* a float call on a double model, or the other way round */
    RNNAT_ERROR_LENGTH = 11,     /* a sequence length is not in 0..T */
    RNNAT_ERROR_INDEX = 12,      /* an embedding index is not in 0..input_size-1 */
    RNNAT_ERROR_INPUT = 13, /* indices given to a model of features, or the other way round */
    RNNAT_ERROR_ID = 14,    /* an id that is no open stream of the pool, or that comes twice */
    RNNAT_ERROR_FULL = 15,  /* the pool has no room for another stream, or one of that id */
    RNNAT_ERROR_MODEL = 16  /* a snapshot of another model's streams */
} rnnat_status;

/* A library built without double (RNNAT_FLOAT64=OFF) answers RNNAT_ERROR_UNSUPPORTED to RNNAT_F64
 * and from every function that ends in _f64; one built without some cell, to a file that has it. */
typedef enum rnnat_dtype { RNNAT_F32 = 0, RNNAT_F64 = 1 } rnnat_dtype;

/* What the weights of matrices and of embeddings are stored as: in the model's dtype; (F16, BF16) as float16
 * or bfloat16, rounded to the nearest and computed with in float; or (INT8) as integers with a scale a row,
 * whose products round each row of what they multiply to integers, too, by its own largest value. Biases
 * and peepholes are in the model's dtype. With RNNAT_F64, with a BLAS, for a finite weight that would become
 * infinite, for INT8 one that is not finite or more than 131072 features, and in a library built without
 * (RNNAT_WITH_FLOAT16=OFF and the like), these are UNSUPPORTED. docs/precision.md. */
typedef enum rnnat_weight_dtype {
    RNNAT_WEIGHT_AS_DTYPE = 0,
    RNNAT_WEIGHT_F16 = 1,
    RNNAT_WEIGHT_BF16 = 2,
    RNNAT_WEIGHT_INT8 = 3
} rnnat_weight_dtype;

/* What products of matrices are computed in: the model's dtype, or integers with INT8 weights; or (BF16)
 * bfloat16 on both sides, added up in float: the weights are stored as such, of which weight_dtype may
 * say no other. UNSUPPORTED where the CPU has no such product: AVX512_BF16, FEAT_BF16. */
typedef enum rnnat_compute { RNNAT_COMPUTE_AS_DTYPE = 0, RNNAT_COMPUTE_BF16 = 1 } rnnat_compute;

/* Who multiplies matrices: the library's own packed kernels, a BLAS, or (AUTO) whichever of the
 * two was measured faster: docs/dispatch.md. With PACKED a row's result has the same bits in any
 * batch, any thread count and any cutting into steps. BLAS without one present is UNSUPPORTED. */
typedef enum rnnat_matmul {
    RNNAT_MATMUL_AUTO = 0,
    RNNAT_MATMUL_PACKED = 1,
    RNNAT_MATMUL_BLAS = 2
} rnnat_matmul;

typedef struct rnnat_model rnnat_model;
typedef struct rnnat_stream rnnat_stream;
typedef struct rnnat_pool rnnat_pool;

typedef struct rnnat_model_options {
    size_t struct_size;
    int32_t dtype; /* rnnat_dtype: what the weights are converted to and computed in */
    int32_t matmul; /* rnnat_matmul */
    int32_t weight_dtype; /* rnnat_weight_dtype */
    int32_t compute; /* rnnat_compute */
} rnnat_model_options;

/* What a model is. */
typedef struct rnnat_model_info {
    size_t struct_size;
    int32_t dtype;
    int32_t matmul; /* what AUTO became */
    int32_t
        takes_indices; /* 1: the input is int32 indices [T, B], 0: features [T, B, input_size] */
    int32_t input_size; /* features, or the number of embeddings */
    int32_t output_size; /* features of y */
    int32_t
        num_states; /* state arrays: one for each RNN or GRU (h), two for each LSTM (h, c); where
                         * gates recur on gates: GRU h, z, LSTM h, c, i, f */
    int32_t streamable; /* 1: a stream can be made: every layer runs forward */
    int32_t num_layers; /* layers of the file */
    uint64_t num_parameters;
    size_t memory; /* bytes the model occupies */
    int32_t num_inputs; /* of several, or several outputs, the numbers above are the first one's */
    int32_t num_outputs;
    int32_t return_sequences; /* 1: a run's y is [T, B, output_size]; 0: [B, output_size], which is
                               * made of each row's last state alone */
    int32_t weight_dtype; /* rnnat_weight_dtype */
    int32_t compute; /* rnnat_compute */
} rnnat_model_info;

/* One run over whole sequences. */
typedef struct rnnat_run {
    size_t struct_size;
    int32_t time; /* T >= 0 */
    int32_t batch; /* B >= 0 */
    const float *x; /* features [T, B, input_size]; NULL for a model of indices */
    const int32_t *indices; /* indices [T, B]; NULL for a model of features */
    ptrdiff_t x_stride_time; /* both zero: dense [T, B, ...] */
    ptrdiff_t x_stride_batch;
    float *y; /* [T, B, output_size], of layers with strides [rnnat_model_run_steps, B,
               * output_size]; steps past a row's length become 0. Of a model without
               * return_sequences: [B, output_size], with T = 0 too */
    ptrdiff_t y_stride_time; /* both zero: dense; without return_sequences it is not looked at */
    ptrdiff_t y_stride_batch;
    const int32_t *lengths; /* [B], each in 0..T; NULL: all T, also where the file has a mask_value:
                             * to find a row's length by that is the caller's */
    const float *const *state_in; /* num_states dense arrays, see rnnat_model_state; NULL: the
                                   * model's initial state: zeros, unless its file has another */
    float *const *state_out; /* the same, at each row's own end; NULL: not wanted */
    int32_t num_threads; /* at most this many; 0: the default (RNN_NATIVE_NUM_THREADS, or
                                  * the processors this process may use); never more than
                          * there are processors, or 64 */
    /* Of a model with several inputs, all of them, dense: float or, of indices, int32_t; in the place
     * of x and indices, whose strides are zero then. Of several outputs, likewise in that of y. A model
     * with one takes it in either way. See rnnat_model_input: what has no time is read where T is 0, too. */
    const void *const *inputs;
    void *const *outputs;
} rnnat_run;

typedef struct rnnat_run_f64 {
    size_t struct_size;
    int32_t time;
    int32_t batch;
    const double *x;
    const int32_t *indices;
    ptrdiff_t x_stride_time;
    ptrdiff_t x_stride_batch;
    double *y;
    ptrdiff_t y_stride_time;
    ptrdiff_t y_stride_batch;
    const int32_t *lengths;
    const double *const *state_in;
    double *const *state_out;
    int32_t num_threads;
    const void *const *inputs;
    void *const *outputs;
} rnnat_run_f64;

/* ---- models ----
 *
 * The functions that make or size a model take the bytes of a .safetensors file whose
 * metadata describes its layers (docs/file-format.md), and `opt`, which may be NULL. They fail in
 * the same ways:
 *
 *   ARGUMENT     a NULL that may not be; struct_size, dtype, matmul, weight_dtype or compute has no known
 *                value;
 *                RNN_NATIVE_ISA names no instruction set
 *   FORMAT       the file is malformed, its metadata does not describe layers, or a scale of int8
 *                is not finite or below 0
 *   UNSUPPORTED  a cell, activation, type of array or size that this version or build has not: a
 *                header above 1 MiB, more than 2048 arrays or strings, more than 8 dimensions;
 *                a BLAS without one; an instruction set that this CPU or build lacks
 *   NOT_FOUND, SHAPE, OVERFLOW   of an array that a layer needs
 *
 * The file is not trusted: its header, JSON as the format's own library writes it, is checked as a
 * whole, every offset against the file's size, before any array is read. Arrays are little-endian
 * at any alignment, F32, F64, F16 or BF16, matrices also I8 with the scales of their rows beside
 * them (docs/file-format.md); machines of either byte order read them. */

/* Reads the file at `path`, a NUL-terminated path of fopen. Takes memory of the heap for the file
 * while it reads and for the model. Besides: IO where the file cannot be read, NO_MEMORY. */
RNNAT_API rnnat_status rnnat_model_load(const char *path, const rnnat_model_options *opt,
                                        rnnat_model **out);
/* The same from `size` bytes in memory, which are not needed afterwards. Besides: NO_MEMORY. */
RNNAT_API rnnat_status rnnat_model_from_memory(const void *bytes, size_t size,
                                               const rnnat_model_options *opt, rnnat_model **out);
/* *need = exactly the bytes of memory that rnnat_model_init needs for this file and these options,
 * which depends on the instruction set in use. Whether layers of a graph fit what they read is found
 * by the functions that make the model, and not by this one. */
RNNAT_API rnnat_status rnnat_model_size(const void *bytes, size_t size,
                                        const rnnat_model_options *opt, size_t *need);
/* Makes the model inside the caller's memory, without the heap. The memory must stay where it is
 * and outlive the model; `bytes` are not needed afterwards. rnnat_model_free is not needed, but
 * harmless. Besides: TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_model_init(void *mem, size_t mem_size, const void *bytes, size_t size,
                                        const rnnat_model_options *opt, rnnat_model **out);
/* ---- models whose weights lie apart, so that processes share them; not with RNNAT_WITH_SHARING=0 ----
 *
 * A model is then two blocks: packed weights, which are the bulk and hold numbers alone, no address, and a
 * small one of its own, which points into them. One process packs the weights into memory that
 * others see, shared or a mapped file; each of them, that one too, maps them where it likes, to be read
 * only, and makes its own block. They begin at a multiple of 64 bytes, and are good for this file and
 * these options on this instruction set, by this version of the library: docs/sharing.md. */

/* *need = exactly the bytes of the model's own block, *weights_need those of its weights. */
RNNAT_API rnnat_status rnnat_model_shared_size(const void *bytes, size_t size,
                                               const rnnat_model_options *opt, size_t *need,
                                               size_t *weights_need);
/* Packs the weights, without the heap; equal models are equal bytes. Besides: ARGUMENT where `weights`
 * begins at no multiple of 64; TOO_SMALL. Where it fails, these may have been written to. */
RNNAT_API rnnat_status rnnat_model_share(void *weights, size_t weights_size, const void *bytes,
                                         size_t size, const rnnat_model_options *opt);
/* Makes the model as rnnat_model_init does, of weights that are packed already. These are only read, must
 * not change, and outlive the model; of `bytes` the header is looked at and no array, but the scales of
 * int8. info.memory has both blocks. Besides: what rnnat_model_share has; FORMAT where
 * the weights are not those of such a file, options, instruction set and version: whether the numbers in
 * them are the file's is the caller's to know. */
RNNAT_API rnnat_status rnnat_model_init_shared(void *mem, size_t mem_size, const void *weights,
                                               size_t weights_size, const void *bytes, size_t size,
                                               const rnnat_model_options *opt, rnnat_model **out);
/* Ends a model; NULL is fine. No thread may be using it, nor use a stream of it afterwards. */
RNNAT_API void rnnat_model_free(rnnat_model *model);

/* *info = what the model is. ARGUMENT: a NULL, or info->struct_size is not its sizeof. */
RNNAT_API rnnat_status rnnat_model_describe(const rnnat_model *model, rnnat_model_info *info);
/* What a model takes, or gives. */
typedef struct rnnat_value_info {
    size_t struct_size;
    const char *name; /* of a chain "x", and "y"; as long as the model lives */
    int32_t features; /* of a step */
    int32_t
        indices; /* of an input: int32 indices [T, B] below this; 0: features [T, B, features] */
    int32_t
        has_time; /* 0: no T. Of an output: what is made of last steps, or of such inputs alone */
    /* Steps: `repeat` for every `stride` of the inputs, 1 and 1 but where layers with strides make
     * fewer or more; each is made once `latency` more steps of the inputs are there than its own. */
    int32_t repeat;
    int32_t stride;
    int32_t latency;
} rnnat_value_info;
/* Input, or output, `index`: 0, and of a graph (docs/file-format.md) up to num_inputs - 1, num_outputs
 * - 1. ARGUMENT: a NULL, struct_size, or there is no such one. */
RNNAT_API rnnat_status rnnat_model_input(const rnnat_model *model, int32_t index,
                                         rnnat_value_info *info);
RNNAT_API rnnat_status rnnat_model_output(const rnnat_model *model, int32_t index,
                                          rnnat_value_info *info);
/* The shape of state array `index`, 0 to num_states - 1, in the order of the layers, h before c:
 * [rows, B, features], rows = layers x directions of its layer, the bottom layer first, forward
 * before reverse. ARGUMENT: a NULL, or there is no such array. */
RNNAT_API rnnat_status rnnat_model_state(const rnnat_model *model, int32_t index, int32_t *rows,
                                         int32_t *features);

/* *need = the bytes of scratch that this run needs; x and y are not read, but whether they are
 * NULL is looked at. Depends on T only below some hundred steps, and where one layer hands a whole
 * sequence to the next: where a reverse or bidirectional layer, or one with padding behind the last
 * step, has a neighbour. Where num_threads is 0, the default must not
 * change between this call and the run. Fails as rnnat_model_run does over sizes and strides. */
RNNAT_API rnnat_status rnnat_model_run_size(const rnnat_model *model, const rnnat_run *run,
                                            size_t *need);
/* Runs the model over B whole sequences of up to T steps: fields of rnnat_run. `scratch` belongs
 * to this call alone while it lasts, and nothing is kept in it. y and state_out must not overlap
 * any input. Takes num_threads threads at the most, and fewer where the system grants no more; one
 * of them is the caller's, and with 1 there is no other, no heap, no lock and no I/O. All arguments
 * are checked before anything is written:
 *
 *   ARGUMENT   a NULL where there is something to read or write, a negative size, struct_size;
 *              RNN_NATIVE_NUM_THREADS is no number of threads, and num_threads is 0;
 *              RNN_NATIVE_THREADING or RNN_NATIVE_DYNAMIC cannot be used, and num_threads is not 1
 *   DTYPE      the model is of the other precision
 *   INPUT      features for a model of indices, or the other way round
 *   LENGTH, INDEX   of lengths, and of the indices of steps that count; LENGTH too of a state_in whose
 *              rows, or layers with strides, are at steps that do not go together
 *   OVERFLOW   strides or sizes that do not fit an address
 *   TOO_SMALL  scratch */
RNNAT_API rnnat_status rnnat_model_run(const rnnat_model *model, const rnnat_run *run,
                                       void *scratch, size_t scratch_size);
/* *steps = how many steps of output `index` the run gives: as many as it has itself, unless layers with
 * strides make fewer or more of them; 1 of an output without time. Of the run it looks at time, batch,
 * lengths and state_in alone, which are to be the same when it is run.
 * ARGUMENT: a NULL, struct_size, a negative number, or there is no such output; DTYPE and LENGTH as of
 * rnnat_model_run; OVERFLOW: more than 2^31 - 1. */
RNNAT_API rnnat_status rnnat_model_run_steps(const rnnat_model *model, const rnnat_run *run,
                                             int32_t index, int32_t *steps);
/* The same three in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_model_run_steps_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                                 int32_t index, int32_t *steps);
RNNAT_API rnnat_status rnnat_model_run_size_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                                size_t *need);
RNNAT_API rnnat_status rnnat_model_run_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                           void *scratch, size_t scratch_size);

/* ---- streams: the same model a few steps at a time, with memory known beforehand ---- */

/* *need = exactly the bytes of memory that a stream of B rows, from 1 on, needs; runs of more
 * than max_steps, from 1 on, are cut into runs of max_steps. ARGUMENT: a NULL, or a smaller size.
 * UNSUPPORTED: a layer of the model is reverse or bidirectional. OVERFLOW. */
RNNAT_API rnnat_status rnnat_stream_size(const rnnat_model *model, int32_t batch, int32_t max_steps,
                                         size_t *need);
/* Makes a stream, in the model's initial state, in the caller's memory, without the heap. The memory must
 * stay where it is; it and the model must outlive the stream, and rnnat_stream_free is not
 * needed, but harmless. Besides: TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_stream_init(void *mem, size_t mem_size, const rnnat_model *model,
                                         int32_t batch, int32_t max_steps, rnnat_stream **out);
/* The same in memory of the heap. Besides: NO_MEMORY. */
RNNAT_API rnnat_status rnnat_stream_create(const rnnat_model *model, int32_t batch,
                                           int32_t max_steps, rnnat_stream **out);
/* Ends a stream, which no thread may be using; NULL is fine. */
RNNAT_API void rnnat_stream_free(rnnat_stream *stream);

/* x [steps, B, input_size] -> y [steps, B, output_size], both dense, not overlapping; steps >= 0.
 * The state moves on. Of a model without return_sequences each step gives what a run over all the
 * steps so far would. Runs in the calling thread alone, unless rnnat_stream_set_num_threads says
 * otherwise: no heap, no locks, no I/O (a BLAS may do any of these, and more threads wait for each
 * other), in a time that sizes alone bound. One thread at a time may call functions of one
 * stream.
 *
 * ARGUMENT: a NULL, or a negative number of steps. DTYPE, INPUT: a function of the other
 * precision, or of the other kind of input. Nothing was done then. */
RNNAT_API rnnat_status rnnat_stream_run(rnnat_stream *stream, const float *x, int32_t steps,
                                        float *y);
/* indices [steps, B] in the place of x. Besides: INDEX, where one is not in 0..input_size - 1. */
RNNAT_API rnnat_status rnnat_stream_run_indices(rnnat_stream *stream, const int32_t *indices,
                                                int32_t steps, float *y);
/* The same two in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_stream_run_f64(rnnat_stream *stream, const double *x, int32_t steps,
                                            double *y);
RNNAT_API rnnat_status rnnat_stream_run_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                                    int32_t steps, double *y);
/* The same of a model with several inputs or outputs: arrays of all of them, in the order of
 * rnnat_model_input and rnnat_model_output, dense, not overlapping, [steps, B, features] of the
 * model's dtype or, of indices, int32_t [steps, B]; of an input without time [B, features], or [B],
 * which is the same at all of these steps. Every output is given after each one. A model with one of each takes it, too; the functions above are INPUT for one with more.
 * ARGUMENT: a NULL, or a negative number of steps. INDEX. Nothing was done then. */
RNNAT_API rnnat_status rnnat_stream_run_values(rnnat_stream *stream, const void *const *inputs,
                                               int32_t steps, void *const *outputs);
/* x [steps, B, input_size] -> the steps of y that are ready, *got of them: as many as `steps`, unless
 * layers with strides make fewer or more. y has room for `capacity` steps; where it needs more, *got
 * says how many, and TOO_SMALL is all that happens. The functions above are UNSUPPORTED for a model
 * whose output has not one step for each of the input. LENGTH: as of rnnat_model_run, of states that
 * were set. */
RNNAT_API rnnat_status rnnat_stream_push(rnnat_stream *stream, const float *x, int32_t steps,
                                         float *y, int32_t capacity, int32_t *got);
RNNAT_API rnnat_status rnnat_stream_push_indices(rnnat_stream *stream, const int32_t *indices,
                                                 int32_t steps, float *y, int32_t capacity,
                                                 int32_t *got);
/* The same two in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_stream_push_f64(rnnat_stream *stream, const double *x, int32_t steps,
                                             double *y, int32_t capacity, int32_t *got);
RNNAT_API rnnat_status rnnat_stream_push_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                                     int32_t steps, double *y, int32_t capacity,
                                                     int32_t *got);
/* The same of all inputs and outputs, as rnnat_stream_run_values has them; `capacities` and `got` are
 * [num_outputs]. */
RNNAT_API rnnat_status rnnat_stream_push_values(rnnat_stream *stream, const void *const *inputs,
                                                int32_t steps, void *const *outputs,
                                                const int32_t *capacities, int32_t *got);
/* Has runs from now on share their steps among up to that many threads, of which one step has to
 * keep each busy; 1, with which a stream begins, is the calling thread alone, and so is any number
 * where a BLAS multiplies; at most 8 with int8 weights or bfloat16 products. The bits are the same.
 * Pays where steps follow each other at once: a thread that waited for long has to be woken.
 * Without RNNAT_THREADS it has no effect. ARGUMENT: NULL, a number below 1, or one above where
 * RNN_NATIVE_THREADING cannot be used. */
RNNAT_API rnnat_status rnnat_stream_set_num_threads(rnnat_stream *stream, int32_t num_threads);
/* The state becomes that of a new stream, the model's initial state. ARGUMENT: NULL. */
RNNAT_API rnnat_status rnnat_stream_reset(rnnat_stream *stream);
/* Copies state array `index` out of or into the stream; `values` is dense, of the model's dtype
 * and of the shape that rnnat_model_state tells. ARGUMENT: a NULL, or there is no such array. LENGTH, of
 * an array that says at which step of its stride a layer is: rows at different ones, or at none. */
RNNAT_API rnnat_status rnnat_stream_get_state(const rnnat_stream *stream, int32_t index,
                                              void *values);
RNNAT_API rnnat_status rnnat_stream_set_state(rnnat_stream *stream, int32_t index,
                                              const void *values);

/* ---- pools: many streams of one model, any of which step together ---- */

typedef struct rnnat_pool_info {
    size_t struct_size;
    int32_t capacity;
    int32_t num_open;
    int32_t max_threads;
    int32_t num_threads;
    size_t bytes_per_stream; /* that each stream of the capacity adds to the need */
    size_t state_size; /* bytes of one stream's state arrays, which a snapshot has of it */
} rnnat_pool_info;

/* *need = exactly the bytes of memory that a pool of up to `capacity` streams, from 1 on, needs whose calls
 * are run by up to `max_threads` threads, from 1 on. Memory that no stream was opened in is not touched.
 * ARGUMENT: a NULL, or a smaller number. UNSUPPORTED: a layer is reverse or bidirectional; a BLAS
 * multiplies. OVERFLOW. */
RNNAT_API rnnat_status rnnat_pool_size(const rnnat_model *model, int32_t capacity,
                                       int32_t max_threads, size_t *need);
/* Makes a pool without open streams in the caller's memory, without the heap. The memory must stay where it
 * is; it and the model must outlive the pool, and rnnat_pool_free is not needed, but harmless. Besides:
 * TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_pool_init(void *mem, size_t mem_size, const rnnat_model *model,
                                       int32_t capacity, int32_t max_threads, rnnat_pool **out);
/* The same in memory of the heap. Besides: NO_MEMORY. */
RNNAT_API rnnat_status rnnat_pool_create(const rnnat_model *model, int32_t capacity,
                                         int32_t max_threads, rnnat_pool **out);
/* Ends a pool, which no thread may be using; NULL is fine. */
RNNAT_API void rnnat_pool_free(rnnat_pool *pool);
/* ARGUMENT: a NULL, or struct_size is not its own. */
RNNAT_API rnnat_status rnnat_pool_describe(const rnnat_pool *pool, rnnat_pool_info *info);

/* Opens a stream in the model's initial state; *id is 0..capacity-1, that of a closed stream where there is
 * one. FULL: as many are open as the capacity says. In a time that does not depend on how many are. */
RNNAT_API rnnat_status rnnat_pool_open(rnnat_pool *pool, int32_t *id);
/* Ends a stream, and wipes its state; the state becomes the model's initial one. ID: none is open. */
RNNAT_API rnnat_status rnnat_pool_close(rnnat_pool *pool, int32_t id);
RNNAT_API rnnat_status rnnat_pool_reset(rnnat_pool *pool, int32_t id);
/* 1: that stream is open, 0: not. */
RNNAT_API int32_t rnnat_pool_is_open(const rnnat_pool *pool, int32_t id);

/* One step of n >= 0 streams, ids [n] in any order: inputs[i] [n, features], or int32_t indices [n], of each
 * input of the model in the order of rnnat_model_input, and outputs[i] [n, features], dense, of the model's
 * dtype, not overlapping; an input without time is given with every step. A stream's result has the same
 * bits as in a stream by itself, in any company.
 *
 * ARGUMENT: a NULL, or a negative number. ID: some id is not open, or comes twice. INDEX. UNSUPPORTED: some
 * output has not one step for each of the inputs. Nothing was done then. */
RNNAT_API rnnat_status rnnat_pool_step(rnnat_pool *pool, int32_t n, const int32_t *ids,
                                       const void *const *inputs, void *const *outputs);
/* steps[r] >= 0 steps of stream ids[r], for n streams: inputs [n, num_inputs] are arrays [steps[r], features],
 * or of an input without time [features], outputs [n, num_outputs] take the steps that are ready, got
 * [n, num_outputs] of them, and have room for capacities [n, num_outputs]; where one needs more, got says
 * how many each has, and TOO_SMALL is all that happens. Besides: LENGTH, of states that were set:
 * layers are at steps of their strides that do not go together. */
RNNAT_API rnnat_status rnnat_pool_push(rnnat_pool *pool, int32_t n, const int32_t *ids,
                                       const int32_t *steps, const void *const *inputs,
                                       void *const *outputs, const int32_t *capacities,
                                       int32_t *got);
/* Has calls from now on share their rows, or where these are few their units, among up to that many threads, of
 * which a call has to keep each busy; 1, with which a pool begins, is the calling thread alone. The bits are the
 * same. Without RNNAT_THREADS it has no effect. ARGUMENT: NULL, a number below 1 or above max_threads, or
 * one above 1 where RNN_NATIVE_THREADING cannot be used. */
RNNAT_API rnnat_status rnnat_pool_set_num_threads(rnnat_pool *pool, int32_t num_threads);

/* They copy state array `index` of a stream, of the shape that rnnat_model_state tells for a batch of one.
 * ARGUMENT: a NULL, or there is no such array. ID. LENGTH: as of rnnat_stream_set_state. */
RNNAT_API rnnat_status rnnat_pool_get_state(const rnnat_pool *pool, int32_t id, int32_t index,
                                            void *values);
RNNAT_API rnnat_status rnnat_pool_set_state(rnnat_pool *pool, int32_t id, int32_t index,
                                            const void *values);

/* Writes a snapshot of stream `id`, or with -1 of all that are open, *size bytes; where the room of `capacity`
 * bytes is less, *size says the need, and TOO_SMALL is all that happens. Bytes of the same machine's byte
 * order can be restored, in any process and by any instruction set: later versions of the library read
 * them, too, or say UNSUPPORTED. ARGUMENT: a NULL. ID. */
RNNAT_API rnnat_status rnnat_pool_snapshot(const rnnat_pool *pool, int32_t id, void *bytes,
                                           size_t capacity, size_t *size);
/* Puts the stream of a snapshot of one in the place of open stream `id`; with -1, those of a snapshot of all, by
 * their ids, in the place of all that are open. The bytes are not trusted; nothing is done unless all of
 * them are right. ARGUMENT: a NULL. FORMAT: they are no snapshot, or damaged. UNSUPPORTED: of a version, or
 * a byte order, that this library does not read. MODEL: of a model with other layers, weights or types.
 * SHAPE: of one stream where all are asked for, or the other way round. FULL: an id is not below the
 * capacity. ID. */
RNNAT_API rnnat_status rnnat_pool_restore(rnnat_pool *pool, int32_t id, const void *bytes,
                                          size_t size);

/* ---- the library: texts that stay valid for good and are not to be freed ---- */

/* "RNNAT_ERROR_SHAPE"; of a value that is none, "RNNAT_ERROR_UNKNOWN". Never NULL. */
RNNAT_API const char *rnnat_status_name(rnnat_status status);
/* The version of the library, RNNAT_VERSION of the header that it was compiled with. */
RNNAT_API const char *rnnat_version(void);
/* The instruction set that new models use: "baseline", "avx2", "avx512" or "neon"; the best that
 * was compiled and that this CPU runs, or what RNN_NATIVE_ISA names. "none" where that cannot be
 * used. */
RNNAT_API const char *rnnat_isa(void);
/* What runs of several threads take them from: "team", threads of the library's own, or "openmp",
 * where RNN_NATIVE_THREADING names that; docs/threading.md. "none" where there are no threads, or
 * the variable cannot be used. */
RNNAT_API const char *rnnat_threading(void);

#ifdef __cplusplus
}
#endif
#endif /* RNN_NATIVE_H */
