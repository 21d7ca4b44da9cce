# `cmake --install`: the header, the libraries, a CMake package and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_targets rnn_native_core)
if(RNNAT_SHARED)
  list(APPEND _targets rnn_native_shared)
endif()
install(TARGETS ${_targets} EXPORT rnn_native)
install(FILES src/include/rnn_native.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")

set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/rnn_native")
configure_package_config_file(cmake/rnn_native-config.cmake.in rnn_native-config.cmake
                              INSTALL_DESTINATION "${_package}")
write_basic_package_version_file(rnn_native-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/rnn_native-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/rnn_native-config-version.cmake"
        DESTINATION "${_package}")
install(EXPORT rnn_native NAMESPACE rnn_native:: FILE rnn_native-targets.cmake
        DESTINATION "${_package}")

# A static library leaves its own needs to whoever links it.
set(RNNAT_PC_LIBS "")
if(RNNAT_LIBM)
  string(APPEND RNNAT_PC_LIBS " -lm")
endif()
foreach(_library IN LISTS BLAS_LIBRARIES BLAS_LINKER_FLAGS)
  string(APPEND RNNAT_PC_LIBS " ${_library}")
endforeach()
if(RNNAT_WITH_OPENMP)
  string(APPEND RNNAT_PC_LIBS " ${OpenMP_C_FLAGS}")
endif()
configure_file(cmake/rnn_native.pc.in rnn_native.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/rnn_native.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
