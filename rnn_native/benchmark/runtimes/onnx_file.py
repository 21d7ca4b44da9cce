"""onnxruntime on a user's own ONNX file, whatever the order of its time and batch axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..worker import Form, Task

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
          "tensor(int64)": np.int64, "tensor(int32)": np.int32}  # fmt: skip


def version() -> str:
    return str(onnxruntime.__version__)


def session(model: str | bytes, threads: int) -> Any:
    """With the threads' number set; everything else as onnxruntime has it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def prepare(task: Task) -> Mapping[str, Form]:
    """A form for each order of the axes and each output that may be y: which of them the file means
    is known by their numbers, and the others are left out."""
    made = session(task.model, task.threads)
    wanted = [output.name for output in made.get_outputs()]
    forms = {}
    for name, swapped in (("time first", False), ("batch first", True)):
        x = np.ascontiguousarray(np.swapaxes(task.x, 0, 1)) if swapped else task.x
        call = partial(made.run, wanted, _feeds(made, x, task))
        for place, output in enumerate(wanted):
            form = Form(call, partial(_y, task=task, place=place, swapped=swapped))
            forms[f"{name}, {output}" if len(wanted) > 1 else name] = form
    return forms


def _feeds(made: Any, x: NDArray[Any], task: Task) -> dict[str, NDArray[Any]]:
    """x for the first input; every other one is an initial state, zeros, or the lengths of rows,
    which are integers."""
    time, batch = task.x.shape[:2]
    feeds: dict[str, NDArray[Any]] = {}
    takes_lengths = False
    for given in made.get_inputs():
        if given.type not in _TYPES:
            raise NotImplementedError(f"input {given.name}: no numbers for its type {given.type}")
        kind = np.dtype(_TYPES[given.type])
        if not feeds:
            feeds[given.name] = x.astype(kind)
            continue
        shape = [size if isinstance(size, int) else batch for size in given.shape]
        feeds[given.name] = np.full(shape, time if kind.kind == "i" else 0, kind)
        if kind.kind == "i" and task.lengths is not None:
            feeds[given.name][...] = task.lengths
            takes_lengths = True
    if task.lengths is not None and not takes_lengths:
        raise NotImplementedError("the graph takes no lengths")
    return feeds


def _y(
    outputs: Sequence[NDArray[Any]], task: Task, place: int, swapped: bool
) -> list[NDArray[Any]]:
    """That output in the form of y: [time, batch, features], or [batch, features] of a model that
    gives its last state."""
    output = outputs[place]
    time, batch = task.x.shape[:2]
    shape: tuple[int, ...] = (time, batch, task.spec.output_size)
    if not task.spec.return_sequences:
        shape = shape[1:]
    if output.size != np.prod(shape):
        raise ValueError(f"has {output.size} elements, y {np.prod(shape)}")
    if not task.spec.return_sequences:  # it may be ONNX's Y_h: [directions, batch, size]
        across = output.ndim == 3 and output.shape[1] == batch
        return [(np.swapaxes(output, 0, 1) if across else output).reshape(shape)]
    if output.ndim == 4:  # ONNX's Y: [time, directions, batch, size]
        return [np.moveaxis(output, 1, 2).reshape(shape)]
    if swapped:
        return [np.swapaxes(output.reshape(batch, time, -1), 0, 1)]
    return [output.reshape(shape)]
