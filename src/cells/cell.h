/* A cell: the equations of one direction of one recurrent layer, as a struct of functions, and what it
 * is built of. */
#ifndef RNNAT_CELL_H
#define RNNAT_CELL_H

#include "../file/layer_line.h"
#include "../weights/matrix.h"
#include "cell_list.h"

/* The packed weights of one pass of a recurrent node. What a cell has no use for stays empty. */
typedef struct rnnat_cell_weights {
    rnnat_matrix w_ih; /* [input, gates * pad(hidden)] */
    const void *bias; /* [gates * pad(hidden)] what the input's projection starts from, or NULL */
    rnnat_matrix w_hh; /* [state, gates * pad(hidden)]; GRU with reset before: r and z alone;
                        * gate-recurrent GRU: n alone */
    rnnat_matrix w_hn; /* GRU with reset before: n [state, pad(hidden)] */
    rnnat_matrix w_hr; /* LSTM with a projection: [hidden, pad(proj_size)] */
    const void *bias_hn; /* GRU with reset after: [pad(hidden)] */
    const void *peephole; /* LSTM: i, f, o [3, pad(hidden)] */
    /* Gates on gates: of a GRU r, z on z; of an LSTM i, g, o on i and f on f, or i alone for a BLAS,
     * which has f in w_gf and g, o in w_go: each matrix then multiplies one state. */
    rnnat_matrix w_gh;
    rnnat_matrix w_gf, w_go;
    rnnat_matrix w_ch; /* LSTM: all four gates on c */
    rnnat_functions functions; /* of a general cell */
} rnnat_cell_weights;

/* Where a cell's weights come from and go to. While the arenas only count, nothing is packed, but
 * every tensor is looked up and its shape checked. */
typedef struct rnnat_builder {
    rnnat_arena arena;
#if RNNAT_WITH_SHARING
    rnnat_arena weights; /* where they lie apart from the model: `apart` */
    bool apart;
    bool packed; /* they are there already, and are only pointed to */
#endif
    const rnnat_kernels *kernels;
    const rnnat_safetensors *file;
    bool blas;
    rnnat_stored type; /* what matrices are stored as */
    size_t operands; /* bytes for a row of the product that needs most (rnnat_operand_bytes) */
    int32_t product_rows; /* rows that some product has of each step and row of the batch; 0: one */
    uint64_t num_parameters;
    uint64_t identity; /* of the lines and arrays so far: ../identity.h */
    const void *identified; /* the array that it has last */
#if RNNAT_WITH_MESSAGES
    rnnat_message *message; /* what a fault is told to, or NULL */
#endif
    const char *prefix; /* before every tensor's name: "1." */
    const char *suffix; /* behind it: "_l0", "_l0_reverse", "" */
} rnnat_builder;

/* Where the numbers of a file's arrays go, of which a model has pointers alone. */
static inline rnnat_arena *rnnat_build_weights(rnnat_builder *build)
{
#if RNNAT_WITH_SHARING
    if (build->apart) return &build->weights;
#endif
    return &build->arena;
}
/* Whether they are there already, so that neither they nor the file's arrays are touched. */
static inline bool rnnat_build_is_packed(const rnnat_builder *build)
{
#if RNNAT_WITH_SHARING
    return build->packed;
#else
    return (void)build, false;
#endif
}
static inline bool rnnat_build_overflows(const rnnat_builder *build)
{
#if RNNAT_WITH_SHARING
    if (build->weights.overflow) return true;
#endif
    return build->arena.overflow;
}

/* Finds tensor prefix + name + suffix [rows, columns], or [rows] where columns is 0; of int8 rows the
 * scales, too, which are the tensor of that name and "_scale" behind it. */
rnnat_status rnnat_build_tensor(rnnat_builder *build, const char *name, int64_t rows,
                                int64_t columns, rnnat_tensor *tensor);
