# cmake -DNM=<nm> -DLIBRARY=<shared library> -DSYMBOLS=<file> [-DHEADER=<file>] [-DWRITE=ON]
#       -P compare.cmake
# The library exports the names of the file and no other, which are those that the header declares; with
# WRITE the file is made instead.
execute_process(COMMAND "${NM}" -D --defined-only "${LIBRARY}" OUTPUT_VARIABLE _listing
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " [A-Z] [^\n@]+" _exported "${_listing}")
list(TRANSFORM _exported REPLACE "^ . " "")
list(FILTER _exported EXCLUDE REGEX "^(_init|_fini|_edata|_end|__bss_start.*|__end__|_bss_end__)$")
list(SORT _exported)
if(WRITE)
  list(JOIN _exported "\n" _text)
  file(WRITE "${SYMBOLS}" "${_text}\n")
  return()
endif()
file(STRINGS "${SYMBOLS}" _promised)
set(_new ${_exported})
set(_gone ${_promised})
list(REMOVE_ITEM _new ${_promised} "")
list(REMOVE_ITEM _gone ${_exported} "")
if(_new OR _gone)
  list(JOIN _new "\n  + " _new)
  list(JOIN _gone "\n  - " _gone)
  message(FATAL_ERROR
    "The names that the shared library exports are not those of tests/abi/symbols.txt:\n"
    "  + ${_new}\n  - ${_gone}\n"
    "Programs that are linked already look for them: to change the file is a decision. A name that "
    "is gone, or means something else, takes a new minor version (RNNAT_VERSION; from 1.0 on a major "
    "one), with which the SOVERSION changes, and a line in CHANGELOG.md. A new name may stay out by "
    "not being RNNAT_API. Once that is decided:\n"
    "  cmake -DNM=${NM} -DLIBRARY=${LIBRARY} -DSYMBOLS=${SYMBOLS} -DWRITE=ON "
    "-P tests/abi/compare.cmake")
endif()

file(READ "${HEADER}" _text)
string(REGEX MATCHALL "RNNAT_API [^(;]*rnnat_[a-z0-9_]+\\(" _declared "${_text}")
list(TRANSFORM _declared REPLACE ".*(rnnat_[a-z0-9_]+)\\($" "\\1")
list(SORT _declared)
if(NOT _declared STREQUAL _exported)
  message(FATAL_ERROR "expected ${HEADER} to declare ${_exported}, got ${_declared}")
endif()
