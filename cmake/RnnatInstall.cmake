# `cmake --install`: the header, the libraries, a CMake package and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_targets rnn_native_core)
if(RNNAT_WITH_SHARED)
  list(APPEND _targets rnn_native_shared)
endif()
install(TARGETS ${_targets} EXPORT rnn_native
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
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

# What the static library leaves to whoever links it.
set(_needs "")
if(RNNAT_LIBM)
  string(APPEND _needs " -lm")
endif()
foreach(_library IN LISTS BLAS_LIBRARIES BLAS_LINKER_FLAGS)
  string(APPEND _needs " ${_library}")
endforeach()
if(RNNAT_WITH_THREADS AND CMAKE_THREAD_LIBS_INIT)
  string(APPEND _needs " ${CMAKE_THREAD_LIBS_INIT}")
endif()
if(RNNAT_WITH_OPENMP)
  string(APPEND _needs " ${OpenMP_C_FLAGS}")
endif()

# The prefix is found from where the file is, so that what is installed may be moved.
set(_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${_pc_dir}")
  set(RNNAT_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH _up "/${_pc_dir}" "/")
  string(REGEX REPLACE "/$" "" _up "${_up}")
  set(RNNAT_PC_PREFIX "\${pcfiledir}/${_up}")
endif()
foreach(_dir INCLUDEDIR LIBDIR)
  set(RNNAT_PC_${_dir} "\${prefix}/${CMAKE_INSTALL_${_dir}}")
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${_dir}}")
    set(RNNAT_PC_${_dir} "${CMAKE_INSTALL_${_dir}}")
  endif()
endforeach()

# rnn_native: the shared library, or the static one where that is all there is; rnn_native-static.
function(_install_pc name libs private_libs)
  set(RNNAT_PC_NAME ${name})
  set(RNNAT_PC_LIBS "${libs}")
  set(RNNAT_PC_PRIVATE_LIBS "${private_libs}")
  configure_file(cmake/rnn_native.pc.in ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${_pc_dir}")
endfunction()
if(RNNAT_WITH_SHARED)
  _install_pc(rnn_native "-L\${libdir} -lrnn_native" "${_needs}")
else()
  _install_pc(rnn_native "-L\${libdir} -lrnn_native${_needs}" "")
endif()
_install_pc(rnn_native-static
  "\${libdir}/${CMAKE_STATIC_LIBRARY_PREFIX}rnn_native${CMAKE_STATIC_LIBRARY_SUFFIX}${_needs}" "")
