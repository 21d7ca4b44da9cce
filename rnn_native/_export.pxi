# A packed model as plain data, for the C source that export_c writes. Included by _core.pyx.

cdef class PackedModel:
    """A model packed for vectors of any width, which is not run here but told: its structs as lists
    of members by their names in C, its arrays as NumPy has them."""

    cdef rnnat_packed_model _model
    cdef rnnat_kernels _kernels
    cdef rnnat_builder _builder
    cdef SafetensorsView _file
    cdef void *_memory
    cdef int _typenum
    cdef rnnat_stored _type

    def __cinit__(self, data, int32_t dtype, int32_t lanes, int32_t weights=0, int32_t compute=0):
        """``data``: see ``SafetensorsView``; ``lanes``: elements of a vector; ``weights`` and
        ``compute``: codes of ``weight_types.py``."""
        cdef size_t need
        cdef int32_t stored
        self._type = RNNAT_STORED_BF16_DOT if compute else <rnnat_stored>weights
        self._typenum = cnp.NPY_FLOAT64 if dtype else cnp.NPY_FLOAT32
        self._kernels.lanes = lanes  # all that packing asks of kernels
        self._kernels.elem = 8 if dtype else 4
        self._kernels.rows_of_3 = self._kernels.rows_of_4 = 1
        for stored in range(RNNAT_STORED_INT8, RNNAT_STORED_TYPES):
            self._kernels.of[stored].operand = 2  # at most, whatever multiplies them
        self._file = SafetensorsView(data)
        self._build(NULL)
        if self._builder.arena.overflow:
            raise ShapeError("model: too large for memory")
        need = rnnat_arena_need(&self._builder.arena)
        self._memory = PyMem_RawMalloc(need)
        if self._memory == NULL:
            raise MemoryError(f"model: {need} bytes")
        self._build(self._memory)

    cdef int _build(self, void *memory) except -1:
        memset(&self._builder, 0, sizeof(self._builder))
        self._builder.arena = rnnat_arena_at(memory)
        self._builder.kernels = &self._kernels
        self._builder.file = &self._file.file
        self._builder.type = self._type
        self._builder.prefix = self._builder.suffix = b""
        check(rnnat_model_build(&self._builder, PACKED, &self._model), "model")
        return 0

    def __dealloc__(self):
        PyMem_RawFree(self._memory)

    def stream_memory(self, int32_t batch, int32_t max_steps):
        """Bytes that a stream needs on this machine, and the arrays of structs among them: (name,
        count, bytes of one)."""
        cdef rnnat_arena arena = rnnat_arena_at(NULL)
        blocks = []
        arena.told = _take_block
        arena.arg = <void *>blocks
        rnnat_stream_carve(&arena, <rnnat_model *>&self._model, batch, max_steps)
        if arena.overflow:
            raise ShapeError("stream: too large for memory")
        return rnnat_arena_need(&arena), blocks

    def run_memory(self, int32_t batch, int32_t time):
        """The same of a run by one thread."""
        cdef rnnat_arena arena = rnnat_arena_at(NULL)
        cdef rnnat_run_args run
        cdef rnnat_job job
        cdef char anything
        memset(&run, 0, sizeof(run))
        run.dtype = self._model.info.dtype
        run.time = time
        run.batch = batch
        run.num_threads = 1
        most = max(self._model.info.num_inputs, self._model.info.num_outputs)
        cdef cnp.ndarray places = np.full(most, <size_t>&anything, np.uintp)
        run.inputs = <const void *const *>cnp.PyArray_DATA(places)  # planning reads no array
        run.outputs = <void *const *>cnp.PyArray_DATA(places)
        check(rnnat_run_plan(<rnnat_model *>&self._model, &run, &job), "run")
        blocks = []
        arena.told = _take_block
        arena.arg = <void *>blocks
        rnnat_run_carve(&arena, <rnnat_model *>&self._model, &job)
        return job.need, blocks

    def describe(self):
        """Everything that a model is, but its kernels: see ``Told``."""
        told = Told(self._typenum)
        rnnat_model_tell(<rnnat_model *>&self._model, &told._teller)
        return told


# What the core calls. It goes on after an error, which waits until it has returned: whoever called the
# core raises it.

