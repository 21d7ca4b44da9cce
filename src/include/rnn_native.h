/* rnn_native: recurrent networks (RNN, GRU, LSTM) on a CPU.
 *
 * A model is made once, from the bytes of a .safetensors file. It is immutable, and any number of
 * threads may share it. A stream holds what one user of a model needs: the recurrent state, and
 * scratch. A pool holds what many users need. A stream or a pool belongs to one thread at a time:
 * locking is the caller's. Any other function may be called from any threads at once, on any
 * objects, unless its text says otherwise.
 *
 * No function prints or aborts. None keeps a pointer, unless its text says so. Every function that
 * can fail returns a status. It writes through its out pointers only where that status is RNNAT_OK,
 * unless its text says otherwise.
 *
 * A struct that a caller fills begins with `struct_size`. The caller sets it to the struct's sizeof
 * and sets the rest to zero. A zero field means its default. Before 1.0 the size has to be the
 * library's own. From 1.0 on a struct that grows keeps its earlier sizes, and the library goes on
 * accepting them.
 *
 * What a function reads may not change before it returns. Where another thread changes indices,
 * lengths or states all the same, the results mean nothing, but the call ends and touches no other
 * memory.
 *
 * Where the memory is the caller's, a call of one thread takes no heap and no lock and makes no
 * system call. It ends in a time that sizes alone bound. It needs at most 16 KiB of stack
 * (docs/embedded.md).
 *
 * Memory is counted in bytes and may have any alignment. Everything else is counted in elements.
 * Arrays are dense and row-major, unless strides are given. In the shapes below T is time and B is
 * batch. A feature axis always has stride 1. Features have no unit but the one that the model was
 * trained with.
 *
 * The texts below name a status without its RNNAT_ERROR_: "ARGUMENT: a NULL" says that the function
 * returns RNNAT_ERROR_ARGUMENT where a pointer is NULL. "Besides" adds to what the functions before
 * may return.
 *
 * A library may be built without some parts (docs/embedded.md). It does not have the functions of a
 * part that is left out, so that a program which calls them does not link:
 *
 *   RNNAT_HEAP           rnnat_model_load, _from_memory, _free; rnnat_stream_create, _free;
 *                        rnnat_pool_create, _free
 *   RNNAT_FILE_IO        rnnat_model_load
 *   RNNAT_READER         all that make a model of a file
 *   RNNAT_WITH_POOL      all of pools
 *   RNNAT_WITH_SHARING   rnnat_model_shared_size, _share, _init_shared
 *
 * This header is C and C++. The library itself is C11.
 */
#ifndef RNN_NATIVE_H
#define RNN_NATIVE_H

#include <stddef.h>
#include <stdint.h>

/* RNNAT_API says whether a shared library shows these functions. Define it first to say
 * otherwise. */
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
    RNNAT_ERROR_ARGUMENT = 1, /* a pointer is NULL, a size negative, an option's value unknown */
    RNNAT_ERROR_FORMAT = 2, /* the file is malformed, or lacks what describes its layers */
    RNNAT_ERROR_UNSUPPORTED = 3, /* the file is right, but this build or version cannot do it */
    RNNAT_ERROR_SHAPE = 4, /* a tensor of the file does not have the size its layer needs */
    RNNAT_ERROR_NOT_FOUND = 5, /* a tensor that a layer needs is not in the file */
    RNNAT_ERROR_OVERFLOW = 6, /* a size does not fit size_t */
    RNNAT_ERROR_NO_MEMORY = 7, /* the heap is exhausted */
    RNNAT_ERROR_TOO_SMALL = 8, /* the caller's memory is smaller than the stated need */
    RNNAT_ERROR_IO = 9, /* the file cannot be opened or read */
    RNNAT_ERROR_DTYPE = 10, /* a float call meets a double model, or the other way round */
    RNNAT_ERROR_LENGTH = 11, /* a sequence length is not in 0..T */
    RNNAT_ERROR_INDEX = 12, /* an embedding index is not in 0..input_size-1 */
    RNNAT_ERROR_INPUT = 13, /* a model of features gets indices, or the other way round */
    RNNAT_ERROR_ID = 14, /* an id is no open stream of the pool, or comes twice */
    RNNAT_ERROR_FULL = 15, /* the pool has no room for another stream, or one of that id */
    RNNAT_ERROR_MODEL = 16 /* a snapshot is of another model's streams */
} rnnat_status;

