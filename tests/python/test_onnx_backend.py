"""ONNX's backend interface: graphs that keep their inputs and outputs, in ONNX's shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import rnn_native as rn
from rnn_native import onnx_backend
from rnn_native.errors import (
    DTypeError,
    FormatError,
    OptionError,
    ShapeError,
    UnsupportedError,
)

Array = NDArray[Any]
T, B, IN, H = 5, 3, 2, 4


def uniform(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)


def weights(gates: int, directions: int = 1, size: int = IN, seed: int = 0) -> list[Array]:
    """W, R and B."""
    shapes = [(gates * H, size), (gates * H, H), (2 * gates * H,)]
    return [uniform(directions, *shape, seed=seed + i) for i, shape in enumerate(shapes)]


def model(
    nodes: list[Any],
    inputs: dict[str, Any],
    outputs: list[str],
    constants: dict[str, Array] | None = None,
    element: int = TensorProto.FLOAT,
) -> Any:
    """``inputs`` are shapes, or (element type, shape)."""
    described = [
        helper.make_tensor_value_info(name, *(it if isinstance(it, tuple) else (element, it)))
        for name, it in inputs.items()
    ]
    # The checker asks for a shape of each, if only of how many axes: y [T, D, B, H], or states.
    shapes = {"y": ["t", "d", "b", "h"]}
    made = [
        helper.make_tensor_value_info(name, element, shapes.get(name, ["d", "b", "h"]))
        for name in outputs
    ]
    initializers = [numpy_helper.from_array(a, name) for name, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", described, made, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def lstm(outputs: list[str], inputs: str = "x w r b", name: str = "it", **attributes: Any) -> Any:
    return helper.make_node(
        "LSTM", [n.strip("-") for n in inputs.split()], outputs, name, hidden_size=H, **attributes
    )


X = {"x": ["t", "b", IN]}
WEIGHTS = dict(zip("wrb", weights(4), strict=True))


def ours(x: Array, state: Any = None, lengths: Any = None, **options: Any) -> tuple[Array, Any]:
    """The same LSTM by way of ``rn.LSTM``."""
    w, r, b = (WEIGHTS[name][0] for name in "wrb")

    def gates(array: Array) -> Array:
        i, o, f, c = np.split(array, 4)
        return np.concatenate([i, f, c, o])

    layer = rn.LSTM(IN, H, **options)
    bias_ih, bias_hh = np.split(b, 2)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    layer.load_state_dict(dict(zip(names, map(gates, (w, r, bias_ih, bias_hh)), strict=True)))
    return layer(x, state, lengths=lengths)


@pytest.mark.parametrize("constant", [True, False], ids=["constants", "inputs"])
@pytest.mark.parametrize("layout", [0, 1])
def test_shapes_of_outputs_are_onnx_s(layout: int, constant: bool) -> None:
    node = lstm(["y", "h", "c"], "x w r b n h0 c0", layout=layout)
    states = [B, 1, H] if layout else [1, B, H]
    inputs: dict[str, Any] = {"x": [B, T, IN] if layout else [T, B, IN]}
    inputs |= {} if constant else {name: list(array.shape) for name, array in WEIGHTS.items()}
    inputs |= {"n": (TensorProto.INT32, [B]), "h0": states, "c0": states}
    prepared = onnx_backend.prepare(
        model([node], inputs, ["y", "h", "c"], WEIGHTS if constant else None)
    )
    x, n = uniform(T, B, IN), np.array([5, 2, 3], np.int32)
    h0, c0 = uniform(1, B, H, seed=1), uniform(1, B, H, seed=2)
    want, (h, c) = ours(x, (h0, c0), n)
    turned = (lambda a: a.swapaxes(0, 1)) if layout else (lambda a: a)
    given = [turned(x), *([] if constant else WEIGHTS.values()), n, turned(h0), turned(c0)]
    for _ in range(2):  # the second time with what the first has packed
        results = prepared.run(given)
        y = want[:, :, None] if layout else want[:, None]
        for got, expected in zip(results, (turned(y), turned(h), turned(c)), strict=True):
            np.testing.assert_array_equal(got, expected)
        assert results["c"] is results[2]


def test_weights_that_are_inputs_may_change_from_run_to_run() -> None:
    inputs = X | {name: list(array.shape) for name, array in WEIGHTS.items()}
    prepared = onnx_backend.prepare(model([lstm(["y"])], inputs, ["y"]))
    x = uniform(T, B, IN)
    first = prepared.run([x, *WEIGHTS.values()])[0]
    other = {**WEIGHTS, "w": 2 * WEIGHTS["w"]}
    assert np.abs(prepared.run([x, *other.values()])[0] - first).max() > 0.01
    np.testing.assert_array_equal(prepared.run([x, *WEIGHTS.values()])[0], first)


def test_weights_that_are_constant_are_not_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are looked at when the model is prepared; to compare them takes longer than a step."""
    prepared = onnx_backend.prepare(model([lstm(["y", "", ""])], X, ["y"], WEIGHTS))
    x = uniform(T, B, IN)
    before = prepared.run([x])[0]
    monkeypatch.setattr(np, "array_equal", None)
    np.testing.assert_array_equal(prepared.run([x])[0], before)


