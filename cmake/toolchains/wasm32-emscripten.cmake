# WebAssembly with its 128-bit SIMD, by Emscripten; its tests run under node, on the real disk.
# Debian: apt-get install emscripten nodejs
find_program(RNNAT_EM_CONFIG em-config REQUIRED)
execute_process(COMMAND "${RNNAT_EM_CONFIG}" EMSCRIPTEN_ROOT OUTPUT_VARIABLE _emscripten
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
find_program(CMAKE_NM emnm REQUIRED) # the system's does not know these objects
set(CMAKE_C_FLAGS_INIT -msimd128)
# Synchronous: older Emscripten would have newer node fetch the program from a URL. -O0 is for the
# linker alone: what is linked was optimised when it was compiled.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-sNODERAWFS=1 -sALLOW_MEMORY_GROWTH=1 -sEXIT_RUNTIME=1 \
-sWASM_ASYNC_COMPILATION=0 -O0")
set(CMAKE_CROSSCOMPILING_EMULATOR node)
include("${_emscripten}/cmake/Modules/Platform/Emscripten.cmake")
