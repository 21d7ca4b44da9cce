"""LayerNorm out of operators of ONNX, out of the arithmetic that exporters write, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import strategies
from agreement import assert_same_bits

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Input, LayerNorm, ModelSpec

RNG = np.random.default_rng(19)
Array = Any


def vectors(size: int, dtype: str = "f4") -> Array:
    return RNG.uniform(-1, 1, (2, size)).astype(dtype)


def saved(
    path: Path, nodes: list[Any], arrays: dict[str, Any], x: Any, y: Any, opset: int = 17
) -> Path:
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node(op, inputs, outputs, **options) for op, inputs, outputs, options in nodes],
        "g",
        [make.make_tensor_value_info("x", 1, x)],
        [make.make_tensor_value_info("y", 1, y)],
        [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, path)
    return path


def agrees(path: Path, x: Array) -> ModelSpec:
    """The model of a file, whose numbers are onnxruntime's: 1e-5 of numbers of about 1."""
    runtime = pytest.importorskip("onnxruntime")
    spec = formats.read(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (want,) = session.run(None, {"x": x})
    steps = x.ndim == 3
    y, _ = rn.Model(spec)(x if steps else x[None])
    np.testing.assert_allclose(y if steps else y[0], want, rtol=0, atol=1e-5)
    return spec


W = RNG.normal(0, 1, (3, 6)).astype("f4")
MATMUL = ("MatMul", ["x", "w"], ["a"], {})
STEPS = (["time", "batch", 3], ["time", "batch", 6])
ROWS = (["batch", 3], ["batch", 6])


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("axis", [-1, 2])
def test_onnxs_layer_normalization(biased: bool, axis: int, tmp_path: Path) -> None:
    weight, bias = vectors(6)
    names = ["a", "s", "b"][: 2 + biased]
    nodes = [MATMUL, ("LayerNormalization", names, ["y"], {"axis": axis, "epsilon": 0.25})]
    path = saved(tmp_path / "m.onnx", nodes, {"w": W, "s": weight, "b": bias}, *STEPS)
    spec = agrees(path, RNG.normal(0, 1, (5, 2, 3)).astype("f4"))
    layer = spec.layers[1]
    assert isinstance(layer, LayerNorm)
    assert (layer.epsilon, layer.groups, layer.bias is not None) == (0.25, 1, biased)
    assert_same_bits(layer.weight, weight)


def test_onnxs_rms_normalization(tmp_path: Path) -> None:
    nodes = [MATMUL, ("RMSNormalization", ["a", "s"], ["y"], {"epsilon": 0.25})]
    path = saved(tmp_path / "m.onnx", nodes, {"w": W, "s": vectors(6)[0]}, *STEPS, opset=23)
    (_, layer) = formats.read(path).layers
    assert isinstance(layer, LayerNorm)
    assert not layer.subtract_mean


@pytest.mark.parametrize("opset", [18, 21])
def test_onnxs_group_normalization_of_rows(opset: int, tmp_path: Path) -> None:
    weight, bias = vectors(6) if opset > 20 else vectors(2)
    op = ("GroupNormalization", ["a", "s", "b"], ["y"], {"num_groups": 2, "epsilon": 0.25})
    arrays = {"w": W, "s": weight, "b": bias}
    path = saved(tmp_path / "m.onnx", [MATMUL, op], arrays, *ROWS, opset=opset)
    (_, layer) = formats.read(path).layers
    assert isinstance(layer, LayerNorm)
    assert layer.groups == 2
    assert_same_bits(layer.weight, np.repeat(weight, 6 // len(weight)))
    steps = [
        ("Transpose", ["x"], ["t"], {"perm": [1, 2, 0]}),
        (op[0], ["t", "s", "b"], ["y"], op[3]),
    ]
    path = saved(
        tmp_path / "t.onnx", steps, arrays, ["time", "batch", 6], ["batch", 6, "time"], opset
    )
    (over_time,) = formats.read(path).layers
    assert isinstance(over_time, rn.InstanceNorm)
    assert over_time.groups == 2


def test_what_pytorch_writes_of_its_group_norm(tmp_path: Path) -> None:
    """Blocks of features as an axis of their own, each an instance."""
    weight, bias = vectors(6)
    nodes = [
        MATMUL,
        ("Reshape", ["a", "shape"], ["c"], {}),
        ("InstanceNormalization", ["c", "ones", "zeros"], ["d"], {"epsilon": 0.25}),
        ("Shape", ["a"], ["whole"], {}),
        ("Reshape", ["d", "whole"], ["e"], {}),
        ("Mul", ["e", "s"], ["f"], {}),
        ("Add", ["f", "b"], ["y"], {}),
    ]
    arrays = {
        "w": W, "s": weight, "b": bias, "shape": np.array([0, 2, -1]),
        "ones": np.ones(2, "f4"), "zeros": np.zeros(2, "f4"),
    }  # fmt: skip
    path = saved(tmp_path / "m.onnx", nodes, arrays, *ROWS)
    spec = agrees(path, RNG.normal(0, 1, (5, 3)).astype("f4"))
    layer = next(layer for layer in spec.layers if isinstance(layer, LayerNorm))
    assert layer.groups == 2


def decomposed(form: str) -> tuple[list[Any], dict[str, Any]]:
    """x - mean, by the deviation, times s plus b, as exporters write it."""
    axes = {"axes": [-1], "keepdims": 1}
    nodes: list[Any] = [
        MATMUL,
        ("ReduceMean", ["a"], ["m"], axes),
        ("Sub", ["a", "m"], ["d"], {}),
        ("Sub", ["a", "m"], ["d2"], {}),  # tf2onnx writes it twice
        ("Pow", ["d2", "two"], ["q"], {}) if "pow" in form else ("Mul", ["d2", "d2"], ["q"], {}),
        ("ReduceMean", ["q"], ["v"], axes),
        ("Add", ["v", "e"], ["v1"], {}),
    ]
    if "div" in form:
        nodes += [("Sqrt", ["v1"], ["r"], {}), ("Div", ["d", "r"], ["n"], {})]
        nodes += [("Mul", ["n", "s"], ["o"], {}), ("Add", ["o", "b"], ["y"], {})]
        return nodes, {}
    nodes += [("Sqrt", ["v1"], ["r"], {}), ("Reciprocal", ["r"], ["i0"], {})]
    if "one" in form:
        nodes[-1] = ("Div", ["one", "r"], ["i0"], {})
    if "gamma first" in form:
        nodes += [("Mul", ["i0", "s"], ["i"], {}), ("Mul", ["a", "i"], ["p"], {})]
        nodes += [("Mul", ["m", "i"], ["k"], {}), ("Sub", ["b", "k"], ["l"], {})]
        return [*nodes, ("Add", ["p", "l"], ["y"], {})], {}
    nodes += [("Mul", ["d", "i0"], ["n"], {}), ("Mul", ["s", "n"], ["o"], {})]
    return [*nodes, ("Add", ["o", "b"], ["y"], {})], {}


FORMS = ("div", "div pow", "inverse", "inverse one pow", "gamma first", "gamma first one")


@pytest.mark.parametrize("form", FORMS)
def test_arithmetic_that_is_a_layer_norm(form: str, tmp_path: Path) -> None:
    nodes, _ = decomposed(form)
    weight, bias = vectors(6)
    arrays = {
        "w": W, "s": weight, "b": bias, "two": np.array(2, "f4"), "one": np.array(1, "f4"),
        "e": np.array(0.25, "f4"),
    }  # fmt: skip
    path = saved(tmp_path / "m.onnx", nodes, arrays, *STEPS, opset=13)
    spec = agrees(path, RNG.normal(0, 1, (5, 2, 3)).astype("f4"))
    _, layer = spec.layers
    assert isinstance(layer, LayerNorm)
    assert layer.epsilon == 0.25
    assert_same_bits(layer.weight, weight)
    assert_same_bits(layer.bias, bias)


@pytest.mark.parametrize("part", ["m", "q", "e", "two"])
def test_arithmetic_that_is_none_stays_arithmetic(part: str, tmp_path: Path) -> None:
    """A mean of something else, a product of two things, no epsilon, a third power: it is run as it
    is written, or refused."""
    nodes, _ = decomposed("inverse pow")
    arrays = {
        "w": W, "s": vectors(6)[0], "b": vectors(6)[1], "two": np.array(2, "f4"),
        "e": np.array(0.25, "f4"),
    }  # fmt: skip
    if part == "m":
        nodes[1:2] = [("Sigmoid", ["a"], ["g"], {}), (*nodes[1][:1], ["g"], *nodes[1][2:])]
    elif part == "q":
        nodes[4] = ("Mul", ["d", "a"], ["q0"], {})
        nodes.insert(5, ("Abs", ["q0"], ["q"], {}))
    elif part == "e":
        arrays["e"] = np.array(-1e-3, "f4")
    else:
        arrays["two"] = np.array(4, "f4")
    path = saved(tmp_path / "m.onnx", nodes, arrays, *STEPS, opset=13)
    spec = agrees(path, RNG.normal(0, 1, (5, 2, 3)).astype("f4"))
    norms = [node.layer for node in spec.nodes.values() if isinstance(node.layer, LayerNorm)]
    assert not any(layer.subtract_mean for layer in norms)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("options", [
    {}, {"weight": None}, {"bias": None}, {"weight": None, "bias": None},
    {"subtract_mean": False}, {"groups": 2}, {"groups": 4, "bias": None},
    {"groups": 2, "weight": None}, {"epsilon": 0.1},
], ids=str)  # fmt: skip
def test_an_onnx_file_of_ours_gives_it_back(
    options: dict[str, Any], last: bool, dtype: str, tmp_path: Path
) -> None:
    """Beside onnxruntime, of whose sums the order is another: 1e-5 of numbers of about 1; and a
    Scale behind it stays one."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    weight, bias = vectors(4, dtype)
    layer = LayerNorm(4, **({"weight": weight, "bias": bias} | options))
    first = strategies.make_recurrent(RNG, "gru", 3, 4, return_sequences=not last, dtype=dtype)
    if dtype == "f8":  # of which onnxruntime has no GRU
        first = strategies.make_linear(RNG, 3, 4, dtype=dtype)
    spec = ModelSpec((first, layer, strategies.make_scale(RNG, 4, dtype)))
    path = tmp_path / "m.onnx"
    if layer.groups > 1 and dtype == "f8":
        with pytest.raises(rn.UnsupportedError, match="LayerNormalization is of float32"):
            formats.write(spec, path)
        return
    formats.write(spec, path)
    again = formats.read(path)
    assert repr(again) == repr(spec)
    for own, other in zip(spec.layers, again.layers, strict=True):
        for name, array in own.arrays.items():
            assert_same_bits(other.arrays[name], array)
    x = RNG.normal(0, 1, (6, 2, 3)).astype(dtype)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, rtol=0, atol=1e-5)


def test_an_onnx_file_in_a_graph_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    layers = {
        "n": (LayerNorm(4, groups=2, epsilon=0.1), ("x",)),
        "m": (LayerNorm(4, *vectors(4)), ("n",)),
        "y": (rn.Add(), ("m", "x")),
    }
    spec = ModelSpec(nodes=layers, inputs={"x": Input(4)}, outputs=("y", "n"))
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    assert repr(formats.read(path)) == repr(spec)