/* A library without double (RNNAT_FLOAT64=OFF) answers UNSUPPORTED to RNNAT_F64 and from every
 * function that ends in _f64. A library without some cell answers UNSUPPORTED to a file that has
 * it. */
typedef enum rnnat_dtype { RNNAT_F32 = 0, RNNAT_F64 = 1 } rnnat_dtype;

/* A weight type says what the weights of matrices and of embeddings are stored as:
 *
 *   AS_DTYPE    the model's dtype
 *   F16, BF16   float16 or bfloat16, rounded to the nearest; they are computed with in float
 *   INT8        integers with a scale for each row; a product rounds each row that it multiplies to
 *               integers, too, by that row's own largest value
 *
 * Biases and peepholes are in the model's dtype. F16, BF16 and INT8 are UNSUPPORTED with RNNAT_F64,
 * with a BLAS, and in a library without them (RNNAT_WITH_FLOAT16=OFF and the like). They are
 * UNSUPPORTED where a finite weight would become infinite. INT8 is also UNSUPPORTED for a weight
 * that is not finite and for more than 131072 features. docs/precision.md has more. */
typedef enum rnnat_weight_dtype {
    RNNAT_WEIGHT_AS_DTYPE = 0,
    RNNAT_WEIGHT_F16 = 1,
    RNNAT_WEIGHT_BF16 = 2,
    RNNAT_WEIGHT_INT8 = 3
} rnnat_weight_dtype;

/* This says what products of matrices are computed in. AS_DTYPE is the model's dtype, or integers
 * where weights are INT8. BF16 is bfloat16 on both sides, added up in float. Weights are then
 * stored as bfloat16, and weight_dtype may say no other type. BF16 is UNSUPPORTED where the CPU has
 * no such product (AVX512_BF16, FEAT_BF16). */
typedef enum rnnat_compute { RNNAT_COMPUTE_AS_DTYPE = 0, RNNAT_COMPUTE_BF16 = 1 } rnnat_compute;

/* This says who multiplies matrices. PACKED is the library's own packed kernels: a row's result has
 * the same bits in any batch, with any number of threads and any cutting into steps. BLAS is a
 * BLAS, and UNSUPPORTED where there is none. AUTO is whichever of the two was measured faster
 * (docs/dispatch.md). */
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
    int32_t dtype; /* rnnat_dtype: weights are converted to it and computed in it */
    int32_t matmul; /* rnnat_matmul */
    int32_t weight_dtype; /* rnnat_weight_dtype */
    int32_t compute; /* rnnat_compute */
    /* `message` is the caller's buffer of `message_size` bytes for a text, or NULL and 0. A
     * function that takes these options and fails writes the reason there, such as
     *   tensor "0.weight": expected the shape [3, 4], got [4, 4]; rnn_native.layer.0: "linear ..."
     * On success the text is empty. The text ends in NUL and is cut to its room. It is for people,
     * and its words may change. The buffer is not touched where struct_size is wrong, nor by a
     * library without RNNAT_WITH_MESSAGES: give it an empty text first. */
    char *message;
    size_t message_size;
} rnnat_model_options;

/* This says what a model is. With several inputs or outputs, takes_indices, input_size and
 * output_size are those of the first. */
typedef struct rnnat_model_info {
    size_t struct_size;
    int32_t dtype;
    int32_t matmul; /* what AUTO became */
    int32_t takes_indices; /* 1: int32 indices [T, B]; 0: features [T, B, input_size] */
    int32_t input_size; /* features, or the number of embeddings */
    int32_t output_size; /* features of y */
    /* State arrays. An RNN or a GRU has one (h), an LSTM two (h, c). Where gates recur on gates, a
     * GRU has h, z and an LSTM h, c, i, f. */
    int32_t num_states;
    int32_t streamable; /* 1: a stream can be made, for every layer runs forward */
    int32_t num_layers; /* layers of the file */
    uint64_t num_parameters;
    size_t memory; /* bytes that the model occupies */
    int32_t num_inputs;
    int32_t num_outputs;
    /* 1: y of a run is [T, B, output_size]. 0: it is [B, output_size], made of each row's last
     * state. */
    int32_t return_sequences;
    int32_t weight_dtype; /* rnnat_weight_dtype */
    int32_t compute; /* rnnat_compute */
} rnnat_model_info;

