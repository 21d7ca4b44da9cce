/* The gates of the gate-recurrent LSTM, from the sums of its products, which are those of no other
 * cell. Part of gates.inc.h; the equations are in gate_lstm.c. */
#if RNNAT_WITH_GATE && RNNAT_WITH_LSTM
#ifndef WEIGHT /* what is made of sums */
/* The states after h are c, i, f. */
NOINLINE void FN(gate_lstm_post)(const rnnat_step *s, int32_t row, int32_t panel, const VEC *sums)
{
    const ptrdiff_t at = row * s->pad_stride + (ptrdiff_t)panel * LANES;
    VEC c = FN(load)((const REAL *)s->prev[0] + at), a[4];
    for (int g = 0; g < 4; ++g) a[g] = FN(add)(sums[g], FN(projected)(s, row, panel, g, 4));
    const VEC h = FN(lstm_gates)(a, &c, NULL);
    FN(store)((REAL *)s->next[0] + at, c);
    FN(store)((REAL *)s->next[1] + at, a[0]);
    FN(store)((REAL *)s->next[2] + at, a[1]);
    FN(put_h)(s, (FN(place)){row, panel, 1}, 0, h);
    if (TRACED(s)) FN(show)(s, 0, row, panel, a, 4);
}

/* i, f, g, o of weight_gh where a BLAS made them: i, f, then g and o, in s->gh one behind the
 * other. */
INLINE void FN(made_gates)(VEC *sums, const rnnat_step *s, int32_t row, int32_t panel)
{
    const ptrdiff_t pad = s->pad_stride, unit = (ptrdiff_t)panel * LANES;
    const REAL *const all = (const REAL *)s->gh + row * s->gh_stride;
    sums[0] = FN(load)(all + unit);
    sums[1] = FN(load)(all + pad + unit);
    sums[2] = FN(load)(all + 2 * (pad + unit));
    sums[3] = FN(load)(all + 2 * (pad + unit) + LANES);
}
#else
/* It multiplies c, i and f. */
#define GATE_PREPARE                                                                               \
    INLINE void WFN(gate_lstm_prepare)(const rnnat_step *s)                                        \
    {                                                                                              \
        for (int set = 0; set < 3; ++set) PREPARE_ROWS(s, s->prev[set], s->pad_stride, set);       \
    }
#if RNNAT_SMALL
/* Some panels of weight_gh for a row: i, g and o on i_{t-1}, f on f_{t-1}. */
INLINE void WFN(products_of_gates)(VEC *sums, const rnnat_step *s, int32_t row, int32_t panel,
                                   int32_t panels)
{
    const OPERAND *const on_if[] = {WFN(step_row)(s, s->prev[1], s->pad_stride, 1, row),
                                    WFN(step_row)(s, s->prev[2], s->pad_stride, 2, row)};
    const WEIGHT *const w = (const WEIGHT *)s->w + panel * WFN(panel_size)(s->k, 4);
    for (int32_t p = 0; p < panels; p += 2)
        WFN(tile)(sums + p * 4, on_if, s->k, w + p * WFN(panel_size)(s->k, 4), panels - p, 2, 1, 2,
                  4);
}

static void WFN(gate_lstm_rows)(const rnnat_step *s)
{
    const ptrdiff_t pad = s->pad_stride;
    for (int32_t panel = s->first_panel, count; panel < s->last_panel; panel += count) {
        const int32_t left = s->last_panel - panel;
        count = left < WFN(panels_at_once) ? left : WFN(panels_at_once);
        for (int32_t row = FIRST_ROW, last = row + s->rows; row < last; ++row) {
            const VEC zero = FN(set1)(0);
            VEC gates[WFN(panels_at_once) * 4], all[WFN(panels_at_once) * 4];
            const OPERAND *const on_c = WFN(step_row)(s, s->prev[0], pad, 0, row);
            const REAL *const made = (const REAL *)s->gh + row * s->gh_stride + 4 * pad;
            for (int32_t v = 0; v < count * 4; ++v) gates[v] = all[v] = zero;
            if (s->w) WFN(products_of_gates)(gates, s, row, panel, count);
            for (int32_t p = 0; p < count && !s->w; ++p)
                FN(made_gates)(gates + 4 * p, s, row, panel + p);
            WFN(summed)(all, on_c, s->k, s->w_c, made, panel, count, 4);
            for (int32_t p = 0; p < count; ++p) {
                VEC *const sums = all + 4 * p;
                for (int g = 0; g < 4; ++g) sums[g] = FN(add)(gates[4 * p + g], sums[g]);
                FN(gate_lstm_post)(s, row, panel + p, sums);
            }
        }
    }
}

GATE_PREPARE
STEP_TILES(gate_lstm)
#else
/* i, f, g, o of weight_gh: i, g and o on i_{t-1}, f on f_{t-1}, all in one pass of k. */
INLINE void WFN(products_of_gates)(VEC sums[][max_vectors], const rnnat_step *s, int32_t row,
                                   int32_t panel, const int rows, const int panels)
{
    const ptrdiff_t pad = s->pad_stride;
    WFN(factors) f = WFN(state_factors)(s, s->prev[1], pad, 1, s->w, row, panel, rows, panels, 4);
    UNROLL for (int r = 0; r < rows; ++r) f.a[1][r] = WFN(step_row)(s, s->prev[2], pad, 2, row);
    f.second = 1;
    WFN(state_sums)(sums, &f, 2, rows, panels, 4);
}

INLINE void WFN(gate_lstm_block)(const rnnat_step *s, int32_t row, int32_t panel, const int rows,
                                 const int panels)
{
    VEC of_gates[max_rows][max_vectors], of_c[max_rows][max_vectors];
    const REAL *made = (const REAL *)s->gh + 4 * s->pad_stride;
    if (s->w)
        WFN(products_of_gates)(of_gates, s, row, panel, rows, panels);
    else
        for (int r = 0; r < rows; ++r)
            for (int p = 0; p < panels; ++p)
                FN(made_gates)(of_gates[r] + p * 4, s, row + r, panel + p);
    WFN(state_product)(of_c, s, s->prev[0], s->pad_stride, 0, s->w_c, made, row, panel, rows,
                       panels, 4);
    for (int r = 0; r < rows; ++r) {
        for (int p = 0; p < panels; ++p) {
            VEC sums[4];
            for (int g = 0; g < 4; ++g)
                sums[g] = FN(add)(of_gates[r][p * 4 + g], of_c[r][p * 4 + g]);
            FN(gate_lstm_post)(s, row + r, panel + p, sums);
        }
    }
}

GATE_PREPARE
GATE_BLOCKS(gate_lstm, 2, 1)
#endif
#undef GATE_PREPARE
#endif
#endif
