# Compiler flags of the project's own C, and the sanitizers.

set(RNNAT_GNU_LIKE FALSE)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  set(RNNAT_GNU_LIKE TRUE)
endif()

# Whoever compiles what is copied into a project may have any of these on: they hold for the library, for
# the pair of tools/amalgamate.py and for exported C (tests/python/exported.py).
set(RNNAT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wcast-qual -Wconversion -Wundef -Wvla
    -Wstrict-prototypes -Wmissing-prototypes -Wredundant-decls -Wpointer-arith)

# rnnat_flags(<target>): the language, optimisation, floating-point rules and warnings. C11 is no wish
# of the library's to whoever links it: a project in C++ alone knows no standard of C, and the header is
# both.
# A product and a sum are never fused behind our back (-ffp-contract=off): the same row must
# give the same bits in every kernel that an instruction set compiles. Errno and floating-point
# traps are nothing the library promises, and they would keep loops from vectorising. A small build
# has no tables for unwinding its stack, and a linker with --gc-sections drops what is not called.
function(rnnat_flags target)
  target_compile_features(${target} PRIVATE c_std_11)
  set_target_properties(${target} PROPERTIES C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
  if(NOT RNNAT_GNU_LIKE)
    return()
  endif()
  set(optimise -O3)
  if(RNNAT_SMALL) # the kernels have flags of their own
    set(optimise -Os -ffunction-sections -fno-asynchronous-unwind-tables -fno-unwind-tables)
  endif()
  if(RNNAT_SANITIZE)
    set(optimise -O1) # the kernels, instrumented, would take minutes to compile
  endif()
  set(floats -ffp-contract=off -fno-math-errno -fno-trapping-math)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^s390")
    list(APPEND floats -fexcess-precision=fast) # where C11 has GCC calculate floats in double
  endif()
  target_compile_options(${target} PRIVATE
    "$<$<NOT:$<CONFIG:Debug>>:${optimise}>" ${floats}
    ${RNNAT_WARNINGS} "$<$<BOOL:${RNNAT_WERROR}>:-Werror>")
endfunction()

# rnnat_sanitize(<target>): RNNAT_SANITIZE for the target and for whatever links it. The first
# report ends the program, so that no test passes over it.
function(rnnat_sanitize target)
  if(NOT RNNAT_SANITIZE)
    return()
  endif()
  list(JOIN RNNAT_SANITIZE "," sanitizers)
  set(flags -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND "undefined" IN_LIST RNNAT_SANITIZE)
    list(APPEND flags -fno-sanitize=pointer-overflow) # it too takes minutes in the kernels
  endif()
  target_compile_options(${target} PUBLIC ${flags})
  target_link_options(${target} PUBLIC ${flags})
endfunction()
