# cython: language_level=3, boundscheck=False, wraparound=False, binding=True
"""The only binding to the C core: checks buffers, releases the GIL, raises."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int32_t, uint64_t, uintptr_t
from libc.string cimport memset

from ._crnn cimport *

import numpy as np

from .errors import (
    BusyError,
    DTypeError,
    FormatError,
    OptionError,
    RnnError,
    ShapeError,
    UnsupportedError,
)

cnp.import_array()

cdef enum:
    MAX_STATES = 256  # arrays of the state that one model may have
    CACHE_LINE = 64
    LARGE = 32768  # bytes of an output that is worth aligning

# ---- status -> exception, one row a code ----

_ERRORS = {
    "RNNAT_ERROR_ARGUMENT": OptionError,
    "RNNAT_ERROR_FORMAT": FormatError,
    "RNNAT_ERROR_UNSUPPORTED": UnsupportedError,
    "RNNAT_ERROR_SHAPE": ShapeError,
    "RNNAT_ERROR_NOT_FOUND": FormatError,
    "RNNAT_ERROR_OVERFLOW": ShapeError,
    "RNNAT_ERROR_NO_MEMORY": MemoryError,
    "RNNAT_ERROR_TOO_SMALL": RnnError,
    "RNNAT_ERROR_IO": OSError,
    "RNNAT_ERROR_DTYPE": DTypeError,
    "RNNAT_ERROR_LENGTH": ShapeError,
    "RNNAT_ERROR_INDEX": ShapeError,
    "RNNAT_ERROR_INPUT": DTypeError,
}


def status_names():
    """Names of all the core's status codes, in the order of their values."""
    names = []
    cdef int32_t code = 0
    while True:
        name = rnnat_status_name(<rnnat_status>code).decode()
        if name == "RNNAT_ERROR_UNKNOWN":
            return names
        names.append(name)
        code += 1


def exception_for(str name):
    """The exception class raised for the status code of that name."""
    return _ERRORS[name]


cdef int check(rnnat_status status, str what) except -1:
    if status == RNNAT_OK:
        return 0
    name = rnnat_status_name(status).decode()
    raise _ERRORS.get(name, RnnError)(f"{what}: {name}")


# ---- arguments -> arrays the core can read ----

cdef cnp.ndarray as_array(str where, object x):
    if isinstance(x, np.ma.MaskedArray):
        raise DTypeError(f"{where}: expected a plain array, got a masked one; masks mean nothing here")
    try:
        return x if isinstance(x, np.ndarray) else np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{where}: expected an array, got {type(x).__name__}: {error}") from None


cdef cnp.ndarray as_floats(str where, object x, int typenum, bint contiguous):
    """x as floats of that type: itself where the core can read it in place, else a copy."""
    cdef cnp.ndarray array = as_array(where, x)
    cdef cnp.dtype dtype = array.dtype
    if dtype.kind != ord("f"):
        raise DTypeError(f"{where}: expected floating point numbers, got {dtype}")
    cdef Py_ssize_t item = array.itemsize
    cdef bint readable = (
        dtype.type_num == typenum and cnp.PyArray_ISALIGNED(array)
        and not cnp.PyArray_ISBYTESWAPPED(array)
    )
    cdef int i
    if readable and contiguous:
        readable = cnp.PyArray_IS_C_CONTIGUOUS(array)
    elif readable and array.ndim > 0:
        readable = array.strides[array.ndim - 1] == item or array.shape[array.ndim - 1] == 1
        for i in range(array.ndim):
            readable = readable and array.strides[i] % item == 0
    if readable:
        return array
    return np.array(array, dtype=cnp.PyArray_DescrFromType(typenum), order="C")