/* This is one run over whole sequences. */
typedef struct rnnat_run {
    size_t struct_size;
    int32_t time; /* T >= 0 */
    int32_t batch; /* B >= 0 */
    const float *x; /* features [T, B, input_size]; NULL for a model of indices */
    const int32_t *indices; /* indices [T, B]; NULL for a model of features */
    /* Both strides of x zero: it is dense. */
    ptrdiff_t x_stride_time;
    ptrdiff_t x_stride_batch;
    /* y is [T, B, output_size]. With layers that have strides its T is what rnnat_model_run_steps
     * says. Steps past a row's length become 0. Without return_sequences y is [B, output_size],
     * where T is 0, too. */
    float *y;
    /* Both strides of y zero: it is dense. Without return_sequences y_stride_time is not read. */
    ptrdiff_t y_stride_time;
    ptrdiff_t y_stride_batch;
    /* lengths is [B], each in 0..T. NULL: all are T, even where the file has a mask_value: the
     * caller finds a row's length by that. */
    const int32_t *lengths;
    /* state_in is num_states dense arrays (rnnat_model_state). NULL: the model's initial state,
     * which is zeros unless its file has another. */
    const float *const *state_in;
    /* state_out is the same at each row's own end. NULL: nobody wants it. */
    float *const *state_out;
    /* The run takes at most that many threads, and never more than there are processors, or 64. 0:
     * the default, which is RNN_NATIVE_NUM_THREADS or the processors that this process may use. */
    int32_t num_threads;
    /* A model with several inputs takes all of them here, dense: float or, of indices, int32_t. x
     * and indices are NULL then, and their strides zero. `outputs` takes the place of y in the same
     * way. A model with one input or output takes it in either way. What has no time
     * (rnnat_model_input) is read where T is 0, too. */
    const void *const *inputs;
    void *const *outputs;
} rnnat_run;

/* This is the same in double. */
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
 * The functions that make or size a model take the bytes of a .safetensors file whose metadata
 * describes its layers (docs/file-format.md). They take `opt`, which may be NULL. They fail in the
 * same ways:
 *
 *   ARGUMENT     A pointer is NULL that may not be. struct_size, dtype, matmul, weight_dtype or
 *                compute has no known value. RNN_NATIVE_ISA names no instruction set.
 *   FORMAT       The file is malformed. Its metadata does not describe layers. A scale of int8 is
 *                not finite, or below 0.
 *   UNSUPPORTED  This version or build does not have a cell, an activation, a type of array or a
 *                size: a header above 1 MiB, more than 2048 arrays or strings, more than 8
 *                dimensions. There is no BLAS. This CPU or build lacks the instruction set.
 *   NOT_FOUND, SHAPE, OVERFLOW   of an array that a layer needs
 *
 * The file is not trusted. Its header is JSON as the format's own library writes it. The header is
 * checked as a whole, and every offset against the file's size, before any array is read. Arrays
 * are little-endian at any alignment: F32, F64, F16 or BF16. Matrices may be I8 with the scales of
 * their rows beside them. Machines of either byte order read them. */

/* Reads the file at `path`, a NUL-terminated path of fopen. Takes memory of the heap for the file
 * while it reads, and for the model. Besides: IO where the file cannot be read, NO_MEMORY. */
RNNAT_API rnnat_status rnnat_model_load(const char *path, const rnnat_model_options *opt,
                                        rnnat_model **out);
/* Does the same from `size` bytes in memory, which are not needed afterwards. Besides:
 * NO_MEMORY. */
RNNAT_API rnnat_status rnnat_model_from_memory(const void *bytes, size_t size,
                                               const rnnat_model_options *opt, rnnat_model **out);
/* *need = exactly the bytes of memory that rnnat_model_init needs for this file and these options.
 * They depend on the instruction set in use. This function does not find out whether layers of a
 * graph fit what they read; the functions that make the model do. */
