# Packed weights apart from their model, for memory that processes share. Included by _core.pyx.

def packed_layout():
    """Which way of packing this is, of all that there have been."""
    return RNNAT_PACKED_LAYOUT


def share(data, int32_t dtype, int32_t matmul, int32_t weight_dtype=0, int32_t compute=0):
    """The packed weights of a model, uint8 [bytes], without addresses: equal for equal models.
    ``data``: see ``SafetensorsView``."""
    cdef char text[TEXT_SIZE]
    cdef rnnat_model_options options = options_of(dtype, matmul, weight_dtype, compute, text)
    cdef SafetensorsView file = SafetensorsView(data)
    cdef rnnat_status status
    cdef size_t size
    cdef char *begin
    check_model(rnnat_file_shared_size(&file.file, &options, &size), text)
    cdef cnp.ndarray block = np.empty(size + CACHE_LINE, np.uint8)
    begin = <char *>cnp.PyArray_DATA(block)
    rnnat_heap_advise(begin, size + CACHE_LINE)
    cdef size_t first = (CACHE_LINE - <size_t>begin % CACHE_LINE) % CACHE_LINE
    with nogil:
        status = rnnat_file_share(begin + first, size, &file.file, &options)
    check_model(status, text)
    return block[first : first + size]


cdef class ForeignWeights:
    """Weights that were packed for an instruction set which this process does not use: it unpacks
    them, and runs nothing."""

    cdef rnnat_packed_model _model
    cdef rnnat_builder _builder
    cdef SafetensorsView _file
    cdef const unsigned char[::1] _weights
    cdef rnnat_stamp _stamp
    cdef void *_memory
    cdef object _dtype

    def __cinit__(self, data, int32_t dtype, str isa, weights):
        """``data``, ``weights``: see ``CoreModel``; ``isa``: the set. ``FormatError`` where these
        are no such weights, ``UnsupportedError`` where this library has not got the set."""
        cdef rnnat_stamp expected
        self._file = SafetensorsView(data)
        self._weights = weights
        self._dtype = np.dtype(np.float64 if dtype else np.float32)
        if <size_t>self._weights.shape[0] < sizeof(self._stamp):
            raise FormatError(f"model: {self._weights.shape[0]} bytes of packed weights")
        memcpy(&self._stamp, &self._weights[0], sizeof(self._stamp))
        if self._stamp.type >= RNNAT_STORED_TYPES:
            raise FormatError("model: packed weights of another version of rnn_native")
        self._build(kernels_of(isa) + dtype, NULL)
        expected = rnnat_stamp_of(&self._builder, &self._model)
        if (
            not rnnat_stamp_matches(&expected, &self._weights[0])
            or <size_t>self._weights.shape[0] < expected.size
        ):
            raise FormatError("model: packed weights of another version of rnn_native")
        need = rnnat_arena_need(&self._builder.arena)
        self._memory = PyMem_RawMalloc(need)
        if self._memory == NULL:
            raise MemoryError(f"model: {need} bytes")
        self._build(kernels_of(isa) + dtype, self._memory)

    cdef int _build(self, const rnnat_kernels *kernels, void *memory) except -1:
        memset(&self._builder, 0, sizeof(self._builder))
        self._builder.arena = rnnat_arena_at(memory)
        self._builder.weights.base = <char *>&self._weights[0]
        self._builder.apart = self._builder.packed = True
        self._builder.kernels = kernels
        self._builder.file = &self._file.file
        self._builder.blas = self._stamp.blas
        self._builder.type = <rnnat_stored>self._stamp.type
        self._builder.prefix = self._builder.suffix = b""
        rnnat_arena_take(&self._builder.weights, 1, sizeof(self._stamp))
        check(rnnat_model_build(&self._builder, PACKED, &self._model), "model")
        return 0

    def __dealloc__(self):
        PyMem_RawFree(self._memory)

    def unpack(self, int32_t node, int32_t direction, str name, tuple shape):
        """As of ``CoreModel``."""
        cdef cnp.ndarray rows = np.empty(shape, self._dtype)
        return unpack(<const rnnat_model *>&self._model, rows, node, direction, name)


cdef const rnnat_kernels *kernels_of(str isa) except NULL:
    """Those of that name, whether or not this CPU runs them."""
    cdef rnnat_isa_entry entry
    cdef int32_t i = 0
    while rnnat_isa_at(i, &entry):
        if entry.name.decode() == isa and entry.kernels != NULL:
            return entry.kernels
        i += 1
    raise UnsupportedError(f"weights packed for {isa}: this library has no such kernels")
