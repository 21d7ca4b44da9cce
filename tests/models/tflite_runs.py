"""A TensorFlow Lite file in its own interpreter and here, on the same numbers."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite_files import File

import rnn_native as rn

Array = NDArray[Any]


def interpreter(content: bytes) -> Any:
    """Without delegates, which calculate in other ways."""
    litert = importlib.import_module("ai_edge_litert.interpreter")
    kind = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return litert.Interpreter(model_content=content, experimental_op_resolver_type=kind)


def theirs(content: bytes, *inputs: Array) -> list[Array]:
    """Its outputs, of the states that it begins with."""
    runtime = interpreter(content)
    for detail, value in zip(runtime.get_input_details(), inputs, strict=True):
        runtime.resize_tensor_input(detail["index"], value.shape)
    runtime.allocate_tensors()
    runtime.reset_all_variables()
    for detail, value in zip(runtime.get_input_details(), inputs, strict=True):
        runtime.set_tensor(detail["index"], value)
    runtime.invoke()
    return [runtime.get_tensor(detail["index"]) for detail in runtime.get_output_details()]


def compare(
    file: File, tmp_path: Path, *inputs: Array, tolerance: float = 2e-6, **options: Any
) -> rn.Model:
    """Both on the same inputs [batch, time, features], where the outputs may have no time."""
    path = file.write(tmp_path / "m.tflite")
    expected = theirs(path.read_bytes(), *inputs)
    model = rn.load(path, **options)
    batch_second = [np.swapaxes(value, 0, 1) if value.ndim > 1 else value for value in inputs]
    given = (
        dict(zip(model.inputs, batch_second, strict=True)) if len(inputs) > 1 else batch_second[0]
    )
    got, _ = model(given)
    found = list(got.values()) if isinstance(got, dict) else [got]
    assert len(found) == len(expected)
    for ours, other in zip(found, expected, strict=True):
        ours = np.swapaxes(ours, 0, 1) if ours.ndim == 3 else ours
        np.testing.assert_allclose(ours.reshape(other.shape), other, rtol=0, atol=tolerance)
    return model
