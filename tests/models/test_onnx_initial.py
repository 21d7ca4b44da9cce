"""Initial states that an ONNX file has as constants, read and written, against onnxruntime."""

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
from onnx_graphs import ATOL, Builder, make_recurrent, run

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.spec import ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

T, B, IN, H = 6, 3, 3, 4
CELLS = ("rnn", "gru", "lstm")


def uniform(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def learned(layer: Recurrent, seed: int = 7) -> list[Any]:
    """What each state begins with, [directions, 1, features]."""
    return [
        uniform(layer.num_directions, 1, size, seed=seed + index)
        for index, size in enumerate(layer.state_sizes)
    ]


def assert_agrees(path: Path, x: Any, want: Any = None) -> ModelSpec:
    """What is read gives what onnxruntime gives, in the reference and in the core."""
    want = run(path, {"x": x})[0] if want is None else want
    spec = formats.read(path)
    for y in (reference.run(spec, x)[0], rn.Model(spec)(x)[0]):
        np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
    return spec


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("rows", [1, B])
def test_constants_become_the_layers_own(
    cell: str, direction: str, rows: int, tmp_path: Path
) -> None:
    """A file that fixes the batch has one row for each, all alike; it is read for any batch."""
    layer = make_recurrent(cell, IN, H, direction=direction)
    b = Builder()
    x = b.input("x", ["t", rows, IN])
    own = learned(layer)
    states = [b.constant(np.repeat(array, rows, axis=1)) for array in own]
    b.output(b.concatenated(b.recurrent(x, layer, "", *states)[0], layer.num_directions))
    path = b.save(tmp_path)
    (read,) = assert_agrees(path, uniform(T, rows, IN)).layers
    for name, array in zip(layer.state_names, own, strict=True):
        np.testing.assert_array_equal(read.arrays[f"{name}_0"], array[:, 0])
    y, _ = rn.load(path)(uniform(T, 1, IN))
    assert y.shape == (T, 1, H * layer.num_directions)


@pytest.mark.parametrize("missing", [0, 1])
def test_one_state_of_two(missing: int, tmp_path: Path) -> None:
    layer = make_recurrent("lstm", IN, H)
    b = Builder()
    x = b.input("x", ["t", 1, IN])
    states = [b.constant(array) for array in learned(layer)]
    states[missing] = b.constant(np.zeros((1, 1, H), np.float32)) if missing == 0 else ""
    b.output(b.squeeze(b.recurrent(x, layer, "", *states)[0], 1))
    (read,) = assert_agrees(b.save(tmp_path), uniform(T, 1, IN)).layers
    assert not read.arrays[f"{'hc'[missing]}_0"].any()
    assert read.arrays[f"{'ch'[missing]}_0"].any()


@pytest.mark.parametrize("how", ["expand", "tile", "flat", "unreadable", "moved"])
def test_constants_repeated_along_a_batch_that_is_free(how: str, tmp_path: Path) -> None:
    layer = make_recurrent("gru", IN, H, direction="bidirectional")
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    (own,) = learned(layer)
    batch = b.unsqueeze(b.op("Gather", b.op("Shape", x), b.constant(1, np.int64)), 0)
    shape = b.op("Concat", b.integers(2), batch, b.integers(H), axis=0)
    if how == "expand":
        state = b.op("Expand", b.constant(own), shape)
    elif how == "tile":
        repeats = b.op("Concat", b.integers(1), batch, b.integers(1), axis=0)
        state = b.op("Tile", b.constant(own), repeats)
    elif how == "flat":  # the same in both directions
        own = np.broadcast_to(own[:1], own.shape)
        state = b.op("Expand", b.constant(own[0, 0]), shape)
    elif how == "unreadable":
        ones = b.op("ConstantOfShape", b.integers(3), value=_one())
        where = b.op("Where", b.op("Equal", shape, ones), ones, shape)
        state = b.op("Expand", b.constant(own), where)
    else:
        turned = b.op("Concat", batch, b.integers(2), b.integers(H), axis=0)
        state = b.op("Expand", b.constant(own.transpose(1, 0, 2)), turned)
        state = b.op("Transpose", b.op("Identity", state), perm=[1, 0, 2])
        state = b.op("Cast", state, to=TensorProto.FLOAT)
    b.output(b.concatenated(b.recurrent(x, layer, "", state)[0], 2))
    (read,) = assert_agrees(b.save(tmp_path), uniform(T, B, IN)).layers
    np.testing.assert_array_equal(read.arrays["h_0"], own[:, 0])


def _one() -> Any:
    from onnx import helper

    return helper.make_tensor("value", TensorProto.INT64, [1], [1])


@pytest.mark.parametrize("how", ["Slice", "Split"])
def test_states_of_several_layers_are_rows_of_one_constant(how: str, tmp_path: Path) -> None:
    layers = [make_recurrent("gru", IN, H), make_recurrent("gru", H, H, seed=1)]
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    own = uniform(2, 1, H, seed=9)
    batch = b.unsqueeze(b.op("Gather", b.op("Shape", x), b.constant(1, np.int64)), 0)
    shape = b.op("Concat", b.integers(2), batch, b.integers(H), axis=0)
    every = b.op("Expand", b.constant(own), shape)
    parts = b.ops("Split", every, count=2, axis=0) if how == "Split" else []
    for row, layer in enumerate(layers):
        rows = parts or [
            b.op("Slice", every, b.integers(row), b.integers(row + 1), b.integers(0))
        ] * (row + 1)
        x = b.squeeze(b.recurrent(x, layer, "", rows[row])[0], 1)
    b.output(x)
    spec = assert_agrees(b.save(tmp_path), uniform(T, B, IN))
    for row, read in enumerate(spec.layers):
        np.testing.assert_array_equal(read.arrays["h_0"], own[row])


def test_batch_first_states(tmp_path: Path) -> None:
    """onnxruntime refuses layout=1; the same node with layout=0 tells what it gives."""
    layer = make_recurrent("lstm", IN, H, direction="bidirectional")
    x, own, want = uniform(T, B, IN), learned(layer), None
    for layout in (0, 1):
        b = Builder()
        given = b.input("x", [B, "t", IN] if layout else ["t", B, IN])
        every = [np.repeat(array, B, axis=1) for array in own]
        states = [b.constant(a.transpose(1, 0, 2) if layout else a) for a in every]
        attributes = {"layout": 1} if layout else {}
        y = b.recurrent(given, layer, "", *states, **attributes)[0]
        b.output(y if layout else b.concatenated(y, 2))
        path = b.save(tmp_path)
        want = run(path, {"x": x})[0] if want is None else want
    assert_agrees(path, x, want)


def test_an_inputs_default_is_what_a_call_begins_with(tmp_path: Path) -> None:
    layer = make_recurrent("gru", IN, H)
    b = Builder()
    x, h = b.input("x", ["t", 1, IN]), b.input("h", [1, 1, H])
    (own,) = learned(layer)
    b.constant(own, name=h)
    b.output(b.squeeze(b.recurrent(x, layer, "", h)[0], 1))
    path, x = b.save(tmp_path), uniform(T, 1, IN)
    spec = assert_agrees(path, x)
    (want,) = run(path, {"x": x, "h": uniform(1, 1, H, seed=3)})
    y, _ = rn.Model(spec)(x, uniform(1, 1, H, seed=3))
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


@pytest.mark.parametrize("rows", [1, B])
def test_a_node_by_itself_keeps_what_its_file_fixes(rows: int, tmp_path: Path) -> None:
    layer = make_recurrent("gru", IN, H)
    b = Builder()
    x = b.op("Abs", b.input("x", ["t", rows, IN]))  # which no chain has
    state = b.constant(uniform(1, rows, H, seed=4))
    b.output(b.recurrent(x, layer, "", state, name="it")[0])
    (read,) = formats.read(b.save(tmp_path), node="it").layers
    if rows == 1:
        np.testing.assert_array_equal(read.arrays["h_0"], uniform(1, 1, H, seed=4)[0])
    else:  # another one for each row: it is the model's state, to be given
        assert read.initial_state is None


@pytest.mark.parametrize("cell", CELLS)
def test_what_we_write_begins_with_it_everywhere(cell: str, tmp_path: Path) -> None:
    layer = make_recurrent(cell, IN, H, direction="bidirectional")
    own = [array[:, 0] for array in learned(layer)]
    spec = ModelSpec((Recurrent(weights=layer.weights, **layer.options, initial_state=own),))
    path = tmp_path / "model.onnx"
    rn.Model(spec).save(path)
    assert_agrees(path, uniform(T, B, IN))
    (read,) = formats.read(path).layers
    for name, array in zip(layer.state_names, own, strict=True):
        assert read.arrays[f"{name}_0"].tobytes() == array.tobytes()


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "torch.export"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_learned_state_as_pytorch_exports_it(layers: int, dynamo: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(IN, H, layers)
            self.h_0 = torch.nn.Parameter(torch.randn(layers, 1, H))
            self.c_0 = torch.nn.Parameter(torch.randn(layers, 1, H))

        def forward(self, x: Any) -> Any:
            rows = x.shape[1]
            state = [s.expand(-1, rows, -1).contiguous() for s in (self.h_0, self.c_0)]
            return self.lstm(x, tuple(state))[0]

    torch.manual_seed(0)
    net, path = Net().eval(), tmp_path / "model.onnx"
    free = {"x": {1: "batch"}}  # torch.export fixes the time of an LSTM
    axes = {"dynamic_shapes": free} if dynamo else {"dynamic_axes": free}
    torch.onnx.export(
        net, (torch.zeros(T, 2, IN),), path, input_names=["x"], dynamo=dynamo, verbose=False, **axes
    )
    spec = assert_agrees(path, uniform(T, B, IN))
    for name in ("h_0", "c_0"):
        rows = np.concatenate([layer.arrays[name] for layer in spec.layers])
        np.testing.assert_array_equal(rows, getattr(net, name).detach().numpy()[:, 0])
