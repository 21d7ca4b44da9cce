# Every C declaration of the binding, in one place.
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t

ctypedef void (*rnnat_function)() noexcept nogil


cdef extern from "rnn_native.h" nogil:
    ctypedef enum rnnat_status:
        RNNAT_OK

    ctypedef struct rnnat_model:
        pass

    ctypedef struct rnnat_stream:
        pass

    ctypedef struct rnnat_model_options:
        size_t struct_size
        int32_t dtype
        int32_t matmul
        int32_t weight_dtype
        int32_t compute
        char *message
        size_t message_size

    ctypedef struct rnnat_model_info:
        size_t struct_size
        int32_t dtype
        int32_t matmul
        int32_t takes_indices
        int32_t input_size
        int32_t output_size
        int32_t num_states
        int32_t streamable
        int32_t num_layers
        uint64_t num_parameters
        size_t memory
        int32_t num_inputs
        int32_t num_outputs
        int32_t return_sequences
        int32_t weight_dtype
        int32_t compute

    ctypedef struct rnnat_value_info:
        size_t struct_size
        const char *name
        int32_t features
        int32_t indices
        int32_t has_time
        int32_t repeat
        int32_t stride
        int32_t latency

    rnnat_status rnnat_model_input(const rnnat_model *, int32_t, rnnat_value_info *)
    rnnat_status rnnat_model_output(const rnnat_model *, int32_t, rnnat_value_info *)

    rnnat_status rnnat_model_from_memory(const void *, size_t, const rnnat_model_options *,
                                         rnnat_model **)
    void rnnat_model_free(rnnat_model *)
    rnnat_status rnnat_model_describe(const rnnat_model *, rnnat_model_info *)
    rnnat_status rnnat_model_state(const rnnat_model *, int32_t, int32_t *, int32_t *)
    rnnat_status rnnat_stream_create(const rnnat_model *, int32_t, int32_t, rnnat_stream **)
    void rnnat_stream_free(rnnat_stream *)
    rnnat_status rnnat_stream_set_num_threads(rnnat_stream *, int32_t)
    rnnat_status rnnat_stream_run(rnnat_stream *, const float *, int32_t, float *)
    rnnat_status rnnat_stream_run_indices(rnnat_stream *, const int32_t *, int32_t, float *)
    rnnat_status rnnat_stream_run_f64(rnnat_stream *, const double *, int32_t, double *)
    rnnat_status rnnat_stream_run_indices_f64(rnnat_stream *, const int32_t *, int32_t, double *)
    rnnat_status rnnat_stream_run_values(rnnat_stream *, const void *const *, int32_t, void *const *)
    rnnat_status rnnat_stream_push_values(rnnat_stream *, const void *const *, int32_t,
                                          void *const *, const int32_t *, int32_t *)
    rnnat_status rnnat_stream_reset(rnnat_stream *)
    rnnat_status rnnat_stream_get_state(const rnnat_stream *, int32_t, void *)
    rnnat_status rnnat_stream_set_state(rnnat_stream *, int32_t, const void *)

    ctypedef struct rnnat_pool:
        pass

    ctypedef struct rnnat_pool_info:
        size_t struct_size
        int32_t capacity
        int32_t num_open
        int32_t max_threads
        int32_t num_threads
        size_t bytes_per_stream
        size_t state_size

    rnnat_status rnnat_pool_size(const rnnat_model *, int32_t, int32_t, size_t *)
    rnnat_status rnnat_pool_create(const rnnat_model *, int32_t, int32_t, rnnat_pool **)
    void rnnat_pool_free(rnnat_pool *)
    rnnat_status rnnat_pool_describe(const rnnat_pool *, rnnat_pool_info *)
    rnnat_status rnnat_pool_open(rnnat_pool *, int32_t *)
    rnnat_status rnnat_pool_close(rnnat_pool *, int32_t)
    rnnat_status rnnat_pool_reset(rnnat_pool *, int32_t)
    int32_t rnnat_pool_is_open(const rnnat_pool *, int32_t)
    rnnat_status rnnat_pool_step(rnnat_pool *, int32_t, const int32_t *, const void *const *,
                                 void *const *)
    rnnat_status rnnat_pool_push(rnnat_pool *, int32_t, const int32_t *, const int32_t *,
                                 const void *const *, void *const *, const int32_t *, int32_t *)
    rnnat_status rnnat_pool_set_num_threads(rnnat_pool *, int32_t)
    rnnat_status rnnat_pool_get_state(const rnnat_pool *, int32_t, int32_t, void *)
    rnnat_status rnnat_pool_set_state(rnnat_pool *, int32_t, int32_t, const void *)
    rnnat_status rnnat_pool_snapshot(const rnnat_pool *, int32_t, void *, size_t, size_t *)
    rnnat_status rnnat_pool_restore(rnnat_pool *, int32_t, const void *, size_t)
    const char *rnnat_status_name(rnnat_status)
    const char *rnnat_version()
    const char *rnnat_isa()
    const char *rnnat_threading()


