/* Runs of models with several inputs or outputs: rows of different lengths at once are each row
 * alone and, where there is one, its stream, in outputs and states. */
#include "graph_calls.h"

#include "values.h"

enum { TIME = 5, BATCH = 2 };

void fuzz_run_graph(const fuzz_model *model)
{
    const int32_t lengths[BATCH] = {TIME, TIME - 2};
    fuzz_input none = {NULL, NULL};
    if (!fuzz_values_fit(model)) return;
    fuzz_values all = fuzz_values_take(model, TIME, BATCH, false);
    fuzz_values_choose(&none, model, &all);
    fuzz_values_run(model, &all, NULL, lengths, 2);
    for (int32_t b = 0; b < BATCH; ++b) {
        fuzz_values alone = fuzz_values_row(model, &all, b, lengths[b]);
        fuzz_values_run(model, &alone, NULL, NULL, 1);
        fuzz_values_compare(model, &all, b, &alone, all.states);
        for (int32_t piece = 1; model->info.streamable && piece <= 2; ++piece) {
            fuzz_values_stream(model, &alone, NULL, piece);
            fuzz_values_compare(model, &all, b, &alone, all.states);
        }
        fuzz_values_end(model, &alone);
    }
    fuzz_values_end(model, &all);
}
