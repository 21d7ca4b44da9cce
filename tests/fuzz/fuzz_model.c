/* libFuzzer entry: any bytes as a model. One that opens does so in memory of exactly the size that
 * was told before, describes itself, and runs: a whole sequence and the same row by row, as streams
 * too, give the same y and states. */
#include "config.h"
#include "graph_calls.h"

enum { MOST_STATES = 64, TIME = 5, BATCH = 2 };
static const size_t most_memory = 8 << 20, most_numbers = 1 << 16;

static void describe(const fuzz_model *model)
{
    const rnnat_model_info *const info = &model->info;
    int32_t rows = -7, features = -7;
    REQUIRE(info->struct_size == sizeof *info && info->num_layers > 0);
    REQUIRE(info->input_size > 0 && info->output_size > 0 && info->num_states >= 0);
    REQUIRE(rnnat_model_state(model->made, -1, &rows, &features) != RNNAT_OK);
    REQUIRE(rnnat_model_state(model->made, info->num_states, &rows, &features) != RNNAT_OK);
    REQUIRE(rows == -7 && features == -7);
    for (int32_t s = 0; s < info->num_states; ++s) REQUIRE(fuzz_state_count(model, s, 1) > 0);
}

/* Rows of lengths TIME and TIME - 2 at once. */
static void run(const fuzz_model *model)
{
    const rnnat_model_info *const info = &model->info;
    const int32_t lengths[BATCH] = {TIME, TIME - 2}, y_time = info->return_sequences ? TIME : 1;
    const size_t x_step = (size_t)model->x_width * model->x_elem;
    const size_t y_step = (size_t)info->output_size * model->elem;
    fuzz_block x = fuzz_take(TIME * BATCH * x_step, 0);
    fuzz_block y = fuzz_take((size_t)y_time * BATCH * y_step, 0), states[MOST_STATES];
    void *finals[MOST_STATES];
    fuzz_input none = {NULL, NULL};
    for (int32_t s = 0; s < info->num_states; ++s) {
        states[s] = fuzz_take(fuzz_state_count(model, s, BATCH) * model->elem, 0);
        finals[s] = states[s].body;
    }
    if (info->takes_indices)
        for (int32_t i = 0; i < TIME * BATCH; ++i)
            memcpy(x.body + (size_t)i * x_step, &(int32_t){i * 7 % info->input_size}, x_step);
    else
        fuzz_numbers(&none, x.body, x.size / model->elem, model->elem);
    const rnnat_run all = {.struct_size = sizeof all,
                           .time = TIME,
                           .batch = BATCH,
                           .x = info->takes_indices ? NULL : (const float *)(void *)x.body,
                           .indices = info->takes_indices ? (int32_t *)(void *)x.body : NULL,
                           .y = (float *)(void *)y.body,
                           .lengths = lengths,
                           .state_out = (float *const *)finals,
                           .num_threads = 2};
    size_t need = 0;
    REQUIRE(fuzz_run_size(model->made, info->dtype, &all, &need) == RNNAT_OK);
    fuzz_block scratch = fuzz_take(need, 5);
    REQUIRE(fuzz_run(model->made, info->dtype, &all, scratch.body, need) == RNNAT_OK);

    for (int32_t b = 0; b < BATCH; ++b) {
        void *own[MOST_STATES];
        fuzz_block row_x = fuzz_take((size_t)lengths[b] * x_step, 0);
        fuzz_block row_y = fuzz_take((size_t)(y_time == 1 ? 1 : lengths[b]) * y_step, 0);
        for (int32_t t = 0; t < lengths[b]; ++t)
            memcpy(row_x.body + (size_t)t * x_step, x.body + (size_t)(t * BATCH + b) * x_step,
                   x_step);
        for (int32_t s = 0; s < info->num_states; ++s)
            own[s] = fuzz_take(fuzz_state_count(model, s, 1) * model->elem, 0).heap;
        const fuzz_row row = {
            .time = lengths[b], .x = row_x.body, .y = row_y.body, .state_out = own};
        for (int32_t piece = 0; piece <= 2 * info->streamable; piece += 2) {
            fuzz_run_row(model, &row, piece);
            for (size_t t = 0; t < (size_t)y_time; ++t) {
                const unsigned char *const at = y.body + (t * BATCH + (size_t)b) * y_step;
                if (t < row_y.size / y_step)
                    REQUIRE(fuzz_same(row_y.body + t * y_step, at, (size_t)info->output_size,
                                      model->elem));
                for (size_t i = 0; t >= row_y.size / y_step && i < y_step; ++i)
                    REQUIRE(at[i] == 0); /* past its end */
            }
            for (int32_t s = 0; s < info->num_states; ++s) {
                void *const among = fuzz_state_row(model, s, &states[s], b, BATCH);
                REQUIRE(fuzz_same(own[s], among, fuzz_state_count(model, s, 1), model->elem));
                free(among);
            }
        }
        for (int32_t s = 0; s < info->num_states; ++s) free(own[s]);
        free(row_x.heap);
        free(row_y.heap);
    }
    for (int32_t s = 0; s < info->num_states; ++s) free(states[s].heap);
    free(scratch.heap);
    free(x.heap);
    free(y.heap);
}

