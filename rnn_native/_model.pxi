# Models: made of the bytes of a file, and called. Included by _core.pyx.

cdef class SafetensorsView:
    """A safetensors file: its bytes, or a list of its header, up to the data, and of the bytes of
    each array, which lie where they are and are not copied. In the place of an array that is not
    there, and which nobody reads, stands how many bytes it has."""

    cdef rnnat_safetensors file
    cdef rnnat_span *_parts
    cdef list _views

    def __cinit__(self, data):
        cdef const unsigned char[::1] view
        cdef int32_t i
        cdef char text[TEXT_SIZE]
        cdef rnnat_message message
        text[0] = 0
        message.text = &text[0]
        message.size = TEXT_SIZE
        message.used = 0
        self._views = data if type(data) is list else [data]
        if len(self._views) > 2**20:
            raise UnsupportedError(f"model: {len(self._views)} arrays are too many")
        self._parts = <rnnat_span *>PyMem_RawMalloc(len(self._views) * sizeof(rnnat_span))
        if self._parts == NULL:
            raise MemoryError("model: the list of its arrays")
        for i in range(<int32_t>len(self._views)):
            if type(self._views[i]) is int:
                self._parts[i].size = self._views[i]
                self._parts[i].data = NULL
                continue
            view = self._views[i]
            self._parts[i].size = view.shape[0]
            self._parts[i].data = &view[0]
        if type(data) is list:
            check_model(
                rnnat_safetensors_open_parts(
                    self._parts.data, self._parts.size, self._parts + 1,
                    <int32_t>len(self._views) - 1, &message, &self.file,
                ),
                text,
            )
        else:
            check_model(
                rnnat_safetensors_open(
                    self._parts.data, self._parts.size, &message, &self.file
                ),
                text,
            )

    def __dealloc__(self):
        PyMem_RawFree(self._parts)


cdef rnnat_model_options options_of(int32_t dtype, int32_t matmul, int32_t weight_dtype,
                                    int32_t compute, char *text):
    """``text``: TEXT_SIZE bytes for what the core says of a fault."""
    cdef rnnat_model_options options
    text[0] = 0
    options.message = text
    options.message_size = TEXT_SIZE
    options.struct_size = sizeof(options)
    options.dtype = dtype
    options.matmul = matmul
    options.weight_dtype = weight_dtype
    options.compute = compute
    return options


cdef cnp.ndarray unpack(const rnnat_model *model, cnp.ndarray rows, int32_t node,
                        int32_t direction, str name):
    """Fills ``rows`` with a weight of a packed model."""
    cdef bytes which = name.encode()
    check(rnnat_model_unpack(model, node, direction, which, cnp.PyArray_DATA(rows)), name)
    return rows