cdef extern from "kernels/kernels.h" nogil:
    ctypedef enum rnnat_stored:
        RNNAT_STORED_INT8
        RNNAT_STORED_INT8_DOT
        RNNAT_STORED_INT8_TILES
        RNNAT_STORED_BF16_DOT
        RNNAT_STORED_TYPES

    int32_t rnnat_stored_group(rnnat_stored type)

    ctypedef struct rnnat_products:
        int32_t operand

    ctypedef struct rnnat_kernels:
        int32_t lanes
        int32_t elem
        int32_t rows_of_3
        int32_t rows_of_4
        rnnat_products of[RNNAT_STORED_TYPES]


cdef extern from "heap.h" nogil:
    void rnnat_heap_advise(void *block, size_t size)

cdef extern from "weights/matrix.h" nogil:
    bint rnnat_weight_type_at(int32_t code, const char **type_name, double *largest)
    float rnnat_weight_stored(int32_t code, double value)
    bint rnnat_stored_runs(const rnnat_kernels *kernels, rnnat_stored type)


cdef extern from "message.h" nogil:
    ctypedef struct rnnat_message:
        char *text
        size_t size
        size_t used


cdef extern from "file/safetensors.h" nogil:
    ctypedef struct rnnat_safetensors:
        pass

    ctypedef struct rnnat_span:
        const void *data
        size_t size

    rnnat_status rnnat_safetensors_open(const void *, size_t, rnnat_message *, rnnat_safetensors *)
    rnnat_status rnnat_safetensors_open_parts(const void *, size_t, const rnnat_span *, int32_t,
                                              rnnat_message *, rnnat_safetensors *)


cdef extern from "arena.h" nogil:
    ctypedef struct rnnat_arena:
        char *base
        bint overflow
        void (*told)(void *, const char *, size_t, size_t) except *
        void *arg

    rnnat_arena rnnat_arena_at(void *)
    size_t rnnat_arena_need(const rnnat_arena *)
    void *rnnat_arena_take(rnnat_arena *, size_t, size_t)


cdef extern from "cells/cell.h" nogil:
    ctypedef struct rnnat_builder:
        rnnat_arena arena
        rnnat_arena weights
        bint apart
        bint packed
        const rnnat_kernels *kernels
        const rnnat_safetensors *file
        bint blas
        rnnat_stored type
        const char *prefix
        const char *suffix


cdef extern from "inspect/emit.h" nogil:
    ctypedef enum rnnat_element:
        RNNAT_ELEMENT_REAL
        RNNAT_ELEMENT_UINT16
        RNNAT_ELEMENT_INT8
        RNNAT_ELEMENT_INT32

    ctypedef struct rnnat_teller:
        void *arg
        void (*type)(void *, const char *) except *
        void (*needs)(void *, const char *) except *
        void (*number)(void *, const char *, int64_t) except *
        void (*real)(void *, const char *, double) except *
        void (*symbol)(void *, const char *, const char *) except *
        void (*text)(void *, const char *, const char *) except *
        void (*array)(void *, const char *, const void *, size_t, rnnat_element) except *
        void (*begin)(void *, const char *) except *
        void (*block)(void *, const char *) except *
        void (*end)(void *) except *

    void rnnat_model_tell(const rnnat_model *, const rnnat_teller *) except *


cdef extern from "graph/graph.h" nogil:
    bint rnnat_has_paces(const rnnat_model *)
    # The public header's struct, seen from inside.
    ctypedef struct rnnat_packed_model "struct rnnat_model":
        rnnat_model_info info

    rnnat_status rnnat_model_from_file(const rnnat_safetensors *, const rnnat_model_options *,
                                       rnnat_model **)
    rnnat_status rnnat_file_shared_size(const rnnat_safetensors *, const rnnat_model_options *,
                                        size_t *)
    rnnat_status rnnat_file_share(void *, size_t, const rnnat_safetensors *,
                                  const rnnat_model_options *)
    rnnat_status rnnat_model_from_shared(const void *, size_t, const rnnat_safetensors *,
                                         const rnnat_model_options *, rnnat_model **)
    rnnat_status rnnat_model_unpack(const rnnat_model *, int32_t, int32_t, const char *, void *)
    rnnat_status rnnat_model_build(rnnat_builder *, int32_t, rnnat_packed_model *)


