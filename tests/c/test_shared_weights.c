/* Weights that lie apart from their model: the same bits as in one block, wherever they are mapped, of every
 * cell, option and kind of layer; nothing writes to them once they are packed. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "config.h"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(__EMSCRIPTEN__)
#define CAN_PROTECT 1
#else
#define CAN_PROTECT 0
#endif

#if RNNAT_WITH_SHARING
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check.h"
#include "every_model.h"
#include "graph/stamp.h"
#include "guard.h"
#include "heap.h"
#include "rich_model.h"
#include "run_case.h"
#if CAN_PROTECT
#include <sys/mman.h>
#endif

static const rnnat_model_options kinds[] = {
    {.struct_size = sizeof kinds[0]},
    {.struct_size = sizeof kinds[0], .dtype = RNNAT_F64},
    {.struct_size = sizeof kinds[0], .weight_dtype = RNNAT_WEIGHT_F16},
    {.struct_size = sizeof kinds[0], .weight_dtype = RNNAT_WEIGHT_BF16},
    {.struct_size = sizeof kinds[0], .weight_dtype = RNNAT_WEIGHT_INT8},
    {.struct_size = sizeof kinds[0], .compute = RNNAT_COMPUTE_BF16},
};
enum { NUM_KINDS = sizeof kinds / sizeof kinds[0] };

static test_outcome run_of(const test_model *model, const rnnat_model *made)
{
    uint64_t random = 5;
    test_inputs in = test_inputs_make(model, &random, 6, 3, true, true);
    const test_outcome outcome = test_run(made, &in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    test_inputs_end(&in);
    return outcome;
}

/* Memory that cannot be written to, with these bytes; `size` more than one page. */
static void *read_only(const void *bytes, size_t size)
{
#if CAN_PROTECT
    void *const mapped =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) abort();
    memcpy(mapped, bytes, size);
    CHECK(mprotect(mapped, size, PROT_READ) == 0);
    return mapped;
#else
    guarded g = guard_make(size, 0);
    memcpy(g.body, bytes, size);
    return g.body;
#endif
}

static void end_read_only(void *mapped, size_t size)
{
#if CAN_PROTECT
    munmap(mapped, size);
#else
    (void)mapped, (void)size; /* is left */
#endif
}

/* The file, without the numbers of its arrays: nothing reads them. */
static void forget_arrays(const test_bytes *file)
{
    size_t header = 0;
    for (size_t i = 4; i-- > 0;) header = header << 8 | file->bytes[i];
    memset(file->bytes + 8 + header, 0xFF, file->size - 8 - header);
}

static void test_options(const test_model *model, const rnnat_model_options *kind, const char *name)
{
    const test_bytes file = test_model_bytes(model);
    rnnat_model *whole = NULL, *made = NULL;
    size_t need = 0, weights_need = 0;
    const rnnat_status status = rnnat_model_from_memory(file.bytes, file.size, kind, &whole);
    CHECK_CASE(rnnat_model_shared_size(file.bytes, file.size, kind, &need, &weights_need) == status,
               name);
    if (!CHECK_CASE(status == RNNAT_OK || status == RNNAT_ERROR_UNSUPPORTED, name) ||
        status != RNNAT_OK) {
        free(file.bytes);
        return;
    }
    test_outcome expected = run_of(model, whole);
    rnnat_model_free(whole);

    guarded packed = guard_make(weights_need, 0), again = guard_make(weights_need, 64);
    memset(again.body, 0, again.size); /* what was there before does not show */
    const long calls = heap_calls();
    CHECK_CASE(rnnat_model_share(packed.body, weights_need - 1, file.bytes, file.size, kind) ==
                   RNNAT_ERROR_TOO_SMALL,
               name);
    CHECK_CASE(guard_unwritten(&packed), name);
    CHECK_CASE(rnnat_model_share(packed.body, weights_need, file.bytes, file.size, kind) ==
                   RNNAT_OK,
               name);
    CHECK_CASE(rnnat_model_share(again.body, weights_need, file.bytes, file.size, kind) == RNNAT_OK,
               name);
    CHECK_CASE(heap_calls() == calls, name);
    CHECK_CASE(guard_intact(&packed) && guard_intact(&again), name);
    CHECK_CASE(memcmp(packed.body, again.body, weights_need) == 0, name); /* no address is in it */

    void *const mapped = read_only(packed.body, weights_need);
    memset(packed.body, 0xFF, weights_need);
    forget_arrays(&file);
    guarded own = guard_make(need, 3);
    CHECK_CASE(rnnat_model_init_shared(own.body, need - 1, mapped, weights_need, file.bytes,
                                       file.size, kind, &made) == RNNAT_ERROR_TOO_SMALL,
               name);
    CHECK_CASE(made == NULL && guard_unwritten(&own), name);
    CHECK_CASE(rnnat_model_init_shared(own.body, need, mapped, weights_need, file.bytes, file.size,
                                       kind, &made) == RNNAT_OK,
               name);
    free(file.bytes); /* not needed afterwards */
    rnnat_model_info info = {.struct_size = sizeof info};
    CHECK_CASE(rnnat_model_describe(made, &info) == RNNAT_OK, name);
    CHECK_CASE(info.memory == need + weights_need, name);
    test_outcome outcome = run_of(model, made);
    CHECK_CASE(test_outcome_same(&outcome, &expected), name);
    CHECK_CASE(guard_intact(&own), name);
    CHECK_CASE(memcmp(mapped, again.body, weights_need) == 0, name);
    test_outcome_end(&outcome);
    test_outcome_end(&expected);
    end_read_only(mapped, weights_need);
    guard_end(&own);
    guard_end(&again);
    guard_end(&packed);
}

