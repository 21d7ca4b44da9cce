# The Python extension rnn_native._core, built only inside a Python build (scikit-build-core).
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module NumPy)

set(_core_c "${CMAKE_CURRENT_BINARY_DIR}/_core.c")
add_custom_command(
  OUTPUT "${_core_c}"
  COMMAND "${Python_EXECUTABLE}" -m cython -3 -M "${PROJECT_SOURCE_DIR}/rnn_native/_core.pyx"
          --output-file "${_core_c}"
  DEPENDS rnn_native/_core.pyx
  DEPFILE "${_core_c}.dep"
  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
  COMMENT "Cython: rnn_native/_core.pyx"
  VERBATIM)

# The generated C is not ours: none of rnnat_flags' warnings. It calls the core and computes nothing:
# -O2 makes a sixth less of it than -O3, and calls are as fast (with -Os a stream.step takes 6 % longer).
python_add_library(_core MODULE "${_core_c}" WITH_SOABI)
if(RNNAT_GNU_LIKE)
  target_compile_options(_core PRIVATE "$<$<NOT:$<CONFIG:Debug>>:-O2>")
endif()
target_compile_features(_core PRIVATE c_std_11)
set_target_properties(_core PROPERTIES C_VISIBILITY_PRESET hidden)
target_include_directories(_core PRIVATE src)
target_compile_definitions(_core PRIVATE
  "$<TARGET_PROPERTY:rnn_native_core,COMPILE_DEFINITIONS>"
  NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION
  NPY_TARGET_VERSION=NPY_2_0_API_VERSION)
target_link_libraries(_core PRIVATE rnn_native_core Python::NumPy)
install(TARGETS _core DESTINATION rnn_native)

# The library as C files, which `rnn-native export-c` copies.
set(_embedded "${CMAKE_CURRENT_BINARY_DIR}/embedded")
set(_pair "${_embedded}/rnn_native.c" "${_embedded}/rnn_native.h"
          "${_embedded}/rnn_native_internal.h")
rnnat_amalgamate("${Python_EXECUTABLE}" "${_embedded}" "${_pair}")
# xz makes a fifth of it of what a wheel's own compression does.
set(_packed "${_embedded}/rnn_native.c.xz")
add_custom_command(
  OUTPUT "${_packed}"
  COMMAND "${Python_EXECUTABLE}" -c
          "import lzma, sys; a, b = sys.argv[1:]; open(b, 'wb').write(lzma.compress(open(a, 'rb').read(), preset=9))"
          "${_embedded}/rnn_native.c" "${_packed}"
  DEPENDS ${_pair}
  COMMENT "${_packed}"
  VERBATIM)
add_custom_target(embedded ALL DEPENDS "${_packed}")
install(FILES "${_packed}" "${_embedded}/rnn_native.h" "${_embedded}/rnn_native_internal.h"
        DESTINATION rnn_native/embedded)
