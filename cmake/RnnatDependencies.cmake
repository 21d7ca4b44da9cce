# What rnn_native_core links: libm always, OpenMP and a BLAS where asked for.
# RNNAT_LIBRARIES lists them for the other targets made of the same objects.
set(RNNAT_LIBRARIES)
set(RNNAT_WITH_OPENMP FALSE)

find_library(RNNAT_LIBM m)
mark_as_advanced(RNNAT_LIBM)
if(RNNAT_LIBM)
  list(APPEND RNNAT_LIBRARIES m)
endif()

if(NOT RNNAT_OPENMP MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "RNNAT_OPENMP: expected AUTO, ON or OFF, got ${RNNAT_OPENMP}")
endif()
if(NOT RNNAT_OPENMP STREQUAL "OFF")
  if(RNNAT_OPENMP STREQUAL "ON")
    find_package(OpenMP REQUIRED COMPONENTS C)
  else()
    find_package(OpenMP COMPONENTS C)
  endif()
  if(OpenMP_C_FOUND)
    list(APPEND RNNAT_LIBRARIES OpenMP::OpenMP_C)
    set(RNNAT_WITH_OPENMP TRUE)
  endif()
endif()

target_compile_definitions(rnn_native_core PRIVATE "RNNAT_OPENMP=$<BOOL:${RNNAT_WITH_OPENMP}>")

if(RNNAT_BLAS)
  find_package(BLAS REQUIRED)
  list(APPEND RNNAT_LIBRARIES ${BLAS_LIBRARIES} ${BLAS_LINKER_FLAGS})
  target_compile_definitions(rnn_native_core PRIVATE RNNAT_BLAS_LINKED=1)
endif()
if(RNNAT_BLAS OR RNNAT_BLAS_HOOK)
  target_sources(rnn_native_core PRIVATE src/gemm/blas.c)
  target_compile_definitions(rnn_native_core PRIVATE RNNAT_BLAS=1)
endif()

target_link_libraries(rnn_native_core PRIVATE ${RNNAT_LIBRARIES})
