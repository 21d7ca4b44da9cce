# Pools of streams, but what runs them: included by _core.pyx.

cdef enum:
    ALL_STREAMS = -1



cdef class PoolOfStates:
    """The streams of a pool: opened, closed, their states. ``StreamPool`` runs them."""

    cdef rnnat_pool *_pool
    cdef rnnat_pool_info _info
    cdef CoreModel _core
    cdef readonly object model
    """The Model whose streams these are."""
    cdef uint64_t _busy  # 0, or the generation of the process in which a call is under way
    cdef object _calls  # of a graph: GraphCalls
    cdef bint _several  # inputs or outputs
    cdef object _mask_value  # None, or what a step must not be all of
    cdef bint _paced  # an output has other steps than the inputs
    cdef list _features  # of each output
    cdef list _rates  # of each output: (repeat, stride, latency)
    cdef object __weakref__

    def __cinit__(self, model, capacity=4096, num_threads=None):
        model = getattr(model, "model", model)
        core = getattr(model, "_core", None)
        if not isinstance(core, CoreModel):
            raise DTypeError(
                f"StreamPool: expected a Model, or a module with one, got {type(model).__name__}"
            )
        if isinstance(capacity, bool) or not isinstance(capacity, (int, np.integer)):
            raise OptionError(f"capacity: expected an integer, got {capacity!r}")
        if not 1 <= capacity < 2**31:
            raise OptionError(f"capacity: expected 1 to {2**31 - 1} streams, got {capacity}")
        self.model = model
        self._core = core
        self._calls = model._calls
        self._mask_value = model._mask_value
        self._several = self._calls is not None and self._calls.several
        if not self._core._info.streamable:
            raise UnsupportedError(
                f"StreamPool: expected a model that runs step by step; {model._ahead}"
            )
        if self._core._info.matmul != PACKED:
            raise UnsupportedError(
                "StreamPool: expected matmul='packed', got 'blas', with which a stream's bits would "
                "depend on its company"
            )
        self._paced = rnnat_has_paces(self._core._model)
        outputs = outputs_of(self._core)
        self._features = [features for features, _ in outputs]
        self._rates = [rate for _, rate in outputs]
        cdef int32_t threads = (
            as_num_threads(num_threads) or model._default_threads or get_num_threads()
        )
        cdef int32_t most = max(threads, os.cpu_count() or 1)
        cdef size_t need
        check(rnnat_pool_size(self._core._model, <int32_t>capacity, most, &need), "StreamPool")
        status = rnnat_pool_create(self._core._model, <int32_t>capacity, most, &self._pool)
        if rnnat_status_name(status) == b"RNNAT_ERROR_NO_MEMORY":
            raise MemoryError(f"StreamPool: {need} bytes for {capacity} streams")
        check(status, "StreamPool")
        self._describe()
        rnnat_pool_set_num_threads(self._pool, min(threads, self._info.max_threads))
        self._describe()

    def __dealloc__(self):
        rnnat_pool_free(self._pool)

    cdef int _describe(self) except -1:
        self._info.struct_size = sizeof(self._info)
        check(rnnat_pool_describe(self._pool, &self._info), "StreamPool")
        return 0

    cdef int _enter(self) except -1:
        if self._busy == generation:
            raise BusyError("StreamPool: in use by another thread; let one thread at a time use it")
        if self._busy:
            raise BusyError(
                "StreamPool: another thread was in a call when this process was forked, so the states "
                "are none: make a new pool, and restore a snapshot"
            )
        self._busy = generation
        return 0

    cdef int32_t _id(self, object i) except -1:
        """An id as the core takes it; one past int32 is none."""
        if isinstance(i, (bool, np.bool_)) or not isinstance(i, (int, np.integer)):
            raise DTypeError(f"id: expected an integer, as open() gives it, got {i!r}")
        if not 0 <= i < self._info.capacity or not rnnat_pool_is_open(self._pool, <int32_t>i):
            raise ShapeError(f"id: expected an open stream, got {i}, which is none")
        return <int32_t>i

    def open(self):
        """Open a stream, in the model's initial state; returns its id, an int below ``capacity``.

        Ids of closed streams are used again. Raises ``PoolFullError`` where ``capacity`` streams are
        open.
        """
        cdef int32_t i
        self._enter()
        status = rnnat_pool_open(self._pool, &i)
        self._busy = 0
        if rnnat_status_name(status) == b"RNNAT_ERROR_FULL":
            raise PoolFullError(
                f"open: all {self._info.capacity} streams are open: close some, or make a pool of a "
                "larger capacity"
            )
        check(status, "open")
        return i

    def close(self, i):
        """End stream ``i``, and wipe its state; the next ``open`` may give its id to somebody else."""
        self._enter()
        try:
            check(rnnat_pool_close(self._pool, self._id(i)), "close")
        finally:
            self._busy = 0

    def reset(self, i):
        """The state of stream ``i`` becomes the model's initial state."""
        self._enter()
        try:
            check(rnnat_pool_reset(self._pool, self._id(i)), "reset")
        finally:
            self._busy = 0

    # ---- states ----

    def get_state(self, i):
        """A copy of the state of stream ``i``, in the form that ``model.stream(batch=1).state`` has."""
        cdef cnp.ndarray array
        cdef Py_ssize_t k
        cdef int32_t which
        cdef list arrays = [
            self._core._empty_state(k, 1) for k in range(self._core._info.num_states)
        ]
        self._enter()
        try:
            which = self._id(i)
            for k, array in enumerate(arrays):
                check(
                    rnnat_pool_get_state(self._pool, which, <int32_t>k, cnp.PyArray_DATA(array)),
                    "get_state",
                )
        finally:
            self._busy = 0
        return self._core._grouped(arrays)

    def set_state(self, i, state):
        """Stream ``i`` goes on from a state, in the form that ``get_state`` gives."""
        cdef const void *states[MAX_STATES]
        cdef Py_ssize_t k
        cdef int32_t which
        given = self._core._arrays(state)
        arrays = [
            np.ascontiguousarray(self._core._state(k, given[k], 1))
            for k in range(self._core._info.num_states)
        ]
        for k in range(len(arrays)):
            states[k] = cnp.PyArray_DATA(<cnp.ndarray>arrays[k])
        if not rnnat_take_phases(self._core._model, states, 1, NULL):
            raise ShapeError(PHASES)
        self._enter()
        try:
            which = self._id(i)
            for k in range(len(arrays)):
                check(rnnat_pool_set_state(self._pool, which, <int32_t>k, states[k]), "set_state")
        finally:
            self._busy = 0

    def snapshot(self, i=None):
        """The state of stream ``i``, or of all that are open with their ids, as bytes: they can be
        kept, and restored in another process that has the same model, whatever its CPU."""
        cdef size_t size
        cdef bytes written
        cdef int32_t which
        self._enter()
        try:
            which = ALL_STREAMS if i is None else self._id(i)
            rnnat_pool_snapshot(self._pool, which, NULL, 0, &size)
            written = PyBytes_FromStringAndSize(NULL, size)
            check(
                rnnat_pool_snapshot(self._pool, which, PyBytes_AS_STRING(written), size, &size),
                "snapshot",
            )
        finally:
            self._busy = 0
        return written

    def restore(self, snapshot, i=None):
        """Go on from a snapshot: of one stream, in the place of open stream ``i``; of all, with the ids
        that they had, in the place of all streams that are open.

        Raises ``FormatError`` for bytes that are damaged, no snapshot, or of a model with other
        layers, weights or types, and ``UnsupportedError`` for those of a version that is not known;
        nothing has changed then.
        """
        cdef const unsigned char[::1] view
        cdef int32_t which
        try:
            view = memoryview(snapshot) if type(snapshot) is bytes else bytes(memoryview(snapshot))
        except (TypeError, ValueError, BufferError):
            raise DTypeError(
                f"snapshot: expected bytes, as snapshot() gives them, got {type(snapshot).__name__}"
            ) from None
        if view.shape[0] == 0:
            raise FormatError("snapshot: expected a snapshot of a StreamPool, got no bytes")
        self._enter()
        try:
            which = ALL_STREAMS if i is None else self._id(i)
            status = rnnat_pool_restore(self._pool, which, &view[0], view.shape[0])
        finally:
            self._busy = 0
        if status == RNNAT_OK:
            return
        name = rnnat_status_name(status)
        one = "of one stream" if i is not None else "of all streams"
        other = "all of a pool: restore(snapshot)" if i is not None else \
            "one stream: restore(snapshot, i), into an open one"
        raise {
            b"RNNAT_ERROR_FORMAT": FormatError(
                f"snapshot: expected a snapshot of a StreamPool, got {view.shape[0]} bytes that are "
                "none, or damaged"
            ),
            b"RNNAT_ERROR_MODEL": FormatError(
                "snapshot: expected one of this model, got one of another: its layers, weights, "
                "dtype, weight_dtype or compute differ"
            ),
            b"RNNAT_ERROR_SHAPE": ShapeError(f"snapshot: expected one {one}, got one of {other}"),
            b"RNNAT_ERROR_FULL": PoolFullError(
                f"snapshot: expected ids below the capacity, {self._info.capacity}, got larger "
                "ones: make a pool of a larger capacity"
            ),
            b"RNNAT_ERROR_UNSUPPORTED": UnsupportedError(
                "snapshot: expected one of version 1 and of this machine's byte order, got another"
            ),
        }.get(name, RnnError(f"restore: {name.decode()}"))

    # ---- what it is ----

    @property
    def capacity(self):
        """Streams that can be open at once."""
        return self._info.capacity

    @property
    def ids(self):
        """The ids of the open streams, ascending: int32 [n]."""
        cdef int32_t i = 0
        cdef Py_ssize_t left = len(self)
        found = []
        while left:
            if rnnat_pool_is_open(self._pool, i):
                found.append(i)
                left -= 1
            i += 1
        return np.array(found, np.int32)

    @property
    def nbytes_per_stream(self):
        """Bytes of memory that each stream of the capacity takes."""
        return self._info.bytes_per_stream

    @property
    def nbytes(self):
        """Bytes of memory of the whole pool, the model's apart; what was never used is not touched."""
        cdef size_t need
        check(
            rnnat_pool_size(
                self._core._model, self._info.capacity, self._info.max_threads, &need
            ),
            "nbytes",
        )
        return need

    @property
    def num_threads(self):
        """Threads that may share a call. Assigning changes it, up to as many processors as there are."""
        return self._info.num_threads

    @num_threads.setter
    def num_threads(self, value):
        cdef int32_t threads = as_num_threads(value)
        if not threads:
            threads = min(
                self.model._default_threads or get_num_threads(), self._info.max_threads
            )
        if threads > self._info.max_threads:
            raise OptionError(
                f"num_threads: expected 1 to {self._info.max_threads}, for which this pool has "
                f"memory, got {threads}: StreamPool(model, num_threads=...) makes one for more"
            )
        self._enter()
        try:
            check(rnnat_pool_set_num_threads(self._pool, threads), "num_threads")
            self._describe()
        finally:
            self._busy = 0

    def __len__(self):
        self._describe()
        return self._info.num_open

    def __contains__(self, i):
        return (
            isinstance(i, (int, np.integer)) and not isinstance(i, bool) and 0 <= i < self._info.capacity
            and bool(rnnat_pool_is_open(self._pool, <int32_t>i))
        )

    def __repr__(self):
        return (
            f"StreamPool({len(self)} of {self.capacity} streams open, {self.nbytes_per_stream} bytes "
            f"each, {self.num_threads} threads; {self.model!r})"
        )
