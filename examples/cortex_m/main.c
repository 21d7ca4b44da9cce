/* Steps an exported model and prints every output's bits, one step a line. The input is made up: it
 * stands for a sensor, and a test makes the same up again. */
#include <string.h>

#include "model.h"
#include "startup.h"

#ifndef MODEL_INPUT_SIZE
#error "expected a model of one input and one output, got one of several"
#endif
#ifndef MODEL_STREAM_BYTES
#error "expected a model that streams, got one with a layer that runs backwards"
#endif
_Static_assert(_Generic(model_step, rnnat_status (*)(const float *, float *): 1, default: 0),
               "expected a model of features in float32, got one of indices or in float64");

enum { steps = 20 };

int main(void)
{
    static float x[MODEL_BATCH * MODEL_INPUT_SIZE], y[MODEL_BATCH * MODEL_OUTPUT_SIZE];
    for (int step = 0; step < steps; ++step) {
        for (int i = 0; i < MODEL_BATCH * MODEL_INPUT_SIZE; ++i)
            x[i] = (float)((step * 31 + i * 17) % 64 - 32) / 16;
        if (model_step(x, y) != RNNAT_OK) return 1;
        for (int i = 0; i < MODEL_BATCH * MODEL_OUTPUT_SIZE; ++i) {
            uint32_t bits;
            memcpy(&bits, &y[i], sizeof bits);
            put_hex(bits);
            put_text(i + 1 < MODEL_BATCH * MODEL_OUTPUT_SIZE ? " " : "\n");
        }
    }
    put_text("stack ");
    put_number(stack_used());
    put_text("\n");
    return 0;
}
