/* Runs a model with options out of a fuzz input, and judges what comes of it. */
#include "run_calls.h"

#include "call_options.h"

enum { MOST_ELEMENTS = 1 << 14, MOST_MEMORY = 1 << 24 };

/* An array [time, batch, width] with strides. */
typedef struct layout {
    int32_t time, batch, width;
    ptrdiff_t given_time, given_batch; /* as they are told */
    ptrdiff_t step, row; /* as they count */
    ptrdiff_t first;     /* element [0, 0, 0], */
    size_t elements;     /* of so many */
    bool overlaps;       /* two of its places are one */
} layout;

/* One call: what it is told, and its arrays. */
typedef struct call {
    fuzz_call of;
    layout x, y;
    fuzz_block x_block, y_block;
} call;

static ptrdiff_t stride(fuzz_input *in)
{
    static const ptrdiff_t others[] = {PTRDIFF_MAX, PTRDIFF_MIN, PTRDIFF_MAX / 8, 1 << 30,
                                       -(1 << 30)};
    return fuzz_rarely(in) ? others[fuzz_byte(in) % 5] : (int8_t)fuzz_byte(in);
}

/* Strides of a usual layout, or any. */
static void choose_strides(fuzz_input *in, layout *l)
{
    const ptrdiff_t width = l->width, padded = width + fuzz_byte(in) % 4;
    switch (fuzz_byte(in) % 6) {
    case 0: break; /* dense: none given */
    case 1: l->given_time = padded, l->given_batch = l->time * padded; break;
    case 2: l->given_batch = padded, l->given_time = l->batch * padded + 1; break;
    case 3: l->given_batch = padded, l->given_time = -(l->batch * padded); break;
    case 4: l->given_time = padded, l->given_batch = -(l->time * padded); break;
    default: l->given_time = stride(in), l->given_batch = stride(in); break;
    }
}

/* Where the strides that count lead; false where that is too far to be given memory. */
static bool lay_out(layout *l)
{
    l->step = l->given_time;
    l->row = l->given_batch;
    if (!l->step && !l->row) {
        if ((double)l->batch * l->width > MOST_ELEMENTS) return false;
        l->step = (ptrdiff_t)l->batch * l->width;
        l->row = l->width;
    }
    if (l->time <= 0 || l->batch <= 0) return true;
    const double reach = fabs((double)l->step) * l->time + fabs((double)l->row) * l->batch;
    if (reach + l->width > MOST_ELEMENTS || (double)l->time * l->batch > MOST_ELEMENTS)
        return false;
    const ptrdiff_t last_step = (l->time - 1) * l->step, last_row = (l->batch - 1) * l->row;
    l->first = (last_step < 0 ? -last_step : 0) + (last_row < 0 ? -last_row : 0);
    l->elements = (size_t)(l->first + (last_step > 0 ? last_step : 0) +
                           (last_row > 0 ? last_row : 0) + l->width);
    static bool taken[MOST_ELEMENTS * 4];
    memset(taken, 0, l->elements);
    for (int32_t t = 0; t < l->time; ++t) {
        for (int32_t b = 0; b < l->batch; ++b) {
            bool *const at = taken + l->first + t * l->step + b * l->row;
            for (int32_t i = 0; i < l->width; ++i) {
                l->overlaps = l->overlaps || at[i];
                at[i] = true;
            }
        }
    }
    return true;
}

static unsigned char *place(const layout *l, fuzz_block *block, int32_t t, int32_t b, size_t elem)
{
    return block->body + (size_t)(l->first + t * l->step + b * l->row) * elem;
}

/* ---- making a call ---- */

static void choose_indices(fuzz_input *in, const fuzz_model *model, call *c)
{
    for (size_t i = 0; i < c->x.elements; ++i) {
        const int32_t index = (int32_t)(i * 5 + c->x.elements) % model->info.input_size;
        memcpy(c->x_block.body + i * sizeof index, &index, sizeof index);
    }
    if (c->x.elements == 0 || !fuzz_rarely(in)) return;
    const int32_t wrong[] = {-1, model->info.input_size, INT32_MAX, INT32_MIN};
    memcpy(c->x_block.body + fuzz_byte(in) % c->x.elements * sizeof *wrong,
           wrong + fuzz_byte(in) % 4, sizeof *wrong);
}

