"""layout=1, which onnxruntime refuses: equal to the same graph in layout 0 between Transposes."""

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

from rnn_native import formats, onnx_backend, reference
from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.formats import safetensors
from rnn_native.spec import Recurrent

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 3, 2, 4
CELLS = ["rnn", "gru", "lstm"]
DIRECTIONS = ["forward", "reverse", "bidirectional"]


def graph(b: Builder, layer: Recurrent, layout: int) -> list[str]:
    """x [batch, time, in] -> y [batch, time, D * H] and states [batch, D, H], in either way."""
    d = layer.num_directions
    x = b.input("x", ["b", "t", IN])
    lengths = b.input("lengths", ["b"], TensorProto.INT32)
    states = [b.input(name, ["b", d, H]) for name in layer.state_names]
    if layout:
        y, *finals = b.recurrent(x, layer, lengths, *states, layout=1)
        return [b.op("Reshape", y, b.integers(0, 0, d * H)), *finals]
    swap = [1, 0, 2]
    x, *states = (b.op("Transpose", name, perm=swap) for name in (x, *states))
    y, *finals = b.recurrent(x, layer, lengths, *states)
    y = b.op("Reshape", b.op("Transpose", y, perm=[2, 0, 1, 3]), b.integers(0, 0, d * H))
    return [y, *(b.op("Transpose", name, perm=swap) for name in finals)]


def feeds(layer: Recurrent) -> dict[str, Any]:
    given = {"x": uniform(B, T, IN), "lengths": np.array([5, 2, 3], np.int32)}
    shape = (B, layer.num_directions, H)
    return given | {n: uniform(*shape, seed=i) for i, n in enumerate(layer.state_names, 1)}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_node_is_the_same_batch_first(cell: str, direction: str, tmp_path: Path) -> None:
    layer = make_recurrent(cell, IN, H, direction=direction)
    models = []
    for layout in (0, 1):
        b = Builder()
        for name in graph(b, layer, layout):
            b.output(name, shape=["b", "t", "f"])
        models.append(b.model())
    b = Builder()
    for name in graph(b, layer, 0):
        b.output(name)
    given = feeds(layer)
    want = run(b.save(tmp_path), given)
    for model in models:
        for got, expected in zip(onnx_backend.run_model(model, given), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_chain_of_both_layouts_is_read_as_what_it_calculates(
    cell: str, direction: str, tmp_path: Path
) -> None:
    first = make_recurrent(cell, IN, H, direction=direction)
    second = make_recurrent("gru", first.output_size, H, seed=1)
    head = make_linear(H, 3, seed=2)
    read = []
    for layout in (0, 1):
        b = Builder()
        y, *finals = graph(b, first, layout)
        y = b.op("Transpose", y, perm=[1, 0, 2])
        y = b.squeeze(b.recurrent(y, second, "lengths")[0], 1)
        y = b.op("Transpose", b.linear(y, head), perm=[1, 0, 2])
        for name in (y, *finals):
            b.output(name)
        path = b.save(tmp_path)
        read.append(formats.read(path))
        if not layout:
            given = feeds(first)
            want = run(path, given)[0]
    assert safetensors.dumps(read[0]) == safetensors.dumps(read[1])
    x, *states = (given[n].swapaxes(0, 1) for n in ("x", *first.state_names))
    state = tuple(states) if len(states) > 1 else states[0]
    y, _ = reference.run(read[1], x, (state, np.zeros((1, B, H))), given["lengths"])
    # Past a row's length a Linear gives its bias in ONNX, and 0 here.
    for row, length in enumerate(given["lengths"]):
        np.testing.assert_allclose(y[:length, row], want[row, :length], rtol=0, atol=2 * ATOL)


def test_states_of_several_layers_are_parts_along_the_second_axis(tmp_path: Path) -> None:
    layers = [make_recurrent("gru", IN, H), make_recurrent("gru", H, H, seed=1)]

    def build(axis: int, how: str) -> Path:
        b = Builder()
        y, h = b.input("x", ["b", "t", IN]), b.input("h", ["b", 2, H] if axis else [2, "b", H])
        if how == "Split":
            parts = b.ops("Split", h, count=2, axis=axis)
        else:
            parts = [
                b.op("Slice", h, b.integers(row), b.integers(row + 1), b.integers(axis))
                for row in (0, 1)
            ]
        for layer, part in zip(layers, parts, strict=True):
            y = b.squeeze(b.recurrent(y, layer, "", part, layout=1)[0], 2)
        b.output(y)
        return b.save(tmp_path)

    for how in ("Split", "Slice"):
        assert len(formats.read(build(1, how)).layers) == 2
        with pytest.raises(UnsupportedError, match="initial_h: a part of 'h' along its batch"):
            formats.read(build(0, how))


def test_a_state_of_the_other_layout_is_refused(tmp_path: Path) -> None:
    b = Builder()
    y = b.recurrent(
        b.input("x", ["b", "t", IN]), make_recurrent("gru", IN, H), "", b.input("h", [1, B, H]),
        name="it", layout=1,
    )  # fmt: skip
    b.output(y[0])
    with pytest.raises(FormatError, match=r"'it' .*initial_h: expected shape \(batch, 1, 4\), got"):
        formats.read(b.save(tmp_path))


def test_time_and_batch_that_change_places_are_refused(tmp_path: Path) -> None:
    """A layer that is batch first on the outputs of one that is not would take rows for steps."""
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), make_recurrent("gru", IN, H))[0], 1)
    b.output(b.recurrent(y, make_recurrent("gru", H, H), name="it", layout=1)[0])
    with pytest.raises(UnsupportedError, match=r"node 'it' .* should be the time axis"):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("how", ["constant", "Expand", "Tile"])