/* Says that a tensor's numbers cannot be stored as build->type: RNNAT_ERROR_UNSUPPORTED. */
rnnat_status rnnat_build_unfit(const rnnat_builder *build, const char *name);
/* Elements first .. of a tensor, in the type that is computed in. */
void rnnat_build_read(const rnnat_builder *build, const rnnat_tensor *tensor, size_t first,
                      size_t count, void *out);
/* Packs gates `gates` of the weight `name`, which has all_gates * units rows. */
rnnat_status rnnat_build_matrix(rnnat_builder *build, const char *name, int32_t all_gates,
                                rnnat_gates gates, int32_t columns, int32_t panel,
                                rnnat_matrix *matrix);
/* Takes a matrix. */
rnnat_matrix rnnat_build_take(rnnat_builder *build, int32_t k, rnnat_gates gates, int32_t panel,
                              bool blas, rnnat_stored type);
/* Takes a vector of zeros, laid out like a matrix's columns. */
void *rnnat_build_zeros(rnnat_builder *build, rnnat_gates gates);
/* Adds the first `count` gates' elements of the vector `name`. */
rnnat_status rnnat_build_add(rnnat_builder *build, const char *name, int32_t all_gates,
                             rnnat_gates gates, int32_t count, void *vector);

/* It is for .build = RNNAT_CELL_BUILD(function), which is NULL where no model is made of a file. */
#define RNNAT_CELL_BUILD(function) RNNAT_IF(RNNAT_READER, function)
/* It is for .keys = RNNAT_CELL_KEYS(table, options), which are none there. */
#define RNNAT_CELL_KEYS(table, options) RNNAT_KEYS(table, options, RNNAT_CELL_OPTIONS)

typedef struct rnnat_cell rnnat_cell;

/* What a cell's own options say to the layer around it; as it stands where they say nothing. */
typedef struct rnnat_cell_form {
    int32_t state; /* features of h */
    rnnat_activation activation; /* of an RNN */
    rnnat_functions functions[2]; /* [directions] of a general cell */
    int32_t output_layer; /* features of a layer behind the stack, which reads h and x; or 0 */
    rnnat_activation output_activation; /* what that layer applies */
} rnnat_cell_form;

/* What a line says of a recurrent layer. */
enum { RNNAT_CELL_OPTIONS = 256 };
typedef struct rnnat_recurrent_options {
    int32_t input_size, hidden_size, num_layers;
    int32_t direction; /* rnnat_direction */
    int32_t bias;
    int32_t last_only; /* return_sequences=false */
    int32_t initial_state; /* the file has what its states begin with */
    int32_t positions; /* inside a step; 0: one */
    int32_t along_positions; /* it runs over these, not over time */
    const rnnat_cell *cell;
    rnnat_cell_form form;
    union {
        char bytes[RNNAT_CELL_OPTIONS]; /* the struct of the cell's own options */
        double number; /* aligned as that is */
        const void *pointer;
    } own;
} rnnat_recurrent_options;

struct rnnat_cell {
    const char *name; /* name of its C symbol */
    const char *parts[2]; /* options of config.h that it needs; NULLs: no more */
    int32_t gates; /* blocks of rows in weight_ih, `hidden` each */
    int32_t products; /* blocks of rows in all recurrent weights together */
    int32_t num_states; /* arrays of its state: h, and what else it carries on */
    const char *states; /* the letter of each */
    const struct rnnat_cell_training *training; /* NULL: it only runs (train/cell_training.h) */
    bool in_place; /* a step reads and writes those after h unit by unit */
    bool to_memory; /* its recurrent products go to memory, and its kernel takes them from there */
    rnnat_keys keys; /* of its own in a layer's line, which are its own options */
    /* Checks these, and fills layer->form; NULL: there is nothing that it does not hold. */
    rnnat_status (*form)(rnnat_recurrent_options *layer);
    rnnat_status (*build)(rnnat_builder *build, const rnnat_recurrent_options *layer, int32_t input,
                          rnnat_cell_weights *weights);
    /* Takes one time step of some rows: all members of a team call it, each makes its own units, and
     * h_next is whole when they have waited for each other. h_next must not be h_prev. */
    void (*step)(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                 const rnnat_member *member, rnnat_step *step);
};

