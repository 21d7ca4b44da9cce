# cmake -DFIRST=<command> -DSECOND=<command> -P same_lines.cmake
# Both programs end well and print the same lines, some of them.
foreach(which FIRST SECOND)
  execute_process(COMMAND ${${which}} OUTPUT_VARIABLE lines_${which} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
if(lines_FIRST STREQUAL "" OR NOT lines_FIRST STREQUAL lines_SECOND)
  message(FATAL_ERROR "expected the same lines of ${FIRST}\n${lines_FIRST}\n"
                      "and of ${SECOND}\n${lines_SECOND}")
endif()
