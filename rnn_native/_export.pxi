# A packed model as plain data, for the C source that export_c writes. Included by _core.pyx.

cdef class PackedModel:
    """A model packed for vectors of any width, which is not run here but told: its structs as
    dictionaries by the names of src/model.h, its arrays as NumPy has them."""

    cdef rnnat_packed_model _model
    cdef rnnat_kernels _kernels
    cdef rnnat_builder _builder
    cdef SafetensorsView _file
    cdef void *_memory
    cdef int _typenum

    def __cinit__(self, data, int32_t dtype, int32_t lanes):
        """``data``: see ``SafetensorsView``; ``lanes``: elements of a vector."""
        cdef size_t need
        self._typenum = cnp.NPY_FLOAT64 if dtype else cnp.NPY_FLOAT32
        self._kernels.lanes = lanes  # all that packing asks of kernels
        self._kernels.elem = 8 if dtype else 4
        self._kernels.rows_of_3 = self._kernels.rows_of_4 = 1
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
        self._builder.prefix = self._builder.suffix = b""
        check(rnnat_model_build(&self._builder, PACKED, &self._model), "model")
        return 0

    def __dealloc__(self):
        PyMem_RawFree(self._memory)

    def stream_bytes(self, int32_t batch, int32_t max_steps):
        """What rnnat_stream_size tells of it, on this machine."""
        cdef size_t need
        check(rnnat_stream_size(<rnnat_model *>&self._model, batch, max_steps, &need), "stream")
        return need

    def run_bytes(self, int32_t batch, int32_t time):
        """What rnnat_model_run_size tells of a run by one thread, on this machine."""
        cdef rnnat_run_args run
        cdef rnnat_job job
        cdef char anything
        memset(&run, 0, sizeof(run))
        run.dtype = self._model.info.dtype
        run.time = time
        run.batch = batch
        run.num_threads = 1
        if self._model.info.takes_indices:
            run.indices = <const int32_t *>&anything  # planning reads no array
        else:
            run.x = &anything
        run.y = &anything
        check(rnnat_run_plan(<rnnat_model *>&self._model, &run, &job), "run")
        return job.need

    cdef _array(self, const void *values, Py_ssize_t count):
        cdef cnp.npy_intp shape[1]
        cdef cnp.ndarray array
        if values == NULL:
            return None
        shape[0] = count
        array = cnp.PyArray_EMPTY(1, shape, self._typenum, 0)
        memcpy(cnp.PyArray_DATA(array), values, count * self._kernels.elem)
        return array

    cdef _matrix(self, const rnnat_matrix *matrix):
        """None where the matrix is not there."""
        if matrix.data == NULL:
            return None
        values = self._array(matrix.data, <Py_ssize_t>matrix.k * matrix.n)
        return {"k": matrix.k, "n": matrix.n, "panel": matrix.panel, "data": values}

    cdef _cell(self, const rnnat_op *op, const rnnat_cell *cell):
        cdef int32_t pad = -(-op.hidden // self._kernels.lanes) * self._kernels.lanes
        cdef int i
        functions = [
            (cell.functions.of[i].kind, cell.functions.of[i].alpha, cell.functions.of[i].beta)
            for i in range(3)
        ]
        return {
            "w_ih": self._matrix(&cell.w_ih),
            "bias": self._array(cell.bias, cell.w_ih.n),
            "w_hh": self._matrix(&cell.w_hh),
            "w_hn": self._matrix(&cell.w_hn),
            "w_hr": self._matrix(&cell.w_hr),
            "bias_hn": self._array(cell.bias_hn, pad),
            "peephole": self._array(cell.peephole, 3 * pad),
            "w_gh": self._matrix(&cell.w_gh),
            "w_gf": self._matrix(&cell.w_gf),
            "w_go": self._matrix(&cell.w_go),
            "w_ch": self._matrix(&cell.w_ch),
            "functions": {
                "of": functions,
                "clip": cell.functions.clip,
                "input_forget": bool(cell.functions.input_forget),
            },
        }

    cdef _op(self, const rnnat_op *op):
        cdef int32_t d
        return {
            "kind": op.kind,
            "input": op.input,
            "output": op.output,
            "table": self._array(op.table, <Py_ssize_t>op.input * op.output),
            "weight": self._matrix(&op.weight),
            "bias": self._array(op.bias, op.weight.n),
            "adds_skip": bool(op.adds_skip),
            "activation": op.activation,
            "merge": op.merge,
            "ops": cell_name(op.ops),
            "hidden": op.hidden,
            "state": op.state,
            "num_directions": op.num_directions,
            "reverse": [bool(op.reverse[d]) for d in range(op.num_directions)],
            "last_only": bool(op.last_only),
            "cell": [self._cell(op, &op.cell[d]) for d in range(op.num_directions)],
            "first_state": op.first_state,
            "first_row": op.first_row,
            "first_cell": op.first_cell,
            "skip": self._matrix(&op.skip),
            "skip_bias": self._array(op.skip_bias, op.skip.n),
            "skip_size": op.skip_size,
        }

    def describe(self):
        """Everything that a model is, but its kernels."""
        cdef int32_t i
        model = self._model
        return {
            "info": {
                "dtype": model.info.dtype,
                "matmul": model.info.matmul,
                "takes_indices": model.info.takes_indices,
                "input_size": model.info.input_size,
                "output_size": model.info.output_size,
                "num_states": model.info.num_states,
                "streamable": model.info.streamable,
                "num_layers": model.info.num_layers,
                "num_parameters": model.info.num_parameters,
                "return_sequences": model.info.return_sequences,
            },
            "num_ops": model.num_ops,
            "over_time": model.over_time,
            "num_cells": model.num_cells,
            "ops": [self._op(&model.ops[i]) for i in range(model.num_ops)],
            "states": [
                (model.states[i].rows, model.states[i].features)
                for i in range(model.info.num_states)
            ],
            "max_width": model.max_width,
            "max_gates": model.max_gates,
            "max_products": model.max_products,
            "max_hidden": model.max_hidden,
            "max_skip": model.max_skip,
            "max_whole_skip": model.max_whole_skip,
        }


cdef cell_name(const rnnat_cell_ops *ops):
    """The C name of a cell's operations; None of a layer that has none."""
    if ops == NULL:
        return None
    if ops == &rnnat_cell_rnn:
        return "rnnat_cell_rnn"
    if ops == &rnnat_cell_gru:
        return "rnnat_cell_gru"
    if ops == &rnnat_cell_gru_before:
        return "rnnat_cell_gru_before"
    if ops == &rnnat_cell_lstm:
        return "rnnat_cell_lstm"
    if ops == &rnnat_cell_gate_gru:
        return "rnnat_cell_gate_gru"
    if ops == &rnnat_cell_gate_lstm:
        return "rnnat_cell_gate_lstm"
    if ops == &rnnat_cell_general_rnn:
        return "rnnat_cell_general_rnn"
    if ops == &rnnat_cell_general_gru:
        return "rnnat_cell_general_gru"
    if ops == &rnnat_cell_general_gru_before:
        return "rnnat_cell_general_gru_before"
    if ops == &rnnat_cell_general_lstm:
        return "rnnat_cell_general_lstm"
    raise RnnError("model: a cell that export does not know")


def struct_sizes():
    """Bytes of the structs that a stream or run keeps in its memory, on this machine."""
    return {
        "pointer": sizeof(void *),
        "stream": sizeof(rnnat_kept_stream),
        "once": sizeof(rnnat_once),
        "barrier": sizeof(rnnat_barrier) if rnnat_threads_compiled() else 0,
        "cell_state": sizeof(rnnat_cell_state),
        "lane": sizeof(rnnat_lane),
    }