@pytest.mark.parametrize("outputs", [["y"], ["", "h"], ["", "", "c"], ["y", "", "c"]])
def test_outputs_that_are_left_out(outputs: list[str]) -> None:
    names = [name for name in outputs if name]
    prepared = onnx_backend.prepare(model([lstm(outputs)], X, names, WEIGHTS))
    x = uniform(T, B, IN)
    y, (h, c) = ours(x)
    every = {"y": y[:, None], "h": h, "c": c}
    results = prepared.run(x)
    assert len(results) == len(names)
    for name in names:
        np.testing.assert_array_equal(results[name], every[name])


def test_an_initial_h_without_an_initial_c() -> None:
    node = lstm(["y"], "x w r b - h0")
    prepared = onnx_backend.prepare(model([node], X | {"h0": [1, B, H]}, ["y"], WEIGHTS))
    x, h0 = uniform(T, B, IN), uniform(1, B, H, seed=1)
    want = ours(x, (h0, np.zeros_like(h0)))[0]
    np.testing.assert_array_equal(prepared.run([x, h0])[0], want[:, None])


def test_peepholes_reach_their_gates() -> None:
    node = lstm(["y"], "x w r b - - - p")
    x = uniform(T, B, IN)
    plain = onnx_backend.run_model(model([lstm(["y"])], X, ["y"], WEIGHTS), [x])[0]
    seen = []
    for gate in range(3):
        p = np.zeros((1, 3, H), np.float32)
        p[0, gate] = 1
        constants = WEIGHTS | {"p": p.reshape(1, -1)}
        seen.append(onnx_backend.run_model(model([node], X, ["y"], constants), [x])[0])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(seen[one] - seen[other]).max() > 1e-3
        assert np.abs(seen[one] - plain).max() > 1e-3


def test_final_states_of_one_node_begin_another() -> None:
    """An encoder and a decoder: no chain, but a graph of recurrent nodes."""
    decoder = lstm(["y"], "z w r b - h c", "decoder")
    nodes = [lstm(["", "h", "c"]), decoder]
    graph = model(nodes, X | {"z": ["u", "b", IN]}, ["y", "h"], WEIGHTS)
    x, z = uniform(T, B, IN), uniform(T + 1, B, IN, seed=1)
    y, h = onnx_backend.run_model(graph, {"z": z, "x": x})
    state = ours(x)[1]
    np.testing.assert_array_equal(h, state[0])
    np.testing.assert_array_equal(y[:, 0], ours(z, state)[0])


