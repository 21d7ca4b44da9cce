# What callers give, as arrays that the core can read: included by _core.pyx.

cdef inline bint is_plain(object x, int typenum, int ndim):
    """Whether x is an array of that type and rank that the core reads as it is, dense or not: what
    most callers give, found without a call into NumPy."""
    return (
        type(x) is cnp.ndarray
        and cnp.PyArray_TYPE(x) == typenum
        and cnp.PyArray_NDIM(x) == ndim
        and cnp.PyArray_ISCARRAY_RO(x)
    )


cdef inline bint overlap(const void *a, size_t a_size, const void *b, size_t b_size):
    """Whether two pieces of memory have a byte in common; sizes in bytes."""
    cdef const char *first = <const char *>a
    cdef const char *second = <const char *>b
    return first < second + b_size and second < first + a_size


cdef cnp.ndarray as_array(str where, object x):
    if type(x) is cnp.ndarray and cnp.PyArray_TYPE(x) != cnp.NPY_VOID and cnp.PyArray_TYPE(x) < 256:
        return x
    return plain_array(where, x, False)


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
    cdef cnp.ndarray array = as_array("lengths", lengths)
    cdef cnp.npy_intp size = batch
    if array.size == 0 and not isinstance(lengths, np.ndarray):
        array = array.astype(np.int32)
    cdef cnp.dtype dtype = array.dtype
    if dtype.kind != c"i" and dtype.kind != c"u":
        raise DTypeError(f"lengths: expected integers, got {dtype}")
    if array.ndim != 1 or array.shape[0] != batch:
        raise ShapeError(f"lengths: expected shape ({batch},), got {np.shape(array)}")
    # An unsigned number that int64 cannot hold is negative there, and refused as well.
    cdef cnp.ndarray wide = array
    if dtype.type_num != cnp.NPY_INT64 or not cnp.PyArray_ISCARRAY_RO(array):
        wide = array.astype(np.int64)
    cdef cnp.ndarray narrow = cnp.PyArray_EMPTY(1, &size, cnp.NPY_INT32, 0)
    # Each is read once: another thread may be writing, and what is checked is what is taken.
    cdef const volatile cnp.int64_t *given = <const volatile cnp.int64_t *>cnp.PyArray_DATA(wide)
    cdef int32_t *taken = <int32_t *>cnp.PyArray_DATA(narrow)
    cdef cnp.int64_t length
    cdef Py_ssize_t row
    for row in range(batch):
        length = given[row]
        if not 0 <= length <= time:
            value = length if dtype.kind == c"i" else array[row]
            raise ShapeError(f"lengths[{row}]: expected 0 to {time}, got {value}")
        taken[row] = <int32_t>length
    return narrow


cdef _raise_index(dict x, dict known, lengths, bint batch_first):
    """Says which index, of those that count, does not exist: x by what messages call it, and how
    many indices there are of each."""
    for where, count in known.items():
        _check_indices(where, x[where], lengths, count, batch_first)
    expected = " and ".join(f"{where} from 0 to {count - 1}" for where, count in known.items())
    raise ShapeError(
        f"expected indices of {expected}; one was not, and has changed since: another thread writes "
        "into them"
    )


cdef _check_indices(where, x, lengths, int32_t input_size, bint batch_first):
    given = np.array(x)
    wrong = (given < 0) | (given >= input_size)
    if lengths is not None and given.ndim == 2:
        steps = np.arange(given.shape[1 if batch_first else 0])
        counts = steps[:, None] < np.asarray(lengths)
        wrong &= counts.T if batch_first else counts
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ShapeError(
            f"{where}{list(at)}: expected an index from 0 to {input_size - 1}, got {given[at]}"
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


# ---- and arrays for it to write ----

cdef cnp.ndarray empty(int axes, cnp.npy_intp *shape, int typenum):
    """An array. A large one begins at a cache line, where storing vectors as long as one is faster
    (2 to 3 % of the time of an LSTM at batch 128)."""
    cdef double size = 8.0 if typenum == cnp.NPY_FLOAT64 else 4.0
    cdef int i
    for i in range(axes):
        size *= shape[i]
    if not LARGE <= size < 2.0**62:
        return cnp.PyArray_EMPTY(axes, shape, typenum, 0)
    cdef cnp.npy_intp more = <cnp.npy_intp>size + CACHE_LINE
    cdef cnp.ndarray memory = cnp.PyArray_EMPTY(1, &more, cnp.NPY_UINT8, 0)
    cdef char *start = <char *>cnp.PyArray_DATA(memory)
    start += (CACHE_LINE - <size_t>start % CACHE_LINE) % CACHE_LINE
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(axes, shape, typenum, start)
    cnp.set_array_base(array, memory)
    return array
