/* Both tables of one instruction set. The including file defines RNNAT_TABLE and RNNAT_ISA_NAME
 * and has included its vec_<isa>.h. What is left out is NULL; the table for double, all zero. */
#include "../config.h"

#define RNNAT_DOUBLE 0
#include "body.inc.h"
#undef RNNAT_DOUBLE
#if RNNAT_FLOAT64
#define RNNAT_DOUBLE 1
#include "body.inc.h"
#undef RNNAT_DOUBLE
#endif

#if RNNAT_TRAIN
#define RNNAT_TRAIN_OF(BYTES) (&RNNAT_TRAIN_TABLE[(BYTES) / 8])
#else
#define RNNAT_TRAIN_OF(BYTES) NULL
#endif
#define RNNAT_STEP_OF(E, name, part, other) .name = RNNAT_IF(part, RNNAT_IF(other, name##_##E)),
#define RNNAT_MEMORY_STEP_OF(S, name, part, other)                                                 \
    .name = RNNAT_IF(part, RNNAT_IF(other, name##_##S)),
/* What multiplies weights of one type, by the ending of its kernels; the size of its operands, and the
 * CPU that has its instructions. */
#define RNNAT_PRODUCTS(E, SIZE, CPU)                                                               \
    {.available = CPU, .operand = SIZE, .gemm = gemm_##E, RNNAT_PRODUCT_STEPS(RNNAT_STEP_OF, E)}
#define RNNAT_OF_TYPE(code, ending, name, most, stored, with)                                      \
    RNNAT_IF_WITH(with, [code] = RNNAT_PRODUCTS(ending##_f32, 0, NULL), )
#if RNNAT_WITH_INT8 && defined(RNNAT_ALWAYS_QUADS)
#define RNNAT_OF_INT8                                                                              \
    [RNNAT_STORED_INT8] = RNNAT_PRODUCTS(i8_dot_f32, operand_size_i8_dot_f32, NULL),
#elif RNNAT_WITH_INT8
#define RNNAT_OF_INT8 [RNNAT_STORED_INT8] = RNNAT_PRODUCTS(i8_f32, operand_size_i8_f32, NULL),
#else
#define RNNAT_OF_INT8
#endif
#if RNNAT_WITH_INT8 && defined(RNNAT_HAS_QUADS)
#define RNNAT_OF_INT8_DOT                                                                          \
    [RNNAT_STORED_INT8_DOT] = RNNAT_PRODUCTS(i8_dot_f32, operand_size_i8_dot_f32, RNNAT_QUADS_CPU),
#else
#define RNNAT_OF_INT8_DOT
#endif
#if RNNAT_WITH_INT8 && defined(RNNAT_HAS_TILES)
#define RNNAT_OF_INT8_TILES                                                                        \
    [RNNAT_STORED_INT8_TILES] =                                                                    \
        RNNAT_PRODUCTS(i8_tiles_f32, operand_size_i8_tiles_f32, RNNAT_TILES_CPU),
#else
#define RNNAT_OF_INT8_TILES
#endif
#if RNNAT_WITH_BFLOAT16 && defined(RNNAT_HAS_BF16_DOT)
#define RNNAT_OF_BF16_DOT                                                                          \
    [RNNAT_STORED_BF16_DOT] =                                                                      \
        RNNAT_PRODUCTS(bf16_dot_f32, operand_size_bf16_dot_f32, RNNAT_BF16_DOT_CPU),
#else
#define RNNAT_OF_BF16_DOT
#endif
#if RNNAT_WITH_DTYPE
#define RNNAT_OF_OWN(S) [RNNAT_STORED_OWN] = RNNAT_PRODUCTS(own_##S, 0, NULL)
#else
#define RNNAT_OF_OWN(S) [RNNAT_STORED_OWN] = {.gemm = NULL}
#endif
#define RNNAT_NARROW_TYPES                                                                         \
    RNNAT_EACH_WEIGHT_TYPE(RNNAT_OF_TYPE)                                                          \
    RNNAT_OF_INT8 RNNAT_OF_INT8_DOT RNNAT_OF_INT8_TILES RNNAT_OF_BF16_DOT
#define RNNAT_ROW(NAME, S, BYTES, ...)                                                             \
    {.isa = NAME,                                                                                  \
     .lanes = lanes_##S,                                                                           \
     .elem = BYTES,                                                                                \
     .rows_of_3 = rows_of_3,                                                                       \
     .rows_of_4 = rows_of_4,                                                                       \
     .train = RNNAT_TRAIN_OF(BYTES),                                                               \
     .activate = activate_##S,                                                                     \
     .add = add_rows_##S,                                                                          \
     .merge = merge_rows_##S,                                                                      \
     .apply = RNNAT_IF(RNNAT_WITH_ELEMENTWISE, apply_rows_##S),                                    \
     .of = {__VA_ARGS__ RNNAT_OF_OWN(S)},                                                          \
     RNNAT_MEMORY_STEPS(RNNAT_MEMORY_STEP_OF, S)}

#if RNNAT_FLOAT64
#define RNNAT_ROWS(NAME, ...) {RNNAT_ROW(NAME, f32, 4, __VA_ARGS__), RNNAT_ROW(NAME, f64, 8, )}
#else
#define RNNAT_ROWS(NAME, ...) {RNNAT_ROW(NAME, f32, 4, __VA_ARGS__)}
#endif
const rnnat_kernels RNNAT_TABLE[2] = RNNAT_ROWS(RNNAT_ISA_NAME, RNNAT_NARROW_TYPES);
#ifdef RNNAT_HAS_AMX
/* The same kernels, and those that multiply many rows of int8 in tiles. */
const rnnat_kernels RNNAT_AMX_TABLE[2] =
    RNNAT_ROWS(RNNAT_AMX_NAME,
               RNNAT_NARROW_TYPES[RNNAT_STORED_INT8_TILES] =
                   RNNAT_PRODUCTS(i8_dot_f32, operand_size_i8_dot_f32, rnnat_cpu_permits_amx), );
#endif

#if RNNAT_TRAIN
#define RNNAT_TRAINING_STEP_OF(S, name)                                                            \
    .name##_forward = train_##name##_forward_##S, .name##_backward = train_##name##_backward_##S,
#define RNNAT_TRAIN_ROW(S)                                                                         \
    {.panel = train_vectors * lanes_##S,                                                           \
     .height = train_height,                                                                       \
     .outer_depth = train_depth,                                                                   \
     .gemm = train_gemm_##S,                                                                       \
     .outer = train_outer_##S,                                                                     \
     .pack = train_pack_##S,                                                                       \
     .pack_transposed = train_pack_transposed_##S,                                                 \
     .sum_vectors = train_sum_vectors_##S,                                                         \
     .pack_columns = train_pack_columns_##S,                                                       \
     .transpose = train_transpose_##S,                                                             \
     .keep = train_keep_##S,                                                                       \
     .gather = train_gather_##S,                                                                   \
     .peephole = train_peephole_##S,                                                               \
     .activation_backward = train_activation_backward_##S,                                         \
     .dropout = train_dropout_##S,                                                                 \
     .add_row = train_add_row_##S,                                                                 \
     RNNAT_TRAINING_STEPS(RNNAT_TRAINING_STEP_OF, S)}

const rnnat_train_kernels RNNAT_TRAIN_TABLE[2] = {RNNAT_TRAIN_ROW(f32), RNNAT_TRAIN_ROW(f64)};
#endif
