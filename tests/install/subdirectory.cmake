# cmake -DSOURCE= -DWORK= -DGENERATOR= -DMAKE_PROGRAM= -DCOMPILER= -P subdirectory.cmake
# Configures a project of which rnn_native is a subdirectory, and installs it.
file(REMOVE_RECURSE "${WORK}")
file(WRITE "${WORK}/CMakeLists.txt" "cmake_minimum_required(VERSION 3.21...4.0)
project(parent LANGUAGES C)
add_subdirectory(\"${SOURCE}\" rnn_native)
install(FILES CMakeLists.txt DESTINATION parent)
")
set(ENV{CMAKE_BUILD_TYPE}) # which would be the cache's first value
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${WORK}" -B "${WORK}/build" -G "${GENERATOR}"
  "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DCMAKE_C_COMPILER=${COMPILER}"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/prefix"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE installed RELATIVE "${WORK}/prefix" "${WORK}/prefix/*")
if(NOT installed STREQUAL "parent/CMakeLists.txt")
  message(FATAL_ERROR "expected the parent's file alone to be installed, got ${installed}")
endif()
file(STRINGS "${WORK}/build/CMakeCache.txt" type REGEX "^CMAKE_BUILD_TYPE:")
if(NOT type MATCHES "=$")
  message(FATAL_ERROR "expected no build type, as the parent has none, got ${type}")
endif()
