/* A recurrent network of one unit in memory of this program: y = tanh(0.25 x + 0.75 y'), which
 * smooths a sensor. Put the bytes of your own .safetensors file into model.h (`xxd -i`), and its
 * sizes here. */
#ifndef SMOOTHER_H
#define SMOOTHER_H

#include "model.h"
#include "rnn_native.h"

enum { SMOOTHER_INPUTS = 1, SMOOTHER_OUTPUTS = 1 };

/* What is too little is RNNAT_ERROR_TOO_SMALL; rnnat_model_size and rnnat_stream_size say the
 * need. */
static unsigned char smoother_model_memory[4096];
static unsigned char smoother_stream_memory[4096];
static rnnat_stream *smoother_stream;

/* Makes model and stream; no heap is used. */
static rnnat_status smoother_begin(void)
{
    rnnat_model *model = NULL;
    const rnnat_status status =
        rnnat_model_init(smoother_model_memory, sizeof smoother_model_memory, model_file,
                         sizeof model_file, NULL, &model);
    if (status != RNNAT_OK) return status;
    return rnnat_stream_init(smoother_stream_memory, sizeof smoother_stream_memory, model, 1, 1,
                             &smoother_stream);
}

/* One step: x [SMOOTHER_INPUTS] -> y [SMOOTHER_OUTPUTS]. */
static rnnat_status smoother_step(const float *x, float *y)
{
    return rnnat_stream_run(smoother_stream, x, 1, y);
}

#endif