RNNAT_API rnnat_status rnnat_model_size(const void *bytes, size_t size,
                                        const rnnat_model_options *opt, size_t *need);
/* Makes the model inside the caller's memory, without the heap. The memory must stay where it is
 * and outlive the model. `bytes` are not needed afterwards. rnnat_model_free is not needed, but
 * harmless. Besides: TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_model_init(void *mem, size_t mem_size, const void *bytes, size_t size,
                                        const rnnat_model_options *opt, rnnat_model **out);

/* ---- models whose weights lie apart, so that processes share them; not with RNNAT_WITH_SHARING=0
 * ----
 *
 * Such a model is two blocks. The packed weights are the bulk; they hold numbers alone and no
 * address. A small block of the model's own points into them. One process packs the weights into
 * memory that others see, shared memory or a mapped file. Each process, that one too, maps them
 * where it likes, to be read only, and makes its own block. The weights begin at a multiple of 64
 * bytes. They are good for this file and these options, on this instruction set, by this version of
 * the library. docs/sharing.md has more. */

/* *need = exactly the bytes of the model's own block, *weights_need those of its weights. */
RNNAT_API rnnat_status rnnat_model_shared_size(const void *bytes, size_t size,
                                               const rnnat_model_options *opt, size_t *need,
                                               size_t *weights_need);
/* Packs the weights, without the heap. Equal models are equal bytes. Where it fails, the weights
 * may have been written to. Besides: ARGUMENT where `weights` begins at no multiple of 64;
 * TOO_SMALL. */
RNNAT_API rnnat_status rnnat_model_share(void *weights, size_t weights_size, const void *bytes,
                                         size_t size, const rnnat_model_options *opt);
/* Makes the model as rnnat_model_init does, of weights that are packed already. The weights are
 * only read. They must not change, and they outlive the model. Of `bytes` only the header is looked
 * at, and the scales of int8. info.memory counts both blocks. Besides: what rnnat_model_share
 * returns; FORMAT where the weights are not those of such a file, options, instruction set and
 * version. Whether the numbers in them are the file's is the caller's to know. */
RNNAT_API rnnat_status rnnat_model_init_shared(void *mem, size_t mem_size, const void *weights,
                                               size_t weights_size, const void *bytes, size_t size,
                                               const rnnat_model_options *opt, rnnat_model **out);
/* Ends a model. NULL is fine. No thread may be using it, nor use a stream of it afterwards. */
RNNAT_API void rnnat_model_free(rnnat_model *model);

/* *info = what the model is. ARGUMENT: a NULL, or info->struct_size is not its sizeof. */
RNNAT_API rnnat_status rnnat_model_describe(const rnnat_model *model, rnnat_model_info *info);

/* This says what a model takes, or gives. */
typedef struct rnnat_value_info {
    size_t struct_size;
    const char *name; /* "x" or "y" in a chain; the text lives as long as the model */
    int32_t features; /* of a step */
    /* Above 0, of an input: it is int32 indices [T, B] below that number. 0: features [T, B,
     * features]. */
    int32_t indices;
    /* 0: there is no T. An output without it is made of last steps, or of inputs without time
     * alone. */
    int32_t has_time;
    /* `repeat` steps come for every `stride` steps of the inputs. Both are 1 unless layers with
     * strides make fewer or more. A step is made once `latency` more steps of the inputs are there
     * than its own. */
    int32_t repeat;
    int32_t stride;
    int32_t latency;
} rnnat_value_info;
/* Tell of input, or output, `index`: 0, and of a graph (docs/file-format.md) up to num_inputs - 1
 * or num_outputs - 1. ARGUMENT: a NULL, struct_size, or there is no such one. */
RNNAT_API rnnat_status rnnat_model_input(const rnnat_model *model, int32_t index,
                                         rnnat_value_info *info);
RNNAT_API rnnat_status rnnat_model_output(const rnnat_model *model, int32_t index,
                                          rnnat_value_info *info);