cdef cnp.ndarray as_indices(str where, object x):
    """x as int32 indices; what int32 cannot hold becomes -1, which the core refuses."""
    array = as_array(where, x)
    if array.dtype.kind not in "iu" and not (array.size == 0 and not isinstance(x, np.ndarray)):
        raise DTypeError(f"{where}: expected integer indices, got {array.dtype}")
    if array.dtype == np.int32 and array.dtype.isnative:
        return np.asarray(array, order="C")
    wide = array.astype(np.int64)
    return np.where((wide < 0) | (wide > 2**31 - 1), -1, wide).astype(np.int32)


cdef cnp.ndarray as_lengths(object lengths, Py_ssize_t batch, Py_ssize_t time):
    array = as_array("lengths", lengths)
    if array.size == 0 and not isinstance(lengths, np.ndarray):
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"lengths: expected integers, got {array.dtype}")
    if array.shape != (batch,):
        raise ShapeError(f"lengths: expected shape ({batch},), got {array.shape}")
    wrong = (array < 0) | (array > time)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ShapeError(f"lengths[{row}]: expected 0 to {time}, got {array[row]}")
    return array.astype(np.int32)


cdef _raise_index(x, lengths, int32_t input_size, bint batch_first):
    """Says which index of x, of those that count, does not exist."""
    given = np.asarray(x)
    wrong = (given < 0) | (given >= input_size)
    if lengths is not None:
        steps = np.arange(given.shape[1 if batch_first else 0])
        counts = steps[:, None] < np.asarray(lengths)
        wrong &= counts.T if batch_first else counts
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    raise ShapeError(
        f"x{list(where)}: expected an index from 0 to {input_size - 1}, got {given[where]}"
    )


def as_num_threads(num_threads):
    """A stated number of threads, or 0 for None; anything else raises ``OptionError``."""
    if num_threads is None:
        return 0
    if isinstance(num_threads, (bool, np.bool_)) or not isinstance(num_threads, (int, np.integer)):
        raise OptionError(f"num_threads: expected an integer or None, got {num_threads!r}")
    if not 1 <= num_threads <= 4096:
        raise OptionError(f"num_threads: expected 1 to 4096, got {num_threads}")
    return int(num_threads)


cdef cnp.ndarray empty(cnp.npy_intp *shape, int typenum):
    """An array of three axes. A large one begins at a cache line, where storing vectors as long as
    one is faster (2 to 3 % of the time of an LSTM at batch 128)."""
    cdef double size = (8.0 if typenum == cnp.NPY_FLOAT64 else 4.0) * shape[0] * shape[1] * shape[2]
    if not LARGE <= size < 2.0**62:
        return cnp.PyArray_EMPTY(3, shape, typenum, 0)
    cdef cnp.npy_intp more = <cnp.npy_intp>size + CACHE_LINE
    cdef cnp.ndarray memory = cnp.PyArray_EMPTY(1, &more, cnp.NPY_UINT8, 0)
    cdef char *start = <char *>cnp.PyArray_DATA(memory)
    start += (CACHE_LINE - <size_t>start % CACHE_LINE) % CACHE_LINE
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(3, shape, typenum, start)
    cnp.set_array_base(array, memory)
    return array


cdef bytearray trace_cells(list cells):
    """The core's array of where to show each cell: ``(gates, h, c, o)``, arrays or None."""
    cdef bytearray memory = bytearray(len(cells) * sizeof(rnnat_cell_trace) or 1)
    cdef rnnat_cell_trace *to = <rnnat_cell_trace *><char *>memory
    for i, (gates, h, c, o) in enumerate(cells):
        for k, gate in enumerate(gates):
            to[i].gates[k] = cnp.PyArray_DATA(gate)
        to[i].h = cnp.PyArray_DATA(h)
        to[i].c = NULL if c is None else cnp.PyArray_DATA(c)
        to[i].o = NULL if o is None else cnp.PyArray_DATA(o)
    return memory


# ---- models ----

