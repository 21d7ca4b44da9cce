/* The calls of every model, in both precisions, stay within the stack that the documentation states:
 * what they touch of a thread's stack that was painted before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "every_call.h"
#include "every_model.h"

#ifdef RNNAT_STACK_BOUND
#include <pthread.h>

enum { STACK = 256 * 1024, PAINT = 0x5C };

static unsigned char *stack; /* grows down to here */
static uintptr_t entered;

static void *work(void *calls)
{
    volatile unsigned char here = 0;
    entered = (uintptr_t)&here;
    every_call_do(calls);
    return NULL;
}

/* Bytes below work's own frame that were written. */
static size_t touched_by(every_call *calls)
{
    pthread_attr_t attributes;
    pthread_t thread;
    memset(stack, PAINT, STACK);
    if (pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, stack, STACK) ||
        pthread_create(&thread, &attributes, work, calls) || pthread_join(thread, NULL))
        abort();
    (void)pthread_attr_destroy(&attributes);
    size_t low = 0;
    while (stack[low] == PAINT) ++low;
    return (size_t)(entered - (uintptr_t)(stack + low));
}

int main(void)
{
    test_model model;
    const char *name;
    size_t most = 0;
    void *block = NULL;
    if (posix_memalign(&block, 4096, STACK) != 0) abort();
    stack = block;
    for (int32_t i = 0; every_model_start(i, &model, &name); ++i) {
        for (int dtype = RNNAT_F32; dtype <= RNNAT_F64; ++dtype) {
            every_call *const calls = every_call_prepare(&model, (rnnat_dtype)dtype);
            every_call_do(calls); /* what is linked when it is first called, is now */
            const size_t touched = touched_by(calls);
            CHECK_CASE(every_call_right(calls) && touched <= RNNAT_STACK_BOUND, name);
            CHECK_CASE(touched > 256, name); /* the measure itself works */
            if (touched > most) most = touched;
            every_call_end(calls);
        }
        test_model_end(&model);
    }
    printf("at most %zu bytes of stack\n", most);
    free(block);
    return check_result();
}
#else
int main(void) { return 77; }
#endif
