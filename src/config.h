/* The options of the build, each 1 or 0, those of CMake by the same names. What the compiler's
 * command line does not define is defined here, once. docs/embedded.md says what each one takes out. */
#ifndef RNNAT_CONFIG_H
#define RNNAT_CONFIG_H

#ifdef __cplusplus
#error                                                                                             \
    "rnn_native: expected a C11 compiler, got C++. Compile the .c files as C; rnn_native.h works in both"
#endif
#if defined(__FAST_MATH__)
#error                                                                                             \
    "rnn_native: got -ffast-math or -Ofast, which break NaN, infinities and bits. Compile with -O3"
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error                                                                                             \
    "rnn_native: got -ffinite-math-only, which breaks NaN and infinities. Add -fno-finite-math-only"
#endif

/* RNNAT_GNU takes what GCC and Clang have beside C11: attributes, pragmas, vectors, assembly. */
#ifndef RNNAT_GNU
#ifdef __GNUC__
#define RNNAT_GNU 1
#else
#define RNNAT_GNU 0
#endif
#endif

/* RNNAT_HEAP has the library take memory for models and streams, by malloc and free. */
#ifndef RNNAT_HEAP
#define RNNAT_HEAP 1
#endif

/* RNNAT_READER makes models of the bytes of a file. Without, there are those that export-c writes. */
#ifndef RNNAT_READER
#define RNNAT_READER 1
#endif

/* RNNAT_FILE_IO makes models of a path, by stdio. */
#ifndef RNNAT_FILE_IO
#define RNNAT_FILE_IO (RNNAT_HEAP && RNNAT_READER)
#endif
#if RNNAT_FILE_IO && !RNNAT_READER
#error "RNNAT_FILE_IO=1 reads files: expected RNNAT_READER=1, got 0"
#endif
#if RNNAT_FILE_IO && !RNNAT_HEAP
#error "RNNAT_FILE_IO=1 reads a file into memory of the heap: expected RNNAT_HEAP=1, got 0"
#endif

/* RNNAT_ENV asks getenv for RNN_NATIVE_ISA, RNN_NATIVE_NUM_THREADS and the like. */
#ifndef RNNAT_ENV
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
#define RNNAT_ENV 1
#else
#define RNNAT_ENV 0
#endif
#endif

/* RNNAT_PTHREADS says that there are POSIX threads, as in WebAssembly where its compiler is told so. */
#if defined(__STDC_NO_ATOMICS__) || (defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__))
#define RNNAT_PTHREADS 0
#elif defined(__unix__) || defined(__APPLE__)
#define RNNAT_PTHREADS 1
#else
#define RNNAT_PTHREADS 0
#endif

/* RNNAT_THREADS has calls use several threads: workers of our own where there are POSIX threads. */
#ifndef RNNAT_THREADS
#if RNNAT_PTHREADS || defined(_OPENMP)
#define RNNAT_THREADS 1
#else
#define RNNAT_THREADS 0
#endif
#endif
#define RNNAT_TEAM (RNNAT_THREADS && RNNAT_PTHREADS)

/* RNNAT_OPENMP has OpenMP's threads as well, for who asks for them by RNN_NATIVE_THREADING. */
#ifndef RNNAT_OPENMP
#ifdef _OPENMP
#define RNNAT_OPENMP RNNAT_THREADS
#else
#define RNNAT_OPENMP 0
#endif
#endif
#if RNNAT_OPENMP && !RNNAT_THREADS
#error "RNNAT_OPENMP=1: expected RNNAT_THREADS=1, got 0"
#endif
#if RNNAT_THREADS && !RNNAT_TEAM && !RNNAT_OPENMP
#error "RNNAT_THREADS=1: expected POSIX threads and atomics, or RNNAT_OPENMP=1, got neither"
#endif

/* RNNAT_BLAS takes a BLAS that the program hands over while it runs, as Python's package does. */
#ifndef RNNAT_BLAS
#define RNNAT_BLAS 0
#endif
/* RNNAT_BLAS_LINKED takes one that is linked, which is RNNAT_BLAS=ON of CMake. */
#ifndef RNNAT_BLAS_LINKED
#define RNNAT_BLAS_LINKED 0
#endif
#if RNNAT_BLAS_LINKED && !RNNAT_BLAS
#error "RNNAT_BLAS_LINKED=1: expected RNNAT_BLAS=1, got 0"
#endif

