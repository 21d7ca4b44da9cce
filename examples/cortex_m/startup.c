/* What runs before main on a Cortex-M4F or M7, and the few words to the debugger (Arm's semihosting)
 * with which a program under QEMU prints and ends. No C library start-up, no heap. */
#include "startup.h"

#include <string.h>

extern uint32_t link_data_from[], link_data[], link_data_end[], link_bss[], link_bss_end[];
extern uint32_t link_stack[], link_stack_top[];

static const uint32_t painted = 0xc0ffee11;

static uintptr_t semihost(uintptr_t operation, const void *argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void put_text(const char *text) { (void)semihost(0x04 /* SYS_WRITE0 */, text); }

void put_hex(uint32_t value)
{
    char text[11] = "0x";
    for (int i = 0; i < 8; ++i) text[2 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    text[10] = '\0';
    put_text(text);
}

void put_number(uint32_t value)
{
    char text[11], *at = text + 10;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put_text(at);
}

_Noreturn void leave(int status)
{
    const uintptr_t block[] = {0x20026 /* ADP_Stopped_ApplicationExit */, (uintptr_t)status};
    for (;;) (void)semihost(0x20 /* SYS_EXIT_EXTENDED */, block);
}

uint32_t stack_used(void)
{
    const uint32_t *at = link_stack;
    while (at < link_stack_top && *at == painted) ++at;
    return (uint32_t)((const char *)link_stack_top - (const char *)at);
}

static _Noreturn void reset(void)
{
    volatile uint32_t *const cpacr = (volatile uint32_t *)0xe000ed88;
    *cpacr |= 0xfu << 20; /* the FPU: coprocessors 10 and 11 */
    __asm__ volatile("dsb\n\tisb" : : : "memory");
    for (volatile uint32_t *at = link_stack; at < (uint32_t *)__builtin_frame_address(0) - 32; ++at)
        *at = painted;
    memcpy(link_data, link_data_from, (size_t)((char *)link_data_end - (char *)link_data));
    memset(link_bss, 0, (size_t)((char *)link_bss_end - (char *)link_bss));
    leave(main());
}

static _Noreturn void fault(void)
{
    put_text("fault\n");
    leave(3);
}

/* The initial stack pointer, then where to go: at reset, and at the faults. */
__attribute__((section(".vectors"), used)) static const struct {
    const void *stack;
    void (*handlers[15])(void);
} vectors = {link_stack_top, {reset, fault, fault, fault, fault, fault}};
