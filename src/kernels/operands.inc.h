/* Rows as a product reads them. Part of products.inc.h. Where PREPARED is 1 they are made of rows of
 * floats, before they are multiplied: PUT(to, x, n, times) rounds n of these, times `times`, to the
 * operands at `to`, zeros behind them up to PUT_WIDTH elements. Elsewhere they are those floats. */
#if PREPARED
enum { WFN(operand_size) = sizeof(OPERAND) / GROUP };

INLINE OPERAND *WFN(operand_at)(const rnnat_operands *to, int32_t k, int32_t set, int32_t row)
{
    const ptrdiff_t size = (ptrdiff_t)rnnat_operand_row(WFN(operand_size), k);
    return (OPERAND *)(void *)(to->at + ((ptrdiff_t)set * to->rows + row) * size +
                               RNNAT_OPERAND_HEAD);
}

/* Makes one row, with its scale where its elements are integers. */
NOINLINE void WFN(prepare)(OPERAND *to, const REAL *x, int32_t k)
{
    enum { width = PUT_WIDTH };
#if INTEGERS
    float times;
    ((float *)to)[-1] = FN(scale_of)(x, k, &times);
    if (!(times >= 0)) { /* NaN or infinite: it is its scale that says so */
        static const float zeros[width] = {0};
        for (int32_t i = 0; i < k; i += width, to += width / GROUP)
            PUT(to, zeros, width, FN(set1)(0));
        return;
    }
    const VEC all = FN(set1)(times);
#else
    const VEC all = FN(set1)(1);
#endif
    int32_t i = 0;
    for (; i + width <= k; i += width, to += width / GROUP) PUT(to, x + i, width, all);
    if (i < k) PUT(to, x + i, k - i, all);
}

/* Makes rows of one of a step's arrays. */
INLINE void WFN(prepare_rows)(const rnnat_step *s, const void *a, ptrdiff_t stride, int32_t set)
{
    for (int32_t r = 0; r < s->rows; ++r)
        WFN(prepare)(WFN(operand_at)(&s->operands, s->k, set, r),
                     (const REAL *)a + (s->first_row + r) * stride, s->k);
}
#endif

#if PREPARED
#define FIRST_ROW s->first_row
#define PREPARE_ROWS(s, a, stride, set) WFN(prepare_rows)(s, a, stride, set)
#else
#define FIRST_ROW 0
#define PREPARE_ROWS(s, a, stride, set) (void)(s)
#endif

/* Row `row` of a step's array a, which has the rows `stride` apart and is number `set` of those that were
 * prepared; and how far apart they are then. */
INLINE const OPERAND *WFN(step_row)(const rnnat_step *s, const void *a, ptrdiff_t stride,
                                    int32_t set, int32_t row)
{
#if PREPARED
    (void)a, (void)stride;
    return WFN(operand_at)(&s->operands, s->k, set, row - s->first_row);
#else
    (void)s, (void)set;
    return (const REAL *)a + row * stride;
#endif
}
INLINE ptrdiff_t WFN(step_stride)(const rnnat_step *s, ptrdiff_t stride)
{
#if PREPARED
    (void)stride;
    return (ptrdiff_t)(rnnat_operand_row(WFN(operand_size), s->k) / sizeof(OPERAND));
#else
    (void)s;
    return stride;
#endif
}

/* Runs a step, or with PREPARED as many of its rows at once as there is room for: `prepare` makes
 * them. */
INLINE void WFN(each_tile)(const rnnat_step *s, void (*prepare)(const rnnat_step *s),
                           void (*run)(const rnnat_step *s))
{
#if PREPARED
    rnnat_step some = *s;
    for (int32_t first = 0; first < s->rows; first += some.rows) {
        const int32_t left = s->rows - first;
        some.first_row = first;
        some.rows = left < s->operands.rows ? left : s->operands.rows;
        prepare(&some);
        run(&some);
    }
#else
    (void)prepare;
    run(s);
#endif
}

/* Makes the rows that a step multiplies of its array H. */
#define PREPARE_STEP(name, H, H_STRIDE)                                                            \
    INLINE void WFN(name##_prepare)(const rnnat_step *s) { PREPARE_ROWS(s, s->H, s->H_STRIDE, 0); }
/* The step of all rows, from the one of some, name_rows. */
#define STEP_TILES(name)                                                                           \
    static void WFN(name)(const rnnat_step *s)                                                     \
    {                                                                                              \
        WFN(each_tile)(s, WFN(name##_prepare), WFN(name##_rows));                                  \
    }

/* Rows first .. end - 1 of a product; with PREPARED the first of them is the first prepared one. */
typedef struct WFN(some_rows) {
    const rnnat_gemm_args *g;
    int32_t first, end;
} WFN(some_rows);

INLINE const OPERAND *WFN(gemm_row)(const WFN(some_rows) * of, int32_t row)
{
#if PREPARED
    return WFN(operand_at)(&of->g->operands, of->g->k, 0, row - of->first);
#else
    return FN(row_at)(&of->g->a, row);
#endif
}

/* Runs a product of all rows, or with PREPARED of as many at once as there is room for. */
INLINE void WFN(each_some_rows)(const rnnat_gemm_args *g, void (*run)(const WFN(some_rows) * of))
{
#if PREPARED
    for (int32_t first = 0, some; first < g->m; first += some) {
        some = g->m - first < g->operands.rows ? g->m - first : g->operands.rows;
        for (int32_t r = 0; r < some; ++r)
            WFN(prepare)(WFN(operand_at)(&g->operands, g->k, 0, r), FN(row_at)(&g->a, first + r),
                         g->k);
        run(&(WFN(some_rows)){g, first, first + some});
    }
#else
    run(&(WFN(some_rows)){g, 0, g->m});
#endif
}
