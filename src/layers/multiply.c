/* The products of a whole chunk of time, which several layers have. */
#include "layer.h"

rnnat_gemm_args rnnat_multiply_prepare(const rnnat_task *task, const rnnat_matrix *matrix,
                                       int32_t n, const void *bias, rnnat_view in, rnnat_view out)
{
    return rnnat_gemm_plan(matrix, task->kernels, &task->member, task->operands, task->rows, n,
                           rnnat_rows_of(in, task->rows), rnnat_rows_of(out, task->rows), bias);
}

void rnnat_multiply(const rnnat_task *task, const rnnat_chunk *chunk, const rnnat_matrix *matrix,
                    rnnat_gemm_args *args, const char *in, char *out)
{
    const rnnat_kernels *const kernels = task->kernels;
    rnnat_stop_point *const point = RNNAT_STOP ? chunk->stop_point : NULL;
    args->m = chunk->steps * task->rows;
    args->a.base = in;
    args->c.base = out;
    if (rnnat_matrix_is_blas(matrix)) {
        rnnat_gemm(matrix, kernels, &task->member, task->operands, args->m, args->n, args->a,
                   args->c, args->bias);
        return;
    }
    if (!point) {
        kernels->of[args->type].gemm(args);
        return;
    }
    rnnat_gemm_args some = *args;
    const int32_t last = args->last_panel;
    const double pair = 2.0 * args->m * args->k * RNNAT_GEMM_PANEL * kernels->lanes;
    const int32_t most = 2 * (1 + (int32_t)(point->stop->every / (pair + 1)));
    bool left = false;
    for (; some.first_panel < last && !left; some.first_panel = some.last_panel) {
        some.last_panel = last - some.first_panel < most ? last : some.first_panel + most;
        kernels->of[some.type].gemm(&some);
        left = rnnat_stops(point->stop, point->asks && task->member.index == 0,
                           pair / 2 * (some.last_panel - some.first_panel));
    }
}