/* Tells the shape of state array `index`, 0 to num_states - 1: [rows, B, features]. Arrays are in
 * the order of the layers, h before c. Rows are layers x directions of the array's layer, the
 * bottom layer first, forward before reverse. ARGUMENT: a NULL, or there is no such array. */
RNNAT_API rnnat_status rnnat_model_state(const rnnat_model *model, int32_t index, int32_t *rows,
                                         int32_t *features);

/* *need = the bytes of scratch that this run needs. x and y are not read, but it matters whether
 * they are NULL. The need depends on T only below some hundred steps, and where one layer hands a
 * whole sequence to the next. A reverse or bidirectional layer does so with a neighbour, and so
 * does one with padding behind the last step. Where num_threads is 0, the default must not change
 * between this call and the run. It fails as rnnat_model_run does over sizes and strides. */
RNNAT_API rnnat_status rnnat_model_run_size(const rnnat_model *model, const rnnat_run *run,
                                            size_t *need);
/* Runs the model over B whole sequences of up to T steps, as the fields of rnnat_run say. `scratch`
 * belongs to this call alone while it lasts, and nothing is kept in it. y and state_out must not
 * overlap any input. The call takes at most num_threads threads, and fewer where the system grants
 * no more. One of them is the caller's. With 1 there is no other thread, no heap, no lock and no
 * I/O. All arguments are checked before anything is written:
 *
 *   ARGUMENT   A pointer is NULL where there is something to read or write. A size is negative.
 *              struct_size. RNN_NATIVE_NUM_THREADS is no number of threads, and num_threads is 0.
 *              RNN_NATIVE_THREADING or RNN_NATIVE_DYNAMIC cannot be used, and num_threads is not 1.
 *   DTYPE      The model is of the other precision.
 *   INPUT      A model of indices gets features, or the other way round.
 *   LENGTH     A length is not in 0..T. Rows of a state_in, or layers with strides, are at steps
 *              that do not go together.
 *   INDEX      An index of a step that counts is out of range.
 *   OVERFLOW   Strides or sizes do not fit an address.
 *   TOO_SMALL  The scratch is smaller than the need. */
RNNAT_API rnnat_status rnnat_model_run(const rnnat_model *model, const rnnat_run *run,
                                       void *scratch, size_t scratch_size);
/* *steps = how many steps of output `index` the run gives. That is T, unless layers with strides
 * make fewer or more; it is 1 of an output without time. The call looks at time, batch, lengths and
 * state_in of the run alone, and these are to be the same when it is run. ARGUMENT: a NULL,
 * struct_size, a negative number, or there is no such output. DTYPE, LENGTH: as of rnnat_model_run.
 * OVERFLOW: more than 2^31 - 1. */
RNNAT_API rnnat_status rnnat_model_run_steps(const rnnat_model *model, const rnnat_run *run,
                                             int32_t index, int32_t *steps);
/* Do the same three in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_model_run_steps_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                                 int32_t index, int32_t *steps);
RNNAT_API rnnat_status rnnat_model_run_size_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                                size_t *need);
RNNAT_API rnnat_status rnnat_model_run_f64(const rnnat_model *model, const rnnat_run_f64 *run,
                                           void *scratch, size_t scratch_size);

/* ---- streams: the same model a few steps at a time, with memory known beforehand ---- */

/* *need = exactly the bytes of memory that a stream of B rows needs. B and max_steps are 1 or more.
 * A run of more than max_steps is cut into runs of max_steps. ARGUMENT: a NULL, or a smaller size.
 * UNSUPPORTED: a layer is reverse or bidirectional, which info.streamable says before. OVERFLOW. */
RNNAT_API rnnat_status rnnat_stream_size(const rnnat_model *model, int32_t batch, int32_t max_steps,
                                         size_t *need);
/* Makes a stream in the caller's memory, without the heap. It is in the model's initial state. The
 * memory must stay where it is. It and the model must outlive the stream. rnnat_stream_free is not
 * needed, but harmless. Besides: TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_stream_init(void *mem, size_t mem_size, const rnnat_model *model,
                                         int32_t batch, int32_t max_steps, rnnat_stream **out);
/* Does the same in memory of the heap. Besides: NO_MEMORY. */
RNNAT_API rnnat_status rnnat_stream_create(const rnnat_model *model, int32_t batch,
                                           int32_t max_steps, rnnat_stream **out);
