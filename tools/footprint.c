/* Prints the bytes of a model and of a stream of it, one row and one step at a time, as the library
 * states them: for a GRU of 256 units on 256 features, as g2p_en's encoder is, then for one of 16 on
 * 16. For tools/size_table.py. */
#include "one_layer.h"
#include "rnn_native.h"

static void check(rnnat_status status)
{
    if (status == RNNAT_OK) return;
    fprintf(stderr, "footprint: %s\n", rnnat_status_name(status));
    exit(1);
}

int main(void)
{
    static const int units[] = {256, 16};
    for (int i = 0; i < 2; ++i) {
        size_t size, model_bytes, stream_bytes;
        char *const file = one_layer("gru", units[i], &size);
        rnnat_model *model;
        check(rnnat_model_size(file, size, NULL, &model_bytes));
        void *const memory = malloc(model_bytes);
        if (!memory) return 1;
        check(rnnat_model_init(memory, model_bytes, file, size, NULL, &model));
        check(rnnat_stream_size(model, 1, 1, &stream_bytes));
        printf("%lu %lu\n", (unsigned long)model_bytes, (unsigned long)stream_bytes);
        free(memory);
        free(file);
    }
    return 0;
}
