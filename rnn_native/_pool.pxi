# Pools' part of the binding: included by _core.pyx.

cdef enum:
    ALL_STREAMS = -1


@cython.final
cdef class StreamPool:
    """Many streams of one model, each with a state of its own, any of which step together.

    A stream is a number, its id, from ``open`` until ``close``. What it gives has the same bits as
    ``model.stream(batch=1)`` does, whoever steps beside it and in whatever order. One thread at a time
    may use a pool; ``BusyError`` where two meet.

    Parameters
    ----------
    model
        A :class:`Model`, or a module that has one (``rn.LSTM``).
    capacity
        Streams that can be open at once. Memory is taken for all of them, and touched by those alone
        that are opened: ``nbytes_per_stream`` bytes each.
    num_threads
        Threads that share the rows of a call where these keep them busy; None: what
        :func:`get_num_threads` tells.

    Raises
    ------
    UnsupportedError
        Layers look ahead, so that nothing runs step by step; or ``matmul="blas"``, with which a stream's
        bits would depend on its company.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> pool = rn.StreamPool(rn.LSTM(2, 4), capacity=100)
    >>> a, b = pool.open(), pool.open()
    >>> pool.step([b, a], np.ones((2, 2), "float32")).shape
    (2, 4)
    >>> [y.shape for y in pool.push([a, b], [np.ones((3, 2)), np.ones((5, 2))])]
    [(3, 4), (5, 4)]
    >>> pool.close(a)
    >>> len(pool)
    1
    """

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
        cdef int32_t threads = as_num_threads(num_threads) or get_num_threads()
        cdef size_t need
        check(
            rnnat_pool_size(self._core._model, <int32_t>capacity, threads, &need), "StreamPool"
        )
        status = rnnat_pool_create(
            self._core._model, <int32_t>capacity, max(threads, os.cpu_count() or 1), &self._pool
        )
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

    # ---- running ----

    cdef cnp.ndarray _ids(self, object ids):
        """[n] int32: each in the range of int32; whether they are open the core looks."""
        cdef cnp.ndarray array = as_array("ids", ids)
        if array.size == 0 and not isinstance(ids, np.ndarray):
            array = array.astype(np.int32)
        if array.dtype.kind not in "iu":
            raise DTypeError(f"ids: expected integers, got {array.dtype}")
        if array.ndim != 1:
            raise ShapeError(f"ids: expected shape (n,), got {np.shape(ids)}")
        if array.dtype != np.int32 or not array.dtype.isnative:
            wrong = (array < 0) | (array >= self._info.capacity)
            array = np.where(wrong, -1, array).astype(np.int32)
        return np.ascontiguousarray(array)

    cdef _raise_id(self, object ids):
        """Says which id is wrong."""
        seen = {}
        for row, i in enumerate(np.asarray(ids).tolist()):
            if not 0 <= i < self._info.capacity or not rnnat_pool_is_open(self._pool, <int32_t>i):
                raise ShapeError(f"ids[{row}]: expected an open stream, got {i}, which is none")
            if i in seen:
                raise ShapeError(
                    f"ids[{row}]: expected each stream once, got {i}, which is ids[{seen[i]}], too"
                )
            seen[i] = row
        raise ShapeError("ids: expected open streams, each once; another thread has changed them")

    cdef _check(self, rnnat_status status, str what, object ids, dict given, dict known):
        if status == RNNAT_OK:
            return
        name = rnnat_status_name(status)
        if name == b"RNNAT_ERROR_ID":
            self._raise_id(ids)
        if name == b"RNNAT_ERROR_INDEX":
            for where, x in given.items():
                for row, each in enumerate(x if what == "push" else [x]):
                    if where in known:
                        _check_indices(
                            f"{where}[{row}]" if what == "push" else where, each, None,
                            known[where], False,
                        )
            raise ShapeError("indices: one does not exist, and has changed since")
        check_phases(status)
        check(status, what)

    cdef dict _given(self, object x):
        return self._calls.given(x) if self._calls is not None else {"x": x}

    cdef cnp.ndarray _array(self, const rnnat_value_info *info, str where, object x, tuple before):
        """x [*before, features], or indices [*before], as the core reads it; -1: any number."""
        cdef cnp.ndarray array
        if info.indices:
            array = as_indices(where, x)
            shape = before
        else:
            array = as_floats(where, x, self._core._typenum, False)
            shape = (*before, info.features)
        if array.ndim != len(shape) or any(
            want not in (-1, got) for want, got in zip(shape, np.shape(array))
        ):
            wanted = ", ".join("steps" if size < 0 else str(size) for size in shape)
            wanted += "," if len(shape) == 1 else ""
            raise ShapeError(f"{where}: expected shape ({wanted}), got {np.shape(x)}")
        return np.ascontiguousarray(array)

    def step(self, ids, x):
        """One step of some streams, in one call without the GIL.

        ``ids`` [n] in any order, each once; x [n, input_size], or indices [n], the row of each ->
        a new y [n, output_size]; of a model with several inputs or outputs dicts of them by name. An
        input without time is given with every step.

        Raises ``ShapeError`` for an id that is not open or comes twice, ``UnsupportedError`` for a
        model that makes more or fewer steps than it reads, which ``push`` runs; nothing was stepped
        then.
        """
        cdef const void *x_at[MAX_VALUES]
        cdef void *y_at[MAX_VALUES]
        cdef cnp.ndarray array, rows, y
        cdef cnp.npy_intp shape[2]
        cdef rnnat_value_info info
        cdef rnnat_status status
        cdef list arrays = [], ys = []
        cdef dict known = {}, given
        cdef Py_ssize_t i
        if self._paced:
            refuse_paced(self._rates, "pool.push")
        rows = ids if is_plain(ids, cnp.NPY_INT32, 1) and cnp.PyArray_ISCARRAY_RO(ids) \
            else self._ids(ids)
        cdef Py_ssize_t n = rows.shape[0]
        given = self._given(x)
        info.struct_size = sizeof(info)
        for i, where in enumerate(given):
            one = given[where]
            if (
                not self._several and not self._core._info.takes_indices
                and is_plain(one, self._core._typenum, 2)
                and (<cnp.ndarray>one).shape[0] == n
                and (<cnp.ndarray>one).shape[1] == self._core._info.input_size
            ):
                array = one
            else:
                check(rnnat_model_input(self._core._model, <int32_t>i, &info), "step")
                if info.indices:
                    known[where] = info.indices
                array = self._array(&info, where, one, (n,))
            x_at[i] = cnp.PyArray_DATA(array)
            arrays.append(array)
        if self._mask_value is not None:
            refuse_masked(
                next(iter(given.values())), self._mask_value, bool(self._core._info.takes_indices)
            )
        for i in range(self._core._info.num_outputs):
            shape[0] = n
            shape[1] = self._features[i]
            y = empty(2, shape, self._core._typenum)
            y_at[i] = cnp.PyArray_DATA(y)
            ys.append(y)
        cdef const int32_t *ids_at = <const int32_t *>cnp.PyArray_DATA(rows)
        if n > self._info.capacity:
            self._raise_id(ids)
        self._enter()
        with nogil:
            status = rnnat_pool_step(self._pool, <int32_t>n, ids_at, x_at, y_at)
        self._busy = 0
        if status != RNNAT_OK:
            self._check(status, "step", ids, given, known)
        return ys[0] if len(ys) == 1 else dict(zip(self._calls.outputs, ys))

    def push(self, ids, chunks):
        """Any number of steps of some streams, each its own number, in one call without the GIL.

        ``ids`` [n] in any order, each once; ``chunks``, a list of n arrays, that of each stream:
        x [steps, input_size], or indices [steps] -> a list of n arrays, those steps of y that are
        ready, [ready, output_size]; of a model with several inputs or outputs dicts of such lists by
        name. An input without time is [input_size], or one index, for all of these steps.

        As many are ready as came, unless layers with strides make fewer or more (``rate``), or wait
        for steps behind their own (``latency``). Raises as ``step`` does.
        """
        cdef cnp.ndarray array, rows = self._ids(ids)
        cdef Py_ssize_t n = rows.shape[0], i, row
        cdef Py_ssize_t num_inputs = self._core._info.num_inputs
        cdef Py_ssize_t num_outputs = self._core._info.num_outputs
        cdef rnnat_value_info info
        cdef rnnat_status status
        cdef dict known = {}, given = self._given(chunks)
        cdef list arrays = []
        cdef cnp.ndarray steps = np.full(n, -1, np.int32)
        cdef cnp.ndarray x_at = np.zeros(n * num_inputs, np.uintp)
        cdef cnp.ndarray y_at = np.zeros(n * num_outputs, np.uintp)
        cdef cnp.ndarray room = np.zeros(n * num_outputs, np.int32)
        cdef cnp.ndarray got = np.zeros(n * num_outputs, np.int32)
        cdef int32_t *counts = <int32_t *>cnp.PyArray_DATA(steps)
        cdef int32_t *ready = <int32_t *>cnp.PyArray_DATA(got)
        cdef const int32_t *ids_at = <const int32_t *>cnp.PyArray_DATA(rows)
        cdef uintptr_t *at = <uintptr_t *>cnp.PyArray_DATA(x_at)
        info.struct_size = sizeof(info)
        for i, where in enumerate(given):
            check(rnnat_model_input(self._core._model, <int32_t>i, &info), "push")
            if info.indices:
                known[where] = info.indices
            each = self._chunks(where, given[where], n)
            given[where] = each
            for row in range(n):
                array = self._array(
                    &info, f"{where}[{row}]", each[row], (counts[row],) if info.has_time else ()
                )
                if info.has_time:
                    if array.shape[0] > 2**31 - 1:
                        raise ShapeError(f"{where}[{row}]: at most 2**31 - 1 steps")
                    counts[row] = <int32_t>array.shape[0]
                at[row * num_inputs + i] = <uintptr_t>cnp.PyArray_DATA(array)
                arrays.append(array)
        if self._mask_value is not None:
            for x in next(iter(given.values())):
                for one in x:
                    refuse_masked(one[None], self._mask_value, bool(known))
        if n > self._info.capacity:
            self._raise_id(ids)
        cdef uintptr_t *to = <uintptr_t *>cnp.PyArray_DATA(y_at)
        cdef int32_t *rooms = <int32_t *>cnp.PyArray_DATA(room)
        cdef cnp.npy_intp shape[2]
        cdef list ys = [[] for _ in range(num_outputs)]
        self._enter()
        try:
            with nogil:  # without room for what is ready, nothing happens but that it is counted
                status = rnnat_pool_push(
                    self._pool, <int32_t>n, ids_at, counts, <const void *const *>at,
                    <void *const *>to, rooms, ready,
                )
            if status == RNNAT_OK or rnnat_status_name(status) == b"RNNAT_ERROR_TOO_SMALL":
                for row in range(n):
                    for i in range(num_outputs):
                        shape[0] = rooms[row * num_outputs + i] = ready[row * num_outputs + i]
                        shape[1] = self._features[i]
                        array = empty(2, shape, self._core._typenum)
                        to[row * num_outputs + i] = <uintptr_t>cnp.PyArray_DATA(array)
                        ys[i].append(array)
            if status != RNNAT_OK and rnnat_status_name(status) == b"RNNAT_ERROR_TOO_SMALL":
                with nogil:
                    status = rnnat_pool_push(
                        self._pool, <int32_t>n, ids_at, counts, <const void *const *>at,
                        <void *const *>to, rooms, ready,
                    )
        finally:
            self._busy = 0
        if status != RNNAT_OK:
            self._check(status, "push", ids, given, known)
        return ys[0] if num_outputs == 1 else dict(zip(self._calls.outputs, ys))

    cdef list _chunks(self, str where, object chunks, Py_ssize_t n):
        """A list of n arrays."""
        try:
            each = list(chunks)
        except TypeError:
            raise DTypeError(
                f"{where}: expected a list of arrays, one a stream, got {type(chunks).__name__}"
            ) from None
        if len(each) != n:
            raise ShapeError(f"{where}: expected {n} arrays, one for each of ids, got {len(each)}")
        return each

    @property
    def rate(self):
        """Steps of y for each step of x, a ``fractions.Fraction``; of several outputs by name."""
        return self._of_outputs([Fraction(r, s) for r, s, _ in self._rates])

    @property
    def latency(self):
        """How many steps of x behind its own a step of y waits for; of several outputs by name."""
        return self._of_outputs([latency for _, _, latency in self._rates])

    cdef object _of_outputs(self, list each):
        return each[0] if len(each) == 1 else dict(zip(self._calls.outputs, each))

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
            view = snapshot
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
        cdef int32_t i
        return np.array(
            [i for i in range(self._info.capacity) if rnnat_pool_is_open(self._pool, i)], np.int32
        )

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
        cdef int32_t threads = as_num_threads(value) or get_num_threads()
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
            isinstance(i, (int, np.integer)) and 0 <= i < self._info.capacity
            and bool(rnnat_pool_is_open(self._pool, <int32_t>i))
        )

    def __repr__(self):
        return (
            f"StreamPool({len(self)} of {self.capacity} streams open, {self.nbytes_per_stream} bytes "
            f"each, {self.num_threads} threads; {self.model!r})"
        )
