# How the programs of tests/ are built, the instruction sets this CPU can run them with, and the
# check of the names that the library defines.
find_package(Threads REQUIRED)

# The thread sanitizer takes thirty times as long.
set(_brief OFF)
if(CMAKE_CROSSCOMPILING OR "thread" IN_LIST RNNAT_SANITIZE)
  set(_brief ON)
endif()
option(RNNAT_TEST_BRIEF "Fewer cases in the tests that take long" ${_brief})

# rnnat_test_program(<name> <source>...): links the core and sees its own headers too.
function(rnnat_test_program name)
  add_executable(${name} ${ARGN})
  rnnat_flags(${name})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/src"
                                             "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_definitions(${name} PRIVATE
    "$<TARGET_PROPERTY:rnn_native_core,COMPILE_DEFINITIONS>" _POSIX_C_SOURCE=200809L "RNNAT_TEST_BRIEF=$<BOOL:${RNNAT_TEST_BRIEF}>")
  target_link_libraries(${name} PRIVATE rnn_native_core Threads::Threads m)
  if(RNNAT_GNU_LIKE)
    target_compile_options(${name} PRIVATE -UNDEBUG) # assert is a check here
  endif()
endfunction()

# rnnat_cpu_has(<variable> <feature>...): asks the CPU, by the compiler's names
include(CheckCSourceRuns)
function(rnnat_cpu_has variable)
  if(CMAKE_CROSSCOMPILING)
    set(${variable} FALSE PARENT_SCOPE)
    return()
  endif()
  list(TRANSFORM ARGN REPLACE "(.+)" "__builtin_cpu_supports(\"\\1\")")
  list(JOIN ARGN " && " supported)
  check_c_source_runs("int main(void) { __builtin_cpu_init(); return !(${supported}); }"
                      ${variable})
endfunction()

# RNNAT_TEST_ISAS: those compiled in that this CPU has
set(RNNAT_TEST_ISAS ${RNNAT_ISAS})
if(avx2 IN_LIST RNNAT_ISAS)
  rnnat_cpu_has(RNNAT_CPU_HAS_AVX2 avx2 fma)
  if(NOT RNNAT_CPU_HAS_AVX2)
    list(REMOVE_ITEM RNNAT_TEST_ISAS avx2)
  endif()
endif()
if(avx512 IN_LIST RNNAT_ISAS)
  rnnat_cpu_has(RNNAT_CPU_HAS_AVX512 avx512f avx512vl avx512dq avx512bw fma)
  if(NOT RNNAT_CPU_HAS_AVX512)
    list(REMOVE_ITEM RNNAT_TEST_ISAS avx512)
  endif()
endif()
if(avx512_amx IN_LIST RNNAT_ISAS)
  rnnat_cpu_has(RNNAT_CPU_HAS_AMX avx512f avx512vl avx512dq avx512bw fma avx512vnni amx-tile amx-int8)
  if(NOT RNNAT_CPU_HAS_AMX)
    list(REMOVE_ITEM RNNAT_TEST_ISAS avx512_amx)
  endif()
endif()

if(CMAKE_NM AND NOT RNNAT_SANITIZE) # sanitizers add names of their own
  add_test(NAME symbols COMMAND "${CMAKE_COMMAND}" -DNM=${CMAKE_NM}
    -DLIBRARY=$<TARGET_FILE:rnn_native_core> -P "${PROJECT_SOURCE_DIR}/cmake/check_symbols.cmake")
endif()

# ---- what may be known of the core without running it ----
find_package(Python3 COMPONENTS Interpreter)
set(_objects $<TARGET_OBJECTS:rnn_native_core>)

# Bytes of stack that it may take, on any instruction set: counted here, measured by test_stack.c.
# Of code to be run: sanitizers' and -O0's takes more.
set(RNNAT_STACK_BOUND)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT RNNAT_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(RNNAT_STACK_BOUND 16384)
  target_compile_options(rnn_native_core PRIVATE -fstack-usage)
  if(CMAKE_OBJDUMP AND Python3_FOUND AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|aarch64|^arm")
    add_test(NAME stack_bound COMMAND "${Python3_EXECUTABLE}"
      "${PROJECT_SOURCE_DIR}/tools/stack_bound.py" --objdump ${CMAKE_OBJDUMP}
      --most ${RNNAT_STACK_BOUND} ${_objects} COMMAND_EXPAND_LISTS)
  endif()
endif()

# What its sources call outside of it.
if(CMAKE_NM AND UNIX AND NOT APPLE AND NOT RNNAT_SANITIZE)
  add_test(NAME imports COMMAND "${CMAKE_COMMAND}" -DNM=${CMAKE_NM} "-DOBJECTS=${_objects}"
    -P "${PROJECT_SOURCE_DIR}/cmake/check_imports.cmake")
endif()
