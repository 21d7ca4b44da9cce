"""ONNX graphs that are no chain become graphs: against onnxruntime."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx_graphs import ATOL, Array, Builder, make_linear, make_recurrent, run, uniform
from random_onnx import Drawn

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Combine, ModelSpec

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 3, 4


def check_graph(path: Path, feeds: dict[str, Array], *, batch_first: bool = False) -> ModelSpec:
    """Outputs by name are onnxruntime's, of the reference and of the Model."""
    spec = formats.read(path)
    assert not spec.is_chain
    given = {name: feeds[name] for name in spec.inputs}
    if batch_first:
        given = {name: np.swapaxes(x, 0, 1) for name, x in given.items()}
    wants = dict(zip(names_of(path), run(path, feeds), strict=True))
    x = given if len(given) > 1 else next(iter(given.values()))
    for run_it in (reference.run, lambda spec, x: rn.Model(spec)(x)):
        ys = run_it(spec, x)[0]
        ys = ys if isinstance(ys, dict) else dict(zip(spec.outputs, [ys], strict=True))
        assert list(ys) == [name for name in wants if name in ys]
        for name, y in ys.items():
            want = wants[name]
            if batch_first and y.ndim == 3:
                want = np.swapaxes(want, 0, 1)
            # ATOL is for one layer; here are a few, which pass on what they get.
            atol = 8 * ATOL * max(1.0, float(np.abs(want).max()))
            np.testing.assert_allclose(y, want.reshape(y.shape), rtol=0, atol=atol)
    return spec


def names_of(path: Path) -> list[str]:
    import onnx

    return [value.name for value in onnx.load(path).graph.output]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
@example(109326)  # one feature beside its sigmoid, as a cache beside the next frame
def test_any_graph_of_the_operators_gives_onnxruntimes_numbers(folder: Path, seed: int) -> None:
    drawn = Drawn(np.random.default_rng(seed))
    path = drawn.builder.save(folder)
    spec = formats.read(path)
    if spec.is_chain:
        assert len(drawn.feeds) == len(drawn.outputs) == 1
        return
    assert set(spec.inputs) <= set(drawn.feeds)
    assert list(spec.outputs) == [value.name for value in drawn.outputs]
    check_graph(path, drawn.feeds, batch_first=drawn.order == "btf")


LSTM, GRU = make_recurrent("lstm", IN, H), make_recurrent("gru", IN, H, seed=1)
BOTH = make_recurrent("gru", IN, 2, seed=2, direction="bidirectional")


def test_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    b = Builder()
    mel, speaker = b.input("mel", ["t", "b", IN]), b.input("speaker", ["t", "b"], TensorProto.INT64)
    y = b.squeeze(b.recurrent(mel, LSTM, name="encoder")[0], 1)
    who = b.op("Gather", b.constant(uniform(7, H)), speaker, name="who")
    b.nodes[-1].output[0] = "found"
    y = b.op("Add", y, "found", name="both")
    b.output(b.op("Tanh", y, name="out"))
    b.output(y)
    feeds = {"mel": uniform(T, B, IN), "speaker": np.arange(T * B).reshape(T, B) % 7}
    spec = check_graph(b.save(tmp_path), feeds)
    assert who
    assert list(spec.inputs.items()) == [("mel", (IN, False)), ("speaker", (7, True))]
    assert list(spec.nodes) == ["encoder", "who", "both", "out"]
    assert spec.nodes["both"] == (Combine("add"), ("encoder", "who"))
    assert list(spec.outputs.values()) == ["out", "both"]


def test_names_are_told_apart(tmp_path: Path) -> None:
    """Of two nodes with the same, of a node and an input, of a node and a last state."""
    b = Builder()
    x, other = b.input("x", ["t", "b", IN]), b.input("gru", ["t", "b", IN])
    y, h = b.recurrent(x, GRU, name="gru")
    b.output(b.op("Tanh", b.squeeze(y, 1), name="gru 2.last"))
    b.output(b.op("Tanh", b.squeeze(h, 0)))
    b.output(b.op("Tanh", other))
    spec = check_graph(b.save(tmp_path), {"x": uniform(T, B, IN), "gru": uniform(T, B, IN, seed=1)})
    assert [*spec.nodes][:2] == ["gru 2", "gru 2.last 2"]
    assert len(spec.nodes) == 4


