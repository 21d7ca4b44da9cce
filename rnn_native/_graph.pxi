# Calls of models with several inputs or outputs. Included by _core.pyx.

PHASES = (
    "state: expected the same phase in every row, one that the layer's window can have, and layers "
    "with strides that are read together at the same one: run other rows apart"
)


cdef int check_phases(rnnat_status status) except -1:
    """``ShapeError`` where a run's or a stream's states cannot go on together."""
    if rnnat_status_name(status) == b"RNNAT_ERROR_LENGTH":
        raise ShapeError(PHASES)
    return 0


def run_graph(CoreModel model, dict x, dict known, lengths, state, bint batch_first,
              int32_t num_threads, trace=None):
    """One run of a graph: (list of outputs in the core's order, state).

    ``x``: every input by what messages call it, in the core's order; ``known``: of those that are
    indices, how many there are. The rest as ``CoreModel.run`` has it.
    """
    cdef rnnat_run_args run
    cdef rnnat_value_info info
    cdef cnp.ndarray array
    cdef cnp.npy_intp shape[3]
    cdef Py_ssize_t i, time = -1, batch = -1
    cdef int32_t inputs = model._info.num_inputs, outputs = model._info.num_outputs
    cdef const void *x_at[MAX_VALUES]
    cdef void *y_at[MAX_VALUES]
    cdef const void *state_in[MAX_STATES]
    cdef void *state_out[MAX_STATES]
    memset(&run, 0, sizeof(run))
    info.struct_size = sizeof(info)
    cdef list kept = []  # keeps alive what the core reads
    for i, (where, given) in enumerate(x.items()):
        check(rnnat_model_input(model._model, <int32_t>i, &info), "run")
        axes = (2 if info.has_time else 1) + (0 if info.indices else 1)
        array = as_indices(where, given) if info.indices else as_floats(
            where, given, model._typenum, False
        )
        if array.ndim != axes or not (info.indices or array.shape[axes - 1] == info.features):
            names = "batch, time" if batch_first else "time, batch"
            names = names if info.has_time else "batch"
            size = "" if info.indices else f", {info.features}"
            raise ShapeError(f"{where}: expected shape ({names}{size}), got {np.shape(given)}")
        array = np.ascontiguousarray(
            np.swapaxes(array, 0, 1) if batch_first and info.has_time else array
        )
        rows = array.shape[1] if info.has_time else array.shape[0]
        if info.has_time and time >= 0 and (array.shape[0] != time or rows != batch):
            raise ShapeError(
                f"{where}: expected {time} steps of {batch} rows, as {timed} has; got "
                f"{array.shape[0]} of {rows}"
            )
        if batch >= 0 and rows != batch:
            raise ShapeError(
                f"{where}: expected {batch} rows, as {next(iter(x))} has; got {rows}"
            )
        batch = rows
        if info.has_time and time < 0:
            time, timed = array.shape[0], where
        if time > 2**31 - 1 or batch > 2**31 - 1:
            raise ShapeError(f"{where}: at most 2**31 - 1 steps and rows, got {np.shape(given)}")
        x_at[i] = cnp.PyArray_DATA(array)
        kept.append(array)
    run.dtype = model._info.dtype
    run.time = <int32_t>time
    run.batch = <int32_t>batch
    run.num_threads = num_threads
    run.inputs = x_at
    run.outputs = y_at
    if lengths is not None:
        lengths = as_lengths(lengths, batch, time)
        run.lengths = <const int32_t *>cnp.PyArray_DATA(<cnp.ndarray>lengths)
    if state is not None:
        given = model._arrays(state)
        for i in range(model._info.num_states):
            array = model._state(i, given[i], batch)
            state_in[i] = cnp.PyArray_DATA(array)
            kept.append(array)
        run.state_in = state_in
    cdef list ys = [], results = []
    shape[1] = batch
    for i in range(outputs):
        shape[0] = model._steps(<int32_t>i, &run)
        check(rnnat_model_output(model._model, <int32_t>i, &info), "run")
        shape[2] = info.features
        if info.has_time:
            array = empty(3, shape, model._typenum)
        else:
            array = empty(2, shape + 1, model._typenum)
        y_at[i] = cnp.PyArray_DATA(array)
        ys.append(array)
    for i in range(model._info.num_states):
        array = model._empty_state(i, batch)
        state_out[i] = cnp.PyArray_DATA(array)
        results.append(array)
    run.state_out = state_out
    cdef bytearray cells
    if trace is not None:
        cells = trace_cells(trace(time, batch))
        run.trace = <const rnnat_cell_trace *><char *>cells
    cdef _Signals asked = signals(
        <double>time * batch * (model._info.num_parameters + RNNAT_STOP_ROW)
    )
    if asked is not None:
        run.stop = asked.begin()
    cdef rnnat_status status = model._run(&run)
    if asked is not None:
        asked.end()
    if status != RNNAT_OK:
        if rnnat_status_name(status) == b"RNNAT_ERROR_INDEX":
            _raise_index(x, known, lengths, batch_first)
        check_phases(status)
        check(status, "run")
    if batch_first:
        ys = [np.ascontiguousarray(np.swapaxes(y, 0, 1)) if y.ndim == 3 else y for y in ys]
    return ys, model._grouped(results)
