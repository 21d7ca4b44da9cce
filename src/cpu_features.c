/* Asks the CPU, and the operating system, which vectors can be calculated with. */
#include "cpu_features.h"

#include "config.h"

#if defined(RNNAT_HAVE_AVX2) || defined(RNNAT_HAVE_AVX512)
#include <cpuid.h>
#include <stdint.h>

/* State components that the operating system saves: XCR0. The instruction exists only where
 * OSXSAVE is set. */
static uint64_t saved_state(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return ((uint64_t)d << 32) | a;
}

static bool saves(uint64_t components) { return (saved_state() & components) == components; }

bool rnnat_cpu_has_avx2(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_AVX) || !(c & bit_F16C))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return false;
    return saves(0x6); /* xmm, ymm */
}

bool rnnat_cpu_has_avx512(void)
{
    const uint32_t need = bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW;
    uint32_t a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & need) != need) return false;
    return rnnat_cpu_has_avx2() && saves(0xe6); /* xmm, ymm, opmask, zmm */
}

/* Bits of leaf 7's second part, which the first one says whether there is. */
static uint32_t second_part(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || a == 0) return 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) ? a : 0;
}

bool rnnat_cpu_has_avxvnni(void) { return second_part() >> 4 & 1; }
bool rnnat_cpu_has_avx512bf16(void) { return second_part() >> 5 & 1; }
bool rnnat_cpu_has_avx512vnni(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c >> 11 & 1;
}

#ifdef RNNAT_HAVE_AMX
bool rnnat_cpu_has_amx(void)
{
    uint32_t a, b, c, d;
    if (!rnnat_cpu_has_avx512() || !rnnat_cpu_has_avx512vnni()) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d >> 24 & 3) != 3) return false;
    return saves(0x60000); /* the shapes of tiles, and tiles */
}

/* The system call itself: no library is sure to have a function for it. */
bool rnnat_cpu_permits_amx(void)
{
    enum { arch_prctl = 158, request_permission = 0x1023, tiles = 18 };
    long status = arch_prctl;
    __asm__ volatile("syscall"
                     : "+a"(status)
                     : "D"((long)request_permission), "S"((long)tiles)
                     : "rcx", "r11", "memory");
    return status == 0;
}
#endif
#endif

#ifdef RNNAT_HAVE_NEON
#if defined(__arm__) && defined(__linux__)
#include <sys/auxv.h>

bool rnnat_cpu_has_neon(void)
{
    const unsigned long neon = 1ul << 12, vfpv4 = 1ul << 16; /* asm/hwcap.h */
    const unsigned long has = getauxval(AT_HWCAP);
    return (has & neon) && (has & vfpv4);
}
#else /* a part of AArch64, and of an Armv7-A that nobody can be asked about */
bool rnnat_cpu_has_neon(void) { return true; }
#endif
#endif

/* Beside AArch64's NEON. */
#if defined(RNNAT_HAVE_NEON) && defined(__aarch64__) && (RNNAT_WITH_INT8 || RNNAT_WITH_BFLOAT16)
#if defined(__linux__)
#include <sys/auxv.h>

/* Bits of asm/hwcap.h. */
bool rnnat_cpu_has_dotprod(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
bool rnnat_cpu_has_i8mm(void) { return getauxval(AT_HWCAP2) >> 13 & 1; }
bool rnnat_cpu_has_bf16(void) { return getauxval(AT_HWCAP2) >> 14 & 1; }
#elif defined(__APPLE__)
#include <sys/sysctl.h>

static bool system_tells(const char *name)
{
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname(name, &has, &size, NULL, 0) == 0 && has;
}
bool rnnat_cpu_has_dotprod(void) { return system_tells("hw.optional.arm.FEAT_DotProd"); }
bool rnnat_cpu_has_i8mm(void) { return system_tells("hw.optional.arm.FEAT_I8MM"); }
bool rnnat_cpu_has_bf16(void) { return system_tells("hw.optional.arm.FEAT_BF16"); }
#else /* what the compiler was told to use */
#ifdef __ARM_FEATURE_DOTPROD
bool rnnat_cpu_has_dotprod(void) { return true; }
#else
bool rnnat_cpu_has_dotprod(void) { return false; }
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
bool rnnat_cpu_has_i8mm(void) { return true; }
#else
bool rnnat_cpu_has_i8mm(void) { return false; }
#endif
#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
bool rnnat_cpu_has_bf16(void) { return true; }
#else
bool rnnat_cpu_has_bf16(void) { return false; }
#endif
#endif
#endif
