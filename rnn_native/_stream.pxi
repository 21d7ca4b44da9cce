# Streams' part of the binding: included by _core.pyx.

cdef list outputs_of(CoreModel model):
    """Of each output its features and its rate, (repeat, stride, latency)."""
    cdef rnnat_value_info info
    cdef int32_t i
    cdef list outputs = []
    info.struct_size = sizeof(info)
    for i in range(model._info.num_outputs):
        check(rnnat_model_output(model._model, i, &info), "model")
        outputs.append((info.features, (info.repeat, info.stride, info.latency)))
    return outputs


cdef refuse_paced(list rates, str push):
    """Says that ``step`` is not for this model, and what is."""
    each = " and ".join(
        f"{repeat} of {stride}" + (f", {late} steps behind" if late else "")
        for repeat, stride, late in rates
    )
    raise UnsupportedError(
        "step: expected a model that makes one step of y of each step of x at once; this one "
        f"makes {each}: {push} takes any number of steps and gives those that are ready"
    )


@cython.final
cdef class Stream:
    """What one user of a model needs to run it a few steps at a time: the recurrent state and its
    scratch, made by ``Model.stream``. One thread at a time; ``BusyError`` where two meet."""

    cdef rnnat_stream *_stream
    cdef CoreModel _model
    cdef Py_ssize_t _batch
    cdef int32_t _threads
    cdef uint64_t _busy  # 0, or the generation of the process in which a call is under way
    cdef list _ys  # one an output; never handed out: a caller may reshape what it gets
    cdef cnp.ndarray _y  # the first of them
    cdef size_t _x_size, _y_size  # bytes of a step
    cdef object _calls  # of a graph: GraphCalls
    cdef bint _several  # inputs or outputs
    cdef object _mask_value  # None, or what a step must not be all of
    cdef bint _paced  # an output has other steps than the inputs
    cdef list _rates  # of each output: (repeat, stride, latency)
    cdef int32_t _most  # steps that are run together
    cdef object __weakref__

    def __cinit__(
        self, CoreModel model, batch, num_threads, mask_value, calls=None, ahead=""
    ):
        if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)):
            raise OptionError(f"batch: expected an integer, got {batch!r}")
        if not 1 <= batch < 2**31:
            raise OptionError(
                f"batch: expected 1 to {2**31 - 1} rows, got {batch}; a call takes a batch of 0"
            )
        if not model._info.streamable:
            raise UnsupportedError(f"stream: expected a model that runs step by step; {ahead}")
        self._model = model
        self._batch = batch
        self._mask_value = mask_value
        self._threads = as_num_threads(num_threads) or get_num_threads()
        self._make(1)
        self._calls = calls
        self._several = calls is not None and calls.several
        self._ys = []
        self._rates = []
        self._paced = rnnat_has_paces(model._model)
        for features, rate in outputs_of(model):
            self._ys.append(np.zeros((batch, features), model.dtype))
            self._rates.append(rate)
        self._y = self._ys[0]
        self._y_size = self._y.nbytes
        self._x_size = batch * (
            sizeof(int32_t) if model._info.takes_indices
            else model._info.input_size * model.dtype.itemsize
        )

    def __dealloc__(self):
        rnnat_stream_free(self._stream)

    cdef int _make(self, int32_t most) except -1:
        """``most``: steps that are run together."""
        cdef rnnat_stream *stream
        check(
            rnnat_stream_create(self._model._model, <int32_t>self._batch, most, &stream), "stream"
        )
        self._most = most
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
            self._make(self._most)
        self._busy = generation
        return 0

    cdef cnp.ndarray _convert(self, object x):
        cdef cnp.ndarray array = self._model._input(x, str(self._batch), 1)
        if array.shape[0] != self._batch:
            raise ShapeError(f"x: expected {self._batch} rows, got shape {np.shape(x)}")
        return np.ascontiguousarray(array)

    def step(self, x):
        """One step: x [batch, input_size], or indices [batch], -> y [batch, output_size]; of a model
        with several inputs or outputs dicts of them by name, as a call has them. An input without time
        is given with every step, and may change.

        The result is the stream's own buffer: valid until the next step, which overwrites it, and
        may be that step's x: ``y = stream.step(y)``. What is made of last states is what a call with
        all steps so far would give.

        ``ShapeError`` for a step that is masked (the model's ``mask_value``): masked steps are
        padding behind a row's end, and a stream has none.
        """
        cdef cnp.ndarray array
        cdef rnnat_status status
        cdef CoreModel model = self._model
        cdef bint wide = model._typenum == cnp.NPY_FLOAT64
        if self._paced:
            refuse_paced(self._rates, "stream.push")
        if self._several:
            return self._step_values(x)
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
            x = x if self._calls is None else self._calls.only(x)
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
        return self._view(self._y)

    def push(self, x):
        """Any number of steps, time first: x [steps, batch, input_size], or indices [steps, batch] ->
        those steps of y that are ready, [ready, batch, output_size]; of a model with several inputs or
        outputs dicts of them by name. An input without time is [batch, input_size], or indices [batch],
        for all of these steps.

        As many as came, unless layers with strides make fewer or more (``rate``), or wait for steps
        behind their own (``latency``). The same bits, however the steps are cut. The result is the
        caller's.

        ``ShapeError`` for masked steps, as ``step`` has it.
        """
        cdef const void *x_at[MAX_VALUES]
        cdef void *y_at[MAX_VALUES]
        cdef int32_t room[MAX_VALUES], got[MAX_VALUES]
        cdef cnp.ndarray array
        cdef rnnat_status status
        cdef list arrays = [], known = []
        cdef dict given = self._calls.given(x) if self._calls is not None else {"x": x}
        cdef Py_ssize_t i, steps = -1
        cdef rnnat_value_info info
        info.struct_size = sizeof(info)
        for i, where in enumerate(given):
            check(rnnat_model_input(self._model._model, <int32_t>i, &info), "push")
            if not info.has_time:
                array = self._step_input(<int32_t>i, where, given[where], known)
            else:
                array = self._steps_input(<int32_t>i, where, given[where], known, steps)
                steps = array.shape[0]
            x_at[i] = cnp.PyArray_DATA(array)
            arrays.append(array)
        if steps > 2**31 - 1:
            raise ShapeError(f"x: at most 2**31 - 1 steps, got {steps}")
        if self._mask_value is not None:
            for one in next(iter(given.values())):
                refuse_masked(one, self._mask_value, bool(known))
        self._enter()
        try:
            self._lengthen(steps)
            for i in range(len(self._ys)):
                room[i] = got[i] = 0
                y_at[i] = NULL
            with nogil:  # without room for what is ready, nothing happens but that it is counted
                status = rnnat_stream_push_values(
                    self._stream, x_at, <int32_t>steps, y_at, room, got
                )
            ys = []
            for i in range(len(self._ys)):
                width = (<cnp.ndarray>self._ys[i]).shape[1]
                ys.append(np.empty((got[i], self._batch, width), self._model.dtype))
                room[i] = got[i]
                y_at[i] = cnp.PyArray_DATA(<cnp.ndarray>ys[i])
            if rnnat_status_name(status) == b"RNNAT_ERROR_TOO_SMALL":
                with nogil:
                    status = rnnat_stream_push_values(
                        self._stream, x_at, <int32_t>steps, y_at, room, got
                    )
        finally:
            self._busy = 0
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index(given, dict(known), None, False)
            check_phases(status)
            check(status, "push")
        return ys[0] if len(ys) == 1 else dict(zip(self._calls.outputs, ys))

    cdef int _lengthen(self, Py_ssize_t steps) except -1:
        """Makes room for so many steps at once, up to some: what lasts is the state."""
        cdef Py_ssize_t i
        cdef cnp.ndarray array
        cdef int32_t most = <int32_t>min(steps, MOST_STEPS)
        if most <= self._most:
            return 0
        cdef list arrays = [
            self._model._empty_state(i, self._batch) for i in range(self._model._info.num_states)
        ]
        for i, array in enumerate(arrays):
            rnnat_stream_get_state(self._stream, <int32_t>i, cnp.PyArray_DATA(array))
        self._make(most)
        for i, array in enumerate(arrays):
            rnnat_stream_set_state(self._stream, <int32_t>i, cnp.PyArray_DATA(array))
        return 0

    cdef cnp.ndarray _steps_input(self, int32_t index, str where, object x, list known,
                                  Py_ssize_t steps):
        """Steps of input ``index`` as the core reads them; ``steps``: how many there are, or -1."""
        cdef rnnat_value_info info
        cdef cnp.ndarray array
        info.struct_size = sizeof(info)
        check(rnnat_model_input(self._model._model, index, &info), "push")
        if info.indices:
            known.append((where, info.indices))
            array = as_indices(where, x)
            behind = (self._batch,)
        else:
            array = as_floats(where, x, self._model._typenum, False)
            behind = (self._batch, info.features)
        shape = np.shape(array)
        if len(shape) != 1 + len(behind) or shape[1:] != behind or (steps >= 0 and shape[0] != steps):
            wanted = ", ".join(map(str, ("steps" if steps < 0 else steps, *behind)))
            raise ShapeError(f"{where}: expected shape ({wanted}), got {np.shape(x)}")
        return np.ascontiguousarray(array)

    @property
    def rate(self):
        """Steps of y for each step of x, a ``fractions.Fraction``; of several outputs by name."""
        from fractions import Fraction

        return self._of_outputs([Fraction(r, s) for r, s, _ in self._rates])

    @property
    def latency(self):
        """How many steps of x behind its own a step of y waits for; of several outputs by name."""
        return self._of_outputs([latency for _, _, latency in self._rates])

    cdef object _of_outputs(self, list each):
        return each[0] if len(each) == 1 else dict(zip(self._calls.outputs, each))

    cdef cnp.ndarray _view(self, cnp.ndarray y):
        """What is handed out of an output's buffer."""
        cdef cnp.ndarray view = cnp.PyArray_SimpleNewFromData(
            2, cnp.PyArray_DIMS(y), self._model._typenum, cnp.PyArray_DATA(y)
        )
        cnp.set_array_base(view, y)
        return view

    cdef object _step_values(self, object x):
        """``step`` of several inputs or outputs."""
        cdef const void *x_at[MAX_VALUES]
        cdef void *y_at[MAX_VALUES]
        cdef cnp.ndarray array
        cdef rnnat_status status
        cdef list arrays = [], known = []
        cdef dict given = self._calls.given(x)
        cdef Py_ssize_t i
        for i, where in enumerate(given):
            array = self._step_input(<int32_t>i, where, given[where], known)
            x_at[i] = cnp.PyArray_DATA(array)
            arrays.append(array)
        if self._mask_value is not None:
            refuse_masked(next(iter(given.values())), self._mask_value, bool(known))
        for i in range(len(self._ys)):
            y_at[i] = cnp.PyArray_DATA(<cnp.ndarray>self._ys[i])
        self._enter()
        with nogil:
            status = rnnat_stream_run_values(self._stream, x_at, 1, y_at)
        self._busy = 0
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index(given, dict(known), None, False)
            check(status, "step")
        views = [self._view(y) for y in self._ys]
        return views[0] if len(views) == 1 else dict(zip(self._calls.outputs, views))

    cdef cnp.ndarray _step_input(self, int32_t index, str where, object x, list known):
        """Input ``index`` as the core reads it; where it is of indices, ``known`` is told how many
        there are."""
        cdef rnnat_value_info info
        cdef cnp.ndarray array, y
        info.struct_size = sizeof(info)
        check(rnnat_model_input(self._model._model, index, &info), "step")
        if info.indices:
            known.append((where, info.indices))
            array = as_indices(where, x)
            expected = (self._batch,)
        else:
            array = as_floats(where, x, self._model._typenum, False)
            expected = (self._batch, info.features)
        if np.shape(array) != expected:
            raise ShapeError(f"{where}: expected shape {expected}, got {np.shape(x)}")
        array = np.ascontiguousarray(array)
        for y in self._ys:  # which are written while inputs are read
            if overlap(
                cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array),
                cnp.PyArray_DATA(y), cnp.PyArray_NBYTES(y),
            ):
                return cnp.PyArray_NewCopy(array, cnp.NPY_CORDER)
        return array

    def reset(self):
        """The state becomes the model's initial state, with which a stream begins."""
        self._enter(True)
        check(rnnat_stream_reset(self._stream), "reset")
        self._busy = 0

    def __repr__(self):
        return f"Stream(batch={self._batch}, num_threads={self._threads})"

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
        cdef const void *states[MAX_STATES]
        for i in range(len(arrays)):
            states[i] = cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
        if not rnnat_take_phases(self._model._model, states, <int32_t>self._batch, NULL):
            raise ShapeError(PHASES)
        self._enter(True)
        for i in range(len(arrays)):
            rnnat_stream_set_state(self._stream, <int32_t>i, states[i])
        self._busy = 0