def test_a_chain_is_its_layers_one_after_another() -> None:
    axis, head = np.array([1]), uniform(H, 3, seed=5)
    nodes = [
        lstm(["y"]),
        helper.make_node("Squeeze", ["y", "axis"], ["s"]),
        helper.make_node("MatMul", ["s", "head"], ["m"]),
        helper.make_node("Softmax", ["m"], ["z"], axis=-1),
    ]
    graph = model(nodes, X, ["y", "z"], WEIGHTS | {"axis": axis, "head": head})
    x = uniform(T, B, IN)
    y, z = onnx_backend.run_model(graph, [x])
    want = ours(x)[0]
    np.testing.assert_array_equal(y[:, 0], want)
    e = np.exp(want.astype(np.float64) @ head)
    # Sums of 4 products below 1 and one exp, in float32: some 10 units of roundoff, 6e-8 each.
    np.testing.assert_allclose(z, e / e.sum(-1, keepdims=True), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "element"),
    [(np.float64, TensorProto.DOUBLE), (np.float16, TensorProto.FLOAT16)],
)
def test_results_have_the_type_of_x(dtype: Any, element: int) -> None:
    constants = {name: array.astype(dtype) for name, array in WEIGHTS.items()}
    node = lstm(["y", "h"])
    graph = model([node], X, ["y", "h"], constants, element)
    x = uniform(T, B, IN).astype(dtype)
    y, h = onnx_backend.run_model(graph, [x])
    assert y.dtype == h.dtype == dtype
    wide = {name: array.astype(np.float64) for name, array in constants.items()}
    want = onnx_backend.run_model(
        model([node], X, ["y"], wide, TensorProto.DOUBLE), [x.astype(np.float64)]
    )[0]
    # float16 is rounded once, at the end: half a unit of 2**-10 below 1.
    tolerance = 2**-11 if dtype == np.float16 else 1e-15
    np.testing.assert_allclose(y.astype(np.float64), want, rtol=0, atol=tolerance)


def test_an_input_with_an_initializer_may_be_left_out_or_given_by_name() -> None:
    inputs = X | {"h0": [1, B, H], "c0": [1, B, H]}
    zeros = {name: np.zeros((1, B, H), np.float32) for name in ("h0", "c0")}
    prepared = onnx_backend.prepare(
        model([lstm(["y"], "x w r b - h0 c0")], inputs, ["y"], WEIGHTS | zeros)
    )
    x, h0 = uniform(T, B, IN), uniform(1, B, H, seed=1)
    np.testing.assert_array_equal(prepared.run([x])[0][:, 0], ours(x)[0])
    want = ours(x, (h0, zeros["c0"]))[0]
    np.testing.assert_array_equal(prepared.run({"x": x, "h0": h0})[0][:, 0], want)


def test_no_steps_and_no_rows() -> None:
    prepared = onnx_backend.prepare(model([lstm(["y", "h"])], X, ["y", "h"], WEIGHTS))
    for t, b in ((0, B), (T, 0), (0, 0)):
        y, h = prepared.run([np.zeros((t, b, IN), np.float32)])
        assert y.shape == (t, 1, b, H)
        np.testing.assert_array_equal(h, np.zeros((1, b, H)))


def test_one_node_by_itself() -> None:
    x = uniform(T, B, IN)
    node = lstm(["y", "h"], "x w r b")
    y, h = onnx_backend.run_node(node, [x, *WEIGHTS.values()])
    np.testing.assert_array_equal(y[:, 0], ours(x)[0])
    outputs = [(np.float32, (T, 1, B, H)), (np.float32, (1, B, H))]
    named = {"x": x, **WEIGHTS}
    again = onnx_backend.run_node(node, named, outputs_info=outputs, opset_version=14)
    np.testing.assert_array_equal(again[1], h)
    with pytest.raises(ShapeError, match="outputs_info"):
        onnx_backend.run_node(node, named, outputs_info=outputs[::-1])
    with pytest.raises(FormatError, match=r"not a valid ONNX node: .*layout"):
        onnx_backend.run_node(lstm(["y"], layout=1), named, opset_version=7)