/* y of rows that all have TIME steps. */
static fuzz_block run_rows(const fuzz_model *model, const void *x, int32_t batch, int32_t steps)
{
    const bool indices = model->info.takes_indices;
    const size_t y_step = (size_t)model->info.output_size * model->elem;
    const int32_t y_time = model->info.return_sequences ? steps : 1;
    const fuzz_block y = fuzz_take((size_t)y_time * (size_t)batch * y_step, 0);
    const rnnat_run all = {.struct_size = sizeof all,
                           .time = TIME,
                           .batch = batch,
                           .x = indices ? NULL : x,
                           .indices = indices ? x : NULL,
                           .y = (float *)(void *)y.body,
                           .num_threads = 2};
    size_t need = 0;
    REQUIRE(fuzz_run_size(model->made, model->info.dtype, &all, &need) == RNNAT_OK);
    fuzz_block scratch = fuzz_take(need, 5);
    REQUIRE(fuzz_run(model->made, model->info.dtype, &all, scratch.body, need) == RNNAT_OK);
    free(scratch.heap);
    return y;
}

/* A chain whose windows make more or fewer steps: rows among others, and alone. */
static void run_windows(const fuzz_model *model)
{
    const int32_t steps = fuzz_run_steps(model, TIME);
    const int32_t y_time = model->info.return_sequences ? steps : 1;
    if ((size_t)steps * (size_t)model->info.output_size > most_numbers) return;
    const size_t x_step = (size_t)model->x_width * model->x_elem;
    fuzz_block x = fuzz_take(TIME * BATCH * x_step, 0), alone_x = fuzz_take(TIME * x_step, 0);
    fuzz_input none = {NULL, NULL};
    if (model->info.takes_indices)
        memset(x.body, 0, x.size);
    else
        fuzz_numbers(&none, x.body, x.size / model->elem, model->elem);
    const fuzz_block y = run_rows(model, x.body, BATCH, steps);
    for (int32_t b = 0; b < BATCH; ++b) {
        for (int32_t t = 0; t < TIME; ++t)
            memcpy(alone_x.body + (size_t)t * x_step, x.body + (size_t)(t * BATCH + b) * x_step,
                   x_step);
        const fuzz_block alone = run_rows(model, alone_x.body, 1, steps);
        const size_t width = (size_t)model->info.output_size, y_step = width * model->elem;
        for (size_t t = 0; t < (size_t)y_time; ++t)
            REQUIRE(fuzz_same(alone.body + t * y_step, y.body + (t * BATCH + (size_t)b) * y_step,
                              width, model->elem));
        free(alone.heap);
    }
    free(y.heap);
    free(x.heap);
    free(alone_x.heap);
}

