# cmake -DNM=<nm> -DOBJECTS=<object;...> -P check_imports.cmake
# What each source calls outside of the library: memory, mathematics, and of everything
# that may wait, take memory or leave the process only what is listed here for it. What runs a model
# is not listed, so that no path of it, tested or not, can do any of these.
set(_anywhere "mem(cpy|set|move|cmp)|erfc?|exp|log|log1p|ldexp|pow|sqrtf?")
string(JOIN "|" _compiler # what it calls, and refers to, on its own
  _GLOBAL_OFFSET_TABLE_ "__(memory_base|table_base|stack_pointer|indirect_function_table)"
  __tls_get_addr "__aarch64_(cas|swp|ld(add|clr|eor|set))[0-9]+_[a-z_]+" "__(aeabi|gnu)_.*" "__stack_chk_.*" "__mem.*_chk"
  "__u?(div|mod|mul|fix|float|ashl|ashr|lshr).*" "_*(save|rest)_.*")
set(_of_api_model "malloc|free")        # rnnat_model_from_memory, _free
set(_of_api_stream "malloc|free")       # rnnat_stream_create, _free
set(_of_api_pool "malloc|free")         # rnnat_pool_create, _free
set(_of_heap "malloc|posix_memalign|madvise")
set(_of_disk "malloc|free|fopen|fclose|fread|fseek|ftell")
set(_of_dispatch "getenv")              # before the first model is made
set(_of_cpu_features "getauxval")
set(_of_threads "getenv|(__isoc23_)?strtol|sched_getaffinity|__sched_cpucount|sysconf") # how many there are
set(_of_quota "open|open64|read|close")       # likewise
set(_of_waiting "clock_gettime|sched_yield|nanosleep") # where threads are asked for, as all that follows
set(_of_workers "pthread_.*|sig(fillset|delset)|prctl|sched_getcpu")
set(_of_openmp "pthread_.*|omp_.*|GOMP_.*|__kmpc_.*")
set(_of_blas ".*")                      # a BLAS does what it does

set(_checked 0)
foreach(_object IN LISTS OBJECTS)
  if(_object MATCHES "src/train/")
    continue() # no part of running
  endif()
  cmake_path(GET _object FILENAME _name)
  string(REGEX REPLACE "\\.(c|o|obj)(\\..*)?$" "" _name "${_name}")
  execute_process(COMMAND "${NM}" -u "${_object}" OUTPUT_VARIABLE _listing
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "U [^\n@]+" _symbols "${_listing}")
  set(_allowed "rnnat_.*|${_anywhere}|${_compiler}")
  if(DEFINED _of_${_name})
    set(_allowed "${_allowed}|${_of_${_name}}")
  endif()
  list(FILTER _symbols EXCLUDE REGEX "^U (${_allowed})$")
  if(_symbols)
    message(FATAL_ERROR "${_name}.c: expected no calls but those that check_imports.cmake lists, "
                        "got ${_symbols}")
  endif()
  math(EXPR _checked "${_checked} + 1")
endforeach()
if(_checked LESS 15)
  message(FATAL_ERROR "expected the library's objects, got ${_checked}")
endif()
