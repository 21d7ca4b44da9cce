# What runs the streams of a pool: included by _core.pyx.

@cython.final
cdef class StreamPool(PoolOfStates):
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
        Threads that share the rows of a call where these keep them busy; None: the Model's own, else
        what :func:`get_num_threads` tells.

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
            for row in range(n):  # of the first input, whose arrays come first
                for one in arrays[row]:
                    refuse_masked(one[None], self._mask_value, bool(known), f"x[{row}]")
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
        from fractions import Fraction

        return self._of_outputs([Fraction(r, s) for r, s, _ in self._rates])

    @property
    def latency(self):
        """How many steps of x behind its own a step of y waits for; of several outputs by name."""
        return self._of_outputs([latency for _, _, latency in self._rates])

    cdef object _of_outputs(self, list each):
        return each[0] if len(each) == 1 else dict(zip(self._calls.outputs, each))
