# rnnat_amalgamate(<python> <folder> <files>): how the amalgamated pair, those files, comes into the
# folder.
function(rnnat_amalgamate python folder files)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.[ch]")
  add_custom_command(
    OUTPUT ${files}
    COMMAND "${python}" "${PROJECT_SOURCE_DIR}/tools/amalgamate.py" "${folder}"
    DEPENDS "${PROJECT_SOURCE_DIR}/tools/amalgamate.py" "${PROJECT_SOURCE_DIR}/CMakeLists.txt"
            "${PROJECT_SOURCE_DIR}/LICENSE" ${sources}
    COMMENT "rnn_native.c, rnn_native.h"
    VERBATIM)
endfunction()