cdef class CoreModel:
    """A packed, immutable model. Any number of threads may run it at once."""

    cdef rnnat_model *_model
    cdef rnnat_model_info _info
    cdef int _typenum
    cdef void *_scratch  # lent to one run at a time; others bring their own
    cdef size_t _scratch_size
    cdef readonly tuple state_shapes  # (rows, features) of each state array
    cdef readonly object dtype

    def __cinit__(self, data, int32_t dtype, int32_t matmul):
        cdef rnnat_model_options options
        cdef const unsigned char[::1] view = data
        cdef rnnat_status status
        cdef size_t size = view.shape[0]
        cdef int32_t rows, features
        options.struct_size = sizeof(options)
        options.dtype = dtype
        options.matmul = matmul
        with nogil:
            status = rnnat_model_from_memory(&view[0], size, &options, &self._model)
        check(status, "model")
        self._info.struct_size = sizeof(self._info)
        check(rnnat_model_describe(self._model, &self._info), "model")
        if self._info.num_states > MAX_STATES:
            raise UnsupportedError(
                f"model: at most {MAX_STATES} state arrays, this one has {self._info.num_states}"
            )
        self._typenum = cnp.NPY_FLOAT64 if dtype else cnp.NPY_FLOAT32
        self.dtype = np.dtype(np.float64 if dtype else np.float32)
        shapes = []
        for i in range(self._info.num_states):
            check(rnnat_model_state(self._model, i, &rows, &features), "model")
            shapes.append((rows, features))
        self.state_shapes = tuple(shapes)

    def __dealloc__(self):
        rnnat_model_free(self._model)
        PyMem_RawFree(self._scratch)

    @property
    def info(self):
        return {
            "matmul": ("auto", "packed", "blas")[self._info.matmul],
            "takes_indices": bool(self._info.takes_indices),
            "input_size": self._info.input_size,
            "output_size": self._info.output_size,
            "streamable": bool(self._info.streamable),
            "num_parameters": self._info.num_parameters,
            "memory": self._info.memory,
        }

    def unpack(self, int32_t op, int32_t direction, str name, tuple shape):
        """A weight that only the packed model holds, as PyTorch lays it out, bit for bit."""
        cdef rnnat_weight which = {
            "weight": RNNAT_WEIGHT,
            "weight_ih": RNNAT_WEIGHT_IH,
            "weight_hh": RNNAT_WEIGHT_HH,
            "weight_hr": RNNAT_WEIGHT_HR,
            "weight_gh": RNNAT_WEIGHT_GH,
            "weight_ch": RNNAT_WEIGHT_CH,
            "weight_xo": RNNAT_WEIGHT_XO,
        }[name]
        cdef cnp.ndarray rows = np.empty(shape, self.dtype)
        check(rnnat_model_unpack(self._model, op, direction, which, cnp.PyArray_DATA(rows)), name)
        return rows

    cdef cnp.ndarray _input(self, object x, str axes, int num_axes):
        """x as the core reads it; `axes` names those before the features, which indices lack."""
        cdef cnp.ndarray array
        cdef bint indices = self._info.takes_indices
        if indices:
            array = as_indices("x", x)
        else:
            array = as_floats("x", x, self._typenum, False)
            num_axes += 1
        if array.ndim != num_axes or not (
            indices or array.shape[num_axes - 1] == self._info.input_size
        ):
            expected = f"({axes})" if indices else f"({axes}, {self._info.input_size})"
            raise ShapeError(f"x: expected shape {expected}, got {np.shape(x)}")
        return array

    cdef list _states(self, states, Py_ssize_t batch):
        if len(states) != self._info.num_states:
            raise ShapeError(
                f"state: expected {self._info.num_states} arrays, got {len(states)}"
            )
        arrays = []
        for i, (given, (rows, features)) in enumerate(zip(states, self.state_shapes)):
            array = as_floats(f"state array {i}", given, self._typenum, True)
            expected = (rows, batch, features)
            if np.shape(array) != expected:
                raise ShapeError(
                    f"state array {i}: expected shape {expected}, got {np.shape(array)}"
                )
            arrays.append(array)
        return arrays

    def run(self, x, states, lengths, bint batch_first, int32_t num_threads, trace=None):
        """One call, one run of the core without the GIL: (y, [state arrays]).

        ``trace``: called with (time, batch), it returns the arrays into which each cell is shown,
        as ``tracing.Layout`` makes them.
        """
        cdef rnnat_run_args run
        cdef const void *state_in[MAX_STATES]
        cdef void *state_out[MAX_STATES]
        cdef cnp.ndarray array, y, length_array = None
        cdef rnnat_status status
        cdef cnp.npy_intp shape[3]
        cdef int time_axis = 1 if batch_first else 0
        cdef bint indices = self._info.takes_indices
        array = self._input(x, "batch, time" if batch_first else "time, batch", 2)
        cdef Py_ssize_t time = array.shape[time_axis], batch = array.shape[1 - time_axis]
        cdef Py_ssize_t item = array.itemsize
        if time > 2**31 - 1 or batch > 2**31 - 1:
            raise ShapeError(f"x: at most 2**31 - 1 steps and rows, got shape {np.shape(x)}")
        memset(&run, 0, sizeof(run))
        run.dtype = self._info.dtype
        run.time = <int32_t>time
        run.batch = <int32_t>batch
        run.num_threads = num_threads or get_num_threads()
        if time * batch > 1 and array.strides[0] == 0 and array.strides[1] == 0:
            array = array.copy()  # two zero strides would mean a dense array to the core
        run.x_stride_time = array.strides[time_axis] // item
        run.x_stride_batch = array.strides[1 - time_axis] // item
        if indices:
            run.indices = <const int32_t *>cnp.PyArray_DATA(array)
        else:
            run.x = cnp.PyArray_DATA(array)
        shape[time_axis] = time
        shape[1 - time_axis] = batch
        shape[2] = self._info.output_size
        if lengths is not None:
            length_array = as_lengths(lengths, batch, time)
            run.lengths = <const int32_t *>cnp.PyArray_DATA(length_array)
        cdef list given = None if states is None else self._states(states, batch)
        cdef list results = []
        cdef int i
        y = empty(shape, self._typenum)
        run.y = cnp.PyArray_DATA(y)
        run.y_stride_time = shape[2] if batch_first else batch * shape[2]
        run.y_stride_batch = time * shape[2] if batch_first else shape[2]
        for i in range(self._info.num_states):
            rows, features = self.state_shapes[i]
            shape[0] = rows
            shape[1] = batch
            shape[2] = features
            result = cnp.PyArray_EMPTY(3, shape, self._typenum, 0)
            results.append(result)
            state_out[i] = cnp.PyArray_DATA(result)
            if given is not None:
                state_in[i] = cnp.PyArray_DATA(given[i])
        run.state_out = state_out
        if given is not None:
            run.state_in = state_in
        cdef bytearray cells
        if trace is not None:
            cells = trace_cells(trace(time, batch))
            run.trace = <const rnnat_cell_trace *><char *>cells
        status = self._run(&run)
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index(x, lengths, self._info.input_size, batch_first)
            check(status, "run")
        return y, results

    cdef rnnat_status _run(self, const rnnat_run_args *run) except *:
        """Runs in the model's own scratch, or in more where another thread has that or it is too
        small; the larger one is kept."""
        cdef size_t need
        cdef rnnat_job job
        cdef rnnat_status status = rnnat_run_plan(self._model, run, &job)
        if status == RNNAT_OK:
            status = rnnat_run_need(self._model, &job, &need)
        if status != RNNAT_OK:
            return status
        cdef void *scratch = self._scratch
        cdef size_t size = self._scratch_size
        self._scratch = NULL
        self._scratch_size = 0
        if size < need:
            PyMem_RawFree(scratch)
            scratch = PyMem_RawMalloc(need)
            size = need
            if scratch == NULL:
                raise MemoryError(f"run: {need} bytes of scratch")
        with nogil:
            status = rnnat_run_go(self._model, &job, scratch, size)
        if self._scratch_size < size:
            PyMem_RawFree(self._scratch)
            self._scratch = scratch
            self._scratch_size = size
        else:
            PyMem_RawFree(scratch)
        return status