#define RNNAT_CELL_NAME(word, name, part, other) extern const rnnat_cell rnnat_cell_##name;
RNNAT_CELLS(RNNAT_CELL_NAME)
#undef RNNAT_CELL_NAME

/* .training = RNNAT_IF_TRAIN(&rnnat_<name>_training), which cells have that train, and layers: NULL
 * where nothing is trained. */
#if RNNAT_TRAIN
#define RNNAT_IF_TRAIN(data) data
#define RNNAT_CELL_TRAINING(word, name, part, other)                                               \
    extern const struct rnnat_cell_training rnnat_##name##_training;
RNNAT_CELLS(RNNAT_CELL_TRAINING)
#undef RNNAT_CELL_TRAINING
#else
#define RNNAT_IF_TRAIN(data) NULL
#endif

#if RNNAT_READER
/* What a line says of a recurrent layer: the keys of every one, `around`, and those of its cell.
 * RNNAT_ERROR_UNSUPPORTED also where this build has left out a cell that the line may mean. */
rnnat_status rnnat_cell_read(const char *pairs, const rnnat_keys *around,
                             rnnat_recurrent_options *layer, rnnat_message *message);
#endif

/* Options of cells, an LSTM's with which those of its general form begin. */
typedef struct rnnat_rnn_options {
    int32_t nonlinearity; /* rnnat_activation */
    int32_t output_layer, output_nonlinearity;
} rnnat_rnn_options;
typedef struct rnnat_lstm_options {
    int32_t proj_size; /* 0: no projection */
    int32_t peephole;
} rnnat_lstm_options;
/* A cell's own, in the struct of its keys. */
static inline const void *rnnat_own_options(const rnnat_recurrent_options *layer)
{
    return &layer->own;
}

/* What cells have in common with their general form: keys, form and weights. */
extern const rnnat_word rnnat_nonlinearity_words[];
rnnat_status rnnat_form_lstm(rnnat_recurrent_options *layer);
rnnat_status rnnat_build_rnn(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                             rnnat_cell_weights *weights);
rnnat_status rnnat_build_gru(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                             rnnat_cell_weights *weights);
rnnat_status rnnat_build_gru_before(rnnat_builder *b, const rnnat_recurrent_options *layer,
                                    int32_t input, rnnat_cell_weights *weights);
rnnat_status rnnat_build_lstm(rnnat_builder *b, const rnnat_recurrent_options *layer, int32_t input,
                              rnnat_cell_weights *weights);
/* How many vectors a panel of a recurrent product of `gates` gates has: all gates of a unit, where the
 * cell's kernel multiplies. */
static inline int32_t rnnat_recurrent_panel(const rnnat_recurrent_options *layer, int32_t gates)
{
    return layer->cell->to_memory ? RNNAT_GEMM_PANEL : gates;
}

/* Does what follows the recurrent product of an LSTM: its kernel and, where there is one, the
 * projection of what that gives. */
void rnnat_lstm_project(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                        const rnnat_member *member, rnnat_step *s,
                        void (*kernel)(const rnnat_step *step));

/* Points the kernel at packed weights or, where the matrix is a BLAS's, has s->gh hold the product
 * h matrix for rows of `h` (a BLAS works for teams of one). */
void rnnat_cell_product(const rnnat_matrix *matrix, const rnnat_kernels *kernels, rnnat_step *s,
                        const void *h, ptrdiff_t h_stride);

/* Writes a packed weight of one direction as PyTorch lays it out: inspect/cells.c. */
rnnat_status rnnat_cell_unpack(const rnnat_cell_weights *weights, const rnnat_cell *cell,
                               const rnnat_kernels *kernels, int32_t hidden, int32_t state,
                               const char *name, void *rows);
/* Tells a listener the members of a cell's weights. */
struct rnnat_teller;
void rnnat_cell_tell(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                     int32_t hidden, const struct rnnat_teller *teller);

#endif
