/* The options of the build, each 1 or 0, those of CMake by the same names. What the compiler's
 * command line does not define is defined here, once. docs/embedded.md says what each one takes out. */
#ifndef RNNAT_CONFIG_H
#define RNNAT_CONFIG_H

/* malloc and free: a model and a stream that the library takes memory for. */
#ifndef RNNAT_HEAP
#define RNNAT_HEAP 1
#endif

/* stdio: a model from a path. */
#ifndef RNNAT_FILE_IO
#define RNNAT_FILE_IO RNNAT_HEAP
#endif
#if RNNAT_FILE_IO && !RNNAT_HEAP
#error "RNNAT_FILE_IO=1 reads a file into memory of the heap: expected RNNAT_HEAP=1, got 0"
#endif

/* getenv: RNN_NATIVE_ISA and RNN_NATIVE_NUM_THREADS. */
#ifndef RNNAT_ENV
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
#define RNNAT_ENV 1
#else
#define RNNAT_ENV 0
#endif
#endif

/* Threads. */
#ifndef RNNAT_OPENMP
#ifdef _OPENMP
#define RNNAT_OPENMP 1
#else
#define RNNAT_OPENMP 0
#endif
#endif
#if RNNAT_OPENMP && !defined(_OPENMP)
#error "RNNAT_OPENMP=1: expected a compiler flag that enables OpenMP, such as -fopenmp"
#endif

/* A BLAS, one that the program hands over while it runs, as Python's package does; */
#ifndef RNNAT_BLAS
#define RNNAT_BLAS 0
#endif
/* or one that is linked, which is RNNAT_BLAS=ON of CMake. */
#ifndef RNNAT_BLAS_LINKED
#define RNNAT_BLAS_LINKED 0
#endif
#if RNNAT_BLAS_LINKED && !RNNAT_BLAS
#error "RNNAT_BLAS_LINKED=1: expected RNNAT_BLAS=1, got 0"
#endif

/* Training: no part of the installed interface, nor of the amalgamated pair. */
#ifndef RNNAT_TRAIN
#define RNNAT_TRAIN 0
#endif

#endif
