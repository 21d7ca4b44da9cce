# cmake -DSOURCE= -DBUILD= -DGENERATOR= -DMAKE_PROGRAM= -DCOMPILER= -DNM= -DOPTIONS= -DFORBIDS=
#       -DNEEDS= -P build.cmake
# Builds the library with these options. Of what it leaves to other libraries, no name matches FORBIDS
# and, where NEEDS says anything, each one matches that.
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" -G "${GENERATOR}"
  "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DCMAKE_C_COMPILER=${COMPILER}" -DCMAKE_BUILD_TYPE=MinSizeRel
  -DRNNAT_TESTS=OFF -DRNNAT_WERROR=ON -DRNNAT_AVX2=OFF -DRNNAT_AVX512=OFF -DRNNAT_NEON=OFF
  -DRNNAT_SMALL=ON -DRNNAT_FLOAT64=OFF ${OPTIONS}
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BUILD}"
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

set(_library "${BUILD}/librnn_native.a")
execute_process(COMMAND "${NM}" -g "${_library}" OUTPUT_VARIABLE _listing
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " [A-TV-Z] [^\n]+" _defined "${_listing}")
string(REGEX MATCHALL " [Uw] [^\n]+" _needed "${_listing}")
list(TRANSFORM _defined REPLACE "^ . _?" "")
list(TRANSFORM _needed REPLACE "^ . " "")
list(REMOVE_DUPLICATES _needed)
if(NOT _defined)
  message(FATAL_ERROR "${_library}: expected names, found none")
endif()
list(REMOVE_ITEM _needed ${_defined})
if(FORBIDS)
  set(_forbidden ${_needed} ${_defined})
  list(FILTER _forbidden INCLUDE REGEX "^(${FORBIDS})$")
  if(_forbidden)
    message(FATAL_ERROR "${OPTIONS}: expected nothing of ${FORBIDS}, got ${_forbidden}")
  endif()
endif()
if(NEEDS)
  list(FILTER _needed EXCLUDE REGEX "^(${NEEDS})$")
  if(_needed)
    message(FATAL_ERROR "${OPTIONS}: expected a need of ${NEEDS} alone, got ${_needed}")
  endif()
endif()