/* Whether each index of a step that counts is one. */
static bool has_right_indices(const fuzz_model *model, call *c)
{
    for (int32_t b = 0; b < c->of.run.batch; ++b) {
        const int32_t end = fuzz_call_length(&c->of, b);
        for (int32_t t = 0; t < end && t < c->of.run.time; ++t) {
            int32_t index;
            memcpy(&index, place(&c->x, &c->x_block, t, b, sizeof index), sizeof index);
            if (index < 0 || index >= model->info.input_size) return false;
        }
    }
    return true;
}

/* False where the call's arrays would be too large: then there is only its scalar part. */
static bool choose_call(fuzz_input *in, const fuzz_model *model, call *c)
{
    *c = (call){.of = fuzz_call_start(in, model)};
    rnnat_run *const run = &c->of.run;
    c->x = (layout){.time = run->time, .batch = run->batch, .width = model->x_width};
    c->y = (layout){.time = run->time, .batch = run->batch, .width = model->info.output_size};
    choose_strides(in, &c->x);
    choose_strides(in, &c->y);
    run->x_stride_time = c->x.given_time, run->x_stride_batch = c->x.given_batch;
    run->y_stride_time = c->y.given_time, run->y_stride_batch = c->y.given_batch;
    if (!model->info.return_sequences) {
        c->y.time = 1;
        c->y.given_time = 0;
    }
    return lay_out(&c->x) && lay_out(&c->y) && run->batch <= MOST_ELEMENTS;
}

static void choose_arrays(fuzz_input *in, const fuzz_model *model, call *c)
{
    const bool indices = model->info.takes_indices;
    fuzz_call *const of = &c->of;
    rnnat_run *const run = &of->run;
    c->x_block = fuzz_take(c->x.elements * model->x_elem, 0);
    c->y_block = fuzz_take(c->y.elements * model->elem, 0);
    if (indices)
        choose_indices(in, model, c);
    else
        fuzz_numbers(in, c->x_block.body, c->x.elements, model->elem);
    fuzz_call_choose_lengths(in, of);
    fuzz_call_choose_states(in, model, of);
    const void *const x = c->x_block.body + (size_t)c->x.first * model->x_elem;
    const int kind = fuzz_byte(in) % 32; /* 29: both; 30: the wrong one; 31: neither */
    const bool has_right = kind <= 29, has_wrong = kind == 29 || kind == 30;
    if (indices ? has_wrong : has_right) run->x = x;
    if (indices ? has_right : has_wrong) run->indices = x;
    if (!fuzz_rarely(in))
        run->y = (float *)(void *)(c->y_block.body + (size_t)c->y.first * model->elem);
    const bool empty_x = run->time <= 0 || run->batch <= 0;
    const bool empty_y = run->batch <= 0 || (run->time <= 0 && model->info.return_sequences);
    of->size_ok = of->size_ok && !has_wrong && (has_right || empty_x) && (run->y || empty_y);
    of->run_ok = of->run_ok && of->size_ok;
    if (of->run_ok && indices && !empty_x) of->run_ok = has_right_indices(model, c);
}

static void end_call(const fuzz_model *model, call *c)
{
    free(c->x_block.heap);
    free(c->y_block.heap);
    fuzz_call_end(model, &c->of);
}

/* ---- what has come of it ---- */

