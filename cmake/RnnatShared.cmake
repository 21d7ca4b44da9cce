# The shared library, of the objects of the static one: hidden are all names but those that
# rnn_native.h declares (tests/abi).
get_property(_supported GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS)
set(_wanted OFF)
if(PROJECT_IS_TOP_LEVEL AND _supported AND NOT SKBUILD)
  set(_wanted ON)
endif()
option(RNNAT_SHARED "Also build a shared library" ${_wanted})
set(RNNAT_WITH_SHARED FALSE)
if(NOT RNNAT_SHARED)
  return()
endif()
set(RNNAT_WITH_SHARED TRUE)

# Before 1.0 a minor version may change the interface.
set(_soversion ${PROJECT_VERSION_MAJOR})
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(_soversion 0.${PROJECT_VERSION_MINOR})
endif()

add_library(rnn_native_shared SHARED $<TARGET_OBJECTS:rnn_native_core>)
add_library(rnn_native::shared ALIAS rnn_native_shared)
set_target_properties(rnn_native_shared PROPERTIES
  OUTPUT_NAME rnn_native EXPORT_NAME shared LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${_soversion})
target_include_directories(rnn_native_shared INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src/include>")
target_link_libraries(rnn_native_shared PRIVATE ${RNNAT_LIBRARIES})
rnnat_sanitize(rnn_native_shared)
