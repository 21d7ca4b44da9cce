"""RNN, GRU and LSTM nodes, with all that a Recurrent can express, against onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx import TensorProto
from onnx_graphs import ATOL, Builder, make_linear, make_recurrent, run, uniform

from rnn_native import formats, reference
from rnn_native.spec import Linear, Recurrent

pytestmark = pytest.mark.oracle

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {}),
    ("rnn", {"nonlinearity": "relu"}),
    ("gru", {"reset_after": True}),
    ("gru", {"reset_after": False}),
    ("lstm", {}),
    ("lstm", {"peephole": True}),
]
DIRECTIONS = ["forward", "reverse", "bidirectional"]
T, B, IN, H = 6, 3, 3, 4


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("cell", "options"), VARIANTS)
def test_a_node_with_states_and_lengths(
    cell: str, options: dict[str, Any], direction: str, bias: bool, tmp_path: Path
) -> None:
    layer = make_recurrent(cell, IN, H, direction=direction, bias=bias, **options)
    d = layer.num_directions
    b = Builder()
    names = ["h", "c"] if cell == "lstm" else ["h"]
    x = b.input("x", ["t", "b", IN])
    lengths = b.input("lengths", ["b"], TensorProto.INT32)
    states = [b.input(name, [d, "b", H]) for name in names]
    for name in b.recurrent(x, layer, lengths, *states):
        b.output(name)
    path = b.save(tmp_path)

    spec = formats.read(path)
    (again,) = spec.layers
    assert isinstance(again, Recurrent)
    for name, array in layer.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)

    feeds = {"x": uniform(T, B, IN), "lengths": np.array([6, 4, 1], np.int32)}
    feeds |= {name: uniform(d, B, H, seed=i) for i, name in enumerate(names)}
    want, *want_states = run(path, feeds)
    state = tuple(feeds[name] for name in names)
    y, final = reference.run(
        spec, feeds["x"], state if cell == "lstm" else state[0], feeds["lengths"]
    )
    want = want.transpose(0, 2, 1, 3).reshape(T, B, d * H)
    assert np.ptp(want[0]) > 0.1
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
    for ours, theirs in zip(final if cell == "lstm" else (final,), want_states, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ATOL)


@pytest.mark.parametrize(("cell", "options"), VARIANTS)
def test_defaults_of_attributes_written_out_change_nothing(
    cell: str, options: dict[str, Any], tmp_path: Path
) -> None:
    layer = make_recurrent(cell, direction="bidirectional", **options)
    names = {"rnn": [layer.nonlinearity], "gru": ["sigmoid", "TANH"]}
    attributes: dict[str, Any] = {
        "activations": names.get(cell, ["Sigmoid", "Tanh", "tanh"]) * 2,
        "layout": 0,
    }
    if cell == "lstm":
        attributes["input_forget"] = 0
    b = Builder()
    b.output(b.recurrent(b.input("x", ["t", "b", 3]), layer, **attributes)[0])
    (again,) = formats.read(b.save(tmp_path)).layers
    assert isinstance(again, Recurrent)
    assert (again.reset_after, again.nonlinearity) == (layer.reset_after, layer.nonlinearity)
    for name, array in layer.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 12, 13, 14, 15, 18, 20, 22])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_every_version_of_the_operators(opset: int, direction: str, tmp_path: Path) -> None:
    first = make_recurrent("lstm", IN, H, direction=direction)
    second = make_recurrent("gru", first.output_size, 2, direction=direction, seed=1)
    head = make_linear(second.output_size, 3, seed=2)
    b = Builder(opset)
    x = b.op("Transpose", b.input("x", ["b", "t", IN]), perm=[1, 0, 2])
    for layer in (first, second):
        x = b.concatenated(b.recurrent(x, layer)[0], layer.num_directions)
    y = b.op("Softmax", b.linear(x, head), axis=2)
    b.output(b.op("Transpose", b.op("Dropout", y), perm=[1, 0, 2]))
    path = b.save(tmp_path)
    spec = formats.read(path)
    assert [type(layer) for layer in spec.layers] == [Recurrent, Recurrent, Linear]
    x = uniform(B, T, IN)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(spec, x.swapaxes(0, 1))
    np.testing.assert_allclose(y.swapaxes(0, 1), want, rtol=0, atol=ATOL)


def test_lengths_pass_through_all_layers_and_casts(tmp_path: Path) -> None:
    layers = [
        make_recurrent("gru", IN, H, direction="bidirectional"),
        make_recurrent("lstm", 2 * H, H, direction="reverse", seed=1),
    ]
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    lengths = b.op("Cast", b.input("lengths", ["b"], TensorProto.INT64), to=TensorProto.INT32)
    for layer in layers:
        x = b.concatenated(b.recurrent(x, layer, lengths)[0], layer.num_directions)
    b.output(x)
    path = b.save(tmp_path)
    feeds = {"x": uniform(T, B, IN), "lengths": np.array([6, 2, 3])}
    (want,) = run(path, feeds)
    y, _ = reference.run(formats.read(path), feeds["x"], None, feeds["lengths"])
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def test_states_of_several_layers_may_be_rows_of_one_input(tmp_path: Path) -> None:
    layers = [make_recurrent("gru", IN, H), make_recurrent("gru", H, H, seed=1)]
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    h = b.input("h", [2, "b", H])
    finals = []
    for row, layer in enumerate(layers):
        rows = b.op("Slice", h, b.integers(row), b.integers(row + 1), b.integers(0))
        x, final = b.recurrent(x, layer, "", rows)
        x = b.squeeze(x, 1)
        finals.append(final)
    b.output(x)
    b.output(b.op("Concat", *finals, axis=0))
    path = b.save(tmp_path)
    feeds = {"x": uniform(T, B, IN), "h": uniform(2, B, H, seed=1)}
    want, want_h = run(path, feeds)
    y, final = reference.run(formats.read(path), feeds["x"], (feeds["h"][:1], feeds["h"][1:]))
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
    np.testing.assert_allclose(np.concatenate(final), want_h, rtol=0, atol=ATOL)


@pytest.mark.parametrize("how", ["constant", "shape", "expand", "slice", "tile", "unreadable"])
def test_zero_initial_states_in_every_guise(how: str, tmp_path: Path) -> None:
    layer = make_recurrent("lstm", IN, H)
    b = Builder()
    x = b.input("x", ["t", 2, IN] if how in ("constant", "tile") else ["t", "b", IN])
    batch = b.op("Gather", b.op("Shape", x), b.constant(1, np.int64))
    shape = b.op("Concat", b.integers(1), b.unsqueeze(batch, 0), b.integers(H), axis=0)
    if how == "constant":
        zero = b.constant(np.zeros((1, 2, H), np.float32))
    elif how == "shape":
        zero = b.op("ConstantOfShape", shape)
    elif how == "expand":
        zero = b.op("Expand", b.constant(0, np.float32), shape)
    elif how == "slice":
        rows = b.op("Concat", b.integers(3), b.unsqueeze(batch, 0), b.integers(H), axis=0)
        zero = b.op("ConstantOfShape", rows)
        zero = b.op("Slice", zero, b.integers(1), b.integers(2), b.integers(0))
    elif how == "tile":
        zero = b.op("Tile", b.constant(np.zeros((1, 1, H), np.float32)), b.integers(1, 2, 1))
    else:
        ones = b.op("ConstantOfShape", b.integers(3), value=_one())
        where = b.op("Where", b.op("Equal", shape, ones), ones, shape)
        zero = b.op("Expand", b.constant(np.zeros((1, 1, H), np.float32)), where)
    b.output(b.squeeze(b.recurrent(x, layer, "", zero, zero)[0], 1))
    path = b.save(tmp_path)
    x = uniform(T, 2, IN)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(formats.read(path), x)
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def _one() -> Any:
    from onnx import helper

    return helper.make_tensor("value", TensorProto.INT64, [1], [1])


def test_weights_that_an_exporter_left_to_be_put_together(tmp_path: Path) -> None:
    layer = make_recurrent("gru", IN, H)
    b = Builder()
    nodes = Builder()
    nodes.recurrent("x", layer)  # only for its constants
    w, r, bias = nodes.constants[:3]
    from onnx import numpy_helper

    w, r, bias = map(numpy_helper.to_array, (w, r, bias))
    z, reset, n = np.split(w[0], 3)
    pieces = [b.constant(part) for part in (z, reset, n)]
    joined = b.unsqueeze(b.op("Concat", *pieces, axis=0), 0)
    turned = b.op("Transpose", b.constant(r.transpose(2, 1, 0)), perm=[2, 1, 0])
    cut = b.op("Slice", b.constant(np.pad(bias, ((0, 0), (5, 0)))), b.integers(5),
               b.integers(2**63 - 1), b.integers(1))  # fmt: skip
    y = b.op(
        "GRU", b.input("x", ["t", "b", IN]), joined, turned, cut, hidden_size=H,
        linear_before_reset=1,
    )  # fmt: skip
    b.output(y)
    (again,) = formats.read(b.save(tmp_path)).layers
    for name, array in layer.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