/* Ends a stream, which no thread may be using. NULL is fine. */
RNNAT_API void rnnat_stream_free(rnnat_stream *stream);

/* Runs x [steps, B, input_size] -> y [steps, B, output_size], both dense, not overlapping; steps >=
 * 0. The state moves on. In a model without return_sequences each step gives what a run over all
 * the steps so far would.
 *
 * The call runs in the calling thread alone, unless rnnat_stream_set_num_threads says otherwise. It
 * then takes no heap, no lock and no I/O, in a time that sizes alone bound. (A BLAS may do any of
 * these, and more threads wait for each other.) One thread at a time may call functions of one
 * stream.
 *
 * ARGUMENT: a NULL, or a negative number of steps. DTYPE, INPUT: the function is of the other
 * precision, or of the other kind of input. Nothing was done then. */
RNNAT_API rnnat_status rnnat_stream_run(rnnat_stream *stream, const float *x, int32_t steps,
                                        float *y);
/* Does the same of indices [steps, B] in the place of x. Besides: INDEX, where one is not in
 * 0..input_size - 1. */
RNNAT_API rnnat_status rnnat_stream_run_indices(rnnat_stream *stream, const int32_t *indices,
                                                int32_t steps, float *y);
/* Do the same two in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_stream_run_f64(rnnat_stream *stream, const double *x, int32_t steps,
                                            double *y);
RNNAT_API rnnat_status rnnat_stream_run_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                                    int32_t steps, double *y);
/* Does the same of a model with several inputs or outputs. `inputs` and `outputs` are arrays of all
 * of them, in the order of rnnat_model_input and rnnat_model_output. Each is dense, does not
 * overlap, and is [steps, B, features] of the model's dtype or, of indices, int32_t [steps, B]. An
 * input without time is [B, features] or [B], and is the same at all of these steps. Every output
 * is given after each step. A model with one of each takes this function, too; the functions above
 * are INPUT for a model with more. ARGUMENT: a NULL, or a negative number of steps. INDEX. Nothing
 * was done then. */
RNNAT_API rnnat_status rnnat_stream_run_values(rnnat_stream *stream, const void *const *inputs,
                                               int32_t steps, void *const *outputs);
/* Runs x [steps, B, input_size] -> the steps of y that are ready, *got of them. They are as many as
 * `steps`, unless layers with strides make fewer or more. y has room for `capacity` steps. Where it
 * needs more, *got says how many, and TOO_SMALL is all that happens. The functions above are
 * UNSUPPORTED for a model whose output has not one step for each of the input. LENGTH: as of
 * rnnat_model_run, of states that were set. */
RNNAT_API rnnat_status rnnat_stream_push(rnnat_stream *stream, const float *x, int32_t steps,
                                         float *y, int32_t capacity, int32_t *got);
RNNAT_API rnnat_status rnnat_stream_push_indices(rnnat_stream *stream, const int32_t *indices,
                                                 int32_t steps, float *y, int32_t capacity,
                                                 int32_t *got);
/* Do the same two in double. Without RNNAT_FLOAT64: UNSUPPORTED. */
RNNAT_API rnnat_status rnnat_stream_push_f64(rnnat_stream *stream, const double *x, int32_t steps,
                                             double *y, int32_t capacity, int32_t *got);
RNNAT_API rnnat_status rnnat_stream_push_indices_f64(rnnat_stream *stream, const int32_t *indices,
                                                     int32_t steps, double *y, int32_t capacity,
                                                     int32_t *got);
/* Does the same of all inputs and outputs, as rnnat_stream_run_values takes them. `capacities` and
 * `got` are [num_outputs]. */
RNNAT_API rnnat_status rnnat_stream_push_values(rnnat_stream *stream, const void *const *inputs,
                                                int32_t steps, void *const *outputs,
                                                const int32_t *capacities, int32_t *got);
