"""onnxruntime on a user's own ONNX file, whatever the order of its time and batch axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..worker import Form, Task

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64,
          "tensor(int32)": np.int32}  # fmt: skip


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
    """A form for each order of the axes: those that the file does not mean give wrong results."""
    made = session(task.model, task.threads)
    features = task.spec.output_size
    time, batch = task.x.shape[:2]
    forms = {}
    for name, swapped in (("time first", False), ("batch first", True)):
        x = np.ascontiguousarray(np.swapaxes(task.x, 0, 1)) if swapped else task.x
        feeds = _feeds(made, x, batch)
        wanted = [output.name for output in made.get_outputs()]
        arrays = partial(_find_y, shape=(time, batch, features), swapped=swapped)
        forms[name] = Form(partial(made.run, wanted, feeds), arrays)
    return forms


def _feeds(made: Any, x: NDArray[Any], batch: int) -> dict[str, NDArray[Any]]:
    """x for the first input; every other one, an initial state, is zeros."""
    first, *rest = made.get_inputs()
    feeds = {first.name: x.astype(_TYPES[first.type])}
    for other in rest:
        shape = [size if isinstance(size, int) else batch for size in other.shape]
        feeds[other.name] = np.zeros(shape, _TYPES[other.type])
    return feeds


def _find_y(
    outputs: Sequence[NDArray[Any]], shape: tuple[int, int, int], swapped: bool
) -> list[NDArray[Any]]:
    """The output that has as many elements as y [time, batch, features], in that order."""
    time, batch, features = shape
    for output in outputs:
        if output.size != time * batch * features:
            continue
        if output.ndim == 4:  # ONNX's Y: [time, directions, batch, size]
            return [np.moveaxis(output, 1, 2).reshape(shape)]
        if swapped:
            return [np.swapaxes(output.reshape(batch, time, features), 0, 1)]
        return [output.reshape(shape)]
    raise ValueError(f"no output has the {time * batch * features} elements of y")
