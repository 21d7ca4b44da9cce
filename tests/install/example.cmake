# cmake -DPREFIX= -DWORK= -DWAY=<cmake|pkg-config> -DLIBRARY=<static|shared> ... -P example.cmake
# Builds examples/embedded_c from what is installed in PREFIX and compares what its programs print.
set(_build "${WORK}/${WAY}.${LIBRARY}")
file(REMOVE_RECURSE "${_build}")
file(MAKE_DIRECTORY "${_build}")
if(WAY STREQUAL "cmake")
  set(_shared OFF)
  if(LIBRARY STREQUAL "shared")
    set(_shared ON)
  endif()
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${EXAMPLE}" -B "${_build}" -G "${GENERATOR}"
    "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DCMAKE_C_COMPILER=${COMPILER}"
    "-Drnn_native_ROOT=${PREFIX}" "-DCMAKE_BUILD_TYPE=${CONFIG}" -DSHARED=${_shared}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${_build}"
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
else()
  set(_package rnn_native)
  if(LIBRARY STREQUAL "static")
    set(_package rnn_native-static)
  endif()
  execute_process(COMMAND "${MAKE}" -C "${EXAMPLE}" "CC=${COMPILER}" "BUILD=${_build}"
    "PKG_CONFIG_PATH=${PREFIX}/${LIBDIR}/pkgconfig" "PACKAGE=${_package}"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endif()

file(READ "${WORK}/expected.txt" _expected)
if(LIBRARY STREQUAL "shared")
  set(ENV{LD_LIBRARY_PATH} "${PREFIX}/${LIBDIR}")
else()
  set(ENV{LD_LIBRARY_PATH}) # the library is in the program
endif()
foreach(_program stream stream_no_heap)
  execute_process(COMMAND "${_build}/${_program}" "${WORK}/model.safetensors"
    INPUT_FILE "${WORK}/steps.txt" OUTPUT_VARIABLE _lines ERROR_VARIABLE _errors
    RESULT_VARIABLE _result)
  if(NOT _result EQUAL 0 OR NOT _lines STREQUAL _expected)
    message(FATAL_ERROR "${_build}/${_program}: expected\n${_expected}\ngot ${_result}\n"
                        "${_lines}\n${_errors}")
  endif()
  if(NM) # the program itself has the library, or looks for it
    execute_process(COMMAND "${NM}" "${_build}/${_program}" OUTPUT_VARIABLE _names
                    COMMAND_ERROR_IS_FATAL ANY)
    set(_linked static)
    if(_names MATCHES " U _?rnnat_")
      set(_linked shared)
    endif()
    if(NOT _linked STREQUAL LIBRARY)
      message(FATAL_ERROR "${_build}/${_program}: expected the ${LIBRARY} library, got the ${_linked} one")
    endif()
  endif()
endforeach()
