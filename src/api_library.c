/* The public functions of the library itself: names of status codes, version, instruction set. */
#include "dispatch.h"

const char *rnnat_status_name(rnnat_status status)
{
    static const char *const names[] = {
        "RNNAT_OK",
        "RNNAT_ERROR_ARGUMENT",
        "RNNAT_ERROR_FORMAT",
        "RNNAT_ERROR_UNSUPPORTED",
        "RNNAT_ERROR_SHAPE",
        "RNNAT_ERROR_NOT_FOUND",
        "RNNAT_ERROR_OVERFLOW",
        "RNNAT_ERROR_NO_MEMORY",
        "RNNAT_ERROR_TOO_SMALL",
        "RNNAT_ERROR_IO",
        "RNNAT_ERROR_DTYPE",
        "RNNAT_ERROR_LENGTH",
        "RNNAT_ERROR_INDEX",
        "RNNAT_ERROR_INPUT",
        "RNNAT_ERROR_ID",
        "RNNAT_ERROR_FULL",
        "RNNAT_ERROR_MODEL",
    };
    const size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "RNNAT_ERROR_UNKNOWN";
}

const char *rnnat_version(void) { return RNNAT_VERSION; }

const char *rnnat_isa(void)
{
    rnnat_status status;
    const rnnat_kernels *const kernels = rnnat_isa_current(&status);
    return kernels ? kernels->isa : "none";
}
