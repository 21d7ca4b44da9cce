/* What does not change from one step to the next is prepared once: of a direction's steps, and of
 * all operations for a stream's single steps. */
#include "forward.h"

/* Whether every other step should go through the recurrent weights backwards: it finds in the cache
 * what the step before it read last. Measured: where rows are few or weights small; elsewhere
 * arithmetic hides the loads, and going forwards costs one or two percent less. */
static bool takes_turns(const rnnat_lane *lane, const rnnat_op *op, int32_t panels)
{
    enum { few_rows = 3, little = 2 << 20 };
    const rnnat_kernels *const kernels = lane->model->kernels;
    const double weights = (double)op->ops->products * panels * kernels->lanes * op->state;
    return lane->rows <= few_rows || weights * lane->rows <= little;
}

rnnat_step rnnat_step_prepare(const rnnat_lane *lane, const rnnat_part *part,
                              const rnnat_workspace *work, const rnnat_op *op, int32_t direction)
{
    const rnnat_kernels *const kernels = lane->model->kernels;
    const rnnat_cell *const cell = &op->cell[direction];
    const int32_t pad = rnnat_pad(kernels, op->hidden), state_pad = rnnat_pad(kernels, op->state);
    const int32_t panels = pad / kernels->lanes;
    const int32_t first = rnnat_first(part, part->index, panels);
    const int32_t last = rnnat_first(part, part->index + 1, panels);
    const rnnat_cell_state *const state = &lane->cells[op->first_cell + direction];
    return (rnnat_step){.rows = lane->rows,
                        .first_panel = first,
                        .last_panel = last,
                        .turns = takes_turns(lane, op, last - first),
                        .k = op->state,
                        .hidden = op->hidden,
                        .activation = op->activation,
                        .gx = work->gx,
                        .gh = work->gh,
                        .functions = &cell->functions,
                        .c = op->ops->in_place ? state->array[1][0] : NULL,
                        .bias_hn = cell->bias_hn,
                        .peephole = cell->peephole,
                        .z = work->part[0],
                        .rh = work->part[1],
                        .unprojected = work->part[0],
                        .gx_stride = cell->w_ih.n,
                        .gh_stride = (ptrdiff_t)op->ops->products * pad,
                        .h_prev_stride = state_pad,
                        .h_next_stride = state_pad,
                        .pad_stride = pad};
}

static rnnat_rows one_step(const rnnat_lane *lane, void *base, int32_t width)
{
    return (rnnat_rows){base, lane->rows, width, (ptrdiff_t)lane->rows * width};
}

/* Where the input's part of an output layer is kept, on both ends of a stack. */
static rnnat_rows skip_rows(const rnnat_lane *lane, const rnnat_op *op)
{
    return one_step(lane, lane->skip, op->adds_skip ? op->output : op->skip_size);
}

void rnnat_once_prepare(const rnnat_lane *lane, rnnat_once *once)
{
    const rnnat_model *const model = lane->model;
    if (model->info.takes_indices) return;
    const rnnat_part alone = {0, 1, NULL};
    for (int32_t i = 0; i < model->num_ops; ++i) {
        const rnnat_op *const op = &model->ops[i];
        const rnnat_matrix *matrix = &op->weight;
        const void *bias = op->bias;
        char *to = lane->between[i % 2];
        if (op->kind == RNNAT_LAYER_RECURRENT) {
            matrix = &op->cell[0].w_ih;
            bias = op->cell[0].bias;
            to = lane->work[0].gx;
            once[i].step = rnnat_step_prepare(lane, &alone, &lane->work[0], op, 0);
            once[i].step.out_stride = op->output;
        }
        const int32_t n = op->kind == RNNAT_LAYER_RECURRENT ? matrix->n : op->output;
        const rnnat_rows in = one_step(lane, NULL, op->input), skip = skip_rows(lane, op);
        once[i].gemm = rnnat_gemm_plan(matrix, model->kernels, &alone, lane->rows, n, in,
                                       one_step(lane, to, n), bias);
        once[i].skip = rnnat_gemm_plan(&op->skip, model->kernels, &alone, lane->rows, op->skip_size,
                                       in, skip, op->skip_bias);
    }
}

void rnnat_forward_once(rnnat_lane *lane, rnnat_once *once, const void *x, void *y)
{
    static const rnnat_part alone = {0, 1, NULL};
    const rnnat_model *const model = lane->model;
    const rnnat_kernels *const kernels = model->kernels;
    const void *in = x;
    for (int32_t i = 0; i < model->num_ops; ++i, ++once) {
        const rnnat_op *const op = &model->ops[i];
        char *const out = i == model->num_ops - 1 ? y : lane->between[i % 2];
        once->gemm.a.base = in;
        if (op->kind == RNNAT_LAYER_RECURRENT) {
            rnnat_cell_state *const state = &lane->cells[op->first_cell];
            kernels->gemm(&once->gemm);
            once->skip.a.base = in;
            if (op->skip_size) kernels->gemm(&once->skip);
            rnnat_step_point(&once->step, op, state, state->now);
            once->step.out = out;
            op->ops->step(&op->cell[0], kernels, &alone, &once->step);
            state->now = 1 - state->now;
        } else if (op->kind == RNNAT_LAYER_MERGE) {
            once->gemm.c.base = out;
            kernels->merge(op->merge, once->gemm.c, once->gemm.a, lane->rows, op->output);
        } else {
            once->gemm.c.base = out;
            kernels->gemm(&once->gemm);
            if (op->adds_skip) kernels->add(once->gemm.c, once->skip.c, lane->rows, op->output);
            if (op->activation != RNNAT_IDENTITY)
                kernels->activate(op->activation, once->gemm.c, lane->rows, op->output);
        }
        in = out;
    }
}