/* RNNAT_FLOAT64 has models in double. Without, these are RNNAT_ERROR_UNSUPPORTED, and so is every
 * function that ends in _f64. */
#ifndef RNNAT_FLOAT64
#define RNNAT_FLOAT64 1
#endif

/* RNNAT_WITH_<CELL> has that cell, in any of the forms below: a file with a cell that is left out is
 * RNNAT_ERROR_UNSUPPORTED. */
#ifndef RNNAT_WITH_RNN
#define RNNAT_WITH_RNN 1
#endif
#ifndef RNNAT_WITH_GRU
#define RNNAT_WITH_GRU 1
#endif
#ifndef RNNAT_WITH_LSTM
#define RNNAT_WITH_LSTM 1
#endif

/* RNNAT_WITH_GATE has the cells' forms whose gates recur on gates, RNNAT_WITH_GENERAL those with other
 * activations than the standard ones, bounds of their inputs or coupled gates. */
#ifndef RNNAT_WITH_GATE
#define RNNAT_WITH_GATE 1
#endif
#ifndef RNNAT_WITH_GENERAL
#define RNNAT_WITH_GENERAL 1
#endif

/* Without any cell there are no forms of them. */
#define RNNAT_WITH_CELLS (RNNAT_WITH_RNN || RNNAT_WITH_GRU || RNNAT_WITH_LSTM)
#if !RNNAT_WITH_CELLS
#undef RNNAT_WITH_GATE
#define RNNAT_WITH_GATE 0
#undef RNNAT_WITH_GENERAL
#define RNNAT_WITH_GENERAL 0
#endif

/* RNNAT_SMALL has few shapes of blocks, the same for all cells: less code, slower, the same bits. */
#ifndef RNNAT_SMALL
#define RNNAT_SMALL 0
#endif

/* RNNAT_QUOTA reads the CPU quota of a container from files of Linux. */
#if RNNAT_THREADS && RNNAT_FILE_IO && !RNNAT_SMALL && defined(__linux__)
#define RNNAT_QUOTA 1
#else
#define RNNAT_QUOTA 0
#endif

/* RNNAT_WITH_ELEMENTWISE has elementwise layers, whose functions are those of general cells. */
#ifndef RNNAT_WITH_ELEMENTWISE
#if RNNAT_WITH_GENERAL && !RNNAT_SMALL
#define RNNAT_WITH_ELEMENTWISE 1
#else
#define RNNAT_WITH_ELEMENTWISE 0
#endif
#endif
#if RNNAT_WITH_ELEMENTWISE && !RNNAT_WITH_GENERAL
#error "RNNAT_WITH_ELEMENTWISE=1: expected RNNAT_WITH_GENERAL=1, got 0"
#endif

/* RNNAT_WITH_WINDOWS has layers with windows over time (graph/window.h) or over positions inside a
 * step: pooling and convolutions, with their strides; views of features; inputs without time; and what
 * takes all steps at once, which is normalisation over time. */
#ifndef RNNAT_WITH_WINDOWS
#if RNNAT_SMALL
#define RNNAT_WITH_WINDOWS 0
#else
#define RNNAT_WITH_WINDOWS 1
#endif
#endif

/* With elementwise layers besides, there are attention pools and softmax over time. */
#define RNNAT_WITH_ATTENTION (RNNAT_WITH_WINDOWS && RNNAT_WITH_ELEMENTWISE)

/* RNNAT_WITH_FLOAT16 has kernels for weights that are stored as float16 and computed with in float. */
#ifndef RNNAT_WITH_FLOAT16
#if RNNAT_SMALL
#define RNNAT_WITH_FLOAT16 0
#else
#define RNNAT_WITH_FLOAT16 1
#endif
#endif
/* RNNAT_WITH_BFLOAT16 has the same for bfloat16. */
#ifndef RNNAT_WITH_BFLOAT16
#if RNNAT_SMALL
#define RNNAT_WITH_BFLOAT16 0
#else
#define RNNAT_WITH_BFLOAT16 1
#endif
#endif