def test_options_and_devices() -> None:
    graph = model([lstm(["y"])], X, ["y"], WEIGHTS)
    x = uniform(T, B, IN)
    want = onnx_backend.run_model(graph, [x])[0]
    options = {"num_threads": 2, "matmul": "packed", "rtol": 1e-3}
    np.testing.assert_array_equal(onnx_backend.run_model(graph, [x], "CPU:0", **options)[0], want)
    with pytest.raises(OptionError, match="num_threads"):
        onnx_backend.prepare(graph, num_threads=0)
    with pytest.raises(OptionError, match="unknown option threads; known are matmul, num_threads"):
        onnx_backend.prepare(graph, threads=2)
    with pytest.raises(OptionError, match="unknown option fast"):
        onnx_backend.prepare(graph).run([x], fast=True)
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("CUDA")
    with pytest.raises(UnsupportedError, match="device 'CUDA': expected 'CPU'"):
        onnx_backend.prepare(graph, "CUDA")
    assert onnx_backend.is_compatible(graph)
    assert not onnx_backend.is_compatible(graph, "CUDA")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Hardmax", ["x"], ["y"], "it"), r"node 'it' \(Hardmax\): this operator"),
        (helper.make_node("LSTM", ["x"] * 3, ["y"], "it", domain="my"), r"\(my\.LSTM\): this op"),
        (lstm(["y"], activations=["Sigmoid", "Tanh", "Round"]), r"node 'it' \(LSTM\): .*Round"),
        (helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING), "to=STRING"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(node: Any, message: str) -> None:
    graph = model([node], X, ["y"], WEIGHTS)
    if node.domain:
        graph.opset_import.append(helper.make_opsetid("my", 1))
    with pytest.raises(UnsupportedError, match=message):
        onnx_backend.run_model(graph, [uniform(T, B, IN)])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ShapeError, r"inputs: expected 2 \(x, n\), got 0"),
        ({"x": uniform(T, B, IN)}, ShapeError, "inputs: missing n"),
        (
            {"x": uniform(T, B, IN), "n": np.array([T] * B, "i4"), "z": 0},
            ShapeError,
            "inputs: unknown z",
        ),
        (
            [uniform(T, B, IN + 1), np.array([T] * B, "i4")],
            ShapeError,
            r"'x': expected shape .*2\)",
        ),
        ([uniform(T, B), np.array([T] * B, "i4")], ShapeError, "'x': expected shape"),
        ([uniform(T, B, IN, dtype="f8"), np.array([T] * B, "i4")], DTypeError, "'x': expected flo"),
        ([uniform(T, B, IN), np.array([T] * B)], DTypeError, "'n': expected int32, got int64"),
        ([uniform(T, B, IN), np.array([T + 1] * B, "i4")], ShapeError, "'it' .*lengths"),
        ([uniform(T, B, IN), np.array([T], "i4")], ShapeError, "'it' .*lengths"),
    ],
)
def test_inputs_that_do_not_fit(given: Any, error: type, message: str) -> None:
    inputs = X | {"n": (TensorProto.INT32, ["b"])}
    prepared = onnx_backend.prepare(model([lstm(["y"], "x w r b n")], inputs, ["y"], WEIGHTS))
    with pytest.raises(error, match=message):
        prepared.run(given)


def test_states_of_a_wrong_shape() -> None:
    inputs = X | {"h0": [1, "b", "h"]}
    prepared = onnx_backend.prepare(model([lstm(["y"], "x w r b - h0")], inputs, ["y"], WEIGHTS))
    for shape in ((1, B, H + 1), (1, B + 1, H)):
        with pytest.raises(
            ShapeError, match=r"'it' \(LSTM\): initial_h: expected floats \(1, 3, 4"
        ):
            prepared.run([uniform(T, B, IN), uniform(*shape)])


def test_a_model_that_is_malformed() -> None:
    with pytest.raises(FormatError, match="not a valid ONNX model"):
        onnx_backend.prepare(model([lstm(["y"], "nothing w r b")], X, ["y"], WEIGHTS))
    assert not onnx_backend.is_compatible(onnx.ModelProto())
    big = helper.make_node("ConstantOfShape", ["shape"], ["y"])
    graph = model([big], X, ["y"], {"shape": np.array([2**20, 2**20])})
    with pytest.raises(FormatError, match="asks for 4398046511104 bytes"):
        onnx_backend.prepare(graph)
