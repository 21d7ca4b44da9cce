/* Steps an exported model and prints how many instructions each step takes. For tools/cortex_m_steps.py,
 * where QEMU counts them: with `-icount shift=10` each takes 1024 ns of the time that the board's timer
 * counts in ticks of 40 ns. Loops of a known count come first, to show that this is so. */
#include "model.h"
#include "startup.h"

enum { steps = 20 };

/* The first timer of QEMU's board mps2-an386, which counts down. */
static volatile uint32_t *const timer = (volatile uint32_t *)0x40000000;
enum { timer_control = 0, timer_value = 1, timer_reload = 2 };

static uint32_t now(void) { return ~timer[timer_value]; }

/* How many instructions took `ticks`: 25.6 of these each. */
static uint32_t instructions(uint32_t ticks)
{
    return (uint32_t)(((uint64_t)ticks * 10 + 128) / 256);
}

/* 2 `turns` and a few instructions. */
static void turn(uint32_t turns)
{
    __asm__ volatile("1: subs %0, %0, #1\n\tbne 1b" : "+r"(turns) : : "cc");
}

int main(void)
{
    static float x[MODEL_INPUT_SIZE], y[MODEL_OUTPUT_SIZE];
    timer[timer_reload] = UINT32_MAX;
    timer[timer_value] = UINT32_MAX;
    timer[timer_control] = 1;
    const uint32_t begin = now(), alone = now() - begin;
    for (uint32_t turns = 1; turns < 1000000; turns = turns * 9 + 1) {
        const uint32_t start = now();
        turn(turns);
        const uint32_t took = now() - start - alone;
        put_text("loop ");
        put_number(2 * turns);
        put_text(" ");
        put_number(instructions(took));
        put_text("\n");
    }
    for (int step = 0; step < steps; ++step) {
        for (int i = 0; i < MODEL_INPUT_SIZE; ++i)
            x[i] = (float)((step * 31 + i * 17) % 64 - 32) / 64;
        const uint32_t start = now();
        const rnnat_status status = model_step(x, y);
        const uint32_t took = now() - start - alone;
        if (status != RNNAT_OK) return 1;
        put_text("step ");
        put_number(instructions(took));
        put_text("\n");
    }
    put_text("weights ");
    put_number(MODEL_WEIGHT_BYTES);
    put_text("\nstack ");
    put_number(stack_used());
    put_text("\n");
    return 0;
}