/* RNNAT_WITH_INT8 has kernels for weights that are integers of 8 bits, and multiplied as such. */
#ifndef RNNAT_WITH_INT8
#if RNNAT_SMALL
#define RNNAT_WITH_INT8 0
#else
#define RNNAT_WITH_INT8 1
#endif
#endif

/* RNNAT_WITH_MESSAGES has texts that say what is wrong with a file, in the buffer of
 * rnnat_model_options. Without, the buffer has an empty text. */
#ifndef RNNAT_WITH_MESSAGES
#if RNNAT_SMALL || !RNNAT_READER
#define RNNAT_WITH_MESSAGES 0
#else
#define RNNAT_WITH_MESSAGES 1
#endif
#endif

/* RNNAT_WITH_SHARING makes models whose weights lie apart, in memory that processes share. */
#ifndef RNNAT_WITH_SHARING
#if RNNAT_SMALL || !RNNAT_READER
#define RNNAT_WITH_SHARING 0
#else
#define RNNAT_WITH_SHARING 1
#endif
#endif
#if RNNAT_WITH_SHARING && !RNNAT_READER
#error "RNNAT_WITH_SHARING=1 makes models of files: expected RNNAT_READER=1, got 0"
#endif

/* RNNAT_WITH_DTYPE has those for weights in the type that is computed in. Without, no matrix is in it, of the
 * models as C which are all there are then. */
#ifndef RNNAT_WITH_DTYPE
#define RNNAT_WITH_DTYPE 1
#endif
#if !RNNAT_WITH_DTYPE && RNNAT_READER
#error "RNNAT_WITH_DTYPE=0 has kernels for models as C alone: expected RNNAT_READER=0, got 1"
#endif
#if !RNNAT_WITH_DTYPE && RNNAT_FLOAT64
#error "RNNAT_WITH_DTYPE=0 has no kernels for double: expected RNNAT_FLOAT64=0, got 1"
#endif

/* RNNAT_WITH_POOL has pools of streams. */
#ifndef RNNAT_WITH_POOL
#if RNNAT_SMALL
#define RNNAT_WITH_POOL 0
#else
#define RNNAT_WITH_POOL 1
#endif
#endif

/* RNNAT_BASELINE has the kernels that run everywhere. Without, a CPU has to have another set that is
 * compiled in. */
#ifndef RNNAT_BASELINE
#define RNNAT_BASELINE 1
#endif

/* RNNAT_SCALAR writes these kernels in plain C11, for compilers or targets without vectors. */
#ifndef RNNAT_SCALAR
#if RNNAT_GNU && (defined(__SSE2__) || defined(__ARM_NEON) || defined(__wasm_simd128__) ||         \
                  defined(__ALTIVEC__) || defined(__mips_msa) || defined(__loongarch_sx))
#define RNNAT_SCALAR 0
#else
#define RNNAT_SCALAR 1
#endif
#endif

/* What a build has, where this option of it is 1; else NULL. */
#define RNNAT_IF_0(what) NULL
#define RNNAT_IF_1(what) what
#define RNNAT_IF_OF(option, what) RNNAT_IF_##option(what)
#define RNNAT_IF(option, what) RNNAT_IF_OF(option, what)

/* RNNAT_INSPECT shows a model from inside, its gates and packed weights: no part of the installed
 * interface, but the Python package's. */
#ifndef RNNAT_INSPECT
#define RNNAT_INSPECT 0
#endif

/* RNNAT_STOP lets runs be stopped before their end (threads/stop.h), for the Python package as well. */
#ifndef RNNAT_STOP
#define RNNAT_STOP 0
#endif

/* RNNAT_TRAIN trains: no part of the installed interface, nor of the amalgamated pair. */
#ifndef RNNAT_TRAIN
#define RNNAT_TRAIN 0
#endif

/* RNNAT_HAVE_AMX, which CMake finds out: kernels of AVX-512 that multiply int8 by AMX, where blocks have shapes. */
#if RNNAT_SMALL || !RNNAT_GNU || !RNNAT_WITH_INT8
#undef RNNAT_HAVE_AMX
#endif

#endif