# ---- streams ----

@cython.final
cdef class Stream:
    """What one user of a model needs to run it a few steps at a time: the recurrent state and its
    scratch, made by ``Model.stream``. One thread at a time; ``BusyError`` where two meet."""

    cdef rnnat_stream *_stream
    cdef CoreModel _model
    cdef Py_ssize_t _batch
    cdef bint _busy
    cdef cnp.ndarray _y  # never handed out itself: a caller may reshape what it gets
    cdef object _pack, _unpack
    cdef object __weakref__

    def __cinit__(self, CoreModel model, batch, num_threads, pack, unpack):
        if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)):
            raise OptionError(f"batch: expected an integer, got {batch!r}")
        if not 0 <= batch < 2**31:
            raise OptionError(f"batch: expected 0 to {2**31 - 1}, got {batch}")
        if not model._info.streamable:
            raise UnsupportedError(
                "stream: a model with a reverse or bidirectional layer needs whole sequences"
            )
        self._model = model
        self._batch = batch
        self._pack = pack
        self._unpack = unpack
        cdef int32_t threads = as_num_threads(num_threads) or get_num_threads()
        check(rnnat_stream_create(model._model, <int32_t>self._batch, 1, &self._stream), "stream")
        check(rnnat_stream_set_num_threads(self._stream, threads), "stream")
        self._y = np.zeros((batch, model._info.output_size), model.dtype)

    def __dealloc__(self):
        rnnat_stream_free(self._stream)

    cdef int _enter(self) except -1:
        if self._busy:
            raise BusyError("stream: in use by another thread; give each thread a stream of its own")
        self._busy = True
        return 0

    cdef cnp.ndarray _convert(self, object x):
        cdef cnp.ndarray array = self._model._input(x, str(self._batch), 1)
        if array.shape[0] != self._batch:
            raise ShapeError(f"x: expected {self._batch} rows, got shape {np.shape(x)}")
        return np.ascontiguousarray(array)

    def step(self, x):
        """One step: x [batch, input_size], or indices [batch], -> y [batch, output_size].

        The result is the stream's own buffer: valid until the next step, which overwrites it.
        """
        cdef cnp.ndarray array
        cdef rnnat_status status
        cdef CoreModel model = self._model
        cdef bint wide = model._typenum == cnp.NPY_FLOAT64
        if (
            type(x) is cnp.ndarray
            and not model._info.takes_indices
            and cnp.PyArray_NDIM(x) == 2
            and cnp.PyArray_TYPE(x) == model._typenum
            and cnp.PyArray_ISCARRAY_RO(x)
            and cnp.PyArray_DIM(x, 0) == self._batch
            and cnp.PyArray_DIM(x, 1) == model._info.input_size
        ):
            array = x
        else:
            array = self._convert(x)
        cdef const void *data = cnp.PyArray_DATA(array)
        cdef void *y = cnp.PyArray_DATA(self._y)
        self._enter()
        with nogil:
            if model._info.takes_indices:
                if wide:
                    status = rnnat_stream_run_indices_f64(self._stream, <const int32_t *>data, 1,
                                                          <double *>y)
                else:
                    status = rnnat_stream_run_indices(self._stream, <const int32_t *>data, 1,
                                                      <float *>y)
            elif wide:
                status = rnnat_stream_run_f64(self._stream, <const double *>data, 1, <double *>y)
            else:
                status = rnnat_stream_run(self._stream, <const float *>data, 1, <float *>y)
        self._busy = False
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index(x, None, model._info.input_size, False)
            check(status, "step")
        cdef cnp.npy_intp shape[2]
        shape[0] = self._batch
        shape[1] = model._info.output_size
        cdef cnp.ndarray view = cnp.PyArray_SimpleNewFromData(2, shape, model._typenum, y)
        cnp.set_array_base(view, self._y)
        return view

    def reset(self):
        """The state becomes zero."""
        self._enter()
        check(rnnat_stream_reset(self._stream), "reset")
        self._busy = False

    @property
    def batch(self):
        """Rows of every step."""
        return self._batch

    @property
    def state(self):
        """A copy of the recurrent state, in the form ``Model`` takes and returns. Assigning one
        continues from it."""
        cdef cnp.ndarray array
        arrays = []
        self._enter()
        for i, (rows, features) in enumerate(self._model.state_shapes):
            array = np.empty((rows, self._batch, features), self._model.dtype)
            rnnat_stream_get_state(self._stream, i, cnp.PyArray_DATA(array))
            arrays.append(array)
        self._busy = False
        return self._unpack(arrays)

    @state.setter
    def state(self, value):
        arrays = self._model._states(self._pack(value), self._batch)
        self._enter()
        for i, array in enumerate(arrays):
            rnnat_stream_set_state(self._stream, i, cnp.PyArray_DATA(array))
        self._busy = False


