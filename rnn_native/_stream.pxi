# Streams' part of the binding: included by _core.pyx.

@cython.final
cdef class Stream:
    """What one user of a model needs to run it a few steps at a time: the recurrent state and its
    scratch, made by ``Model.stream``. One thread at a time; ``BusyError`` where two meet."""

    cdef rnnat_stream *_stream
    cdef CoreModel _model
    cdef Py_ssize_t _batch
    cdef int32_t _threads
    cdef uint64_t _busy  # 0, or the generation of the process in which a call is under way
    cdef cnp.ndarray _y  # never handed out itself: a caller may reshape what it gets
    cdef size_t _x_size, _y_size  # bytes of a step
    cdef object _mask_value  # None, or what a step must not be all of
    cdef object __weakref__

    def __cinit__(self, CoreModel model, batch, num_threads, mask_value):
        if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)):
            raise OptionError(f"batch: expected an integer, got {batch!r}")
        if not 1 <= batch < 2**31:
            raise OptionError(
                f"batch: expected 1 to {2**31 - 1} rows, got {batch}; a call takes a batch of 0"
            )
        if not model._info.streamable:
            if model._info.num_inputs > 1 or model._info.num_outputs > 1:
                raise UnsupportedError("stream: expected a model with one input and one output")
            raise UnsupportedError(
                "stream: a model with a reverse or bidirectional layer needs whole sequences, and so "
                "does a node whose outputs and last state are both read"
            )
        self._model = model
        self._batch = batch
        self._mask_value = mask_value
        self._threads = as_num_threads(num_threads) or get_num_threads()
        self._make()
        self._y = np.zeros((batch, model._info.output_size), model.dtype)
        self._y_size = self._y.nbytes
        self._x_size = batch * (
            sizeof(int32_t) if model._info.takes_indices
            else model._info.input_size * model.dtype.itemsize
        )

    def __dealloc__(self):
        rnnat_stream_free(self._stream)

    cdef int _make(self) except -1:
        cdef rnnat_stream *stream
        check(rnnat_stream_create(self._model._model, <int32_t>self._batch, 1, &stream), "stream")
        rnnat_stream_free(self._stream)
        self._stream = stream
        check(rnnat_stream_set_num_threads(stream, self._threads), "stream")
        return 0

    cdef int _enter(self, bint anew=False) except -1:
        """``anew``: for what sets the whole state. In a child of fork it is all that may follow a step
        that another thread had under way: the stream is made again, with what its threads share."""
        if self._busy == generation:
            raise BusyError("stream: in use by another thread; give each thread a stream of its own")
        if self._busy and not anew and self._model._info.num_states:
            raise BusyError(
                "stream: another thread was in a step when this process was forked, so the state is "
                "none: call reset() or assign a state first"
            )
        if self._busy:
            self._make()
        self._busy = generation
        return 0

    cdef cnp.ndarray _convert(self, object x):
        cdef cnp.ndarray array = self._model._input(x, str(self._batch), 1)
        if array.shape[0] != self._batch:
            raise ShapeError(f"x: expected {self._batch} rows, got shape {np.shape(x)}")
        return np.ascontiguousarray(array)

    def step(self, x):
        """One step: x [batch, input_size], or indices [batch], -> y [batch, output_size].

        The result is the stream's own buffer: valid until the next step, which overwrites it, and
        may be that step's x: ``y = stream.step(y)``. Of a model that gives its last state alone it
        is what a call with all steps so far would give.

        ``ShapeError`` for a step that is masked (the model's ``mask_value``): masked steps are
        padding behind a row's end, and a stream has none.
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
        if self._mask_value is not None:
            refuse_masked(x, self._mask_value, bool(model._info.takes_indices))
        cdef void *y = cnp.PyArray_DATA(self._y)
        if overlap(cnp.PyArray_DATA(array), self._x_size, y, self._y_size):
            array = cnp.PyArray_NewCopy(array, cnp.NPY_CORDER)  # y is written while x is read
        cdef const void *data = cnp.PyArray_DATA(array)
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
        self._busy = 0
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index({"x": x}, {"x": model._info.input_size}, None, False)
            check(status, "step")
        cdef cnp.npy_intp shape[2]
        shape[0] = self._batch
        shape[1] = model._info.output_size
        cdef cnp.ndarray view = cnp.PyArray_SimpleNewFromData(2, shape, model._typenum, y)
        cnp.set_array_base(view, self._y)
        return view

    def reset(self):
        """The state becomes the model's initial state, with which a stream begins."""
        self._enter(True)
        check(rnnat_stream_reset(self._stream), "reset")
        self._busy = 0

    @property
    def batch(self):
        """Rows of every step."""
        return self._batch

    @property
    def state(self):
        """A copy of the recurrent state, in the form ``Model`` takes and returns. Assigning one
        continues from it."""
        cdef cnp.ndarray array
        cdef Py_ssize_t i
        cdef list arrays = [
            self._model._empty_state(i, self._batch) for i in range(self._model._info.num_states)
        ]
        self._enter()
        for i in range(self._model._info.num_states):
            array = arrays[i]
            rnnat_stream_get_state(self._stream, <int32_t>i, cnp.PyArray_DATA(array))
        self._busy = 0
        return self._model._grouped(arrays)

    @state.setter
    def state(self, value):
        cdef Py_ssize_t i
        given = self._model._arrays(value)
        arrays = [
            self._model._state(i, given[i], self._batch)
            for i in range(self._model._info.num_states)
        ]
        self._enter(True)
        for i in range(len(arrays)):
            rnnat_stream_set_state(
                self._stream, <int32_t>i, cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
            )
        self._busy = 0