cdef extern from "graph/stamp.h" nogil:
    int RNNAT_PACKED_LAYOUT

    ctypedef struct rnnat_stamp:
        uint16_t type
        uint16_t blas
        uint64_t size

    rnnat_stamp rnnat_stamp_of(const rnnat_builder *, const rnnat_packed_model *)
    bint rnnat_stamp_matches(rnnat_stamp *, const void *)


cdef extern from "graph/pace.h" nogil:
    bint rnnat_is_phase(const rnnat_model *, int32_t)
    int64_t rnnat_output_steps(const rnnat_model *, const void *const *, int32_t, int64_t)


cdef extern from "run/history.h" nogil:
    bint rnnat_take_phases(const rnnat_model *, const void *const *, int32_t, int32_t *)


cdef extern from "layers/layer.h" nogil:
    ctypedef struct rnnat_cell_trace:
        void *gates[4]
        void *h
        void *c
        void *o


cdef extern from "run/stream.h" nogil:
    rnnat_stream *rnnat_stream_carve(
        rnnat_arena *, const rnnat_model *, int32_t, int32_t
    ) except? NULL


cdef extern from "threads/stop.h" nogil:
    ctypedef bint c_bool "bool"
    double RNNAT_STOP_WORK
    int RNNAT_STOP_ROW

    ctypedef struct rnnat_stop:
        c_bool (*wanted)(void *, c_bool) noexcept nogil
        void *arg
        double every


cdef extern from "run/run.h" nogil:
    ctypedef struct rnnat_job:
        size_t need

    ctypedef struct rnnat_run_args:
        int32_t dtype
        int32_t time
        int32_t batch
        const void *x
        const int32_t *indices
        ptrdiff_t x_stride_time
        ptrdiff_t x_stride_batch
        void *y
        ptrdiff_t y_stride_time
        ptrdiff_t y_stride_batch
        const void *const *inputs
        void *const *outputs
        const int32_t *lengths
        const void *const *state_in
        void *const *state_out
        const rnnat_cell_trace *trace
        rnnat_stop *stop
        int32_t num_threads

    rnnat_status rnnat_run_plan(const rnnat_model *, const rnnat_run_args *, rnnat_job *)
    void rnnat_run_carve(rnnat_arena *, const rnnat_model *, const rnnat_job *) except *
    rnnat_status rnnat_run_go(const rnnat_model *, rnnat_job *, void *, size_t)


cdef extern from "dispatch.h" nogil:
    ctypedef struct rnnat_isa_entry:
        const char *name
        const rnnat_kernels *kernels
        int32_t available

    int32_t rnnat_isa_at(int32_t, rnnat_isa_entry *)
    const rnnat_kernels *rnnat_isa_current(rnnat_status *)


cdef extern from "threads/threads.h" nogil:
    int32_t rnnat_threads_default(rnnat_status *)
    const char *rnnat_threads_origin()
    int32_t rnnat_threads_dynamic()
    void rnnat_threads_set_default(int32_t)
    bint rnnat_threads_compiled()
    bint rnnat_openmp_compiled()


cdef extern from "weights/blas.h" nogil:
    ctypedef struct rnnat_blas_library:
        const char *name
        int32_t integer_bits
        int32_t fortran
        rnnat_function sgemm
        rnnat_function dgemm
        rnnat_function set_threads
        rnnat_function get_threads
        int32_t threads_are_local

    bint rnnat_blas_use(const rnnat_blas_library *)
    bint rnnat_blas_available()
    const char *rnnat_blas_name()


cdef extern from "train/train.h" nogil:
    ctypedef struct rnnat_net:
        pass

    ctypedef struct rnnat_net_layers:
        int32_t count
        const char **texts
        int32_t dtype

    ctypedef struct rnnat_train_forward:
        int32_t time
        int32_t batch
        int32_t num_threads
        const void *x
        const int32_t *indices
        const int32_t *lengths
        const void **state_in
        void **state_out
        void *y
        double dropout
        uint64_t seed
        rnnat_stop *stop

    ctypedef struct rnnat_train_backward:
        int32_t num_threads
        const void *dy
        const void **dstate
        void *dx
        void **dstate_in
        void **grads
        rnnat_stop *stop

    rnnat_status rnnat_net_size(const rnnat_net_layers *, size_t *)
    rnnat_status rnnat_net_init(void *, size_t, const rnnat_net_layers *, const void **,
                                rnnat_net **)
    void rnnat_net_update(rnnat_net *)
    rnnat_status rnnat_train_size(const rnnat_net *, int32_t, int32_t, int32_t, size_t *, size_t *)
    rnnat_status rnnat_train_run_forward(const rnnat_net *, const rnnat_train_forward *, void *,
                                         size_t)
    rnnat_status rnnat_train_run_backward(const rnnat_net *, const rnnat_train_backward *,
                                          const void *, void *, size_t)
