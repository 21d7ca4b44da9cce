"""Add, Mul, Sub, Div, Max and Min of several values: each number with those in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import DTYPES, assert_same_bits

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Input, ModelSpec

RNG = np.random.default_rng(29)
MODES: dict[str, tuple[Callable[[], Any], Any, int]] = {
    "add": (rn.Add, np.add, 11), "mul": (rn.Mul, np.multiply, 11), "sub": (rn.Sub, np.subtract, 2),
    "div": (rn.Div, np.divide, 2), "max": (rn.Max, np.maximum, 11), "min": (rn.Min, np.minimum, 11),
}  # fmt: skip
"""The layer, NumPy's function, and of how many values it is tried: 11 are two nodes of the core."""


def combined(mode: str, width: int) -> ModelSpec:
    layer, _, count = MODES[mode]
    names = [f"x{index}" for index in range(count)]
    return ModelSpec(nodes={"y": (layer(), names)}, inputs=dict.fromkeys(names, width), outputs="y")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_to_the_bit_from_left_to_right(mode: str, dtype: str) -> None:
    """Infinities, zeros and NaNs as well: one NaN makes all of them NaN."""
    for width in (1, 7, 16, 33):
        spec = combined(mode, width)
        x = {name: RNG.normal(0, 2, (5, 3, width)).astype(dtype) for name in spec.inputs}
        special = (np.nan, np.inf, -np.inf, 3.0, 2.0)
        for number, name in enumerate([*x][:2]):
            x[name][:, 0, 0] = np.roll(special, number)
        with np.errstate(all="ignore"):
            want = reduce(MODES[mode][1], x.values())
        got, _ = rn.Model(spec, dtype=dtype)(x)
        nan = np.isnan(want)
        np.testing.assert_array_equal(np.isnan(got), nan)
        assert_same_bits(np.where(nan, 0, got), np.where(nan, 0, want))
        expected, _ = rn.reference.run(spec, x)
        np.testing.assert_array_equal(np.isnan(expected), nan)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_keeps_it_and_runs_in_onnxruntime(mode: str, tmp_path: Path) -> None:
    spec = combined(mode, 4)
    for suffix in ("safetensors", "npz"):
        formats.write(spec, tmp_path / f"m.{suffix}")
        assert repr(formats.read(tmp_path / f"m.{suffix}")) == repr(spec)
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    assert repr(formats.read(path)) == repr(spec)
    x = {name: RNG.normal(0, 2, (5, 3, 4)).astype("f4") for name in spec.inputs}
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got, _ = rn.Model(spec)(x)
    np.testing.assert_array_equal(session.run(["y"], x)[0], got)


def test_a_quotient_is_of_two() -> None:
    names = ("a", "b", "c")
    for layer in (rn.Div(), rn.Sub()):
        with pytest.raises(rn.ShapeError, match=f"Combine {layer.mode}.*expected two inputs, got"):
            ModelSpec(nodes={"y": (layer, names)}, inputs=dict.fromkeys(names, 2), outputs="y")


@pytest.mark.parametrize("op", ["Div", "Max", "Min"])
@pytest.mark.parametrize("width", [4, 1])
def test_onnxs_operators_of_two_values(op: str, width: int, tmp_path: Path) -> None:
    """Of as many features, or of one, which each of the others meets."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    make = onnx.helper
    w, v = RNG.uniform(0.5, 1, (3, 4)).astype("f4"), RNG.uniform(0.5, 1, (3, width)).astype("f4")
    nodes = [
        make.make_node("MatMul", ["x", "w"], ["a"]),
        make.make_node("MatMul", ["x", "v"], ["b"]),
        make.make_node(op, ["a", "b"], ["c"]),
        make.make_node("Div", ["one", "c"], ["y"]),
    ]
    constants = {"w": w, "v": v, "one": np.array([1, 2, 3, 4], "f4")}
    graph = make.make_graph(
        nodes,
        "g",
        [make.make_tensor_value_info("x", 1, ["time", "batch", 3])],
        [make.make_tensor_value_info("y", 1, ["time", "batch", 4])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8), path)
    spec = formats.read(path)
    assert any(node.layer == MODES[op.lower()][0]() for node in spec.nodes.values())
    x = RNG.uniform(0.5, 1, (5, 2, 3)).astype("f4")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    y, _ = rn.Model(spec)(x)
    np.testing.assert_allclose(y, session.run(None, {"x": x})[0], rtol=1e-5)


def test_streams_and_last_states() -> None:
    gru = rn.GRU(3, 4).spec
    nodes = {
        "g": (gru, ("x",)),
        "top": (rn.Max(), ("g", "h")),
        "h": (rn.Elementwise("tanh"), ("g",)),
        "end": (rn.Min(), ("g.last", "all")),
        "all": (rn.Reduce("mean"), ("top",)),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": Input(3)}, outputs=("top", "end"))
    x = RNG.normal(0, 1, (6, 2, 3)).astype("f4")
    model = rn.Model(spec)
    y, _ = model(x)
    stream = model.stream(batch=2)
    steps = [{name: array.copy() for name, array in stream.step(x_t).items()} for x_t in x]
    assert_same_bits(np.stack([step["top"] for step in steps]), y["top"])
    assert_same_bits(steps[-1]["end"], y["end"])