/* Whether it makes a step of each, a last one of all steps too. */
static bool keeps_pace(const fuzz_model *model)
{
    rnnat_value_info output = {.struct_size = sizeof output};
    REQUIRE(rnnat_model_output(model->made, 0, &output) == RNNAT_OK);
    if (output.repeat != 1 || output.stride != 1) return false;
    for (int32_t time = 1; model->info.return_sequences && time <= TIME; ++time)
        if (fuzz_run_steps(model, time) != time) return false;
    return true;
}

/* A text ends in its room; there is one after a fault alone. */
static void check_text(const fuzz_block *text, bool succeeded)
{
    if (!RNNAT_WITH_MESSAGES || text->size == 0) return;
    const char *const end = memchr(text->body, '\0', text->size);
    REQUIRE(end);
    REQUIRE(succeeded ? end == (char *)text->body : end > (char *)text->body || text->size == 1);
}

static void open_and_run(const uint8_t *bytes, size_t size, int32_t dtype, int32_t weights)
{
    const size_t room = size % 200; /* of a text, whatever there is to say */
    fuzz_block text = fuzz_take(room, 0);
    const rnnat_model_options options = {.struct_size = sizeof options,
                                         .message = room ? (char *)text.body : NULL,
                                         .message_size = room,
                                         .dtype = dtype,
                                         .matmul = RNNAT_MATMUL_PACKED,
                                         .weight_dtype = weights};
    size_t need = 77;
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_size(bytes, size, &options, &need);
    REQUIRE(status == RNNAT_OK || need == 77);
    check_text(&text, status == RNNAT_OK);
    if (status == RNNAT_OK && need > most_memory) {
        free(text.heap);
        return;
    }
    fuzz_block memory = fuzz_take(status == RNNAT_OK ? need : 0, size % 64);
    const rnnat_status made_in_it =
        rnnat_model_init(memory.body, memory.size, bytes, size, &options, &made);
    /* What layers of a graph read of each other is found wrong where it is made, and not before. */
    const bool graph_is_wrong = status == RNNAT_OK && (made_in_it == RNNAT_ERROR_SHAPE ||
                                                       made_in_it == RNNAT_ERROR_UNSUPPORTED);
    REQUIRE((made_in_it == status || graph_is_wrong) && (made != NULL) == (made_in_it == RNNAT_OK));
    rnnat_model *from_memory = NULL;
    REQUIRE(rnnat_model_from_memory(bytes, size, &options, &from_memory) == made_in_it);
    check_text(&text, made_in_it == RNNAT_OK);
    if (made) {
        rnnat_model *none = NULL;
        REQUIRE(rnnat_model_init(memory.body, need - 1, bytes, size, &options, &none) ==
                RNNAT_ERROR_TOO_SMALL);
        const fuzz_model model = fuzz_describe(made);
        REQUIRE(model.info.memory == need && model.info.dtype == dtype);
        describe(&model);
        const bool is_chain = model.info.num_inputs == 1 && model.info.num_outputs == 1;
        const bool paced = is_chain && !keeps_pace(&model);
        if (paced) run_windows(&model);
        if (is_chain && !paced && model.info.num_states <= MOST_STATES) run(&model);
        if (!paced) fuzz_run_graph(&model);
    }
    rnnat_model_free(from_memory);
    free(memory.heap);
    free(text.heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_block copy = fuzz_take(size, 0);
    if (size) memcpy(copy.body, bytes, size);
    for (int32_t dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype)
        open_and_run(copy.body, size, dtype, RNNAT_WEIGHT_AS_DTYPE);
    open_and_run(copy.body, size, RNNAT_F32, RNNAT_WEIGHT_INT8);
    free(copy.heap);
    return 0;
}
