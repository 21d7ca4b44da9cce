/* Finds the instruction sets that were compiled and that this CPU runs, and chooses one. */
#include "dispatch.h"

#include "cpu_features.h"
#include "text.h"
#include "threads/atomics.h"
#if RNNAT_ENV
#include <stdlib.h>
#endif

#if !RNNAT_BASELINE && !defined(RNNAT_HAVE_NEON) && !defined(RNNAT_HAVE_AVX2) &&                   \
    !defined(RNNAT_HAVE_AVX512)
#error "RNNAT_BASELINE=0: expected another instruction set, got none"
#endif

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
    {"neon", NULL, always},
#endif
#ifdef RNNAT_HAVE_AVX2
    {"avx2", rnnat_kernels_avx2, rnnat_cpu_has_avx2},
#else
    {"avx2", NULL, always},
#endif
#ifdef RNNAT_HAVE_AVX512
    {"avx512", rnnat_kernels_avx512, rnnat_cpu_has_avx512},
#else
    {"avx512", NULL, always},
#endif
#ifdef RNNAT_HAVE_AMX
    {"avx512_amx", rnnat_kernels_avx512_amx, rnnat_cpu_has_amx},
#elif !RNNAT_SMALL
    {"avx512_amx", NULL, always},
#endif
};
enum { num_isas = sizeof isas / sizeof isas[0] };

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
        if (!rnnat_text_is(entry.name, rnnat_text_size(entry.name), name)) continue;
        if (!entry.available) return RNNAT_ERROR_UNSUPPORTED;
        *kernels = entry.kernels;
        return RNNAT_OK;
    }
    return RNNAT_ERROR_ARGUMENT;
}

/* The best one that this CPU runs, or NULL. */
static const rnnat_kernels *best(void)
{
    const rnnat_kernels *kernels = NULL;
    rnnat_isa_entry entry;
    for (int32_t i = 0; rnnat_isa_at(i, &entry); ++i)
        if (entry.available) kernels = entry.kernels;
    return kernels;
}

#if RNNAT_ENV || RNNAT_BASELINE + defined(RNNAT_HAVE_NEON) + defined(RNNAT_HAVE_AVX2) +            \
                         defined(RNNAT_HAVE_AVX512) >                                              \
                     1
static RNNAT_ATOMIC(const rnnat_kernels *) current;

rnnat_status rnnat_isa_use(const char *name)
{
    const rnnat_kernels *kernels = NULL;
    const rnnat_status status = find(name, &kernels);
    if (status == RNNAT_OK) atomic_store(&current, kernels);
    return status;
}

static const char *wanted_isa(void)
{
#if RNNAT_ENV
    return getenv("RNN_NATIVE_ISA");
#else
    return NULL;
#endif
}

const rnnat_kernels *rnnat_isa_current(rnnat_status *status)
{
    const rnnat_kernels *kernels = atomic_load(&current);
    *status = RNNAT_OK;
    if (kernels) return kernels;
    const char *const wanted = wanted_isa();
    if (wanted && *wanted)
        *status = find(wanted, &kernels);
    else if (!(kernels = best()))
        *status = RNNAT_ERROR_UNSUPPORTED;
    if (*status == RNNAT_OK) atomic_store(&current, kernels);
    return kernels;
}
#else /* one set, and nobody who asks for another: nothing to remember */
rnnat_status rnnat_isa_use(const char *name)
{
    const rnnat_kernels *kernels;
    return find(name, &kernels);
}

const rnnat_kernels *rnnat_isa_current(rnnat_status *status)
{
    const rnnat_kernels *const kernels = best();
    *status = kernels ? RNNAT_OK : RNNAT_ERROR_UNSUPPORTED;
    return kernels;
}
#endif
