/* The options of the build, each 1 or 0, those of CMake by the same names. What the compiler's
 * command line does not define is defined here, once. docs/embedded.md says what each one takes out. */
#ifndef RNNAT_CONFIG_H
#define RNNAT_CONFIG_H

/* Models in double. Without: RNNAT_ERROR_UNSUPPORTED, from every function that ends in _f64 too. */
#ifndef RNNAT_FLOAT64
#define RNNAT_FLOAT64 1
#endif

/* Cells, in any of the forms below: a file with one that is left out is RNNAT_ERROR_UNSUPPORTED. */
#ifndef RNNAT_WITH_RNN
#define RNNAT_WITH_RNN 1
#endif
#ifndef RNNAT_WITH_GRU
#define RNNAT_WITH_GRU 1
#endif
#ifndef RNNAT_WITH_LSTM
#define RNNAT_WITH_LSTM 1
#endif

/* Their forms whose gates recur on gates, and those with other activations than the standard ones,
 * bounds of their inputs or coupled gates. */
#ifndef RNNAT_WITH_GATE
#define RNNAT_WITH_GATE 1
#endif
#ifndef RNNAT_WITH_GENERAL
#define RNNAT_WITH_GENERAL 1
#endif

/* Few shapes of blocks, which all cells share: less code, slower, the same bits. */
#ifndef RNNAT_SMALL
#define RNNAT_SMALL 0
#endif

/* The kernels that run everywhere. Without, a CPU has to have another set that is compiled in. */
#ifndef RNNAT_BASELINE
#define RNNAT_BASELINE 1
#endif

/* These kernels in plain C11, without vectors: where the compiler or the target has none. */
#ifndef RNNAT_SCALAR
#if defined(__GNUC__) && (defined(__SSE2__) || defined(__ARM_NEON) || defined(__wasm_simd128__) || \
                          defined(__ALTIVEC__) || defined(__mips_msa) || defined(__loongarch_sx))
#define RNNAT_SCALAR 0
#else
#define RNNAT_SCALAR 1
#endif
#endif

/* What shows a model from inside, its gates and packed weights: no part of the installed interface,
 * but the Python package's. */
#ifndef RNNAT_INSPECT
#define RNNAT_INSPECT 0
#endif

/* Training: likewise. */
#ifndef RNNAT_TRAIN
#define RNNAT_TRAIN 0
#endif

#endif
