# cmake -DNM=<nm> -DLIBRARY=<archive> -P check_symbols.cmake
# Every symbol that the static library defines for others begins with rnnat_: it shares a name
# with nothing that a program may link beside it.
execute_process(COMMAND "${NM}" -g --defined-only "${LIBRARY}"
                OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[0-9a-f]+ [A-Z] [^\n]+" symbols "${listing}")
if(NOT symbols)
  message(FATAL_ERROR "${LIBRARY}: expected symbols, found none")
endif()
list(FILTER symbols EXCLUDE REGEX " [A-Z] _?rnnat_")
if(symbols)
  list(JOIN symbols "\n  " symbols)
  message(FATAL_ERROR "expected names that begin with rnnat_, got\n  ${symbols}")
endif()
