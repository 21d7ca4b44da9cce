# Kernels of one instruction set: compiled where the target and the compiler have it, each file
# with flags of its own, and announced to dispatch.c by RNNAT_HAVE_<ISA>.
include(CheckCSourceCompiles)

set(_rnnat_probe_AVX2 "
#if !defined(__x86_64__)
#error not x86-64
#endif
#include <immintrin.h>
int main(void) {
  __m256 a = _mm256_set1_ps(1.0f);
  a = _mm256_fmadd_ps(a, a, a);
  return _mm256_extract_epi32(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(a)), 0);
}")
set(_rnnat_probe_AVX512 "
#if !defined(__x86_64__)
#error not x86-64
#endif
#include <immintrin.h>
int main(void) {
  __m512 a = _mm512_and_ps(_mm512_set1_ps(1.0f), _mm512_set1_ps(2.0f)); /* DQ */
  __m256 b = _mm256_maskz_mov_ps(1, _mm512_castps512_ps256(a));         /* VL */
  return (int)_mm512_cmpeq_epi8_mask(_mm512_castps_si512(a), _mm512_castps_si512(a)) /* BW */
         + _mm256_movemask_ps(b);
}")
set(_rnnat_probe_NEON "
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' /* GCC would compile it */
#error a microcontroller
#endif
#include <arm_neon.h>
int main(void) {
  float32x4_t a = vdupq_n_f32(1.0f);
  return (int)vgetq_lane_f32(vfmaq_f32(a, a, a), 0);
}")

# No flags: its instructions are assembly, of products that need AVX-512's of four integers at once.
set(_rnnat_probe_AMX "
#if !defined(__x86_64__) || defined(__ILP32__) || !defined(__linux__)
#error not x86-64, or no kernel that is asked for it like Linux
#endif
#if !defined(__clang__) && __GNUC__ < 9
#error too old for AVX512_VNNI
#endif
int main(void) {
  __asm__ volatile(\"tdpbusd %%tmm2, %%tmm1, %%tmm0\" : : : \"memory\");
  return 0;
}")

# A kernel's block is one long stretch of independent sums: GCC orders such a stretch before it
# gives out registers only where it is told to.
# The few shapes of small builds gain nothing by it.
# Sanitizers check every load and store of it, which takes minutes to compile: the undefined-behaviour
# one leaves null, wrapped and overrun pointers to the address sanitizer, which sees where they lead.
set(RNNAT_KERNEL_FLAGS "")
if(RNNAT_SMALL AND RNNAT_GNU_LIKE AND NOT RNNAT_SANITIZE)
  set(RNNAT_KERNEL_FLAGS "$<$<NOT:$<CONFIG:Debug>>:-O2>")
elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT RNNAT_SANITIZE)
  set(RNNAT_KERNEL_FLAGS -fschedule-insns -fsched-pressure)
elseif(RNNAT_GNU_LIKE AND "address" IN_LIST RNNAT_SANITIZE AND "undefined" IN_LIST RNNAT_SANITIZE)
  set(RNNAT_KERNEL_FLAGS -g1 -fno-sanitize=null,object-size,pointer-overflow)
endif()
set_source_files_properties(src/kernels/kernels_baseline.c PROPERTIES
  COMPILE_OPTIONS "${RNNAT_KERNEL_FLAGS}")

set(RNNAT_ISAS) # compiled in, by the names that RNN_NATIVE_ISA takes

# rnnat_add_isa(<ISA> <wanted> <source> [FLAGS <flag>...])
function(rnnat_add_isa isa wanted source)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "FLAGS")
  set(found FALSE)
  if(wanted)
    list(JOIN arg_FLAGS " " CMAKE_REQUIRED_FLAGS)
    check_c_source_compiles("${_rnnat_probe_${isa}}" RNNAT_COMPILES_${isa})
    set(found ${RNNAT_COMPILES_${isa}})
  endif()
  if(NOT found)
    return()
  endif()
  target_sources(rnn_native_core PRIVATE ${source})
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${arg_FLAGS};${RNNAT_KERNEL_FLAGS}")
  target_compile_definitions(rnn_native_core PRIVATE RNNAT_HAVE_${isa})
  string(TOLOWER ${isa} name)
  set(RNNAT_ISAS ${RNNAT_ISAS} ${name} PARENT_SCOPE)
  set(RNNAT_FLAGS_${isa} ${arg_FLAGS} PARENT_SCOPE)
endfunction()

# rnnat_add_amx(<wanted>): what AVX-512's kernels have of it.
function(rnnat_add_amx wanted)
  if(NOT wanted OR NOT avx512 IN_LIST RNNAT_ISAS OR RNNAT_SMALL OR NOT RNNAT_WITH_INT8)
    return()
  endif()
  check_c_source_compiles("${_rnnat_probe_AMX}" RNNAT_COMPILES_AMX)
  if(RNNAT_COMPILES_AMX)
    target_compile_definitions(rnn_native_core PRIVATE RNNAT_HAVE_AMX)
    set(RNNAT_ISAS ${RNNAT_ISAS} avx512_amx PARENT_SCOPE)
  endif()
endfunction()
