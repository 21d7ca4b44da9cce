# Training's part of the binding: included by _core.pyx.

# ---- nets ----

cdef class _Blocks:
    """Blocks of memory that were given back, for the next tape: fresh pages cost more than a step
    of a small network. Used under the GIL alone."""

    cdef void *blocks[4]
    cdef size_t sizes[4]

    def __dealloc__(self):
        for i in range(4):
            PyMem_RawFree(self.blocks[i])

    cdef void *take(self, size_t need, size_t *size) except NULL:
        """A block of at least `need` bytes, but not of more than twice that."""
        cdef int i
        cdef void *block
        for i in range(4):
            if self.blocks[i] != NULL and need <= self.sizes[i] <= 2 * need:
                block = self.blocks[i]
                size[0] = self.sizes[i]
                self.blocks[i] = NULL
                return block
        block = PyMem_RawMalloc(need)
        if block == NULL:
            raise MemoryError(f"training: {need} bytes")
        size[0] = need
        return block

    cdef void give(self, void *block, size_t size) noexcept:
        """Keeps it; the oldest makes room."""
        cdef int i
        PyMem_RawFree(self.blocks[3])
        for i in range(3, 0, -1):
            self.blocks[i] = self.blocks[i - 1]
            self.sizes[i] = self.sizes[i - 1]
        self.blocks[0] = block
        self.sizes[0] = size


@cython.final
cdef class CoreTape:
    """What backward needs of one forward."""

    cdef _Blocks _blocks
    cdef void *_memory
    cdef size_t _size
    cdef readonly Py_ssize_t time, batch

    def __dealloc__(self):
        if self._memory != NULL:
            self._blocks.give(self._memory, self._size)

    @property
    def nbytes(self):
        return self._size


