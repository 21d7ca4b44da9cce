/* What a cell's packed weights are, to those who want them unpacked or written down. */
#include "../cells/cell.h"
#include "../text.h"
#include "emit.h"

#if RNNAT_INSPECT
/* One matrix of a weight: the gates that it has. */
static rnnat_status unpack(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                           rnnat_gates gates, void *rows)
{
    if (!matrix->data) return RNNAT_ERROR_ARGUMENT;
    rnnat_matrix_unpack(matrix, kernels, gates, rows);
    return RNNAT_OK;
}

/* Recurrent weights whose last gates may be a matrix of their own. */
static rnnat_status unpack_hh(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                              int32_t gates, int32_t units, void *rows)
{
    if (weights->w_gh.data)
        return unpack(&weights->w_hh, kernels, (rnnat_gates){1, 0, units}, rows);
    const int32_t rest = weights->w_hn.data ? 1 : 0;
    const rnnat_status status =
        unpack(&weights->w_hh, kernels, (rnnat_gates){gates - rest, 0, units}, rows);
    if (status != RNNAT_OK || !rest) return status;
    return unpack(&weights->w_hn, kernels, (rnnat_gates){rest, gates - rest, units}, rows);
}

/* Gates on gates: two of a GRU; four of an LSTM, which are three matrices for a BLAS. */
static rnnat_status unpack_gh(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                              int32_t units, void *rows)
{
    const int32_t all = weights->w_gh.n / rnnat_pad(kernels, units);
    const rnnat_status status = unpack(&weights->w_gh, kernels, (rnnat_gates){all, 0, units}, rows);
    if (status != RNNAT_OK || !weights->w_gf.data) return status;
    rnnat_matrix_unpack(&weights->w_gf, kernels, (rnnat_gates){1, 1, units}, rows);
    rnnat_matrix_unpack(&weights->w_go, kernels, (rnnat_gates){2, 2, units}, rows);
    return RNNAT_OK;
}

rnnat_status rnnat_cell_unpack(const rnnat_cell_weights *weights, const rnnat_cell *cell,
                               const rnnat_kernels *kernels, int32_t hidden, int32_t state,
                               const char *name, void *rows)
{
    const size_t size = rnnat_text_size(name);
    const rnnat_gates all = {cell->gates, 0, hidden};
    if (rnnat_text_is(name, size, "weight_ih")) return unpack(&weights->w_ih, kernels, all, rows);
    if (rnnat_text_is(name, size, "weight_hh"))
        return unpack_hh(weights, kernels, cell->gates, hidden, rows);
    if (rnnat_text_is(name, size, "weight_hr"))
        return unpack(&weights->w_hr, kernels, (rnnat_gates){1, 0, state}, rows);
    if (rnnat_text_is(name, size, "weight_gh")) return unpack_gh(weights, kernels, hidden, rows);
    if (rnnat_text_is(name, size, "weight_ch")) return unpack(&weights->w_ch, kernels, all, rows);
    return RNNAT_ERROR_ARGUMENT;
}

static void tell_functions(const rnnat_functions *functions, const rnnat_teller *teller)
{
    static const char *const needed[] = {
#define NEEDED(code, name, constants, with) [RNNAT_GATE_##code] = #with,
        RNNAT_EACH_FUNCTION(NEEDED)
#undef NEEDED
    };
    void *const arg = teller->arg;
    teller->begin(arg, "functions");
    teller->begin(arg, "of");
    for (int i = 0; i < RNNAT_FUNCTIONS; ++i) {
        const rnnat_gate_activation kind = functions->of[i].kind;
        if (kind != RNNAT_GATE_IDENTITY) teller->needs(arg, needed[kind]); /* others have zeros */
        teller->begin(arg, "");
        teller->number(arg, "kind", (int64_t)functions->of[i].kind);
        teller->real(arg, "alpha", functions->of[i].alpha);
        teller->real(arg, "beta", functions->of[i].beta);
        teller->end(arg);
    }
    teller->end(arg);
    teller->real(arg, "clip", functions->clip);
    teller->number(arg, "input_forget", functions->input_forget);
    teller->real(arg, "cell_clip", functions->cell_clip);
    teller->end(arg);
}

void rnnat_cell_tell(const rnnat_cell_weights *weights, const rnnat_kernels *kernels,
                     int32_t hidden, const rnnat_teller *teller)
{
    const size_t pad = (size_t)rnnat_pad(kernels, hidden);
    const struct {
        const char *name;
        const rnnat_matrix *matrix;
    } matrices[] = {{"w_ih", &weights->w_ih}, {"w_hh", &weights->w_hh}, {"w_hn", &weights->w_hn},
                    {"w_hr", &weights->w_hr}, {"w_gh", &weights->w_gh}, {"w_gf", &weights->w_gf},
                    {"w_go", &weights->w_go}, {"w_ch", &weights->w_ch}};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; ++i)
        rnnat_tell_matrix(teller, matrices[i].name, matrices[i].matrix, kernels, 1);
    rnnat_tell_array(teller, "bias", weights->bias, (size_t)weights->w_ih.n);
    rnnat_tell_array(teller, "bias_hn", weights->bias_hn, pad);
    rnnat_tell_array(teller, "peephole", weights->peephole, 3 * pad);
    tell_functions(&weights->functions, teller);
}
#endif
