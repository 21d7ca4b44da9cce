/* One direction of one recurrent layer: what every cell kind offers to the model and the schedule. */
#ifndef RNNAT_CELL_H
#define RNNAT_CELL_H

#include "../file/layer_text.h"
#include "../weights/matrix.h"

/* Packed weights. What a cell has no use for stays empty. */
typedef struct rnnat_cell_weights {
    rnnat_matrix w_ih; /* [input, gates * pad(hidden)] */
    const void *bias; /* what the projection of the input starts from */
    rnnat_matrix w_hh; /* [state, gates * pad(hidden)]; GRU with reset before: r and z only; of a
                        * gate-recurrent GRU: n only */
    rnnat_matrix w_hn; /* GRU with reset before: n */
    rnnat_matrix w_hr; /* LSTM with a projection: [hidden, pad(proj_size)] */
    const void *bias_hn; /* GRU with reset after */
    const void *peephole; /* LSTM: i, f, o [3, pad(hidden)] */
    rnnat_matrix
        w_gh; /* gates on gates: GRU: r, z on z; LSTM: i, g, o on i and f on f, for a BLAS */
    rnnat_matrix w_gf, w_go; /* i alone, f, and g, o: each multiplies one state */
    rnnat_matrix w_ch; /* LSTM: all four gates on c */
    rnnat_functions functions; /* of a general layer */
} rnnat_cell_weights;

/* Where a cell's weights come from and go to. While the arena only counts, nothing is packed, but
 * every tensor is looked up and its shape checked. */
typedef struct rnnat_builder {
    rnnat_arena arena;
    const rnnat_kernels *kernels;
    const rnnat_safetensors *file;
    bool blas;
    rnnat_weight_dtype type; /* of matrices */
    uint64_t num_parameters;
    const char *prefix; /* of tensor names: "1." */
    const char *suffix; /* "_l0", "_l0_reverse", "" */
} rnnat_builder;

/* Tensor prefix + name + suffix [rows, columns], or [rows] where columns is 0. */
rnnat_status rnnat_build_tensor(rnnat_builder *build, const char *name, int64_t rows,
                                int64_t columns, rnnat_tensor *tensor);
/* Columns `gates` of the weight `name`, which has all_gates * units rows. */
rnnat_status rnnat_build_matrix(rnnat_builder *build, const char *name, int32_t all_gates,
                                rnnat_gates gates, int32_t columns, int32_t panel,
                                rnnat_matrix *matrix);
/* A vector of zeros, laid out like a matrix's columns. */
void *rnnat_build_zeros(rnnat_builder *build, rnnat_gates gates);
/* Adds the first `count` gates' elements of the vector `name`. */
rnnat_status rnnat_build_add(rnnat_builder *build, const char *name, int32_t all_gates,
                             rnnat_gates gates, int32_t count, void *vector);

/* .build = RNNAT_CELL_BUILD(function): NULL where no model is made of a file. */
#if RNNAT_READER
#define RNNAT_CELL_BUILD(function) function
#else
#define RNNAT_CELL_BUILD(function) NULL
#endif

typedef struct rnnat_cell {
    const char *name; /* of its C symbol */
    const char *parts[2]; /* of the build that it needs (config.h); NULLs: no more */
    int32_t gates; /* blocks of rows in weight_ih */
    int32_t products; /* and of all recurrent weights together */
    int32_t num_states; /* arrays of its state: h, and what else it carries on */
    bool in_place; /* a step reads and writes those after h unit by unit */
    rnnat_status (*build)(rnnat_builder *build, const rnnat_layer_text *layer, int32_t input,
                          rnnat_cell_weights *weights);
    /* One time step of some rows, by all threads of a team; each does its share of the units, and
     * h_next is whole once they have met. h_next must not be h_prev. */
    void (*step)(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                 const rnnat_member *member, rnnat_step *step);
} rnnat_cell;

extern const rnnat_cell rnnat_cell_rnn, rnnat_cell_gru, rnnat_cell_gru_before, rnnat_cell_lstm;
extern const rnnat_cell rnnat_cell_gate_gru, rnnat_cell_gate_lstm;
extern const rnnat_cell rnnat_cell_general_rnn, rnnat_cell_general_gru;
extern const rnnat_cell rnnat_cell_general_gru_before, rnnat_cell_general_lstm;

/* The cell of a layer that is recurrent; NULL where this build has left it out. */
const rnnat_cell *rnnat_cell_find(const rnnat_layer_text *layer);

/* The weights of the cells that have a general form as well. */
rnnat_status rnnat_build_rnn(rnnat_builder *b, const rnnat_layer_text *layer, int32_t input,
                             rnnat_cell_weights *weights);
rnnat_status rnnat_build_gru(rnnat_builder *b, const rnnat_layer_text *layer, int32_t input,
                             rnnat_cell_weights *weights);
rnnat_status rnnat_build_gru_before(rnnat_builder *b, const rnnat_layer_text *layer, int32_t input,
                                    rnnat_cell_weights *weights);
rnnat_status rnnat_build_lstm(rnnat_builder *b, const rnnat_layer_text *layer, int32_t input,
                              rnnat_cell_weights *weights);
/* Vectors in the panels of a recurrent product of `gates` gates: all of a unit's together, where
 * its kernel multiplies. */
static inline int32_t rnnat_recurrent_panel(const rnnat_layer_text *layer, int32_t gates)
{
    return layer->general ? RNNAT_GEMM_PANEL : gates;
}

/* What follows the recurrent product of an LSTM: its kernel and, where there is one, the projection
 * of what that gives. */
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
/* Tells of its members. */
struct rnnat_teller;
void rnnat_cell_tell(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                     int32_t hidden, const struct rnnat_teller *teller);

#endif