/* Has later calls share their steps among up to that many threads. One step has to keep each of
 * them busy. A stream begins with 1, which is the calling thread alone. Any number is as 1 where a
 * BLAS multiplies. It is at most 8 with int8 weights or bfloat16 products. The bits are the same.
 * More threads pay where steps follow each other at once: a thread that waited for long has to be
 * woken. Without RNNAT_THREADS the call has no effect. ARGUMENT: NULL; a number below 1; a number
 * above 1 where RNN_NATIVE_THREADING cannot be used. */
RNNAT_API rnnat_status rnnat_stream_set_num_threads(rnnat_stream *stream, int32_t num_threads);
/* Sets the state to that of a new stream, the model's initial state. ARGUMENT: NULL. */
RNNAT_API rnnat_status rnnat_stream_reset(rnnat_stream *stream);
/* Copy state array `index` out of the stream, or into it. `values` is dense, of the model's dtype
 * and of the shape that rnnat_model_state tells. ARGUMENT: a NULL, or there is no such array.
 * LENGTH, of an array that says at which step of its stride a layer is: rows are at different
 * steps, or at none. */
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

/* *need = exactly the bytes of memory that a pool of up to `capacity` streams needs, whose calls
 * are run by up to `max_threads` threads. Both numbers are 1 or more. Memory that no stream was
 * opened in is not touched. ARGUMENT: a NULL, or a smaller number. UNSUPPORTED: a layer is reverse
 * or bidirectional (info.streamable), or a BLAS multiplies (info.matmul). OVERFLOW. */
RNNAT_API rnnat_status rnnat_pool_size(const rnnat_model *model, int32_t capacity,
                                       int32_t max_threads, size_t *need);
/* Makes a pool without open streams in the caller's memory, without the heap. The memory must stay
 * where it is. It and the model must outlive the pool. rnnat_pool_free is not needed, but harmless.
 * Besides: TOO_SMALL where mem_size is less than the need. */
RNNAT_API rnnat_status rnnat_pool_init(void *mem, size_t mem_size, const rnnat_model *model,
                                       int32_t capacity, int32_t max_threads, rnnat_pool **out);
/* Does the same in memory of the heap. Besides: NO_MEMORY. */
RNNAT_API rnnat_status rnnat_pool_create(const rnnat_model *model, int32_t capacity,
                                         int32_t max_threads, rnnat_pool **out);
/* Ends a pool, which no thread may be using. NULL is fine. */
RNNAT_API void rnnat_pool_free(rnnat_pool *pool);
/* *info = what the pool is. ARGUMENT: a NULL, or struct_size is not its own. */
RNNAT_API rnnat_status rnnat_pool_describe(const rnnat_pool *pool, rnnat_pool_info *info);

/* Opens a stream in the model's initial state. *id is 0..capacity-1, that of a closed stream where
 * there is one. The time does not depend on how many are open. FULL: as many are open as the
 * capacity says. ARGUMENT: a NULL. */
RNNAT_API rnnat_status rnnat_pool_open(rnnat_pool *pool, int32_t *id);
/* Ends a stream, and wipes its state. ID: no such stream is open. ARGUMENT: NULL. */
RNNAT_API rnnat_status rnnat_pool_close(rnnat_pool *pool, int32_t id);
/* Sets a stream's state to the model's initial one. ID: no such stream is open. ARGUMENT: NULL. */
RNNAT_API rnnat_status rnnat_pool_reset(rnnat_pool *pool, int32_t id);
/* Returns 1 where that stream is open, else 0. */
RNNAT_API int32_t rnnat_pool_is_open(const rnnat_pool *pool, int32_t id);

/* Takes one step of n >= 0 streams, ids [n] in any order. inputs[i] is [n, features], or int32_t
 * indices [n], of each input in the order of rnnat_model_input. outputs[i] is [n, features]. All
 * are dense, of the model's dtype, and do not overlap. An input without time is given with every
 * step. A stream's result has the same bits as in a stream by itself, in any company.
 *
 * ARGUMENT: a NULL, or a negative number. ID: some id is not open, or comes twice. INDEX.
 * UNSUPPORTED: some output has not one step for each of the inputs. Nothing was done then. */
RNNAT_API rnnat_status rnnat_pool_step(rnnat_pool *pool, int32_t n, const int32_t *ids,
                                       const void *const *inputs, void *const *outputs);
