#include "dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_features.h"

static bool always(void) { return true; }

/* One row for each instruction set, best last. */
static const struct {
    const char *name;
    const rnnat_kernels *kernels;
    bool (*available)(void);
} isas[] = {
#if RNNAT_BASELINE
    {"baseline", rnnat_kernels_baseline, always},
#else
    {"baseline", NULL, always},
#endif
#ifdef RNNAT_HAVE_NEON
    {"neon", rnnat_kernels_neon, rnnat_cpu_has_neon},
#else
    {"neon", NULL, rnnat_cpu_has_neon},
#endif
#ifdef RNNAT_HAVE_AVX2
    {"avx2", rnnat_kernels_avx2, rnnat_cpu_has_avx2},
#else
    {"avx2", NULL, rnnat_cpu_has_avx2},
#endif
#ifdef RNNAT_HAVE_AVX512
    {"avx512", rnnat_kernels_avx512, rnnat_cpu_has_avx512},
#else
    {"avx512", NULL, rnnat_cpu_has_avx512},
#endif
};
enum { num_isas = sizeof isas / sizeof isas[0] };

static _Atomic(const rnnat_kernels *) current;

int32_t rnnat_isa_at(int32_t index, rnnat_isa_entry *entry)
{
    if (index < 0 || index >= num_isas) return 0;
    *entry = (rnnat_isa_entry){.name = isas[index].name,
                               .kernels = isas[index].kernels,
                               .available = isas[index].kernels && isas[index].available()};
    return 1;
}

static rnnat_status find(const char *name, const rnnat_kernels **kernels)
{
    rnnat_isa_entry entry;
    for (int32_t i = 0; rnnat_isa_at(i, &entry); ++i) {
        if (strcmp(entry.name, name) != 0) continue;
        if (!entry.available) return RNNAT_ERROR_UNSUPPORTED;
        *kernels = entry.kernels;
        return RNNAT_OK;
    }
    return RNNAT_ERROR_ARGUMENT;
}

rnnat_status rnnat_isa_use(const char *name)
{
    const rnnat_kernels *kernels = NULL;
    const rnnat_status status = find(name, &kernels);
    if (status == RNNAT_OK) atomic_store(&current, kernels);
    return status;
}

const rnnat_kernels *rnnat_isa_current(rnnat_status *status)
{
    const rnnat_kernels *kernels = atomic_load(&current);
    *status = RNNAT_OK;
    if (kernels) return kernels;
    const char *const wanted = getenv("RNN_NATIVE_ISA");
    if (wanted && *wanted) {
        *status = find(wanted, &kernels);
    } else {
        rnnat_isa_entry entry;
        for (int32_t i = 0; rnnat_isa_at(i, &entry); ++i)
            if (entry.available) kernels = entry.kernels;
        if (!kernels) *status = RNNAT_ERROR_UNSUPPORTED;
    }
    if (*status == RNNAT_OK) atomic_store(&current, kernels);
    return kernels;
}