@pytest.mark.parametrize("layout", [0, 1])
def test_lengths_that_are_all_of_the_time_are_none(how: str, layout: int, tmp_path: Path) -> None:
    layer = make_recurrent("gru", IN, H)
    b = Builder()
    fixed: list[Any] = ["b", T, IN] if layout else [T, "b", IN]
    free: list[Any] = ["b", "t", IN] if layout else ["t", "b", IN]
    x = b.input("x", fixed if how == "constant" else free)
    if how == "constant":
        lengths = b.constant([T] * B, np.int32)
    else:
        sizes = b.op("Cast", b.op("Shape", x), to=TensorProto.INT32)
        time, batch = (
            b.op("Slice", sizes, b.integers(axis), b.integers(axis + 1))
            for axis in ((1, 0) if layout else (0, 1))
        )
        batch = b.op("Cast", batch, to=TensorProto.INT64)
        lengths = b.op(how, time, batch)
    b.output(b.recurrent(x, layer, lengths, layout=layout, name="it")[0])
    path = b.save(tmp_path)
    (read,) = formats.read(path).layers
    assert isinstance(read, Recurrent)
    if not layout:
        x = uniform(T, B, IN)
        want = run(path, {"x": x})[0]
        np.testing.assert_allclose(
            reference.run(formats.read(path), x)[0], want[:, 0], rtol=0, atol=ATOL
        )


@pytest.mark.parametrize("how", ["shorter", "the batch"])
def test_lengths_that_the_file_fixes_to_less_are_refused(how: str, tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", [T, "b", IN])
    if how == "shorter":
        lengths = b.constant([T, T - 1, T], np.int32)
    else:
        batch = b.op("Slice", b.op("Shape", x), b.integers(1), b.integers(2))
        lengths = b.op("Cast", b.op("Expand", batch, batch), to=TensorProto.INT32)
    b.output(b.recurrent(x, make_recurrent("gru", IN, H), lengths, name="it")[0])
    with pytest.raises(
        UnsupportedError, match=r"'it' .*sequence_lens: expected an input of the gr"
    ):
        formats.read(b.save(tmp_path))
