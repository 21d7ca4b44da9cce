/* Linux is asked for AMX's tiles when a model with int8 weights is made, not before and on no other instruction
 * set; where it grants none, results have the same bits; and no call leaves a tile behind. */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <stdio.h>

#include "config.h"

#ifndef RNNAT_HAVE_AMX
int main(void)
{
    printf("skipped: this build has no kernels for AMX\n");
    return 77;
}
#else
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "build_model.h"
#include "check.h"
#include "cpu_features.h"
#include "run_case.h"
#include "variants.h"

static const uint64_t tiles = UINT64_C(1) << 18;

/* Whether this process may use them, by ARCH_GET_XCOMP_PERM. */
static bool is_permitted(void)
{
    uint64_t components = 0;
    CHECK(syscall(SYS_arch_prctl, 0x1022, &components) == 0);
    return components & tiles;
}

/* Whether this thread has any that are not in their first state. */
static bool is_in_use(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low & tiles;
}

/* A stack for signals that has no room for tiles, on which Linux grants none. */
static void set_signal_stack(bool is_small)
{
    static char memory[8192];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory, .ss_flags = SS_DISABLE};
    const stack_t small = {.ss_sp = memory, .ss_size = sizeof memory};
    CHECK(sigaltstack(is_small ? &small : &stack, NULL) == 0);
}

static test_outcome run(const test_model *model, const test_inputs *in, int32_t weights)
{
    rnnat_model *const made = test_model_rounded(model, weights, RNNAT_COMPUTE_AS_DTYPE);
    CHECK(made != NULL);
    const test_outcome outcome = test_run(made, in, LAYOUT_DENSE, LAYOUT_DENSE, 1);
    CHECK(outcome.status == RNNAT_OK && outcome.guarded && !is_in_use());
    rnnat_model_free(made);
    return outcome;
}

int main(void)
{
    if (!rnnat_cpu_has_amx()) {
        printf("skipped: this CPU has no AMX\n");
        return 77;
    }
    const bool wanted = strcmp(rnnat_isa(), "avx512_amx") == 0;
    test_model model;
    uint64_t random = 7;
    test_model_start(&model, random);
    test_model_add(&model, variant_layer(0, RNNAT_FORWARD, 70, 130));
    test_inputs in = test_inputs_make(&model, &random, 5, 37, false, false);

    test_outcome floats = run(&model, &in, RNNAT_WEIGHT_AS_DTYPE);
    CHECK(!is_permitted());
    set_signal_stack(true);
    test_outcome refused = run(&model, &in, RNNAT_WEIGHT_INT8);
    CHECK(!is_permitted());
    set_signal_stack(false);
    test_outcome granted = run(&model, &in, RNNAT_WEIGHT_INT8);
    CHECK(is_permitted() == wanted);
    CHECK(test_outcome_same(&refused, &granted) && !test_outcome_same(&floats, &granted));

    test_outcome_end(&floats);
    test_outcome_end(&refused);
    test_outcome_end(&granted);
    test_inputs_end(&in);
    test_model_end(&model);
    return check_result();
}
#endif