cdef class CoreModel:
    """A packed, immutable model. Any number of threads may run it at once."""

    cdef rnnat_model *_model
    cdef rnnat_model_info _info
    cdef int _typenum
    cdef int32_t _rows[MAX_STATES], _features[MAX_STATES]  # of each state array
    cdef int32_t _counts[MAX_STATES], _num_layers  # state arrays of each recurrent layer
    cdef tuple _groups  # the same for states.flatten
    cdef tuple _names  # of those layers, where a state is a dict; or None
    cdef void *_scratch  # lent to one run at a time; others bring their own
    cdef size_t _scratch_size
    cdef object _weights  # those that it has pointers into; None: they are its own
    cdef readonly object dtype

    def __cinit__(
        self, data, int32_t dtype, int32_t matmul, tuple counts, tuple names=None,
        int32_t weight_dtype=0, int32_t compute=0, weights=None,
    ):
        """``data``: see ``SafetensorsView``; ``counts``: what ``states.state_counts`` tells of its
        layers; ``names``: theirs, where a state is a dict; ``weights``: what ``share`` made of such
        a file, whose arrays need not be there then."""
        cdef char text[TEXT_SIZE]
        cdef rnnat_model_options options = options_of(dtype, matmul, weight_dtype, compute, text)
        cdef rnnat_status status
        cdef SafetensorsView file = SafetensorsView(data)
        cdef const unsigned char[::1] packed
        cdef int32_t i
        if weights is None:
            with nogil:
                status = rnnat_model_from_file(&file.file, &options, &self._model)
        else:
            self._weights = packed = weights
            status = rnnat_model_from_shared(
                &packed[0], packed.shape[0], &file.file, &options, &self._model
            )
        check_model(status, text)
        self._info.struct_size = sizeof(self._info)
        check(rnnat_model_describe(self._model, &self._info), "model")
        if self._info.num_states > MAX_STATES:
            raise UnsupportedError(
                f"model: at most {MAX_STATES} state arrays, this one has {self._info.num_states}"
            )
        self._typenum = cnp.NPY_FLOAT64 if dtype else cnp.NPY_FLOAT32
        self.dtype = np.dtype(np.float64 if dtype else np.float32)
        for i in range(self._info.num_states):
            check(
                rnnat_model_state(self._model, i, &self._rows[i], &self._features[i]), "model"
            )
        self._groups = counts
        self._names = names
        if self._info.num_inputs > MAX_VALUES or self._info.num_outputs > MAX_VALUES:
            raise UnsupportedError(
                f"model: at most {MAX_VALUES} inputs, and as many outputs; this one has "
                f"{self._info.num_inputs} and {self._info.num_outputs}"
            )
        self._num_layers = <int32_t>len(counts)
        for i in range(self._num_layers):
            self._counts[i] = counts[i]

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
            "return_sequences": bool(self._info.return_sequences),
            "streamable": bool(self._info.streamable),
            "num_parameters": self._info.num_parameters,
            "memory": self._info.memory,
            "shared_memory": 0 if self._weights is None else len(self._weights),
        }

    def unpack(self, int32_t node, int32_t direction, str name, tuple shape):
        """A weight that only the packed model holds, as PyTorch lays it out, bit for bit."""
        return unpack(self._model, np.empty(shape, self.dtype), node, direction, name)

    cdef cnp.ndarray _input(self, object x, str axes, int num_axes):
        """x as the core reads it; `axes` names those before the features, which indices lack."""
        cdef cnp.ndarray array
        cdef bint indices = self._info.takes_indices
        if indices:
            array = as_indices("x", x)
        elif is_plain(x, self._typenum, num_axes + 1):
            array = x
            num_axes += 1
        else:
            array = as_floats("x", x, self._typenum, False)
            num_axes += 1
        if array.ndim != num_axes or not (
            indices or array.shape[num_axes - 1] == self._info.input_size
        ):
            expected = f"({axes})" if indices else f"({axes}, {self._info.input_size})"
            raise ShapeError(f"x: expected shape {expected}, got {np.shape(x)}")
        return array

    cdef _arrays(self, object state):
        """The arrays of a state in the core's order: a tuple or list; ``ShapeError`` where its
        form is wrong. What has plainly the right form is not taken apart any further."""
        cdef Py_ssize_t i
        cdef list arrays = []
        if self._names is not None:
            state = by_name(self._names, state)
            state = state[0] if self._num_layers == 1 else state
        if self._num_layers == 1:
            if self._counts[0] == 1 and type(state) is cnp.ndarray:
                return (state,)
            if self._counts[0] > 1 and type(state) is tuple and len(state) == self._counts[0]:
                return state
        elif type(state) is tuple and len(state) == self._num_layers:
            for i in range(self._num_layers):
                part = state[i]
                if self._counts[i] == 1 and type(part) is cnp.ndarray:
                    arrays.append(part)
                elif (
                    self._counts[i] > 1 and type(part) is tuple and len(part) == self._counts[i]
                ):
                    arrays.extend(part)
                else:
                    return flatten(self._groups, state)
            return arrays
        return flatten(self._groups, state)

    cdef _grouped(self, list arrays):
        """The inverse: a state as callers see it."""
        cdef Py_ssize_t i, first = 0
        if self._num_layers == 1 and self._names is None:
            return arrays[0] if self._counts[0] == 1 else tuple(arrays)
        cdef list groups = []
        for i in range(self._num_layers):
            if self._counts[i] == 1:
                groups.append(arrays[first])
            else:
                groups.append(tuple(arrays[first : first + self._counts[i]]))
            first += self._counts[i]
        return tuple(groups) if self._names is None else dict(zip(self._names, groups))

    cdef cnp.ndarray _state(self, Py_ssize_t i, object given, Py_ssize_t batch):
        """State array i as the core reads it."""
        cdef cnp.ndarray array
        if is_plain(given, self._typenum, 3):
            array = given
        else:
            array = as_floats(f"state array {i}", given, self._typenum, True)
        if (
            array.ndim != 3
            or array.shape[0] != self._rows[i]
            or array.shape[1] != batch
            or array.shape[2] != self._features[i]
        ):
            raise ShapeError(
                f"state array {i}: expected shape {(self._rows[i], batch, self._features[i])}, "
                f"got {np.shape(array)}"
            )
        if rnnat_is_phase(self._model, <int32_t>i):
            return array.copy()  # whatever others do, y has room for what these numbers say
        return array

    cdef cnp.ndarray _empty_state(self, Py_ssize_t i, Py_ssize_t batch):
        cdef cnp.npy_intp shape[3]
        shape[0] = self._rows[i]
        shape[1] = batch
        shape[2] = self._features[i]
        return cnp.PyArray_EMPTY(3, shape, self._typenum, 0)

    def run(self, x, state, lengths, bint batch_first, int32_t num_threads, trace=None):
        """One call, one run of the core without the GIL: (y, state).

        ``num_threads``: 0 for the default. ``trace``: called with (time, batch), it returns the
        arrays into which each cell is shown, as ``tracing.Layout`` makes them.
        """
        cdef rnnat_run_args run
        cdef const void *state_in[MAX_STATES]
        cdef void *state_out[MAX_STATES]
        cdef cnp.ndarray array, y, result, length_array = None
        cdef rnnat_status status
        cdef cnp.npy_intp shape[3]
        cdef int time_axis = 1 if batch_first else 0, axes = 0
        cdef bint indices = self._info.takes_indices
        cdef Py_ssize_t i
        array = self._input(x, "batch, time" if batch_first else "time, batch", 2)
        cdef Py_ssize_t time = array.shape[time_axis], batch = array.shape[1 - time_axis]
        cdef Py_ssize_t item = array.itemsize, width = self._info.output_size
        if time > 2**31 - 1 or batch > 2**31 - 1:
            raise ShapeError(f"x: at most 2**31 - 1 steps and rows, got shape {np.shape(x)}")
        memset(&run, 0, sizeof(run))
        run.dtype = self._info.dtype
        run.time = <int32_t>time
        run.batch = <int32_t>batch
        run.num_threads = num_threads
        if time * batch > 1 and array.strides[0] == 0 and array.strides[1] == 0:
            array = array.copy()  # two zero strides would mean a dense array to the core
        run.x_stride_time = array.strides[time_axis] // item
        run.x_stride_batch = array.strides[1 - time_axis] // item
        if indices:
            run.indices = <const int32_t *>cnp.PyArray_DATA(array)
        else:
            run.x = cnp.PyArray_DATA(array)
        if lengths is not None:
            length_array = as_lengths(lengths, batch, time)
            run.lengths = <const int32_t *>cnp.PyArray_DATA(length_array)
        cdef list given = []  # keeps alive what state_in points to
        if state is not None:
            arrays = self._arrays(state)
            for i in range(self._info.num_states):
                result = self._state(i, arrays[i], batch)
                state_in[i] = cnp.PyArray_DATA(result)
                given.append(result)
            run.state_in = state_in
        cdef Py_ssize_t made = self._steps(0, &run)
        if not self._info.return_sequences:
            shape[0] = batch
            axes = 1
        else:
            shape[time_axis] = made
            shape[1 - time_axis] = batch
            run.y_stride_time = width if batch_first else batch * width
            axes = 2
        run.y_stride_batch = made * width if batch_first and axes == 2 else width
        shape[axes] = width
        y = empty(axes + 1, shape, self._typenum)
        run.y = cnp.PyArray_DATA(y)
        cdef list results = []
        for i in range(self._info.num_states):
            result = self._empty_state(i, batch)
            state_out[i] = cnp.PyArray_DATA(result)
            results.append(result)
        run.state_out = state_out
        cdef bytearray cells
        if trace is not None:
            cells = trace_cells(trace(time, batch))
            run.trace = <const rnnat_cell_trace *><char *>cells
        cdef _Signals asked = signals(
            <double>time * batch * (self._info.num_parameters + RNNAT_STOP_ROW)
        )
        if asked is not None:
            run.stop = asked.begin()
        status = self._run(&run)
        if asked is not None:
            asked.end()
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index({"x": x}, {"x": self._info.input_size}, lengths, batch_first)
            check_phases(status)
            check(status, "run")
        return y, self._grouped(results)

    cdef Py_ssize_t _steps(self, int32_t index, const rnnat_run_args *run) except -1:
        """How many steps an output has."""
        if not rnnat_has_paces(self._model):
            return run.time
        cdef const void *const *states = run.state_in if run.batch else NULL
        cdef int64_t steps = rnnat_output_steps(self._model, states, index, run.time)
        if steps > 2**31 - 1:
            raise ShapeError(f"x: {run.time} steps make {steps} of y, more than 2**31 - 1")
        return steps

    cdef rnnat_status _run(self, const rnnat_run_args *run) except *:
        """Runs in the model's own scratch, or in more where another thread has that or it is too
        small; the larger one is kept."""
        cdef rnnat_job job
        cdef rnnat_status status = rnnat_run_plan(self._model, run, &job)
        if status != RNNAT_OK:
            return status
        cdef void *scratch = self._scratch
        cdef size_t size = self._scratch_size
        self._scratch = NULL
        self._scratch_size = 0
        if size < job.need:
            PyMem_RawFree(scratch)
            scratch = PyMem_RawMalloc(job.need)
            size = job.need
            if scratch == NULL:
                raise MemoryError(f"run: {job.need} bytes of scratch")
        with nogil:
            status = rnnat_run_go(self._model, &job, scratch, size)
        if self._scratch_size < size:
            PyMem_RawFree(self._scratch)
            self._scratch = scratch
            self._scratch_size = size
        else:
            PyMem_RawFree(scratch)
        return status
