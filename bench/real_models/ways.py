"""In what precision, and by whom, a part is run: ours, OpenVINO's bfloat16, onnxruntime's int8.

The peers run a model's own .onnx where it has one, and otherwise what ``Model.save`` writes of the
same weights. Each of theirs stands beside its own float32, which tells what the file costs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rnn_native as rn

from .model import Part, Run

FLOAT32 = "float32"
TYPES: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "float16": ({"weight_dtype": "float16"}, 16),
    "bfloat16": ({"weight_dtype": "bfloat16"}, 16),
    "bfloat16-compute": ({"compute": "bfloat16"}, 16),
    "int8": ({"weight_dtype": "int8"}, 8),
}
"""Options of ``rn.load`` and ``rn.Model``, and how many bits a weight has."""
CALIBRATED = "int8-calibrated"
"""int8 as ``rn.quantize`` makes it of a part's calibration data."""
NAMES = (*TYPES, CALIBRATED)


class NotHere(Exception):  # noqa: N818  # no error: a report goes on without it
    """This build, this machine or this file has no such way; the message says why."""


@dataclass(frozen=True)
class Way:
    """``make`` makes a run of a part; ``folder`` is for files."""

    name: str
    bits: int
    make: Callable[[Part, Path], Run]


def ours(name: str) -> Way:
    if name == CALIBRATED:
        return Way(name, 8, _calibrated)
    options, bits = TYPES[name] if name != FLOAT32 else ({}, 32)

    def make(part: Part, folder: Path) -> Run:
        try:
            return rn.Model(part.spec, num_threads=1, **options)
        except (TypeError, rn.OptionError) as error:
            raise NotHere(f"not in this build ({error})") from error
        except rn.UnsupportedError as error:
            raise NotHere(str(error)) from error

    return Way(name, bits, make)


def _calibrated(part: Part, folder: Path) -> Run:
    x, states = zip(*part.calibration(), strict=True)
    return rn.quantize(part.spec, "int8", x, state=states, num_threads=1).model


class _File:
    """An .onnx as a run. Its first input is x and its first output y; the inputs behind x are
    states, and the outputs behind y are what becomes of them, in the same order."""

    def __init__(
        self, part: Part, call: Callable[[dict[str, Any]], list[Any]], inputs: list[Any],
        rows_apart: bool,
    ) -> None:  # fmt: skip
        self._part, self._call, self._inputs, self._rows_apart = part, call, inputs, rows_apart

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        if self._rows_apart and x.shape[1] > 1:
            rows = [
                self(x[:, row : row + 1], state and [h[:, row : row + 1] for h in state])
                for row in range(x.shape[1])
            ]
            states = zip(*(after for _, after in rows), strict=True)
            y = np.concatenate([y for y, _ in rows], axis=1)
            return y, [np.concatenate(every, axis=1) for every in states]
        if self._part.by_step and len(x) > 1:
            steps = []
            for step in range(len(x)):
                y, state = self(x[step : step + 1], state)
                steps.append(y)
            return np.concatenate(steps), state
        (name, _), *states = self._inputs
        if state is None:
            state = [_zeros(shape, x.shape[1]) for _, shape in states]
        given = {name: np.ascontiguousarray(self._part.into(x))}
        given |= {name: h for (name, _), h in zip(states, state, strict=True)}
        y, *after = self._call(given)
        return self._part.out(np.array(y)), [np.array(h) for h in after[: len(states)]]


def _zeros(shape: list[Any], batch: int) -> Any:
    return np.zeros([size if isinstance(size, int) else batch for size in shape], np.float32)


def _onnx_of(part: Part, folder: Path) -> Path:
    """Its file, or one in ``folder`` whose states are inputs."""
    if part.file is not None:
        return part.file
    import onnx

    path = folder / "part.onnx"
    rn.Model(part.spec).save(path)
    model = onnx.load(path)
    given = {value.name for value in model.graph.input}
    # States that have a default are no inputs to OpenVINO, so they lose it.
    for tensor in [t for t in model.graph.initializer if t.name in given]:
        model.graph.initializer.remove(tensor)
    onnx.save(model, path)
    return path


def _onnxruntime(part: Part, path: Path, rows_apart: bool) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers)
    except Exception as error:  # its own, of several bases
        raise NotHere(f"onnxruntime refuses the file: {_first_line(error)}") from error
    outputs = [value.name for value in session.get_outputs()]
    inputs = [(value.name, value.shape) for value in session.get_inputs()]
    return _File(part, lambda given: session.run(outputs, given), inputs, rows_apart)


def _onnxruntime_float32(part: Part, folder: Path) -> Run:
    return _onnxruntime(part, _onnx_of(part, folder), rows_apart=False)


def _onnxruntime_int8(part: Part, folder: Path) -> Run:
    """quantize_dynamic with its defaults; each row by itself, as its scales are those of a call."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "int8.onnx"
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(_onnx_of(part, folder), path)
        try:
            return _onnxruntime(part, path, rows_apart=True)
        except NotHere:  # of convolutions it has kernels for uint8 alone
            quantize_dynamic(_onnx_of(part, folder), path, weight_type=QuantType.QUInt8)
            return _onnxruntime(part, path, rows_apart=True)
    finally:
        logging.disable(logging.NOTSET)


def _openvino(precision: str) -> Callable[[Part, Path], Run]:
    def make(part: Part, folder: Path) -> Run:
        import openvino

        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in able:
            raise NotHere("OpenVINO has no bfloat16 on this processor")
        config = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
        }
        try:
            compiled = core.compile_model(str(_onnx_of(part, folder)), "CPU", config)
        except RuntimeError as error:
            raise NotHere(f"OpenVINO refuses the file: {_first_line(error)}") from error
        request = compiled.create_infer_request()
        inputs = [
            (value.any_name, [s.get_length() if s.is_static else None for s in value.partial_shape])
            for value in compiled.inputs
        ]

        def call(given: dict[str, Any]) -> list[Any]:
            request.infer(given)
            return [request.get_output_tensor(n).data for n in range(len(compiled.outputs))]

        return _File(part, call, inputs, rows_apart=False)

    return make


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


PEERS = (
    Way("OpenVINO float32", 32, _openvino("f32")),
    Way("OpenVINO bfloat16", 16, _openvino("bf16")),
    Way("onnxruntime float32", 32, _onnxruntime_float32),
    Way("onnxruntime int8", 8, _onnxruntime_int8),
)
