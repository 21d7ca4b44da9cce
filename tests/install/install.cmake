# cmake -DBUILD= -DPREFIX= -DWORK= -DCONFIG= -DWRITE_MODEL=<command> -P install.cmake
# Installs into a prefix, moves it to PREFIX, and writes a model with what is expected of it.
file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.first")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}.first"
                        --config "${CONFIG}"
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}.first" "${PREFIX}")
execute_process(COMMAND ${WRITE_MODEL} "${WORK}" COMMAND_ERROR_IS_FATAL ANY)
