/* What a call may do. Making a model and a stream in the caller's memory, running them and moving
 * their states makes no call of the heap and, in one thread, none of the system, so that it cannot
 * wait for anything: over every cell, option and kind of layer, in both precisions. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "every_call.h"
#include "every_model.h"
#include "heap.h"
#include "syscalls.h"

static void test_heap(void)
{
    test_model model;
    const char *name;
    for (int32_t i = 0; every_model_start(i, &model, &name); ++i) {
        for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
            every_call *const calls = every_call_prepare(&model, (rnnat_dtype)dtype);
            const long before = heap_calls();
            every_call_do(calls);
            CHECK_CASE(every_call_right(calls) && heap_calls() == before, name);
            for (int32_t threads = 2; threads <= 8; ++threads)
                CHECK_CASE(every_call_run(calls, threads) == RNNAT_OK && heap_calls() == before,
                           name);
            every_call_end(calls);
        }
        test_model_end(&model);
    }
    const long before = heap_calls();
    void *volatile block = malloc(1);
    free(block);
    CHECK(!heap_watched() || heap_calls() == before + 2); /* the watch itself works */
}

/* ---- calls of the system ---- */

static void print(void *arg) { (void)fputs(arg, stderr); }

static void do_and_confess(void *arg)
{
    every_call_do(arg);
    if (!every_call_right(arg)) print("every_call: a call failed\n"); /* which is one */
}

static void test_system(void)
{
    test_model model;
    const char *name;
    long first = -1;
    for (int32_t i = 0; every_model_start(i, &model, &name); ++i) {
        for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
            every_call *const calls = every_call_prepare(&model, (rnnat_dtype)dtype);
            const long count = syscalls_of(do_and_confess, calls, &first);
            if (!CHECK_CASE(count == 0, name))
                fprintf(stderr, "%ld calls of the system, the first is number %ld\n", count, first);
            every_call_end(calls);
        }
        test_model_end(&model);
    }
    CHECK(syscalls_of(print, "never shown\n", &first) > 0 &&
          first >= 0); /* the watch itself works */
}

/* Before any thread is made: a child of fork has none. */
int main(void)
{
    const char *const why = syscalls_unwatched();
    if (why)
        printf("skipped: calls of the system, because %s\n", why);
    else
        test_system();
    test_heap();
    return check_result();
}