/* Takes steps[r] >= 0 steps of stream ids[r], for n streams. `inputs` [n, num_inputs] are arrays
 * [steps[r], features], or [features] of an input without time. `outputs` [n, num_outputs] take the
 * steps that are ready, `got` [n, num_outputs] of them. They have room for `capacities` [n,
 * num_outputs]. Where one needs more, `got` says how many each has, and TOO_SMALL is all that
 * happens. Besides: LENGTH, of states that were set, where layers are at steps of their strides
 * that do not go together. */
RNNAT_API rnnat_status rnnat_pool_push(rnnat_pool *pool, int32_t n, const int32_t *ids,
                                       const int32_t *steps, const void *const *inputs,
                                       void *const *outputs, const int32_t *capacities,
                                       int32_t *got);
/* Has later calls share their rows among up to that many threads, or their units where rows are
 * few. A call has to keep each of them busy. A pool begins with 1, which is the calling thread
 * alone. The bits are the same. Without RNNAT_THREADS the call has no effect. ARGUMENT: NULL; a
 * number below 1 or above max_threads; one above 1 where RNN_NATIVE_THREADING cannot be used. */
RNNAT_API rnnat_status rnnat_pool_set_num_threads(rnnat_pool *pool, int32_t num_threads);

/* Copy state array `index` of a stream out, or in. The shape is that of rnnat_model_state for a
 * batch of one. ARGUMENT: a NULL, or there is no such array. ID. LENGTH: as of
 * rnnat_stream_set_state. */
RNNAT_API rnnat_status rnnat_pool_get_state(const rnnat_pool *pool, int32_t id, int32_t index,
                                            void *values);
RNNAT_API rnnat_status rnnat_pool_set_state(rnnat_pool *pool, int32_t id, int32_t index,
                                            const void *values);

/* Writes a snapshot of stream `id`, or with -1 of all that are open, *size bytes. Where the room of
 * `capacity` bytes is less, *size says the need, and TOO_SMALL is all that happens. A machine of
 * the same byte order can restore the bytes, in any process and by any instruction set. Later
 * versions of the library read them, too, or say UNSUPPORTED. ARGUMENT: a NULL. ID. */
RNNAT_API rnnat_status rnnat_pool_snapshot(const rnnat_pool *pool, int32_t id, void *bytes,
                                           size_t capacity, size_t *size);
/* Puts the stream of a snapshot of one in the place of open stream `id`. With -1 it puts those of a
 * snapshot of all, by their ids, in the place of all that are open. The bytes are not trusted;
 * nothing is done unless all of them are right.
 *
 *   ARGUMENT     A pointer is NULL.
 *   FORMAT       The bytes are no snapshot, or damaged.
 *   UNSUPPORTED  This library does not read that version, or that byte order.
 *   MODEL        They are of a model with other layers, weights or types.
 *   SHAPE        They are of one stream where all are asked for, or the other way round.
 *   FULL         An id is not below the capacity.
 *   ID           Stream `id` is not open. */
RNNAT_API rnnat_status rnnat_pool_restore(rnnat_pool *pool, int32_t id, const void *bytes,
                                          size_t size);

/* ---- the library: texts that stay valid for good and are not to be freed ---- */

/* Returns "RNNAT_ERROR_SHAPE" and the like, or "RNNAT_ERROR_UNKNOWN" of a value that is none. Never
 * NULL. */
RNNAT_API const char *rnnat_status_name(rnnat_status status);
/* Returns the library's version, which is RNNAT_VERSION of the header that it was compiled with. */
RNNAT_API const char *rnnat_version(void);
/* Returns the instruction set that new models use: "baseline", "avx2", "avx512" or "neon". It is
 * the best that was compiled and that this CPU runs, or what RNN_NATIVE_ISA names. "none": that
 * cannot be used. */
RNNAT_API const char *rnnat_isa(void);
/* Returns what runs of several threads take them from. "team": threads of the library's own.
 * "openmp": OpenMP, where RNN_NATIVE_THREADING names that (docs/threading.md). "none": there are no
 * threads, or the variable cannot be used. */
RNNAT_API const char *rnnat_threading(void);

#ifdef __cplusplus
}
#endif
#endif /* RNN_NATIVE_H */