static rnnat_status init(const guarded *own, const void *weights, size_t size,
                         const test_bytes *file, const rnnat_model_options *kind)
{
    rnnat_model *made = NULL;
    const rnnat_status status = rnnat_model_init_shared(own->body, own->size, weights, size,
                                                        file->bytes, file->size, kind, &made);
    CHECK(made == NULL && guard_unwritten(own));
    return status;
}

/* Weights of another file, other options or another layout are not taken for those of a model. */
static void test_strangers(void)
{
    test_model model, other;
    test_model_start_rich(&model);
    test_model_start(&other, 3);
    test_model_add(&other, (test_layer){.kind = TEST_LINEAR, .input_size = 3, .output_size = 2});
    const test_bytes file = test_model_bytes(&model), stranger = test_model_bytes(&other);
    size_t need, size;
    CHECK(rnnat_model_shared_size(file.bytes, file.size, NULL, &need, &size) == RNNAT_OK);
    guarded weights = guard_make(size + RNNAT_ALIGN, 0), own = guard_make(need, 0);
    CHECK(rnnat_model_share(weights.body, size, file.bytes, file.size, NULL) == RNNAT_OK);
    CHECK(init(&own, weights.body, size - 1, &file, NULL) == RNNAT_ERROR_TOO_SMALL);
    CHECK(init(&own, weights.body + 1, size, &file, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(init(&own, NULL, size, &file, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(init(&own, weights.body, size, &stranger, NULL) == RNNAT_ERROR_FORMAT);
    /* each byte of what stands before them, but of the identity, which is like the numbers */
    for (size_t i = 0; i < offsetof(rnnat_stamp, identity); ++i) {
        weights.body[i] ^= 1;
        CHECK(init(&own, weights.body, size, &file, NULL) == RNNAT_ERROR_FORMAT);
        weights.body[i] ^= 1;
    }
    for (int k = 1; k < NUM_KINDS; ++k) { /* weights for other options */
        size_t need_of, size_of;
        if (rnnat_model_shared_size(file.bytes, file.size, &kinds[k], &need_of, &size_of)) continue;
        guarded others = guard_make(size_of > size ? size_of : size, 0);
        CHECK(rnnat_model_share(others.body, size_of, file.bytes, file.size, &kinds[k]) ==
              RNNAT_OK);
        CHECK(init(&own, others.body, others.size, &file, NULL) == RNNAT_ERROR_FORMAT);
        guard_end(&others);
    }
    rnnat_model *made = NULL;
    CHECK(rnnat_model_share(weights.body + 1, size, file.bytes, file.size, NULL) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_share(NULL, size, file.bytes, file.size, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_share(weights.body, size, NULL, 0, NULL) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_shared_size(file.bytes, file.size, NULL, NULL, &size) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_shared_size(file.bytes, file.size, NULL, &need, NULL) ==
          RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_init_shared(NULL, need, weights.body, size, file.bytes, file.size, NULL,
                                  &made) == RNNAT_ERROR_ARGUMENT);
    CHECK(rnnat_model_init_shared(own.body, need, weights.body, size, file.bytes, file.size, NULL,
                                  NULL) == RNNAT_ERROR_ARGUMENT);
    guard_end(&own);
    guard_end(&weights);
    free(file.bytes);
    free(stranger.bytes);
    test_model_end(&other);
    test_model_end(&model);
}

int main(void)
{
    test_model model;
    const char *name;
    for (int32_t i = 0; every_model_start(i, &model, &name); ++i) {
        for (int k = 0; k < NUM_KINDS; ++k) test_options(&model, &kinds[k], name);
        test_model_end(&model);
    }
    test_strangers();
    return check_result();
}
#else
int main(void) { return 77; }
#endif
