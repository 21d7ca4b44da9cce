// main VERSION: the header is C++ as well, and the library links and tells its version.
#include <cstring>

#include "rnn_native.h"

int main(int argc, char **argv)
{
    rnnat_run run = {};
    std::size_t need = 0;
    run.struct_size = sizeof run;
    const bool refused = rnnat_model_run_size(nullptr, &run, &need) == RNNAT_ERROR_ARGUMENT;
    return argc == 2 && refused && std::strcmp(rnnat_version(), argv[1]) == 0 ? 0 : 1;
}