cdef void _take_block(void *arg, const char *name, size_t count, size_t size) except *:
    if not PyErr_Occurred():
        (<list>arg).append((name.decode(), count, size))


cdef class Struct:
    """Members of a struct, (name, value), or, where their names are empty, elements of an array.
    ``type``: the C type, or None where it was not told. ``is_block``: see ``Told``."""

    cdef list _members
    cdef readonly object type
    cdef readonly bint is_block

    def __cinit__(self):
        self._members = []

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)

    def __getitem__(self, str name):
        for member, value in self._members:
            if member == name:
                return value
        raise KeyError(name)


cdef class Told:
    """What a model has told: ``members``, of (name, value), and ``parts``, those options of the
    build that it needs. A value is a number, a string (the C symbol to point to), bytes (the text
    to point to), an array, or the ``Struct`` of members within. One that is a ``block`` is
    pointed to as well: it has a Struct of arrays, without a name, for each piece of it."""

    cdef rnnat_teller _teller
    cdef int _typenum
    cdef list _open
    cdef readonly set parts

    def __cinit__(self, int typenum):
        self._typenum = typenum
        self._open = [Struct()]
        self.parts = set()
        self._teller.arg = <void *>self
        self._teller.type = _tell_type
        self._teller.needs = _tell_needs
        self._teller.number = _tell_number
        self._teller.real = _tell_real
        self._teller.symbol = _tell_symbol
        self._teller.text = _tell_text
        self._teller.array = _tell_array
        self._teller.begin = _tell_begin
        self._teller.block = _tell_block
        self._teller.end = _tell_end

    @property
    def members(self):
        return self._open[0]

    cdef Struct top(self):
        return <Struct>self._open[len(self._open) - 1]

    cdef int add(self, const char *name, value) except -1:
        self.top()._members.append((name.decode(), value))
        return 0


cdef void _tell_type(void *arg, const char *name) except *:
    if not PyErr_Occurred():
        (<Told>arg).top().type = name.decode()


cdef void _tell_needs(void *arg, const char *part) except *:
    if not PyErr_Occurred():
        (<Told>arg).parts.add(part.decode())


cdef void _tell_number(void *arg, const char *name, int64_t value) except *:
    if not PyErr_Occurred():
        (<Told>arg).add(name, value)


cdef void _tell_real(void *arg, const char *name, double value) except *:
    if not PyErr_Occurred():
        (<Told>arg).add(name, value)


cdef void _tell_symbol(void *arg, const char *name, const char *symbol) except *:
    if not PyErr_Occurred():
        (<Told>arg).add(name, symbol.decode())


cdef void _tell_text(void *arg, const char *name, const char *text) except *:
    if not PyErr_Occurred():
        (<Told>arg).add(name, <bytes>text)


cdef int _typenum_of(Told told, rnnat_element element) noexcept:
    if element == RNNAT_ELEMENT_UINT16:
        return cnp.NPY_UINT16
    if element == RNNAT_ELEMENT_INT8:
        return cnp.NPY_INT8
    return cnp.NPY_INT32 if element == RNNAT_ELEMENT_INT32 else told._typenum


cdef void _tell_array(void *arg, const char *name, const void *values, size_t count,
                      rnnat_element element) except *:
    cdef cnp.npy_intp shape[1]
    cdef cnp.ndarray array
    if PyErr_Occurred():
        return
    shape[0] = <cnp.npy_intp>count
    array = cnp.PyArray_EMPTY(1, shape, _typenum_of(<Told>arg, element), 0)
    memcpy(cnp.PyArray_DATA(array), values, cnp.PyArray_NBYTES(array))
    (<Told>arg).add(name, array)


cdef void _open_struct(Told told, const char *name, bint is_block) except *:
    cdef Struct inside
    if PyErr_Occurred():
        return
    inside = Struct()
    inside.is_block = is_block
    told.add(name, inside)
    told._open.append(inside)


cdef void _tell_begin(void *arg, const char *name) except *:
    _open_struct(<Told>arg, name, False)


cdef void _tell_block(void *arg, const char *name) except *:
    _open_struct(<Told>arg, name, True)


cdef void _tell_end(void *arg) except *:
    if not PyErr_Occurred():
        (<Told>arg)._open.pop()