include "_train.pxi"

# ---- the library ----

def version():
    """The core's version."""
    return rnnat_version().decode()


def isas():
    """(name, compiled, available) of every instruction set, best last."""
    cdef rnnat_isa_entry entry
    cdef int32_t i = 0
    rows = []
    while rnnat_isa_at(i, &entry):
        rows.append((entry.name.decode(), entry.kernels != NULL, bool(entry.available)))
        i += 1
    return rows


def isa():
    """The instruction set in use. ``OptionError`` or ``UnsupportedError`` where
    RNN_NATIVE_ISA names one that is unknown or cannot run here."""
    cdef rnnat_status status
    rnnat_isa_current(&status)
    if status != RNNAT_OK:
        import os

        known = ", ".join(name for name, _, available in isas() if available)
        raise _ERRORS[rnnat_status_name(status).decode()](
            f"RNN_NATIVE_ISA: expected one of {known} on this machine, "
            f"got {os.environ.get('RNN_NATIVE_ISA')!r}"
        )
    return rnnat_isa().decode()


def get_num_threads():
    """Threads that a call uses at most where it states none."""
    cdef rnnat_status status
    threads = rnnat_threads_default(&status)
    if status != RNNAT_OK:
        import os

        raise OptionError(
            "RNN_NATIVE_NUM_THREADS: expected an integer from 1 to 4096, "
            f"got {os.environ.get('RNN_NATIVE_NUM_THREADS')!r}"
        )
    return threads


def set_num_threads(num_threads):
    """Use at most that many threads (1 to 4096) where a call states none."""
    if isinstance(num_threads, bool) or not isinstance(num_threads, (int, np.integer)):
        raise OptionError(f"num_threads: expected an integer, got {num_threads!r}")
    rnnat_threads_set_default(as_num_threads(num_threads))


def openmp():
    """Whether the core was compiled with OpenMP."""
    return bool(rnnat_threads_compiled())


def use_blas(library):
    """Hands a ``blas.Library`` to the core; False where it is not usable."""
    cdef rnnat_blas_library lib
    cdef bytes name = library.name.encode()
    lib.name = name
    lib.integer_bits = library.integer_bits
    lib.fortran = library.fortran
    lib.sgemm = <rnnat_function><uintptr_t>library.sgemm
    lib.dgemm = <rnnat_function><uintptr_t>library.dgemm
    lib.set_threads = <rnnat_function><uintptr_t>library.set_threads
    lib.get_threads = <rnnat_function><uintptr_t>library.get_threads
    lib.threads_are_local = library.threads_are_local
    return bool(rnnat_blas_use(&lib))


def blas_available():
    return bool(rnnat_blas_available())