def test_a_line_break_in_a_name_is_none(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    y = b.squeeze(b.recurrent(x, GRU, name="a\nb" + "c" * 300)[0], 1)
    b.output(b.op("Add", y, b.linear(x, make_linear(IN, H))))
    spec = check_graph(b.save(tmp_path), {"x": uniform(T, B, IN)})
    assert next(iter(spec.nodes)).startswith("a?bccc")


def test_layers_side_by_side(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    ys = [b.squeeze(b.recurrent(x, layer)[0], 1) for layer in (LSTM, GRU)]
    ys.append(b.concatenated(b.recurrent(x, BOTH)[0], 2))
    y = b.op("Concat", *ys, x, axis=-1)
    b.output(b.linear(y, make_linear(3 * H + IN, 2)))
    spec = check_graph(b.save(tmp_path), {"x": uniform(T, B, IN)})
    assert len(spec.recurrents) == 3


@pytest.mark.parametrize("which", [0, 1])
def test_one_direction_of_a_raw_y(which: int, tmp_path: Path) -> None:
    b = Builder()
    y = b.recurrent(b.input("x", ["t", "b", IN]), BOTH)[0]
    one = b.op("Gather", y, b.constant(which, np.int64), axis=1)
    cut = b.op("Slice", y, b.integers(which), b.integers(which + 1), b.integers(1))
    b.output(b.op("Mul", one, b.squeeze(cut, 1)))
    check_graph(b.save(tmp_path), {"x": uniform(T, B, IN)})


def test_raw_ys_are_added_direction_by_direction(tmp_path: Path) -> None:
    b = Builder()
    x, other = make_recurrent("gru", IN, 2, seed=2, direction="bidirectional"), BOTH
    name = b.input("x", ["t", "b", IN])
    total = b.op("Add", b.recurrent(name, x)[0], b.recurrent(name, other)[0])
    b.output(b.op("Reshape", b.op("Transpose", total, perm=[0, 2, 1, 3]), b.integers(0, 0, 4)))
    check_graph(b.save(tmp_path), {"x": uniform(T, B, IN)})


# States


def streaming(b: Builder, x: str, *, packed: bool) -> tuple[list[str], list[str]]:
    """An LSTM and a GRU on x with their states as inputs; what they give and carry on."""
    states = ["h", "c", "g"]
    if packed:
        b.input("states", ["b", 3, H])
        turned = b.op("Transpose", "states", perm=[1, 0, 2])
        states = b.ops("Split", turned, b.integers(1, 1, 1), axis=0, count=3)
    else:
        for name in states:
            b.input(name, [1, "b", H])
    y, h, c = b.recurrent(x, LSTM, "", *states[:2], name="lstm")
    z, g = b.recurrent(x, GRU, "", states[2], name="gru")
    return [b.squeeze(y, 1), b.squeeze(z, 1)], [h, c, g]


@pytest.mark.parametrize("packed", [False, True])
def test_states_are_those_of_a_call(packed: bool, tmp_path: Path) -> None:
    b = Builder()
    ys, finals = streaming(b, b.input("x", ["t", "b", IN]), packed=packed)
    b.output(b.op("Add", *ys, name="sum"))
    states = uniform(3, B, H, seed=3)
    feeds = {"x": uniform(T, B, IN)}
    if packed:
        b.output(b.op("Concat", *finals, axis=0))
        feeds["states"] = states.swapaxes(0, 1)
    else:
        for name in finals:
            b.output(name)
        feeds |= {name: states[i : i + 1] for i, name in enumerate("hcg")}
    path = b.save(tmp_path)
    spec = formats.read(path)
    assert list(spec.inputs) == ["x"]
    assert len(spec.outputs) == 1
    want, *carried = run(path, feeds)
    given = {"lstm": (states[:1], states[1:2]), "gru": states[2:]}
    for y, state in (reference.run(spec, feeds["x"], given), rn.Model(spec)(feeds["x"], given)):
        np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
        found = np.concatenate([*state["lstm"], state["gru"]])
        np.testing.assert_allclose(found, np.concatenate(carried), rtol=0, atol=ATOL)


def test_states_in_one_tensor_of_four_axes(tmp_path: Path) -> None:
    """[batch, layers, features, h and c], each of them cut out, as TensorFlow's streams have it."""
    b = Builder()
    x, states = b.input("x", ["t", 1, IN]), b.input("states", [1, 2, H, 2])
    more, finals = make_recurrent("lstm", H, H, seed=4), []
    for i, layer in enumerate((LSTM, more)):
        parts = []
        for j in (0, 1):
            ends = [b.integers(0, i, 0, j), b.integers(1, i + 1, H, j + 1)]
            cut = b.op("Slice", states, *ends, b.integers(0, 1, 2, 3), b.integers(1, 1, 1, 1))
            parts.append(b.unsqueeze(b.op("Squeeze", cut, b.integers(1, 3)), 0))
        y, *final = b.recurrent(x, layer, "", *parts)
        x = b.squeeze(y, 1)
        finals.append(final)
    b.output(x)
    for state in zip(*finals, strict=True):
        b.output(b.op("Concat", *state, axis=0))
    path = b.save(tmp_path)
    feeds = {"x": uniform(T, 1, IN), "states": uniform(1, 2, H, 2, seed=5)}
    want, *carried = run(path, feeds)
    state = feeds["states"].transpose(1, 3, 0, 2)[:, :, None]
    y, found = reference.run(formats.read(path), feeds["x"], tuple(map(tuple, state)))
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
    for got, expected in zip(zip(*found, strict=True), carried, strict=True):
        np.testing.assert_allclose(np.concatenate(got), expected, rtol=0, atol=ATOL)


def test_parts_of_states_that_meet_are_refused(tmp_path: Path) -> None:
    b = Builder()
    x, states = b.input("x", ["t", "b", IN]), b.input("states", [2, "b", H])
    parts = [
        b.op("Slice", states, b.integers(0), b.integers(1), b.integers(0)),
        b.unsqueeze(b.op("Gather", states, b.constant(0, np.int64)), 0),
    ]
    b.output(b.recurrent(x, LSTM, "", *parts, name="it")[0])
    with pytest.raises(UnsupportedError, match="initial_c: a part of 'states' is node 'it' "):
        formats.read(b.save(tmp_path))
    b.nodes[-1].input[6] = states
    with pytest.raises(rn.FormatError, match=r"initial_c: expected shape \(1, batch, 4\)"):
        formats.read(b.save(tmp_path))


def test_an_h_beside_a_sequence_is_an_output_where_that_does_not_need_it(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    b.output(b.squeeze(b.recurrent(x, LSTM)[0], 1))
    h = b.output(b.squeeze(b.recurrent(x, GRU)[1], 0))
    spec = check_graph(b.save(tmp_path), {"x": uniform(T, B, IN)})
    assert list(spec.outputs)[1] == h


def test_lengths_are_of_all_layers(tmp_path: Path) -> None:
    b = Builder()
    x, n = b.input("x", ["t", "b", IN]), b.input("n", ["b"], TensorProto.INT32)
    y, h = b.recurrent(x, BOTH, n)
    last = b.op("Reshape", b.op("Transpose", h, perm=[1, 0, 2]), b.integers(0, 4))
    b.output(b.linear(last, make_linear(4, 2)))
    b.output(b.linear(b.concatenated(y, 2), make_linear(4, 2)))
    path = b.save(tmp_path)
    feeds: dict[str, Array] = {"x": uniform(T, B, IN), "n": np.array([3, 5], np.int32)}
    spec = formats.read(path)
    assert sum(value.endswith(".last") for node in spec.nodes.values() for value in node.inputs)
    ys, _ = reference.run(spec, feeds["x"], None, feeds["n"])
    last, steps = run(path, feeds)
    for_last, for_steps = ys.values()
    np.testing.assert_allclose(for_last, last, rtol=0, atol=ATOL)
    for row, length in enumerate(feeds["n"]):
        got = for_steps[:length, row]
        np.testing.assert_allclose(got, steps[:length, row], rtol=0, atol=ATOL)


# What is refused


REFUSED: dict[str, tuple[Callable[[Builder, str, str], Any], str]] = {
    "another size": (
        lambda b, x, y: b.op("Add", x, y, name="it"),
        r"'it' \(Add\): takes 3 and 4 features; only as many, or one, can be",
    ),
    "another time": (
        lambda b, x, y: b.op("Concat", x, y, axis=0, name="it"),
        r"'it' \(Concat\): joins .* along axis 0; only features can be",
    ),
    "a division by 0": (
        lambda b, x, y: b.op("Div", y, b.constant(np.float32(0)), name="it"),
        r"'it' \(Div\): divides by 0",
    ),
    "numbers of steps": (
        lambda b, x, y: b.op("Mul", y, b.constant(uniform(T, 1, 1)), name="it"),
        r"'it' \(Mul\): its constant of shape \(5, 1, 1\) is neither a number nor one for each",
    ),
    "a product of values": (
        lambda b, x, y: b.op("MatMul", y, b.op("Transpose", y, perm=[0, 2, 1]), name="it"),
        r"'it' \(MatMul\): dimension 0 .* should be the batch axis",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_combined_is_refused_by_name(what: str, tmp_path: Path) -> None:
    make, message = REFUSED[what]
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    y = b.squeeze(b.recurrent(x, LSTM)[0], 1)
    b.output(b.op("Tanh", make(b, x, y)))
    with pytest.raises(UnsupportedError, match=f"node {message}"):
        formats.read(b.save(tmp_path))


def test_the_hint_reads_a_part_of_a_graph(tmp_path: Path) -> None:
    b = Builder()
    one, two = b.input("one", ["t", "b", IN]), b.input("two", ["t", "b", IN])
    y = b.op("Mul", one, two)
    b.output(b.op("Round", y, name="it"))
    path = b.save(tmp_path)
    with pytest.raises(UnsupportedError, match=rf"'it' \(Round\): .*between=\(None, '{y}'\) reads"):
        formats.read(path)
    spec = formats.read(path, between=(None, y))
    assert list(spec.inputs) == ["one", "two"]
    with pytest.raises(rn.OptionError, match=r"besides 'one' the output .* needs 'two'"):
        formats.read(path, between=("one", y))