static void check_row(const fuzz_model *model, call *c, int32_t b, int32_t piece)
{
    const rnnat_run *const run = &c->of.run;
    const int32_t num_states = model->info.num_states, width = model->info.output_size;
    const size_t x_bytes = (size_t)model->x_width * model->x_elem;
    const size_t y_bytes = (size_t)width * model->elem;
    void *in[MOST_CALL_STATES], *out[MOST_CALL_STATES], *got[MOST_CALL_STATES];
    fuzz_row row = {.time = fuzz_call_length(&c->of, b),
                    .state_in = run->state_in ? in : NULL,
                    .state_out = out};
    const int32_t y_time = model->info.return_sequences ? row.time : 1;
    fuzz_block x = fuzz_take((size_t)row.time * x_bytes, 0);
    fuzz_block y = fuzz_take((size_t)y_time * y_bytes, 0);
    row.x = x.body;
    row.y = y.body;
    for (int32_t t = 0; t < row.time; ++t)
        memcpy(x.body + (size_t)t * x_bytes, place(&c->x, &c->x_block, t, b, model->x_elem),
               x_bytes);
    for (int32_t s = 0; s < num_states; ++s) {
        in[s] = fuzz_state_row(model, s, &c->of.in[s], b, run->batch);
        got[s] = fuzz_state_row(model, s, &c->of.out[s], b, run->batch);
        out[s] = fuzz_state_row(model, s, &c->of.out[s], b, run->batch);
    }
    fuzz_run_row(model, &row, row.time ? piece : 0);
    for (int32_t t = 0; t < c->y.time; ++t) {
        unsigned char *const at = place(&c->y, &c->y_block, t, b, model->elem);
        if (t < y_time)
            REQUIRE(fuzz_same(at, y.body + (size_t)t * y_bytes, (size_t)width, model->elem));
        for (size_t i = 0; i < y_bytes; ++i) {
            REQUIRE(t < y_time || at[i] == 0);
            at[i] = FUZZ_FILL;
        }
    }
    for (int32_t s = 0; s < num_states; ++s) {
        const size_t count = fuzz_state_count(model, s, 1);
        REQUIRE(!run->state_out || fuzz_same(got[s], out[s], count, model->elem));
        free(in[s]);
        free(got[s]);
        free(out[s]);
    }
    free(x.heap);
    free(y.heap);
}

static void check_results(fuzz_input *in, const fuzz_model *model, call *c)
{
    int32_t piece = fuzz_choose(in, 0, 4);
    if (!model->info.streamable) piece = 0;
    if (c->y.overlaps) return; /* whoever wrote last */
    for (int32_t b = 0; b < c->of.run.batch; ++b) check_row(model, c, b, piece);
    REQUIRE(fuzz_unwritten(&c->y_block)); /* check_row made it so where it looked */
}

void fuzz_calls_of_run(fuzz_input *in, const fuzz_model *model)
{
    call c;
    size_t need = 77;
    if (model->info.num_states > MOST_CALL_STATES) return;
    if (!choose_call(in, model, &c)) {
        float y = 0;
        const int32_t x = 0; /* nobody reads the one or writes the other */
        c.of.run.y = &y;
        if (model->info.takes_indices)
            c.of.run.indices = &x;
        else
            c.of.run.x = &y;
        const rnnat_status status = fuzz_run_size(model->made, c.of.dtype, &c.of.run, &need);
        REQUIRE(c.of.size_ok || status != RNNAT_OK);
        return;
    }
    choose_arrays(in, model, &c);
    const bool no_model = fuzz_rarely(in), no_run = fuzz_rarely(in);
    const rnnat_model *const made = no_model ? NULL : model->made;
    const rnnat_run *const run = no_run ? NULL : &c.of.run;
    const rnnat_status sized = fuzz_run_size(made, c.of.dtype, run, &need);
    const bool far = sized == RNNAT_ERROR_OVERFLOW && (c.of.run.time <= 0 || c.of.run.batch <= 0);
    REQUIRE((sized == RNNAT_OK) == (c.of.size_ok && !no_model && !no_run) || far);
    REQUIRE(sized == RNNAT_OK || need == 77);
    if (need > MOST_MEMORY) { /* of a batch without steps */
        end_call(model, &c);
        return;
    }
    const int lack = fuzz_rarely(in) ? 1 + fuzz_byte(in) % 3 : 0;
    fuzz_block scratch = fuzz_take(lack == 1   ? need - 1
                                   : lack == 2 ? need / 2
                                               : need,
                                   fuzz_byte(in) % 64);
    void *const memory = lack == 3 ? NULL : scratch.body;
    const rnnat_status status = fuzz_run(made, c.of.dtype, run, memory, scratch.size);
    REQUIRE((status == RNNAT_OK) == (c.of.run_ok && sized == RNNAT_OK && !lack));
    if (status == RNNAT_OK) {
        check_results(in, model, &c);
    } else {
        REQUIRE(fuzz_unwritten(&c.y_block) && fuzz_unwritten(&scratch));
        REQUIRE(fuzz_call_states_unwritten(model, &c.of));
    }
    free(scratch.heap);
    end_call(model, &c);
}