@cython.final
cdef class CoreNet:
    """Layers over arrays of the caller, packed for training. `texts` describe the layers as the
    file format does; `weights` are dense arrays in the order of train/train.h. They are read by
    update, which has to come after every change, and by an embedding's forward."""

    cdef rnnat_net *_net
    cdef void *_memory
    cdef const void **_weights
    cdef _Blocks _blocks
    cdef int _typenum
    cdef bint _takes_indices
    cdef int32_t _input_size, _output_size
    cdef uint64_t _packing  # 0, or the generation of the process in which update is under way
    cdef double _num_weights
    cdef readonly tuple weights, state_shapes
    cdef readonly object dtype

    def __cinit__(self, list texts, int32_t dtype, tuple weights, tuple state_shapes,
                  bint takes_indices, int32_t input_size, int32_t output_size):
        cdef rnnat_net_layers layers
        cdef size_t need
        cdef const char **lines
        cdef cnp.ndarray array
        cdef Py_ssize_t i
        if len(state_shapes) > MAX_STATES:
            raise UnsupportedError(
                f"network: at most {MAX_STATES} state arrays, this one has {len(state_shapes)}"
            )
        self._blocks = _Blocks()
        self._typenum = cnp.NPY_FLOAT64 if dtype else cnp.NPY_FLOAT32
        self.dtype = np.dtype(np.float64 if dtype else np.float32)
        self.weights = weights
        self._num_weights = sum(weight.size for weight in weights)
        self.state_shapes = state_shapes
        self._takes_indices = takes_indices
        self._input_size = input_size
        self._output_size = output_size
        self._weights = <const void **>PyMem_RawMalloc((len(weights) + 1) * sizeof(void *))
        lines = <const char **>PyMem_RawMalloc((len(texts) + 1) * sizeof(void *))
        try:
            if self._weights == NULL or lines == NULL:
                raise MemoryError("network")
            for i in range(len(weights)):
                array = weights[i]
                self._weights[i] = cnp.PyArray_DATA(array)
            for i in range(len(texts)):
                lines[i] = <bytes>texts[i]
            layers.count = <int32_t>len(texts)
            layers.texts = lines
            layers.dtype = dtype
            check(rnnat_net_size(&layers, &need), "network")
            self._memory = PyMem_RawMalloc(need)
            if self._memory == NULL:
                raise MemoryError(f"network: {need} bytes")
            check(rnnat_net_init(self._memory, need, &layers, self._weights, &self._net), "network")
        finally:
            PyMem_RawFree(lines)
        rnnat_net_update(self._net)

    def __dealloc__(self):
        PyMem_RawFree(self._memory)
        PyMem_RawFree(self._weights)

    def update(self):
        """Packs the weights again."""
        self._packing = generation
        with nogil:
            rnnat_net_update(self._net)
        self._packing = 0

    cdef _packed(self):
        """Finishes what another thread of a parent had not when it forked."""
        if self._packing and self._packing != generation:
            self.update()

    cdef double _work(self, Py_ssize_t time, Py_ssize_t batch):
        """Multiplications of a call, about."""
        return <double>time * batch * (self._num_weights + RNNAT_STOP_ROW)

    cdef cnp.ndarray _given(self, str where, object value, tuple shape):
        array = as_floats(where, value, self._typenum, True)
        if np.shape(array) != shape:
            raise ShapeError(f"{where}: expected shape {shape}, got {np.shape(array)}")
        return array

    cdef list _given_states(self, str where, states, Py_ssize_t batch):
        if states is None:
            return None
        if len(states) != len(self.state_shapes):
            raise ShapeError(
                f"{where}: expected {len(self.state_shapes)} arrays, got {len(states)}"
            )
        return [
            self._given(f"{where} array {i}", value, (rows, batch, features))
            for i, (value, (rows, features)) in enumerate(zip(states, self.state_shapes))
        ]

    cdef list _empty_states(self, Py_ssize_t batch):
        return [
            np.empty((rows, batch, features), self.dtype) for rows, features in self.state_shapes
        ]

    def forward(self, x, states, lengths, double dropout, seed, int32_t num_threads):
        """(y, [state arrays], CoreTape)"""
        cdef rnnat_train_forward args
        cdef const void *state_in[MAX_STATES]
        cdef void *state_out[MAX_STATES]
        cdef cnp.ndarray array, y, length_array
        cdef size_t need, scratch
        cdef rnnat_status status
        cdef int i
        self._packed()
        memset(&args, 0, sizeof(args))
        if self._takes_indices:
            array = as_indices("x", x)
            if array.ndim != 2:
                raise ShapeError(f"x: expected shape (time, batch), got {np.shape(x)}")
            args.indices = <const int32_t *>cnp.PyArray_DATA(array)
        else:
            array = as_floats("x", x, self._typenum, True)
            if array.ndim != 3 or array.shape[2] != self._input_size:
                raise ShapeError(
                    f"x: expected shape (time, batch, {self._input_size}), got {np.shape(x)}"
                )
            args.x = cnp.PyArray_DATA(array)
        cdef Py_ssize_t time = array.shape[0], batch = array.shape[1]
        if time > 2**31 - 1 or batch > 2**31 - 1:
            raise ShapeError(f"x: at most 2**31 - 1 steps and rows, got shape {np.shape(x)}")
        args.time = <int32_t>time
        args.batch = <int32_t>batch
        args.num_threads = num_threads or get_num_threads()
        args.dropout = dropout
        args.seed = <uint64_t>(seed or 0)
        if lengths is not None:
            length_array = as_lengths(lengths, batch, time)
            args.lengths = <const int32_t *>cnp.PyArray_DATA(length_array)
        given = self._given_states("state", states, batch)
        results = self._empty_states(batch)
        for i in range(len(results)):
            state_out[i] = cnp.PyArray_DATA(<cnp.ndarray>results[i])
            if given is not None:
                state_in[i] = cnp.PyArray_DATA(<cnp.ndarray>given[i])
        args.state_out = state_out
        if given is not None:
            args.state_in = state_in
        y = np.empty((time, batch, self._output_size), self.dtype)
        args.y = cnp.PyArray_DATA(y)
        check(rnnat_train_size(self._net, args.time, args.batch, 1, &need, &scratch), "forward")
        cdef CoreTape tape = CoreTape.__new__(CoreTape)
        tape._blocks = self._blocks
        tape._memory = self._blocks.take(need, &tape._size)
        tape.time = time
        tape.batch = batch
        cdef _Signals asked = signals(self._work(time, batch))
        if asked is not None:
            args.stop = asked.begin()
        with nogil:
            status = rnnat_train_run_forward(self._net, &args, tape._memory, tape._size)
        if asked is not None:
            asked.end()
        if status != RNNAT_OK:
            if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
                _raise_index({"x": x}, {"x": self._input_size}, lengths, False)
            check(status, "forward")
        return y, results, tape

    def backward(self, CoreTape tape, dy, dstates, int32_t num_threads):
        """(dx or None, [gradients of the states before], [gradients of the weights])"""
        cdef rnnat_train_backward args
        cdef const void *dstate[MAX_STATES]
        cdef void *dstate_in[MAX_STATES]
        cdef cnp.ndarray array, dx
        cdef size_t need, size = 0, tape_need
        cdef rnnat_status status
        cdef int i
        cdef void *scratch
        cdef void **grads
        self._packed()
        memset(&args, 0, sizeof(args))
        args.num_threads = num_threads or get_num_threads()
        array = self._given("dy", dy, (tape.time, tape.batch, self._output_size))
        args.dy = cnp.PyArray_DATA(array)
        given = self._given_states("dstate", dstates, tape.batch)
        results = self._empty_states(tape.batch)
        for i in range(len(results)):
            dstate_in[i] = cnp.PyArray_DATA(<cnp.ndarray>results[i])
            if given is not None:
                dstate[i] = cnp.PyArray_DATA(<cnp.ndarray>given[i])
        args.dstate_in = dstate_in
        if given is not None:
            args.dstate = dstate
        dx = None
        if not self._takes_indices:
            dx = np.empty((tape.time, tape.batch, self._input_size), self.dtype)
            args.dx = cnp.PyArray_DATA(dx)
        gradients = [np.empty_like(weight) for weight in self.weights]
        check(
            rnnat_train_size(self._net, <int32_t>tape.time, <int32_t>tape.batch, args.num_threads,
                             &tape_need, &need),
            "backward",
        )
        scratch = self._blocks.take(need, &size)
        grads = <void **>PyMem_RawMalloc((len(gradients) + 1) * sizeof(void *))
        if grads == NULL:
            self._blocks.give(scratch, size)
            raise MemoryError("backward")
        for i in range(len(gradients)):
            grads[i] = cnp.PyArray_DATA(<cnp.ndarray>gradients[i])
        args.grads = grads
        cdef _Signals asked = signals(self._work(tape.time, tape.batch))
        if asked is not None:
            args.stop = asked.begin()
        with nogil:
            status = rnnat_train_run_backward(self._net, &args, tape._memory, scratch, size)
        self._blocks.give(scratch, size)
        PyMem_RawFree(grads)
        if asked is not None:
            asked.end()
        check(status, "backward")
        return dx, results, gradients
